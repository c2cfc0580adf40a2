/* SPDX-License-Identifier: MIT */
/* Split pages: free runs of 2^0 .. 2^8 frames inside one page.  All with the zone's lock; nothing here counts. */
#ifndef MM_SPLIT_H
#define MM_SPLIT_H

#include <mm/cpu.h>
#include <mm/zone.h>

/* Takes an aligned block of 2^order frames, splitting a whole page when no split page has one.  PHYS_NONE when there is
 * none.  Cost: some 50 to 100 instructions, independent of RAM. */
MUST_USE phys_t split_take(struct Zone *zone, unsigned order);

/* Takes up to n single frames into `frames`: those of the page that this CPU prefers, then those of the fullest
 * page that no other CPU prefers, which becomes the preferred one.  Returns how many. */
MUST_USE u32 split_take_batch(struct Zone *zone, struct mm_cpu *cpu, phys_t *frames, u32 n);

/* For frames with roles (role.c): a page of that kind with a free block of 2^order frames, the CPU's preferred one if it
 * has, else one that no other CPU prefers, which becomes the preferred one.  NULL when there is none near at hand. */
struct Page *split_choose(struct Zone *zone, struct mm_cpu *cpu, enum split_kind kind, unsigned order);

/* Makes a split page the one that this CPU prefers among those of its kind. */
void split_prefer(struct Zone *zone, struct mm_cpu *cpu, struct Page *page);

/* Splits a whole page; NULL when the zone has none. */
struct Page *split_fresh(struct Zone *zone);

/* Any page of that kind with a free block, whoever prefers it.  NULL when there is none. */
struct Page *split_any(struct Zone *zone, enum split_kind kind, unsigned order);

/* Takes up to n single frames out of this very split page.  Returns how many. */
MUST_USE u32 split_take_in(struct Zone *zone, struct Page *page, phys_t *frames, u32 n);

/* Takes an aligned block out of this very split page, which has one. */
MUST_USE phys_t split_take_block(struct Zone *zone, struct Page *page, unsigned order);

/* Gives a split page a role table, or takes it away (NULL): the page changes its kind. */
void split_set_roles(struct Zone *zone, struct Page *page, ul *table);

/* Makes an aligned block of frames free again.  A page all of whose frames are free becomes a whole page. */
void split_give(struct Zone *zone, phys_t first, unsigned order);

/* The same for n blocks of one order below 6, less than a word each, all of this zone, at less cost. */
void split_give_batch(struct Zone *zone, const phys_t *first, u32 n, unsigned order);

/* The same for blocks with a role each, which they lose: for the first ones of the n that are this zone's, at least for one.  How
 * many; *idle becomes true when a role table says nothing any more. */
u32 split_give_roles(struct Zone *zone, const phys_t *first, u32 n, unsigned order, bool *idle);

/* Makes frames [first, first + n) of one page free; used while RAM is handed over. */
void split_give_range(struct Zone *zone, struct Page *page, unsigned first, unsigned n);

/* The order of the largest free run of a split page, by looking at every bit; PAGE_NO_ORDER when it is full. */
u8 split_largest(const struct Page *page);

#endif
