/* SPDX-License-Identifier: MIT */
/* The page array: one struct Page for each 2 MiB of physical address space that has RAM, found by index. */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include <mm/state.h>
#include <mm/types.h>

_Static_assert(sizeof(struct Page) == 128, "an index becomes an address by one shift");

enum page_state {
    PAGE_ABSENT,    /* no RAM */
    PAGE_SPLIT,     /* frames: free_frames, n_free and order count; in a list when order is one */
    PAGE_FREE_HEAD, /* first of a run of free pages, in a list */
    PAGE_FREE_BODY, /* another one of it */
    PAGE_OWNED,     /* allocated by alloc_pages */
    PAGE_BLOCK,     /* allocated by frame_alloc, as part of a block of whole pages */
    PAGE_STACKED,   /* free, in a CPU's stack of pages */
    PAGE_OWNED_TOP, /* as PAGE_OWNED and PAGE_BLOCK, with a top-level table in it (top.c): so not freed in passing */
    PAGE_BLOCK_TOP,
    PAGE_LAST_STATE = PAGE_BLOCK_TOP,
};

#define PAGE_NO_ORDER 0xff /* a split page without a free frame, in no list */

static inline struct Page *page_at(u32 index)
{
    return (struct Page *)MM_PAGE_ARRAY + index;
}

static inline u32 page_index(const struct Page *page)
{
    return (u32)(page - (const struct Page *)MM_PAGE_ARRAY);
}

/* The page of a frame by its number, below mm.n_frames. */
static inline struct Page *page_at_frame(u64 frame)
{
    return (struct Page *)MM_PAGE_ARRAY + frame / PAGE_FRAMES;
}

/* The page of a physical address below mm.ram_end. */
static inline struct Page *page_of(phys_t at)
{
    return (struct Page *)MM_PAGE_ARRAY + (at.addr >> PAGE_SHIFT);
}

/* True when there is RAM somewhere in the page of `at`; any 64-bit address may be asked. */
static inline bool page_exists(phys_t at)
{
    return at.addr < mm.ram_end && page_of(at)->state != PAGE_ABSENT;
}

/* A page of DMA or NORMAL lies in the direct map. */
static inline bool page_is_direct(const struct Page *page)
{
    return page->zone != NULL && page->zone->selector != ZONE_UNMAPPED_IN_PGT;
}

/* Allocated by alloc_pages; by frame_alloc, as part of a block of whole pages. */
static inline bool page_is_owned(const struct Page *page)
{
    return page->state == PAGE_OWNED || page->state == PAGE_OWNED_TOP;
}

static inline bool page_is_block(const struct Page *page)
{
    return page->state == PAGE_BLOCK || page->state == PAGE_BLOCK_TOP;
}

/* True for a page that is free as a whole, in a list. */
static inline bool page_is_free(const struct Page *page)
{
    return page->state == PAGE_FREE_HEAD || page->state == PAGE_FREE_BODY;
}

/* Lists of pages through next and prev; *head is an index. */
static inline void page_list_add(u32 *head, struct Page *page)
{
    u32 first = *head;

    page->next = first;
    page->prev = PAGE_NOWHERE;
    if (first != PAGE_NOWHERE)
        page_at(first)->prev = page_index(page);
    *head = page_index(page);
}

static inline void page_list_remove(u32 *head, struct Page *page)
{
    if (page->prev == PAGE_NOWHERE)
        *head = page->next;
    else
        page_at(page->prev)->next = page->next;
    if (page->next != PAGE_NOWHERE)
        page_at(page->next)->prev = page->prev;
}

/* Backs the page array and the held array with early frames, and fills in each page that has RAM.  NULL or what is wrong. */
MUST_USE const char *page_array_start(void);

/* Drains a CPU's stack of pages. */
void page_stack_drain(struct mm_cpu *cpu);

#endif
