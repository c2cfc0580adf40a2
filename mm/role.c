/* SPDX-License-Identifier: MIT */
/*
 * Roles: from a frame to what mm uses it for.
 *
 * Terms.  A page some of whose frames serve as slabs, objects, page tables or metadata has a *role table*: 512 words, a
 * word a frame, in one frame, found through struct Page.  A word:
 *
 *      63                                   16 15        8  7  6 5      0
 *      [ address >> 0, its low 48 bits        |  live     |     | role  ]     objects of a frame or more
 *      [ address of the slab's descriptor     |     0     |  0  | role  ]     slabs
 *      [ address of mm.no_object              |  used entries   | role  ]     page tables (bits 6 .. 15)
 *      [ address of mm.no_object              |     0     |  0  | role  ]     metadata, none
 *
 * The word is made for kfree (kmalloc.c): rotating the offset in the frame right by the low 6 bits gives the object's
 * number (and something huge for a pointer into an object); the address, sign-extended from bit 63 on by one shift, leads
 * to a byte array `live` indexed by that number.  For a slab that is its descriptor's.  An object of a frame or more needs
 * no descriptor: its address part is chosen so that live[0] is byte 1 of the word itself.  Everything else points
 * to mm.no_object, where nothing is ever live; so no test is needed for it.
 *
 * Single frames with roles are taken, while there are any, from the page of the kernel's own tables, and then from the
 * page that the last one came from: so those who cannot be moved stay together, and after everything was freed nothing needs
 * a role table that did not need one at boot.
 *
 * Where a role table lies: in a frame of the page that it describes, if one is free; then it describes itself, too.  So
 * a page that serves mm needs no other page, and becomes whole again when all its roles are gone.  Else it lies in
 * another page, which needs a role table for it in turn.
 *
 * Cost: a page's first role takes a frame and 512 stores; every other a store.  0.2 % of the pages that serve mm.
 *
 * Invariants, checked by check_roles.c:
 *   I301  n_roles of a page counts the words of its table that are not "none".
 *   I302  A role table is a held frame with the role ROLE_METADATA.
 *   I303  A page with a role table is split and in the direct map.
 *   I304  The word of a frame in which no object lies leads to mm.no_object, which is all zero.  words of a page is its role
 *         table, or mm.no_roles, all of whose words are such.
 *   I305  The used entries of a page table are its present ones; those that are no leaves lead to tables of the level below.
 *
 * Locking: mm.role_lock around n_roles and the coming and going of tables.  Words are set by who holds the frame.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/paging.h>
#include <mm/role.h>

#define LIVE_MASK 0xff00UL

static ul word_make(enum role role, const void *points_to)
{
    return (ul)points_to << ROLE_ADDRESS_SHIFT | (ul)role;
}

static ul word_none(void)
{
    return word_make(ROLE_NONE, &mm.no_object);
}

ul *role_word(phys_t frame)
{
    return &page_of(frame)->roles[frame.addr / FRAME_BYTES % PAGE_FRAMES];
}

static bool has_role_word(phys_t frame)
{
    return page_exists(frame) && page_of(frame)->roles != NULL;
}

/* One look at the pointer: the table of a page in which the asker holds nothing may go away at any time. */
ul role_word_now(phys_t frame)
{
    const ul *words;

    if (!page_exists(frame))
        return word_none();
    words = __atomic_load_n(&page_of(frame)->words, __ATOMIC_RELAXED);
    return __atomic_load_n(&words[frame.addr / FRAME_BYTES % PAGE_FRAMES], __ATOMIC_RELAXED);
}

enum role role_of(phys_t frame)
{
    return word_role(role_word_now(frame));
}

void role_set(phys_t frame, enum role role, const void *points_to)
{
    *role_word(frame) = word_make(role, points_to);
}

void role_start(void)
{
    for (u64 i = 0; i < PAGE_FRAMES; i++)
        mm.no_roles[i] = word_none();
}

/* Makes a held frame the role table of a page that has none. */
static void table_install(struct Page *page, phys_t frame)
{
    ul *table = phys_pointer(frame);

    for (u64 i = 0; i < PAGE_FRAMES; i++)
        table[i] = word_none();
    page->n_roles = 0;
    page->roles = table;
    __atomic_store_n(&page->words, table, __ATOMIC_RELEASE); /* others look into it from now on */
}

/* What remains set in a table that describes nothing but itself, if it does. */
static u16 own_role(const struct Page *page)
{
    return page_of(pointer_phys(page->roles)) == page;
}

/* With the role lock: takes an idle table away from its page.  PHYS_NONE when the table is in use. */
static phys_t table_uninstall(struct Page *page)
{
    phys_t frame;

    if (page->roles == NULL || page->n_roles != own_role(page))
        return PHYS_NONE;
    if (!limbo_has_room()) {
        __atomic_store_n(&mm.idle_role_tables, true, __ATOMIC_RELAXED);
        return PHYS_NONE;
    }
    frame = pointer_phys(page->roles);
    if (page_of(frame) == page) {
        page->n_roles = 0;
    } else {
        *role_word(frame) = word_none();
        page_of(frame)->n_roles--;
    }
    page->roles = NULL;
    page->words = mm.no_roles;
    limbo_add_table(frame);
    return frame;
}

/* Sends the page's role table to limbo when it says nothing any more, and then the one of the page where it lay. */
static void table_release(struct Page *page)
{
    for (;;) {
        ul flags = platform_lock(&mm.role_lock);
        phys_t frame = table_uninstall(page);

        platform_unlock(&mm.role_lock, flags);
        if (phys_is_none(frame))
            break;
        page = page_of(frame);
    }
    limbo_settle_if_due();
}

/* Gives `page` the held frame as its role table, or the frame's own page, if that has none.  The frame goes back when
 * another context was faster. */
static void table_offer(struct Page *page, phys_t frame)
{
    ul flags = platform_lock(&mm.role_lock);
    struct Page *host = page_of(frame);
    struct Page *served = host->roles == NULL ? host : page;
    bool used = served->roles == NULL;

    if (used) {
        if (UNLIKELY(mm.debug.features != 0))
            debug_forget_frames(frame);
        table_install(served, frame);
        *role_word(frame) = word_make(ROLE_METADATA, &mm.no_object);
        host->n_roles++;
    }
    platform_unlock(&mm.role_lock, flags);
    if (!used)
        frame_free(frame, 0);
}

/*
 * Makes sure that a page has a role table.  A frame out of a page without roles becomes the table of that page
 * (table_offer); the next one is then looked for there.  When memory is short, looking for it gives idle tables back,
 * that one among them: if what comes next is of no use either, the same frames would go round and round.
 */
static bool table_ensure(struct Page *page)
{
    struct Page *source = page;
    bool left_idle = false, is_short = false;

    while (page->roles == NULL && !is_short) {
        phys_t frame;

        if (frame_alloc_in(source, &frame, 1) == 0)
            frame = frame_alloc(ZONE_NORMAL, 0);
        if (phys_is_none(frame))
            return false;
        is_short = left_idle && !__atomic_load_n(&mm.idle_role_tables, __ATOMIC_RELAXED);
        source = page_of(frame);
        table_offer(page, frame);
        if (page->roles == NULL)
            __atomic_store_n(&mm.idle_role_tables, true, __ATOMIC_RELAXED); /* the source's may stay idle */
        left_idle = true;
    }
    return page->roles != NULL;
}

/* Gives frames of one page their first role, so that it keeps the role table.  False when that just went away. */
static bool roles_claim(const phys_t *frames, u32 n)
{
    ul flags = platform_lock(&mm.role_lock);
    struct Page *page = page_of(frames[0]);
    bool there = page->roles != NULL;

    if (there) {
        page->n_roles = (uint16_t)(page->n_roles + n);
        for (u32 i = 0; UNLIKELY(mm.debug.features != 0) && i < n; i++)
            debug_forget_frames(frames[i]);
        for (u32 i = 0; i < n; i++)
            *role_word(frames[i]) = word_make(ROLE_METADATA, &mm.no_object);
    }
    platform_unlock(&mm.role_lock, flags);
    return there;
}

/* Makes sure that a frame has a role word, with ROLE_METADATA in it. */
static bool role_give(phys_t frame)
{
    do {
        if (!table_ensure(page_of(frame)))
            return false;
    } while (!roles_claim(&frame, 1));
    return true;
}

/* Up to n frames of a page of NORMAL that has a role table, with ROLE_METADATA; how many. */
static u32 frames_alloc_beside(struct Page *page, phys_t *frames, u32 n)
{
    bool suits = page->zone == &mm.zone[1] && page->roles != NULL && page->n_free != 0;
    u32 n_taken = suits ? frame_alloc_in(page, frames, n) : 0;

    if (n_taken == 0 || roles_claim(frames, n_taken))
        return n_taken;
    for (u32 i = 0; i < n_taken; i++)
        frame_free(frames[i], 0);
    return 0;
}

/* A block from anywhere, and a role table for its page. */
static phys_t block_alloc_anywhere(unsigned order)
{
    phys_t first = frame_alloc(ZONE_NORMAL, order);

    if (phys_is_none(first))
        return first;
    if (role_give(first)) {
        __atomic_store_n(&mm.role_page, page_index(page_of(first)), __ATOMIC_RELAXED);
        return first;
    }
    frame_free(first, order);
    return PHYS_NONE;
}

u32 role_frames_alloc(phys_t *frames, u32 n)
{
    u32 n_taken = frames_alloc_beside(page_of(paging_kernel_top()), frames, n);

    if (n_taken == 0)
        n_taken = frames_alloc_beside(page_at(__atomic_load_n(&mm.role_page, __ATOMIC_RELAXED)), frames, n);
    if (n_taken != 0)
        return n_taken;
    frames[0] = block_alloc_anywhere(0);
    return !phys_is_none(frames[0]);
}

phys_t role_frame_alloc(unsigned order)
{
    phys_t first;

    if (order != 0)
        return block_alloc_anywhere(order);
    return role_frames_alloc(&first, 1) == 0 ? PHYS_NONE : first;
}

void role_frames_free(const phys_t *first, u32 n, unsigned order)
{
    ul flags = platform_lock(&mm.role_lock);

    for (u32 i = 0; i < n; i++) {
        *role_word(first[i]) = word_none();
        page_of(first[i])->n_roles--;
    }
    platform_unlock(&mm.role_lock, flags);
    for (u32 i = 0; i < n; i++)
        frame_free(first[i], order);
    for (u32 i = 0; i < n; i++)
        if (page_of(first[i])->roles != NULL && page_of(first[i])->n_roles <= 1)
            table_release(page_of(first[i]));
}

void role_frame_free(phys_t first, unsigned order)
{
    role_frames_free(&first, 1, order);
}

void role_release_idle(void)
{
    if (!__atomic_exchange_n(&mm.idle_role_tables, false, __ATOMIC_RELAXED))
        return;
    for (u32 index = 0; index < mm.n_pages; index++)
        if (page_at(index)->roles != NULL)
            table_release(page_at(index));
}

phys_t table_frame_alloc(unsigned level)
{
    phys_t frame;

    if (!mm.frames_ready)
        return early_alloc_frame();
    frame = role_frame_alloc(0);
    if (phys_is_none(frame))
        return frame;
    memset(phys_pointer(frame), 0, FRAME_BYTES);
    role_set(frame, (enum role)level, &mm.no_object);
    return frame;
}

void table_frame_free(phys_t table)
{
    if (mm.frames_ready) /* frames taken early have no role yet, and never come back (ram.c) */
        role_frame_free(table, 0);
}

bool table_frame_adopt(phys_t table, unsigned level, unsigned n_used)
{
    if (!role_give(table))
        return false;
    role_set(table, (enum role)level, &mm.no_object);
    table_frame_use(table, (int)n_used);
    return true;
}

unsigned table_frame_level(phys_t frame)
{
    enum role role = role_of(frame);

    return role <= ROLE_TABLE_MAX ? (unsigned)role : 0;
}

unsigned table_frame_used(phys_t table)
{
    return mm.frames_ready && has_role_word(table) ? word_used(*role_word(table)) : 0;
}

void table_frame_use(phys_t table, int change)
{
    if (mm.frames_ready && has_role_word(table))
        *role_word(table) += (ul)(s64)change << ROLE_USED_SHIFT;
}

bool frame_is_live(phys_t frame)
{
    struct mm_what what;

    if (!is_aligned(frame.addr, FRAME_BYTES) || !mm_is_direct(frame))
        return false;
    mm_describe_phys(frame, &what);
    switch (what.kind) {
    case MM_LIVE_OBJECT:
        return what.class_bytes >= FRAME_BYTES;
    case MM_PAGE:
    case MM_HELD_FRAME:
    case MM_TABLE:
        return true;
    default: /* above all 0 and what else firmware and kernel have in low memory: a table never made */
        return false;
    }
}

void role_note_top_level(phys_t top)
{
    ul flags = platform_lock(&mm.role_lock);
    ul word = role_word_now(top);
    enum role role = word_role(word);

    if (role >= 12 && role <= ROLE_OBJECT_MAX)
        *role_word(top) = word_make((enum role)(role + ROLE_TOP_LEVEL), &mm.no_object) | (word & LIVE_MASK);
    platform_unlock(&mm.role_lock, flags);
}

void role_forget_top_level(phys_t top)
{
    ul flags = platform_lock(&mm.role_lock);
    ul word = role_word_now(top);
    const u8 *live = (const u8 *)role_word(top) + 1;

    if (word_role(word) > ROLE_TOP_LEVEL)
        *role_word(top) = word_make((enum role)(word_role(word) - ROLE_TOP_LEVEL), live - offsetof(struct slab, live)) |
                          (word & LIVE_MASK);
    platform_unlock(&mm.role_lock, flags);
}
