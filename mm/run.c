/* SPDX-License-Identifier: MIT */
/*
 * Runs of whole pages: a buddy allocator whose links lie in the page array.
 *
 * Terms.  A *block* is 2^k pages, aligned to its size, 0 <= k < RUN_ORDERS.  Its head page has state PAGE_FREE_HEAD and
 * order k and is in run_head[k] of its zone; the others are PAGE_FREE_BODY.  A *run* is any number of contiguous pages.
 *
 *      index    8   9   10  11  12  13  14  15
 *             [head 2      ][head 1 ][used][head 0]        run_mask = 0b111
 *
 * Taking n pages: the smallest block of at least n pages is split in halves down to the order that holds n, and what the
 * run does not need of that is given back at once: 63 pages cost a block of 64 less one page.  If no block is large
 * enough, neighbouring blocks that are not buddies may still hold the run; as the last resort before failing the free
 * blocks are looked through for it.  Cost: one step an order split; the last resort is linear in the zone's pages.
 *
 * Giving: the run is cut into the largest aligned blocks; each merges with its buddy as long as that is a free block of
 * the same order and the same zone.  Cost: one step an order merged.
 *
 * Invariants, checked by check_runs.c:
 *   I101  A page in run_head[k] is a head of order k, of this zone, aligned to 2^k; prev and next agree.
 *   I102  The 2^k - 1 pages behind a head are bodies of the same zone.
 *   I103  run_mask has bit k exactly when run_head[k] has a page.
 *   I104  Of two buddies of order k in one zone not both are free heads of order k.
 *   I105  Every free body lies behind a head.
 *
 * Locking: the zone's lock is held by the caller.
 * Limits: blocks of at most 64 GiB; a run of more pages than that never fits.
 */
#include <lib/bits.h>
#include <mm/page.h>
#include <mm/run.h>

void page_list_add(u32 *heads, u32 *mask, unsigned order, struct Page *page)
{
    u32 first = heads[order];

    page->next = first;
    page->prev = PAGE_NOWHERE;
    if (first != PAGE_NOWHERE)
        page_at(first)->prev = page_index(page);
    heads[order] = page_index(page);
    *mask |= 1u << order;
}

void page_list_remove(u32 *heads, u32 *mask, unsigned order, struct Page *page)
{
    if (page->prev == PAGE_NOWHERE)
        heads[order] = page->next;
    else
        page_at(page->prev)->next = page->next;
    if (page->next != PAGE_NOWHERE)
        page_at(page->next)->prev = page->prev;
    if (heads[order] == PAGE_NOWHERE)
        *mask &= ~(1u << order);
}

static void block_add(struct Zone *zone, u32 index, unsigned order)
{
    struct Page *page = page_at(index);

    page->state = PAGE_FREE_HEAD;
    page->order = (u8)order;
    page_list_add(zone->run_head, &zone->run_mask, order, page);
}

static void block_remove(struct Zone *zone, u32 index)
{
    struct Page *page = page_at(index);

    page_list_remove(zone->run_head, &zone->run_mask, page->order, page);
    page->state = PAGE_FREE_BODY;
}

/* True when `index` heads a free block of this order in this zone. */
static bool block_is_free(const struct Zone *zone, u32 index, unsigned order)
{
    const struct Page *page;

    if (index >= mm.n_pages)
        return false;
    page = page_at(index);
    return page->state == PAGE_FREE_HEAD && page->order == order && page->zone == zone;
}

static void block_give(struct Zone *zone, u32 index, unsigned order)
{
    while (order + 1 < RUN_ORDERS && block_is_free(zone, index ^ (1u << order), order)) {
        block_remove(zone, index ^ (1u << order));
        index &= ~(1u << order);
        order++;
    }
    block_add(zone, index, order);
}

/* Lists [index, index + n_pages), all of them bodies already, as the largest aligned blocks. */
static void run_list(struct Zone *zone, u32 index, u32 n_pages)
{
    while (n_pages != 0) {
        unsigned order = log2_floor(n_pages);

        if (index != 0)
            order = (unsigned)min_u64(order, count_trailing_zeros(index));
        order = (unsigned)min_u64(order, RUN_ORDERS - 1);
        block_give(zone, index, order);
        index += 1u << order;
        n_pages -= 1u << order;
    }
}

void run_give(struct Zone *zone, u32 index, u32 n_pages)
{
    for (u32 i = 0; i < n_pages; i++)
        page_at(index + i)->state = PAGE_FREE_BODY;
    run_list(zone, index, n_pages);
}

/* Takes a whole block out and gives back what lies before and behind [index, index + n_pages) in it. */
static void block_carve(struct Zone *zone, u32 head, u32 index, u32 n_pages)
{
    u32 end = head + (1u << page_at(head)->order);

    block_remove(zone, head);
    if (index > head)
        run_list(zone, head, index - head);
    if (end > index + n_pages)
        run_list(zone, index + n_pages, end - index - n_pages);
}

/* The last resort: the first n_pages free pages of the zone in a row, in any blocks. */
static u32 run_search(const struct Zone *zone, u32 n_pages)
{
    u32 n_found = 0;

    for (u32 index = 0; index < mm.n_pages; index++) {
        const struct Page *page = page_at(index);

        n_found = page_is_free(page) && page->zone == zone ? n_found + 1 : 0;
        if (n_found == n_pages)
            return index + 1 - n_pages;
    }
    return PAGE_NOWHERE;
}

void run_take_page(struct Zone *zone, u32 index)
{
    block_carve(zone, run_head_of(index), index, 1);
}

u32 run_take_aligned(struct Zone *zone, u32 n_pages)
{
    unsigned order = log2_ceil(n_pages);
    u32 large = order < RUN_ORDERS ? zone->run_mask >> order : 0;
    u32 index;

    if (large == 0)
        return PAGE_NOWHERE;
    index = zone->run_head[order + count_trailing_zeros(large)];
    block_carve(zone, index, index, n_pages);
    return index;
}

u32 run_take(struct Zone *zone, u32 n_pages)
{
    u32 index = run_take_aligned(zone, n_pages);

    if (index != PAGE_NOWHERE)
        return index;
    if (zone->n_free_frames < (u64)n_pages * PAGE_FRAMES || n_pages == 1)
        return PAGE_NOWHERE;
    index = run_search(zone, n_pages);
    if (index != PAGE_NOWHERE)
        for (u32 i = 0; i < n_pages; i++)
            run_take_page(zone, index + i);
    return index;
}

u32 run_head_of(u32 index)
{
    for (unsigned order = 0; order < RUN_ORDERS; order++) {
        const struct Page *head;

        index &= ~(((u32)1 << order) - 1);
        head = page_at(index);
        if (head->state == PAGE_FREE_HEAD && head->order >= order)
            return index;
    }
    return PAGE_NOWHERE;
}
