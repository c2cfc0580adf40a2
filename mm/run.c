/* SPDX-License-Identifier: MIT */
/*
 * Runs of free whole pages.
 *
 * Terms.  A *run* is a maximal stretch of free pages of one zone: what lies before and behind it is not free, or another
 * zone's.  Its first page is its *head*, state PAGE_FREE_HEAD, and knows the length; the others are PAGE_FREE_BODY, and the
 * last one knows the head.  Both numbers lie in the page array, in words that mean something only while a page is split.
 *
 *      index     8    9   10   11   12   13   14   15
 *              [head body body body][used][used][head body]
 *                 4          8                     2   14       length in the head, head in the last
 *
 * A run of n pages has an aligned block of at least 2^(k - 1), k = floor(log2 n); it is *good* when it has one of 2^k.  Lists
 * are kept by length, each length below 64 for itself and larger ones by powers of two, and apart for good runs and others.  A
 * bit for each list says whether it has runs.  So the answer to both questions is exact, and one count of zeros:
 *
 *      n pages in a row:         the shortest run of at least n                          n up to 64
 *      2^k pages aligned to it:  the shortest good run of at least 2^k, or else any run of at least 2^(k + 1)
 *
 * The shortest run that will do is taken, so long ones stay long.  Pages come from its end: the head stays where it is, and a
 * run that stays in its list changes by two stores.
 *
 * Giving looks at the two neighbours, and joins what is free.
 *
 * Cost: some 40 instructions to take, 60 to give, and one store a page; independent of RAM and of how it is divided.
 *
 * Invariants, checked by check_runs.c:
 *   I101  A run in a list is its zone's, of a length and kind that belong there, and its head's order says so; prev and next
 *         agree.
 *   I102  The pages behind a head, as many as its length says, are bodies of the same zone; the last one knows it.
 *   I103  The bit of a list is set exactly when it has runs.
 *   I104  Next to a run lies no free page of its zone.
 *   I105  Every free page lies in a run that is in a list.
 *
 * Locking: the zone's lock is held by the caller.
 * Limits: aligned blocks of at most 64 GiB.
 */
#include <lib/bits.h>
#include <mm/page.h>
#include <mm/run.h>

/* ---- lists ---- */

/* The first list of runs that are at least so long: 1 .. 63, or a power of two. */
static inline unsigned bin_of_length(u64 n_pages)
{
    return n_pages < RUN_EXACT ? (unsigned)n_pages : RUN_EXACT + log2_floor(n_pages) - log2_floor(RUN_EXACT);
}

/* Where a run belongs, as its head's order says it. */
static inline u8 run_order(u32 head, u32 n_pages)
{
    unsigned k, number;
    u64 block;

    if (n_pages == 1)
        return 1 | RUN_ORDER_GOOD;
    k = (unsigned)highest_bit(n_pages);
    block = (u64)1 << k;
    number = n_pages < RUN_EXACT ? n_pages : RUN_EXACT + k - 6;
    return (u8)(align_up(head, block) + block <= (u64)head + n_pages ? number | RUN_ORDER_GOOD : number);
}

struct run_bin run_bin_of(u32 index, u32 n_pages)
{
    u8 order = run_order(index, n_pages);

    return (struct run_bin){order & RUN_ORDER_GOOD ? RUN_GOOD : RUN_OTHER, order & (RUN_ORDER_GOOD - 1)};
}

static void run_link(struct Zone *zone, struct Page *head, u8 order)
{
    struct run_lists *lists = &zone->run[order & RUN_ORDER_GOOD ? RUN_GOOD : RUN_OTHER];
    unsigned number = order & (RUN_ORDER_GOOD - 1);

    head->order = order;
    page_list_add(&lists->head[number], head);
    lists->mask[number / BITS_PER_WORD] |= (u64)1 << (number % BITS_PER_WORD);
}

static void run_unlink(struct Zone *zone, struct Page *head)
{
    struct run_lists *lists = &zone->run[head->order & RUN_ORDER_GOOD ? RUN_GOOD : RUN_OTHER];
    unsigned number = head->order & (RUN_ORDER_GOOD - 1);

    page_list_remove(&lists->head[number], head);
    if (lists->head[number] == PAGE_NOWHERE)
        lists->mask[number / BITS_PER_WORD] &= ~((u64)1 << (number % BITS_PER_WORD));
}

static NOINLINE void run_move(struct Zone *zone, struct Page *head, u8 order)
{
    run_unlink(zone, head);
    run_link(zone, head, order);
}

/* Notes a run's bounds in its pages. */
static inline void run_mark(u32 head, u32 n_pages)
{
    page_at(head)->free_frames[0] = n_pages;
    page_at(head + n_pages - 1)->free_frames[1] = head;
}

/* Lists [head, head + n_pages), all of them bodies, as a run. */
static void run_add(struct Zone *zone, u32 head, u32 n_pages)
{
    page_at(head)->state = PAGE_FREE_HEAD;
    run_mark(head, n_pages);
    run_link(zone, page_at(head), run_order(head, n_pages));
}

/* Changes the length of a run, to at least 1; what it loses or gains is bodies. */
static inline void run_resize(struct Zone *zone, u32 head, u32 n_pages)
{
    u8 order = run_order(head, n_pages);

    run_mark(head, n_pages);
    if (page_at(head)->order != order)
        run_move(zone, page_at(head), order);
}

static void run_remove(struct Zone *zone, u32 head)
{
    run_unlink(zone, page_at(head));
    page_at(head)->state = PAGE_FREE_BODY;
}

/* The first list from `bin` on that has runs; N_RUN_BINS when there is none. */
static unsigned bin_search(const u64 *mask, unsigned bin)
{
    u64 low = bin < BITS_PER_WORD ? mask[0] >> bin << bin : 0;
    u64 high = bin < BITS_PER_WORD ? mask[1] : mask[1] >> (bin - BITS_PER_WORD) << (bin - BITS_PER_WORD);

    if (low != 0)
        return count_trailing_zeros(low);
    return high != 0 ? BITS_PER_WORD + count_trailing_zeros(high) : N_RUN_BINS;
}

/* The head of a run: of a good one from list `good` on, or of another one from list `other` on, whichever is shorter. */
static u32 run_choose(const struct Zone *zone, unsigned good, unsigned other)
{
    unsigned in_good = bin_search(zone->run[RUN_GOOD].mask, good), in_other = bin_search(zone->run[RUN_OTHER].mask, other);

    if (in_good < in_other)
        return zone->run[RUN_GOOD].head[in_good];
    return in_other == N_RUN_BINS ? PAGE_NOWHERE : zone->run[RUN_OTHER].head[in_other];
}

/* ---- taking ---- */

/* Takes the last n_pages of a run; the first of them. */
static inline u32 cut_end(struct Zone *zone, u32 head, u32 n_pages)
{
    u32 length = run_length(page_at(head));

    if (length == n_pages)
        run_remove(zone, head);
    else
        run_resize(zone, head, length - n_pages);
    return head + length - n_pages;
}

/* The head of the shortest run of at least n_pages; PAGE_NOWHERE when there is none. */
static inline u32 run_shortest(const struct Zone *zone, u32 n_pages)
{
    const struct run_lists *good = &zone->run[RUN_GOOD], *other = &zone->run[RUN_OTHER];
    u64 bins = n_pages < RUN_EXACT ? (good->mask[0] | other->mask[0]) >> n_pages << n_pages : 0;
    unsigned number;

    if (bins != 0) {
        number = (unsigned)__builtin_ctzl(bins);
    } else {
        bins = good->mask[1] | other->mask[1];
        if (UNLIKELY(bins == 0))
            return PAGE_NOWHERE;
        number = RUN_EXACT + (unsigned)__builtin_ctzl(bins);
    }
    return other->head[number] != PAGE_NOWHERE ? other->head[number] : good->head[number];
}

u32 run_take(struct Zone *zone, u32 n_pages)
{
    u32 head = run_shortest(zone, n_pages);

    return head == PAGE_NOWHERE ? PAGE_NOWHERE : cut_end(zone, head, n_pages);
}

u32 run_take_some(struct Zone *zone, u32 n_pages, u32 *n_got)
{
    u32 head = run_shortest(zone, 1);

    if (head == PAGE_NOWHERE)
        return PAGE_NOWHERE;
    *n_got = (u32)min_u64(n_pages, run_length(page_at(head)));
    return cut_end(zone, head, *n_got);
}

u32 run_take_aligned(struct Zone *zone, unsigned order)
{
    u64 n_pages = (u64)1 << order;
    u32 head = run_choose(zone, bin_of_length(n_pages), bin_of_length(2 * n_pages));
    u32 end, index;

    if (head == PAGE_NOWHERE)
        return PAGE_NOWHERE;
    end = head + run_length(page_at(head));
    index = (u32)align_down(end - n_pages, n_pages);
    cut_end(zone, head, end - index);
    if (index + n_pages != end)
        run_add(zone, index + (u32)n_pages, end - index - (u32)n_pages);
    return index;
}

u32 run_head_of(u32 index)
{
    if (!page_is_free(page_at(index)))
        return PAGE_NOWHERE;
    while (index != 0 && page_at(index)->state == PAGE_FREE_BODY)
        index--;
    return page_at(index)->state == PAGE_FREE_HEAD ? index : PAGE_NOWHERE;
}

u32 run_take_tail(struct Zone *zone, u32 index)
{
    u32 head = page_at(index)->zone == zone ? run_head_of(index) : PAGE_NOWHERE;
    u32 n_pages;

    if (head == PAGE_NOWHERE)
        return 0;
    n_pages = head + run_length(page_at(head)) - index;
    cut_end(zone, head, n_pages);
    return n_pages;
}

/* ---- giving ---- */

void run_give(struct Zone *zone, u32 index, u32 n_pages)
{
    for (u32 i = 0; i < n_pages; i++)
        page_at(index + i)->state = PAGE_FREE_BODY;
    run_join(zone, index, n_pages);
}

void run_join(struct Zone *zone, u32 index, u32 n_pages)
{
    const struct Page *before = page_at(index) - 1, *behind = page_at(index) + n_pages;
    u32 end = index + n_pages;

    if (end < mm.n_pages && behind->state == PAGE_FREE_HEAD && behind->zone == zone) {
        u32 next = end;

        end += run_length(behind);
        run_remove(zone, next);
    }
    if (index != 0 && page_is_free(before) && before->zone == zone) {
        u32 head = (u32)before->free_frames[1];

        run_resize(zone, head, end - head);
        return;
    }
    run_add(zone, index, end - index);
}
