/* SPDX-License-Identifier: MIT */
/*
 * Frames inside split pages: a bitmap of 512 bits a page (frame_bits.c), lists of pages by their largest free block.
 *
 * Terms.  A *split* page is handed out in frames.  Bit i of free_frames says that frame i is free.  The page's `order` is
 * that of its largest free block, and the page is in the list of that order of its zone and its *kind*: pages with a role
 * table (role.c) are kept apart, so that frames that serve mm itself, which nobody can move, fill few pages.
 *
 * Taking order k: of the pages with a free block of at least order k those with the smallest largest block come first
 * (one count of trailing zeros over the mask), so what is fragmented is used up and whole pages stay whole; plain pages
 * come before those with roles; only when no split page will do is a whole page split.  Inside the page a maximal block of
 * just order k is preferred to breaking a larger one.
 *
 * Single frames are taken in batches, out of a page that the CPU *prefers* and goes on with until it is empty: two CPUs
 * then do not take frames of one page, whose state shares cache lines.  page->owner says whose it is; a CPU looks
 * whether that is still so before it goes on.  When nothing else is left, CPUs share pages.  Pages with so few frames left
 * that the batch takes them all leave their list together, many at a time.
 *
 * Giving: the bits are set, then each page touched is put into the list that its largest block now calls for, once for
 * all frames that came back together.  There are no links to merge.  A page whose 512 frames are all free leaves the lists
 * and becomes a run.
 *
 * Cost: a block taken or given looks at 8 words, some 60 instructions; of a batch, 7 a frame taken and 14 a frame given
 * besides that for each page.  No byte of a free frame is touched.
 *
 * Invariants, checked by check_zones.c:
 *   I201  n_free is the number of set bits of free_frames, below 512 but in a page with a role table.
 *   I202  order is that of the largest free block; PAGE_NO_ORDER exactly when n_free is 0.
 *   I203  A page with an order is in the list of that order, of its kind, of its zone, and in no other; masks tell which
 *         lists have pages.
 *   I204  A set bit lies in RAM and is not held (frame.c); no page is `touched` while nobody holds its zone's lock.
 *
 * Locking: the zone's lock is held by the caller.
 */
#include <lib/bitmap.h>
#include <lib/bits.h>
#include <mm/frame_bits.h>
#include <mm/page.h>
#include <mm/run.h>
#include <mm/split.h>

#define OWNED_LOOKS 4 /* so many pages of a list are looked at for one that nobody prefers */
#define GIVE_BATCH 64 /* blocks given at a time: bounds the stack that it takes */

u8 split_largest(const struct Page *page)
{
    return page->n_free == 0 ? PAGE_NO_ORDER : (u8)frame_bits_largest(page->free_frames, SPLIT_ORDERS - 1);
}

/* The same after frames were taken. */
static u8 smaller_order(const struct Page *page)
{
    if (page->n_free == 0)
        return PAGE_NO_ORDER;
    return page->order == 0 ? 0 : (u8)frame_bits_largest(page->free_frames, page->order);
}

/* The same after a block of frames was taken.  When it was no part of a larger one, the largest is what it was. */
static u8 smaller_order_but(const struct Page *page, unsigned first, unsigned order)
{
    if (order < page->order && !frame_bits_are_free(page->free_frames, first ^ 1u << order, order))
        return page->order;
    return smaller_order(page);
}

/* The same after a block came back to a page with blocks of at most `order`. */
static inline u8 larger_order(const struct Page *page, phys_t first, unsigned block_order, u8 order)
{
    unsigned least = order == PAGE_NO_ORDER || order < block_order ? block_order : order;

    return (u8)frame_bits_around(page->free_frames, first.addr / FRAME_BYTES, least);
}

static enum split_kind kind_of(const struct Page *page)
{
    return page->roles != NULL ? SPLIT_ROLES : SPLIT_PLAIN;
}

static inline void list_leave(struct split_lists *lists, struct Page *page)
{
    page_list_remove(&lists->head[page->order], page);
    if (lists->head[page->order] == PAGE_NOWHERE)
        lists->mask &= ~(1u << page->order);
}

/* Moves a page into the list of this order of its kind, or into none. */
static NOINLINE void list_move(struct split_lists *lists, struct Page *page, u8 order)
{
    if (page->order != PAGE_NO_ORDER)
        list_leave(lists, page);
    page->order = order;
    if (order == PAGE_NO_ORDER)
        return;
    page_list_add(&lists->head[order], page);
    lists->mask |= 1u << order;
}

static inline void split_relist(struct Zone *zone, struct Page *page, u8 order)
{
    if (page->order != order)
        list_move(&zone->split[kind_of(page)], page, order);
}

/* Puts a page to which frames came back where it belongs.  One that is free as a whole becomes a run, unless it has a role
 * table still: its bitmap means nothing from then on. */
static void split_settle(struct Zone *zone, struct Page *page, u8 order)
{
    if (LIKELY(page->n_free != PAGE_FRAMES || page->roles != NULL)) {
        split_relist(zone, page, order);
        return;
    }
    split_relist(zone, page, PAGE_NO_ORDER);
    run_give(zone, page_index(page), 1);
}

void split_set_roles(struct Zone *zone, struct Page *page, ul *table)
{
    u8 order = page->order;

    split_relist(zone, page, PAGE_NO_ORDER);
    page->roles = table;
    __atomic_store_n(&page->words, table != NULL ? table : mm.no_roles, __ATOMIC_RELEASE); /* kfree looks at them */
    split_relist(zone, page, order);
    if (page->n_free == PAGE_FRAMES)
        split_settle(zone, page, order);
}

phys_t split_take_block(struct Zone *zone, struct Page *page, unsigned order)
{
    unsigned first = frame_bits_find(page->free_frames, order);

    frame_bits_flip(page->free_frames, first, order);
    page->n_free = (u16)(page->n_free - (1u << order));
    split_relist(zone, page, smaller_order_but(page, first, order));
    return phys(page->addr_phys + (u64)first * FRAME_BYTES);
}

struct Page *split_fresh(struct Zone *zone)
{
    u32 index = run_take(zone, 1);
    struct Page *page;

    if (index == PAGE_NOWHERE)
        return NULL;
    page = page_at(index);
    for (unsigned i = 0; i < FRAME_WORDS; i++)
        page->free_frames[i] = ~(ul)0;
    page->n_free = PAGE_FRAMES;
    page->state = PAGE_SPLIT;
    page->owner = 0;
    page->order = PAGE_NO_ORDER;
    split_relist(zone, page, SPLIT_ORDERS - 1);
    return page;
}

struct Page *split_any(struct Zone *zone, enum split_kind kind, unsigned order)
{
    u32 candidates = zone->split[kind].mask >> order;

    return candidates == 0 ? NULL : page_at(zone->split[kind].head[order + count_trailing_zeros(candidates)]);
}

phys_t split_take(struct Zone *zone, unsigned order)
{
    struct Page *page = split_any(zone, SPLIT_PLAIN, order);

    if (page == NULL)
        page = split_any(zone, SPLIT_ROLES, order);
    if (page == NULL)
        page = split_fresh(zone);
    return page == NULL ? PHYS_NONE : split_take_block(zone, page, order);
}

/* ---- preferred pages ---- */

/* What page->owner says of pages that this CPU prefers: 1 .. 255.  With more CPUs some share. */
static u8 owner_of(const struct mm_cpu *cpu)
{
    return (u8)(cpu->number < 255 ? cpu->number + 1 : cpu->number % 255 + 1);
}

/* The page that this CPU prefers, if it still is that; else NULL. */
static struct Page *preferred(const struct Zone *zone, const struct mm_cpu *cpu, enum split_kind kind)
{
    struct Page *page = page_at(cpu->preferred[kind]);
    bool is_it = page->owner == owner_of(cpu) && page->state == PAGE_SPLIT && page->zone == zone &&
                 kind_of(page) == kind;

    return is_it ? page : NULL;
}

/* The first page with a free block, in the order of split_any, that no other CPU prefers; NULL when there is none near
 * the heads of the lists. */
static struct Page *unowned(const struct Zone *zone, enum split_kind kind, unsigned order, u8 owner)
{
    const struct split_lists *lists = &zone->split[kind];

    for (u32 mask = lists->mask >> order << order; mask != 0; mask &= mask - 1) {
        u32 index = lists->head[count_trailing_zeros(mask)];

        for (unsigned looks = 0; index != PAGE_NOWHERE && looks < OWNED_LOOKS; looks++) {
            struct Page *page = page_at(index);

            if (page->owner == 0 || page->owner == owner)
                return page;
            index = page->next;
        }
    }
    return NULL;
}

void split_prefer(struct Zone *zone, struct mm_cpu *cpu, struct Page *page)
{
    enum split_kind kind = kind_of(page);
    struct Page *before = preferred(zone, cpu, kind);

    if (before != NULL)
        before->owner = 0;
    page->owner = owner_of(cpu);
    cpu->preferred[kind] = page_index(page);
}

struct Page *split_choose(struct Zone *zone, struct mm_cpu *cpu, enum split_kind kind, unsigned order)
{
    struct Page *page = preferred(zone, cpu, kind);

    if (page != NULL && page->order != PAGE_NO_ORDER && page->order >= order)
        return page;
    page = unowned(zone, kind, order, owner_of(cpu));
    if (page != NULL)
        split_prefer(zone, cpu, page);
    return page;
}

/* ---- batches ---- */

/* Takes frames out of a word, run by run, until none is left or [frames, end) is full; `at` is the address of the word's
 * first frame.  Returns where it stopped. */
static inline phys_t *take_in_word(ul *free, u64 at, phys_t *frames, phys_t *end)
{
    u64 word = *free;

    while (word != 0 && frames != end) {
        u64 first = (u64)__builtin_ctzl(word);
        u64 run = min_u64(count_trailing_zeros(~(word >> first)), (u64)(end - frames));
        u64 addr = at + first * FRAME_BYTES;

        word &= ~(bits_low_mask((unsigned)run) << first);
#pragma GCC unroll 4
        for (u64 i = 0; i < run; i++)
            frames[i] = phys(addr + i * FRAME_BYTES);
        frames += run;
    }
    *free = word;
    return frames;
}

/* The same where no two free frames are neighbours, or hardly ever. */
static inline phys_t *take_in_sparse_word(ul *free, u64 at, phys_t *frames, phys_t *end)
{
    u64 word = *free;

    for (; word != 0 && frames != end; word &= word - 1)
        *frames++ = phys(at + (u64)__builtin_ctzl(word) * FRAME_BYTES);
    *free = word;
    return frames;
}

u32 split_take_in(struct Zone *zone, struct Page *page, phys_t *frames, u32 n)
{
    u32 n_taken = (u32)min_u64(n, page->n_free);
    phys_t *end = frames + n_taken;
    u64 at = page->addr_phys;

    for (ul *free = page->free_frames; frames != end; free++, at += BITS_PER_WORD * FRAME_BYTES) {
        if (*free != 0 && page->order == 0)
            frames = take_in_sparse_word(free, at, frames, end);
        else if (*free != 0)
            frames = take_in_word(free, at, frames, end);
    }
    page->n_free = (u16)(page->n_free - n_taken);
    if (page->n_free != 0) {
        split_relist(zone, page, smaller_order(page));
    } else if (n_taken != 0) {
        list_leave(&zone->split[kind_of(page)], page);
        page->order = PAGE_NO_ORDER;
    }
    return n_taken;
}

/* A page for single frames: a plain one, one with roles, a whole one, one that another CPU prefers, in this order. */
static struct Page *page_for_batch(struct Zone *zone, u8 owner)
{
    struct Page *page = unowned(zone, SPLIT_PLAIN, 0, owner);

    if (LIKELY(page != NULL))
        return page;
    page = unowned(zone, SPLIT_ROLES, 0, owner);
    if (page == NULL)
        page = split_fresh(zone);
    if (page == NULL)
        page = split_any(zone, SPLIT_PLAIN, 0);
    return page != NULL ? page : split_any(zone, SPLIT_ROLES, 0);
}

/* Takes all frames of the pages at the head of the list of single frames, as long as they all fit, and each page is nobody's. When
 * memory is nearly full that is most of what there is, a frame or two in a page: so they leave their list together. */
static u32 take_sparse(struct Zone *zone, phys_t *frames, u32 n, u8 owner)
{
    struct split_lists *lists = &zone->split[SPLIT_PLAIN];
    u32 index = lists->head[0];
    phys_t *at = frames;

    while (index != PAGE_NOWHERE) {
        struct Page *page = page_at(index);
        u64 addr = page->addr_phys;

        if (page->n_free > n - (u32)(at - frames) || (page->owner != 0 && page->owner != owner))
            break;
#pragma GCC unroll 8
        for (unsigned i = 0; i < FRAME_WORDS; i++, addr += BITS_PER_WORD * FRAME_BYTES) {
            for (u64 word = page->free_frames[i]; word != 0; word &= word - 1)
                *at++ = phys(addr + (u64)__builtin_ctzl(word) * FRAME_BYTES);
            page->free_frames[i] = 0;
        }
        page->n_free = 0;
        page->order = PAGE_NO_ORDER;
        index = page->next;
    }
    lists->head[0] = index;
    if (index == PAGE_NOWHERE)
        lists->mask &= ~1u;
    else
        page_at(index)->prev = PAGE_NOWHERE;
    return (u32)(at - frames);
}

/* A page that is emptied at once, which most are when memory is nearly full, is not worth preferring. */
u32 split_take_batch(struct Zone *zone, struct mm_cpu *cpu, phys_t *frames, u32 n)
{
    struct Page *page = preferred(zone, cpu, SPLIT_PLAIN);
    u32 n_taken = page == NULL || page->n_free == 0 ? 0 : split_take_in(zone, page, frames, n);

    if (n_taken < n)
        n_taken += take_sparse(zone, frames + n_taken, n - n_taken, owner_of(cpu));
    while (n_taken < n) {
        page = page_for_batch(zone, owner_of(cpu));
        if (page == NULL)
            return n_taken;
        n_taken += split_take_in(zone, page, frames + n_taken, n - n_taken);
    }
    if (page != NULL && page->owner == 0 && page->n_free != 0 && kind_of(page) == SPLIT_PLAIN)
        split_prefer(zone, cpu, page);
    return n_taken;
}

void split_give(struct Zone *zone, phys_t at, unsigned order)
{
    struct Page *page = page_of(at);

    frame_bits_flip(page->free_frames, (unsigned)(at.addr / FRAME_BYTES % PAGE_FRAMES), order);
    page->n_free = (u16)(page->n_free + (1u << order));
    split_settle(zone, page, larger_order(page, at, order, page->order));
}

/* A page to which frames came back, and the order of the list that it is in still.  The page's own `order` is meanwhile
 * TOUCHED and the order that it has by now. */
struct touched_page {
    struct Page *page;
    u8 listed;
};

#define TOUCHED 0x80

/* Sets the bits of up to GIVE_BATCH blocks of less than a word, then settles each page that they lie in.  With `roles` their
 * roles are cleared first, *idle becomes true when a page has none any more, and blocks of another zone are the end.  How many
 * were given. */
static inline __attribute__((always_inline)) u32 give_some(struct Zone *zone, const phys_t *first, u32 n,
                                                           unsigned order, bool roles, bool *idle)
{
    struct touched_page touched[GIVE_BATCH], *end = touched;
    u64 ones = bits_low_mask(1u << order);
    ul none = mm.no_roles[0];
    u32 i = 0;

    for (; i < n; i++) {
        u64 frame = first[i].addr / FRAME_BYTES;
        struct Page *page = page_at_frame(frame);
        u64 word = page->free_frames[frame / BITS_PER_WORD % FRAME_WORDS] | ones << (frame % BITS_PER_WORD);
        unsigned now = page->order - TOUCHED;

        if (UNLIKELY(now >= SPLIT_ORDERS)) {
            if (roles && UNLIKELY(page->zone != zone))
                break;
            *end++ = (struct touched_page){page, page->order};
            now = page->order == PAGE_NO_ORDER || page->order < order ? order : page->order;
            page->order = (u8)(TOUCHED + now);
        }
        if (roles) {
            page->roles[frame % PAGE_FRAMES] = none;
            page->n_roles--;
        }
        page->free_frames[frame / BITS_PER_WORD % FRAME_WORDS] = word;
        page->n_free = (u16)(page->n_free + (1u << order));
        if (UNLIKELY(frame_bits_has_grown(word, frame, now)))
            page->order = (u8)(TOUCHED + frame_bits_grown(page->free_frames, frame, now));
    }
    for (struct touched_page *t = touched; t < end; t++) {
        u8 now = (u8)(t->page->order - TOUCHED);

        t->page->order = t->listed;
        if (roles)
            *idle |= t->page->n_roles == 0;
        split_settle(zone, t->page, now);
    }
    return i;
}

void split_give_batch(struct Zone *zone, const phys_t *first, u32 n, unsigned order)
{
    for (u32 i = 0; i < n; i += GIVE_BATCH) {
        u32 n_now = (u32)min_u64(n - i, GIVE_BATCH);

        if (order == 0) /* so that the compiler makes one for single frames */
            give_some(zone, first + i, n_now, 0, false, NULL);
        else
            give_some(zone, first + i, n_now, order, false, NULL);
    }
}

/* One block of any order. */
static bool give_role(struct Zone *zone, phys_t first, unsigned order)
{
    struct Page *page = page_of(first);

    page->roles[first.addr / FRAME_BYTES % PAGE_FRAMES] = mm.no_roles[0];
    page->n_roles--;
    split_give(zone, first, order);
    return page->n_roles == 0;
}

u32 split_give_roles(struct Zone *zone, const phys_t *first, u32 n, unsigned order, bool *idle)
{
    if (n == 1 || order >= 6) {
        *idle |= give_role(zone, first[0], order);
        return 1;
    }
    n = (u32)min_u64(n, GIVE_BATCH);
    return order == 0 ? give_some(zone, first, n, 0, true, idle) : give_some(zone, first, n, order, true, idle);
}

void split_give_range(struct Zone *zone, struct Page *page, unsigned first, unsigned n)
{
    bitmap_set_range((u64 *)page->free_frames, first, n);
    page->n_free = (u16)(page->n_free + n);
    split_settle(zone, page, split_largest(page));
}
