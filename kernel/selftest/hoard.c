/* SPDX-License-Identifier: MIT */
/*
 * Hoards.  On a machine of 64 GiB there are 16 million frames, so they are taken in the largest blocks that
 * there are: some thousand at most.  A block of frames begins with the address and the order of the next one,
 * so the list needs no memory; one frame a block is written to.
 */
#include <kernel/selftest/hoard.h>
#include <kernel/selftest/world.h>
#include <mm/frame.h>
#include <mm/inspect.h>

struct block {
    u64 next;
    u64 order;
};

static void block_push(struct hoard *hoard, u64 at, unsigned order)
{
    struct block *block = phys_pointer(phys(at));

    block->next = hoard->first;
    block->order = order;
    hoard->first = at;
    hoard->n_blocks++;
}

static u64 block_pop(struct hoard *hoard, unsigned *order)
{
    const struct block *block = phys_pointer(phys(hoard->first));
    u64 at = hoard->first;

    *order = (unsigned)block->order;
    hoard->first = block->next;
    hoard->n_blocks--;
    return at;
}

void hoard_fill(struct hoard *hoard)
{
    for (unsigned order = FRAME_MAX_ORDER + 1; order-- > 0;) {
        phys_t block;

        while (!phys_is_none(block = frame_alloc(ZONE_NORMAL, order)))
            block_push(hoard, block.addr, order);
    }
}

#define PAGE_ORDER 9

/* Moves all blocks of one to another. */
static void hoard_move(struct hoard *from, struct hoard *to)
{
    while (from->first != 0) {
        unsigned order;
        u64 at = block_pop(from, &order);

        block_push(to, at, order);
    }
}

/*
 * Frees one frame of a block.  The others of its page go aside, other pages back.  Only as a whole may a page
 * of a block of pages be freed, so such a one is, and all of it but a frame is taken again: nothing else is
 * free.
 */
static bool release_one(struct hoard *hoard, struct hoard *aside, u64 at, unsigned order)
{
    unsigned least = order < PAGE_ORDER ? 0 : PAGE_ORDER;

    while (order > least) {
        order--;
        block_push(least != 0 ? hoard : aside, at + (PAGE_4K_SIZE << order), order);
    }
    if (frame_free(phys(at), least) != 0)
        return false;
    while (least-- > 0) {
        phys_t block = frame_alloc(ZONE_NORMAL, least);

        if (!phys_is_none(block))
            block_push(aside, block.addr, least);
    }
    return true;
}

bool hoard_release_frame(struct hoard *hoard)
{
    struct hoard aside = {0};
    unsigned order;
    bool released;
    u64 at;

    if (hoard->first == 0)
        return false;
    at = block_pop(hoard, &order);
    released = release_one(hoard, &aside, at, order);
    hoard_move(&aside, hoard);
    return released;
}

unsigned hoard_release_scattered(struct hoard *hoard, unsigned n)
{
    struct hoard aside = {0};
    u64 page = ~0UL;
    unsigned n_released = 0;

    while (n_released < n && hoard->first != 0) {
        unsigned order;
        u64 at = block_pop(hoard, &order);

        if ((at & PAGE_2M_MASK) == page) {
            block_push(&aside, at, order);
            continue;
        }
        page = at & PAGE_2M_MASK;
        n_released += release_one(hoard, &aside, at, order);
    }
    hoard_move(&aside, hoard);
    return n_released;
}

void hoard_free(struct hoard *hoard)
{
    while (hoard->first != 0) {
        unsigned order;
        u64 at = block_pop(hoard, &order);

        (void)frame_free(phys(at), order);
    }
}

void *objects_take_all(ul bytes)
{
    void **object, *first = NULL;

    while ((object = kmalloc(bytes, 0)) != NULL) {
        *object = first;
        first = object;
    }
    return first;
}

void objects_free(void *first)
{
    while (first != NULL) {
        void *next = *(void **)first;

        kfree(first);
        first = next;
    }
}

bool zone_has_pages(unsigned zone, u64 n)
{
    struct mm_zone_info info;

    mm_zone_info(zone, &info);
    return info.n_whole_free_pages >= n;
}

#define PAGE_HOARD_RUNS 4096 /* 64 GiB in runs of 63 pages: 521, and what is between them */

void page_hoard_fill(struct page_hoard *hoard, unsigned zone_select)
{
    *hoard = (struct page_hoard){.runs = kmalloc(PAGE_HOARD_RUNS * sizeof(struct page_run), 0)};
    if (hoard->runs == NULL)
        return;
    world_hush_notes(true); /* each number of pages is refused once */
    for (int n = 63; n > 0; n--) {
        struct Page *page;

        while (hoard->n_runs < PAGE_HOARD_RUNS && (page = alloc_pages(zone_select, n, 0)) != NULL) {
            hoard->runs[hoard->n_runs++] = (struct page_run){page, n};
            hoard->n_pages += (u64)n;
        }
    }
    world_hush_notes(false);
}

void page_hoard_free(struct page_hoard *hoard)
{
    while (hoard->n_runs > 0) {
        struct page_run *run = &hoard->runs[--hoard->n_runs];

        free_pages(run->page, run->n);
    }
    kfree(hoard->runs);
    *hoard = (struct page_hoard){0};
}
