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
 *      [ address of mm.no_object + used       |     0     |  0  | role  ]     page tables with so many used entries
 *      [ address of mm.no_object              |     0     |  0  | role  ]     metadata, none
 *
 * The word is made for kfree (kmalloc.c): rotating the offset in the frame right by the low 6 bits gives the object's
 * number (and something huge for a pointer into an object); the address, sign-extended from bit 63 on by one shift, leads
 * to a byte array `live` indexed by that number.  For a slab that is its descriptor's.  An object of a frame or more needs
 * no descriptor: its address part is chosen so that live[0] is byte 1 of the word itself.  Everything else points
 * to mm.no_object, where nothing is ever live; so no test is needed for it.
 *
 * Byte 1 is 0 in the word of all that is no object of a frame or more.  For a wrong kfree may be late: what it frees a second
 * time was freed and has become something else since it read the word.  It then counts down a byte that is 0, fails, and takes
 * that back.  (Who changes another part of the word meanwhile may keep the -1 there: nobody looks at it but other such frees,
 * which fail the same way, and role_set clears it.)
 *
 * Frames with roles cannot be moved, so they are kept together: pages with role tables have free lists of their own
 * (split.c), and as long as one of them has a free frame, a frame that gets a role comes from there.  Else a page with
 * many free frames in a row gets a role table, or a whole one; only when memory is nearly exhausted any page will do, be
 * it for a single frame.
 *
 * A frame with a role is in nobody's hands but mm's: it is not held (frame.c), so frame_free refuses it as it refuses
 * everything that it did not hand out.  The same goes for the frames inside a block, and for role tables, which have no
 * role of their own: a frame that is neither free nor anybody's is one of these, or on its way between two lists.
 *
 * Where a role table lies: in a page that has one already, if there is a free frame; else in the page that it describes;
 * else anywhere in the zone.  So every two free frames of a zone serve one request, however they are scattered; and a page
 * becomes whole again when all its roles are gone.
 *
 * Cost: a frame with a role takes 15 instructions more than one without; a page's first role a frame and 512 stores.
 *
 * Invariants, checked by check_roles.c:
 *   I301  n_roles of a page counts the words of its table that are not "none".
 *   I302  A role table is a frame in the direct map that is neither free nor held nor has a role, of that page alone.
 *   I303  A page with a role table is split and in the direct map.
 *   I304  The word of a frame in which no object lies leads to mm.no_object, which is all zero, and of a page table up to
 *         512 bytes into it.  words of a page is its role table, or mm.no_roles, all of whose words lead to its start.
 *   I305  The used entries of a page table are its present ones; those that are no leaves lead to tables of the level below.
 *
 * Locking: the lock of a page's zone around the coming and going of its table, and n_roles.  Words are set by who took
 * the frame.  (mm.role_lock: top.c.)
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/find.h>
#include <mm/page.h>
#include <mm/paging.h>
#include <mm/role.h>
#include <mm/sanitize.h>
#include <mm/split.h>

/* A page is worth a role table when it has a free block of this order: 16 frames. */
#define WORTHY_ORDER 4

static ul word_none(void)
{
    return role_word_make(ROLE_NONE, &mm.no_object);
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

void role_start(void)
{
    for (u64 i = 0; i < PAGE_FRAMES; i++)
        mm.no_roles[i] = word_none();
}

/* ---- role tables; all with the lock of the zone ---- */

/* A frame for the role table of this page; NULL when the zone has none left. */
static ul *table_find(struct Zone *zone, struct Page *page)
{
    struct Page *host = split_any(zone, SPLIT_ROLES, 0);
    phys_t frame;

    if (host == NULL && page->n_free != 0)
        host = page;
    if (host == NULL)
        host = split_any(zone, SPLIT_PLAIN, 0);
    if (host == NULL)
        host = split_fresh(zone);
    if (host == NULL)
        return NULL;
    zone_count_taken(zone, 1);
    frame = split_take_block(zone, host, 0);
    sanitize_frames_taken(frame, 1);
    if (UNLIKELY(mm.debug.features != 0))
        debug_block_handed_out(frame, 0);
    return phys_pointer(frame);
}

static bool table_install(struct Zone *zone, struct Page *page)
{
    ul *table = table_find(zone, page);
    ul none = word_none();

    if (table == NULL)
        return false;
#pragma GCC unroll 8
    for (u64 i = 0; i < PAGE_FRAMES; i++)
        table[i] = none;
    page->n_roles = 0;
    split_set_roles(zone, page, table);
    return true;
}

/* Sends a page's role table, which says nothing any more, to limbo; when that is full it stays, to be looked for. */
static void table_uninstall(struct Zone *zone, struct Page *page)
{
    ul *table = page->roles;

    if (!limbo_keep_place()) {
        __atomic_store_n(&mm.idle_role_tables, true, __ATOMIC_RELAXED);
        return;
    }
    split_set_roles(zone, page, NULL); /* first: what is in limbo may be freed at once */
    limbo_add_table(pointer_phys(table));
}

/* The same, unless a CPU prefers the page: it will soon want it again, or be asked to give it back. */
static bool table_retire(struct Zone *zone, struct Page *page)
{
    if (page->owner != 0) {
        __atomic_store_n(&mm.idle_role_tables, true, __ATOMIC_RELAXED);
        return false;
    }
    table_uninstall(zone, page);
    return true;
}

void role_table_free(phys_t frame)
{
    struct Zone *zone = page_of(frame)->zone;
    ul flags;

    if (UNLIKELY(mm.debug.features != 0))
        debug_block_given_back(frame, 0);
    sanitize_frames_freed(frame, 1);
    flags = platform_lock(&zone->lock);
    split_give(zone, frame, 0);
    zone_count_given(zone, 1);
    platform_unlock(&zone->lock, flags);
}

void role_release_idle(void)
{
    if (!__atomic_exchange_n(&mm.idle_role_tables, false, __ATOMIC_RELAXED))
        return;
    for (u32 index = 0; index < mm.n_pages; index++) {
        struct Page *page = page_at(index);
        struct Zone *zone = page->zone;
        ul flags;

        if (page->roles == NULL)
            continue;
        flags = platform_lock(&zone->lock);
        if (page->roles != NULL && page->n_roles == 0)
            table_uninstall(zone, page);
        platform_unlock(&zone->lock, flags);
        limbo_settle_if_due();
    }
}

/* ---- taking and giving ---- */

/* Blocks with roles that somebody asks for. */
struct role_request {
    struct request request;
    unsigned order;
    u32 n, n_taken;
    phys_t *first;
    u32 n_most; /* n, or what the zone may lend */
};

/* How many blocks a zone may give; a page without a table wants a frame more. */
static u32 blocks_most(const struct Zone *zone, const struct role_request *role, bool with_table)
{
    if (LIKELY(role->request.keeps == 0))
        return role->n;
    return (u32)min_u64(role->n, (zone->n_free_frames - role->request.keeps - with_table) >> role->order);
}

/* Takes more blocks out of a page with a role table, as many as there are. */
static void take_in(struct Zone *zone, struct Page *page, struct role_request *role)
{
    phys_t *first = role->first + role->n_taken;
    u32 n_wanted = role->n_most - role->n_taken, n = 0;

    if (role->order == 0)
        n = split_take_in(zone, page, first, n_wanted);
    else
        for (; n < n_wanted && page->order != PAGE_NO_ORDER && page->order >= role->order; n++)
            first[n] = split_take_block(zone, page, role->order);
    for (u32 i = 0; i < n; i++)
        page->roles[first[i].addr / FRAME_BYTES % PAGE_FRAMES] = role_word_make(ROLE_METADATA, &mm.no_object);
    page->n_roles = (u16)(page->n_roles + n);
    role->n_taken += n;
}

/* Takes one block out of a page without a role table, and gives the page one. */
static void take_first(struct Zone *zone, struct Page *page, struct role_request *role)
{
    phys_t first = split_take_block(zone, page, role->order);

    if (!table_install(zone, page)) {
        split_give(zone, first, role->order);
        return;
    }
    role->first[role->n_taken++] = first;
    *role_word(first) = role_word_make(ROLE_METADATA, &mm.no_object);
    page->n_roles = 1;
    split_prefer(zone, platform_cpu(), page);
}

/* A page that is to get a role table: one worth it, or a whole one; or, with all effort, any. */
static struct Page *page_without_table(struct Zone *zone, const struct role_request *role)
{
    struct Page *page = split_any(zone, SPLIT_PLAIN, (unsigned)max_u64(role->order, WORTHY_ORDER));

    if (page == NULL)
        page = split_fresh(zone);
    if (page == NULL && role->request.effort == EFFORT_ANYTHING)
        page = split_any(zone, SPLIT_PLAIN, role->order);
    return page;
}

static u64 take_roles(struct Zone *zone, struct request *request)
{
    struct role_request *role = (struct role_request *)request;
    struct Page *page = split_choose(zone, platform_cpu(), SPLIT_ROLES, role->order);

    role->n_taken = 0;
    if (page == NULL && request->effort == EFFORT_ANYTHING)
        page = split_any(zone, SPLIT_ROLES, role->order);
    role->n_most = blocks_most(zone, role, page == NULL);
    if (role->n_most == 0)
        return 0;
    if (page == NULL) {
        page = page_without_table(zone, role);
        if (page != NULL)
            take_first(zone, page, role);
    }
    while (page != NULL && page->roles != NULL && role->n_taken < role->n_most) {
        take_in(zone, page, role);
        page = split_choose(zone, platform_cpu(), SPLIT_ROLES, role->order);
    }
    return (u64)role->n_taken << role->order;
}

u32 role_blocks_alloc(phys_t *first, u32 n, unsigned order)
{
    struct role_request role = {
        .request = {take_roles, (u64)1 << order, 1, false, true, EFFORT_USUAL, 0}, .order = order, .n = n, .first = first};

    if (find_memory(&mm.zone[1], &role.request) == 0)
        return 0;
    sanitize_blocks_taken(first, role.n_taken, (u64)1 << order);
    for (u32 i = 0; UNLIKELY(mm.debug.features != 0) && i < role.n_taken; i++)
        debug_block_handed_out(first[i], order);
    return role.n_taken;
}

u32 role_frames_alloc(phys_t *frames, u32 n)
{
    return role_blocks_alloc(frames, n, 0);
}

phys_t role_frame_alloc(unsigned order)
{
    phys_t first;

    return role_blocks_alloc(&first, 1, order) == 0 ? PHYS_NONE : first;
}

/* Gives those of n blocks that are the first one's zone's back, up to one of another; how many.  *retired becomes true when a
 * role table went to limbo. */
static u32 zone_give_roles(const phys_t *first, u32 n, unsigned order, bool *retired)
{
    struct Zone *zone = page_of(first[0])->zone;
    ul flags = platform_lock(&zone->lock);
    bool idle = false;

    n = split_give_roles(zone, first, n, order, &idle);
    zone_count_given(zone, (u64)n << order);
    for (u32 i = 0; i < n && idle; i++)
        if (page_of(first[i])->roles != NULL && page_of(first[i])->n_roles == 0)
            *retired |= table_retire(zone, page_of(first[i]));
    platform_unlock(&zone->lock, flags);
    return n;
}

void role_frames_free(const phys_t *first, u32 n, unsigned order)
{
    bool retired = false;

    for (u32 i = 0; UNLIKELY(mm.debug.features != 0) && i < n; i++)
        debug_block_given_back(first[i], order);
    sanitize_blocks_freed(first, n, (u64)1 << order);
    for (u32 i = 0; i < n;)
        i += zone_give_roles(first + i, n - i, order, &retired);
    if (retired)
        limbo_settle_if_due();
}

void role_frame_free(phys_t first, unsigned order)
{
    role_frames_free(&first, 1, order);
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
    struct Page *page = page_of(table);
    struct Zone *zone = page->zone;
    ul flags = platform_lock(&zone->lock);
    bool has_table = page->roles != NULL || table_install(zone, page);

    if (has_table)
        page->n_roles++;
    platform_unlock(&zone->lock, flags);
    if (!has_table)
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
        *role_word(table) += (ul)(s64)change << ROLE_ADDRESS_SHIFT;
}

phys_t role_block_head(phys_t frame, ul *word)
{
    for (unsigned shift = SLAB_MAX_SHIFT + 1; shift <= CLASS_MAX_SHIFT; shift++) {
        phys_t head = phys(align_down(frame.addr, 1UL << shift));
        unsigned role;

        *word = role_word_now(head);
        role = word_role(*word) % ROLE_TOP_LEVEL;
        if (role >= shift && role <= CLASS_MAX_SHIFT && frame.addr - head.addr < 1UL << role)
            return head;
    }
    return PHYS_NONE;
}
