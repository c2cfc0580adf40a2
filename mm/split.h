/* SPDX-License-Identifier: MIT */
/* Split pages: free runs of 2^0 .. 2^8 frames inside one page.  All with the zone's lock; nothing here counts. */
#ifndef MM_SPLIT_H
#define MM_SPLIT_H

#include <mm/zone.h>

/* Takes an aligned block of 2^order frames, splitting a whole page when no split page has one.  PHYS_NONE when there is
 * none.  Cost: some 50 to 100 instructions, independent of RAM. */
MUST_USE phys_t split_take(struct Zone *zone, unsigned order);

/* Takes up to n single frames, those of the fullest page first, into `frames`.  Returns how many. */
MUST_USE u32 split_take_batch(struct Zone *zone, phys_t *frames, u32 n);

/* Takes up to n single frames out of this very split page.  Returns how many. */
MUST_USE u32 split_take_in(struct Zone *zone, struct Page *page, phys_t *frames, u32 n);

/* Makes an aligned block of frames free again.  A page all of whose frames are free becomes a whole page. */
void split_give(struct Zone *zone, phys_t first, unsigned order);

/* Makes frames [first, first + n) of one page free; used while RAM is handed over. */
void split_give_range(struct Zone *zone, struct Page *page, unsigned first, unsigned n);

/* True when this block of frames is free in a split page. */
bool split_is_free(const struct Page *page, unsigned first, unsigned order);

/* Counts the maximal aligned free blocks of a split page by order, 0 .. 8, adding to n_blocks. */
void split_count_blocks(const struct Page *page, u64 *n_blocks);

/* The order of the largest free run of a split page, by looking at every bit; PAGE_NO_ORDER when it is full. */
u8 split_largest(const struct Page *page);

#endif
