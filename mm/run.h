/* SPDX-License-Identifier: MIT */
/* Runs: blocks of whole pages, as buddies.  All with the zone's lock; nothing here counts frames. */
#ifndef MM_RUN_H
#define MM_RUN_H

#include <mm/zone.h>

/* Takes n_pages contiguous pages out of the free lists: the index of the first, or PAGE_NOWHERE.
 * Their state is PAGE_FREE_BODY still; the caller sets it. Cost: one step an order split, one a page in vain. */
MUST_USE u32 run_take(struct Zone *zone, u32 n_pages);

/* The same, aligned to the next power of two of n_pages, out of one block. */
MUST_USE u32 run_take_aligned(struct Zone *zone, u32 n_pages);

/* Takes this one free page out of the block that it lies in. */
void run_take_page(struct Zone *zone, u32 index);

/* Makes pages [index, index + n_pages) free; merges with free neighbours of the same zone. */
void run_give(struct Zone *zone, u32 index, u32 n_pages);

/* The head of the free block around a free page. */
u32 run_head_of(u32 index);

#endif
