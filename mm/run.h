/* SPDX-License-Identifier: MIT */
/* Runs: stretches of free whole pages.  All with the zone's lock; nothing here counts frames. */
#ifndef MM_RUN_H
#define MM_RUN_H

#include <mm/page.h>

/* Takes n_pages contiguous pages out of the free runs: the index of the first, or PAGE_NOWHERE when there is no such run.
 * n_pages: 1 .. 64.  They are nobody's; the caller sets their state before the lock is released.
 * Cost: some 40 instructions, however much is free and however it is scattered. */
MUST_USE u32 run_take(struct Zone *zone, u32 n_pages);

/* The same for 2^order pages aligned to that, order 0 .. RUN_ORDERS - 1. */
MUST_USE u32 run_take_aligned(struct Zone *zone, unsigned order);

/* Takes up to n_pages out of the smallest free run; how many is left in *n_got. */
MUST_USE u32 run_take_some(struct Zone *zone, u32 n_pages, u32 *n_got);

/* Takes all pages from `index` on to the end of the free run that it lies in.  Returns how many, 0 when it is not free in
 * this zone.  Cost: a step a page before `index` in the run. */
MUST_USE u32 run_take_tail(struct Zone *zone, u32 index);

/* Makes pages [index, index + n_pages) free; joins them with free neighbours of the same zone.  run_join: their state is
 * PAGE_FREE_BODY already. */
void run_give(struct Zone *zone, u32 index, u32 n_pages);
void run_join(struct Zone *zone, u32 index, u32 n_pages);

/* The pages of a run, by its head. */
static inline u32 run_length(const struct Page *head)
{
    return (u32)head->free_frames[0];
}

/* False when a zone has no whole page.  Without its lock: that it had one, or none, a moment ago. */
static inline bool run_any(const struct Zone *zone)
{
    const struct run_lists *lists = zone->run;

    return (lists[0].mask[0] | lists[0].mask[1] | lists[1].mask[0] | lists[1].mask[1]) != 0;
}

/* The head of the free run around a free page, by looking at those before it; PAGE_NOWHERE when it is not free. */
u32 run_head_of(u32 index);

/* The list that a run belongs into; in a list, its head's `order` says it: number, and RUN_ORDER_GOOD for good ones. */
struct run_bin run_bin_of(u32 index, u32 n_pages);
#define RUN_ORDER_GOOD 0x80

#endif
