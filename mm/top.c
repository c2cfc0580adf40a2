/* SPDX-License-Identifier: MIT */
/*
 * Top-level tables in memory of callers.
 *
 * Purpose.  Callers make top-level tables in memory of their own: in an object, a page, a frame, or somewhere inside of one.
 * Such memory must not be freed, and in the debug mode filled, as long as a CPU has the table loaded.
 *
 * What may serve as one: what a caller holds.  A wrong free of several things at once may hold some of them for the moment that
 * it takes to see its mistake (page.c, frame.c); so who is not found to be anybody's is looked at once more with the lock
 * under which such a free takes and puts back.
 *
 * How it is found out whether one is loaded.  What this CPU has loaded it reads itself.  Another one writes into loaded_top of
 * its caches what it has, when it serves a flush; so it is asked for one, of a frame, which does no harm.  That costs an
 * interrupt on each CPU, so the memory is looked at before: a CPU that has a table loaded runs the kernel by it, and so the
 * table has the kernel's entry for its image (slot 511, which all spaces copy, see paging.c).  Memory without that entry is no
 * top level that is loaded.
 *
 * Who asks.  What frees memory in passing has no time to; so it is led astray on purpose.  When mm meets a table, because a
 * mapping call is given it or paging_load loads it, it becomes *known*, by a mark on the memory that it lies in which makes the
 * fast paths refuse it:
 *
 *      an object       its role (role.c), which leads kfree to no live byte
 *      a page          its state, PAGE_OWNED_TOP or PAGE_BLOCK_TOP, which is not the one that is claimed
 *      a held frame    its bit in the held array is cleared; a list says whose it is
 *
 * The slow path then looks whether a CPU has the table loaded.  If so it was misuse; if not, the mark goes, and the free is
 * tried again.  So memory that never held a table costs nothing.  In the debug mode all memory is looked at.  free_pages looks
 * besides at what its own CPU has loaded.
 *
 * A mark is set with the lock held under which wrong frees take and put back (page.c, frame.c): else one of them could have the
 * memory just then, and the mark would be lost.  A free that finds marks looks at the whole of what it was given first: what
 * is not its caller's keeps them.
 *
 * Limits.  The answer is of then: who loads a table and has it freed at the same time gets what he asked for.  A table that mm
 * never met is not known.  Two frees of the same memory at once, of which one is wrong, may take a mark from what
 * neither of them frees.  The list of held frames has TOPS_HELD places.
 *
 * Locking: the zones' locks around marks on frames, NORMAL's around those on pages, and the second look; mm.role_lock, inside
 * of them, around those on objects and the list.
 */
#include <lib/compiler.h>
#include <mm/cpu.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/paging_core.h>
#include <mm/top.h>

#define LIVE_MASK 0xff00UL /* of a role word: its live byte */

/* ---- what may be one ---- */

static bool is_callers(phys_t frame)
{
    struct mm_what what;

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

/* With the lock of this zone held. */
static bool is_callers_in(struct Zone *zone, phys_t frame)
{
    ul flags = platform_lock(&zone->lock);
    bool is = is_callers(frame);

    platform_unlock(&zone->lock, flags);
    return is;
}

/* Runs of pages are claimed with NORMAL's lock held, frames with their own zone's. */
bool top_may_be(phys_t frame)
{
    struct Zone *zone;

    if (!is_aligned(frame.addr, FRAME_BYTES) || !mm_is_direct(frame))
        return false;
    if (LIKELY(is_callers(frame)))
        return true;
    zone = page_of(frame)->zone;
    return is_callers_in(&mm.zone[1], frame) || (zone != &mm.zone[1] && is_callers_in(zone, frame));
}

/* ---- is one loaded? ---- */

/* May this frame be a table that a CPU runs by?  Also looked at where the caller of kmalloc may not look. */
static UNCHECKED bool looks_like_top(phys_t frame)
{
    const unsigned image = ENTRIES_PER_TABLE - 1;

    return !mm_is_direct(frame) ||
           ((paging_entries(frame)[image] ^ paging_entries(mm.paging.kernel_top)[image]) & ENTRY_MEANING) == 0;
}

static bool others_have_loaded(phys_t start, u64 bytes)
{
    const struct mm_cpu *own = platform_cpu();

    platform_flush(virt((u64)phys_pointer(start)), FRAME_BYTES);
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        if (cpu->loaded_top - start.addr < bytes && cpu != own && cpu != own->other)
            return true;
    return false;
}

bool top_is_seen_by_debug(phys_t start, u64 bytes)
{
    return page_is_direct(page_of(start)) && top_is_loaded(start, bytes);
}

bool top_is_loaded(phys_t start, u64 bytes)
{
    if (top_is_loaded_here(start, bytes))
        return true;
    for (u64 at = start.addr; at < start.addr + bytes; at += FRAME_BYTES)
        if (looks_like_top(phys(at)))
            return others_have_loaded(start, bytes);
    return false;
}

/* ---- notes ---- */

/* Replaces all of a word but its live byte, which may be counted down meanwhile; unless the role is another one by then. */
static void word_replace(phys_t frame, ul word, ul with)
{
    enum role role = word_role(word);

    while (word_role(word) == role &&
           !__atomic_compare_exchange_n(role_word(frame), &word, with | (word & LIVE_MASK), false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        continue;
}

/* In an object; false when it is in none. */
static bool note_object(phys_t top)
{
    ul flags = platform_lock(&mm.role_lock), word;
    phys_t head = role_block_head(top, &word);

    if (!phys_is_none(head) && word_role(word) < ROLE_TOP_LEVEL)
        word_replace(head, word, role_word_make((enum role)(word_role(word) + ROLE_TOP_LEVEL), mm.no_object));
    platform_unlock(&mm.role_lock, flags);
    return !phys_is_none(head);
}

/* The place of a held frame among those known; NULL when it is not known.  (0 finds a free place.) */
static phys_t *held_find(u64 addr)
{
    for (unsigned i = 0; i < TOPS_HELD; i++)
        if (__atomic_load_n(&mm.tops.held[i].addr, __ATOMIC_RELAXED) == addr)
            return &mm.tops.held[i];
    return NULL;
}

bool top_is_held(phys_t frame)
{
    return __atomic_load_n(&mm.tops.n_held, __ATOMIC_RELAXED) != 0 && frame.addr != 0 && held_find(frame.addr) != NULL;
}

/*
 * With the lock of the frame's zone, so that no wrong free has its bit at the moment, and with that of all places.  The frame is
 * entered before its bit is cleared, and leaves after it is set: so it is always seen to be held.
 */
static void note_held_locked(phys_t frame)
{
    phys_t *place = held_find(frame.addr) == NULL ? held_find(0) : NULL;

    if (place == NULL || role_of(frame) != ROLE_NONE)
        return;
    mm.tops.n_held++;
    __atomic_store_n(&place->addr, frame.addr, __ATOMIC_SEQ_CST);
    if (frame_hide(frame))
        return;
    __atomic_store_n(&place->addr, 0, __ATOMIC_SEQ_CST);
    mm.tops.n_held--;
}

static void forget_held_locked(phys_t frame)
{
    phys_t *place = held_find(frame.addr);

    if (place == NULL)
        return;
    frame_show(frame);
    __atomic_store_n(&place->addr, 0, __ATOMIC_SEQ_CST);
    mm.tops.n_held--;
}

static void change_held(phys_t frame, void (*change)(phys_t frame))
{
    struct mm_lock *lock = &page_of(frame)->zone->lock;
    ul flags = platform_lock(lock), inner = platform_lock(&mm.role_lock);

    change(frame);
    platform_unlock(&mm.role_lock, inner);
    platform_unlock(lock, flags);
}

static void page_change(struct Page *page, enum page_state from, enum page_state to)
{
    u8 state = (u8)from;

    (void)__atomic_compare_exchange_n(&page->state, &state, (u8)to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* With NORMAL's lock, so that no wrong run has the page at the moment. */
static void note_page(struct Page *page)
{
    ul flags = platform_lock(&mm.zone[1].lock);

    page_change(page, PAGE_OWNED, PAGE_OWNED_TOP);
    page_change(page, PAGE_BLOCK, PAGE_BLOCK_TOP);
    platform_unlock(&mm.zone[1].lock, flags);
}

void top_note(phys_t top)
{
    struct Page *page = page_of(top);

    if (page->state == PAGE_OWNED_TOP || page->state == PAGE_BLOCK_TOP)
        return;
    if (page->state != PAGE_SPLIT)
        note_page(page);
    else if (!note_object(top) && !top_is_held(top))
        change_held(top, note_held_locked);
}

void top_forget_object(phys_t object)
{
    ul flags = platform_lock(&mm.role_lock);
    ul word = role_word_now(object);

    if (word_role(word) > ROLE_TOP_LEVEL)
        word_replace(object, word,
                     role_word_make((enum role)(word_role(word) - ROLE_TOP_LEVEL), (const u8 *)role_word(object) + 1));
    platform_unlock(&mm.role_lock, flags);
}

/* ---- when such memory is freed ---- */

/* How many of n pages are known to have top-level tables; 0 also when some are not the caller's at all. */
static u32 count_known(const struct Page *first, u32 n, enum page_state known, enum page_state plain)
{
    ul flags = platform_lock(&mm.zone[1].lock);
    u32 n_known = 0;

    for (u32 i = 0; i < n; i++) {
        n_known += first[i].state == known;
        if (first[i].state != known && first[i].state != plain) {
            n_known = 0;
            break;
        }
    }
    platform_unlock(&mm.zone[1].lock, flags);
    return n_known;
}

static enum top_verdict leave_pages(struct Page *first, u32 n, enum page_state known, enum page_state plain)
{
    if (page_index(first) + n > mm.n_pages || count_known(first, n, known, plain) == 0)
        return TOPS_NONE;
    for (u32 i = 0; i < n; i++)
        if (first[i].state == known && top_is_loaded(phys(first[i].addr_phys), PAGE_BYTES))
            return TOPS_LOADED;
    for (u32 i = 0; i < n; i++)
        page_change(&first[i], known, plain);
    return TOPS_FORGOTTEN;
}

enum top_verdict tops_leave_pages(struct Page *first, u32 n)
{
    if (page_is_owned(first) && (top_is_loaded_here(phys(first->addr_phys), n * PAGE_BYTES) ||
                                 top_is_seen(phys(first->addr_phys), n * PAGE_BYTES)))
        return TOPS_LOADED;
    return leave_pages(first, n, PAGE_OWNED_TOP, PAGE_OWNED);
}

/* How many of the frames of a block are known as top-level tables; 0 also when some are not held at all. */
static u32 count_held(phys_t first, u64 bytes)
{
    struct Zone *zone = page_of(first)->zone;
    ul flags = platform_lock(&zone->lock);
    u32 n_known = 0;

    for (u64 at = 0; at < bytes; at += FRAME_BYTES) {
        n_known += top_is_held(phys_add(first, at));
        if (!frame_is_held(phys_add(first, at))) {
            n_known = 0;
            break;
        }
    }
    platform_unlock(&zone->lock, flags);
    return n_known;
}

enum top_verdict tops_leave_block(phys_t first, unsigned order)
{
    u64 bytes = FRAME_BYTES << order;

    if ((page_is_block(page_of(first)) || frame_is_held(first)) && top_is_seen(first, bytes))
        return TOPS_LOADED;
    if (order >= SPLIT_ORDERS)
        return leave_pages(page_of(first), (u32)1 << (order - SPLIT_ORDERS), PAGE_BLOCK_TOP, PAGE_BLOCK);
    if (count_held(first, bytes) == 0)
        return TOPS_NONE;
    for (u64 at = 0; at < bytes; at += FRAME_BYTES)
        if (top_is_held(phys_add(first, at)) && top_is_loaded(phys_add(first, at), FRAME_BYTES))
            return TOPS_LOADED;
    for (u64 at = 0; at < bytes; at += FRAME_BYTES)
        if (top_is_held(phys_add(first, at)))
            change_held(phys_add(first, at), forget_held_locked);
    return TOPS_FORGOTTEN;
}
