/* SPDX-License-Identifier: MIT */
/*
 * Zones: how RAM is divided, and how the division moves.
 *
 *      0        dma_end                         direct_end                  ram_end
 *      [  DMA  )[            NORMAL             )[        UNMAPPED          )
 *      [------------ direct map ----------------)  [g]      [g]               g: pages grown into NORMAL
 *
 * Terms.  The *borders* are multiples of 2 MiB, so a page is in one zone.  *managed* counts the RAM frames of a zone,
 * reserved ones included; a zone's used frames are managed less free.
 *
 * Growing.  When NORMAL runs dry it takes whole free pages out of UNMAPPED: each is entered in the direct map (its page
 * directory exists since boot, so this takes no frame), marked `grown` and given to NORMAL's free lists.  Giving back is
 * the reverse for every grown page that is free as a whole.  It has to wait until no CPU can reach the page through the
 * direct map any more, so it happens only where interrupts are on: in mm_shrink, and before an UNMAPPED request fails.
 *
 * Lending.  NORMAL borrows frames of DMA when nothing else is left (find.c).  What is borrowed stays DMA's and returns
 * there.
 *
 * Cost: growing is one step a page; giving back looks at all pages from direct_end on, when there are grown ones, and at the
 * run before direct_end.
 *
 * Invariants, checked by check_zones.c:
 *   I111  managed_frames is the number of RAM frames in pages of the zone; their sum is mm.ram_bytes.
 *   I112  n_free_frames is what the zone's lists hold, and low_water_frames is not above it.
 *   I113  A grown page is NORMAL's and lies at or above direct_end; n_grown_pages counts them.
 *
 * Locking: each zone has one lock; no two are held at once, and nothing is called with one held that takes another lock.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/paging.h>
#include <mm/run.h>
#include <mm/sanitize.h>
#include <mm/split.h>

struct Zone *zone_of_selector(unsigned selector)
{
    switch (selector) {
    case ZONE_DMA:
        return &mm.zone[0];
    case ZONE_NORMAL:
        return &mm.zone[1];
    case ZONE_UNMAPPED_IN_PGT:
        return &mm.zone[2];
    default:
        return NULL;
    }
}

struct Zone *zone_of_address(u64 addr)
{
    return &mm.zone[addr < mm.dma_end ? 0 : addr < mm.direct_end ? 1 : 2];
}

static void zone_start(struct Zone *zone, const char *name, unsigned selector, u64 start, u64 end)
{
    *zone = (struct Zone){.name = name, .selector = selector, .start = start, .end = end};
    for (unsigned kind = 0; kind < N_SPLIT_KINDS; kind++)
        memset(zone->split[kind].head, 0xff, sizeof zone->split[kind].head); /* PAGE_NOWHERE */
    for (unsigned kind = 0; kind < N_RUN_KINDS; kind++)
        memset(zone->run[kind].head, 0xff, sizeof zone->run[kind].head);
}

/* The top of DMA: as asked, or a quarter of RAM to the nearest page, at most 16 MiB and at least one page. */
static u64 choose_dma_end(u64 asked, u64 ram_bytes)
{
    u64 end = asked != 0 ? align_up(asked, PAGE_BYTES) : align_down(ram_bytes / 4 + PAGE_BYTES / 2, PAGE_BYTES);

    if (asked == 0)
        end = min_u64(end, 16 * 1024 * 1024);
    return max_u64(end, PAGE_BYTES);
}

void zone_start_all(u64 dma_bytes, u64 direct_map_bytes)
{
    u64 ram_bytes = ram_bytes_total();
    u64 direct_bytes = direct_map_bytes != 0 ? direct_map_bytes : ram_bytes - ram_bytes / 4;

    mm.ram_end = memory_map_usable_end(&mm.map);
    mm.n_frames = mm.ram_end / FRAME_BYTES;
    mm.n_pages = (u32)(align_up(mm.ram_end, PAGE_BYTES) / PAGE_BYTES);
    mm.pages_bytes = mm.n_pages * sizeof(struct Page);
    mm.dma_end = choose_dma_end(dma_bytes, ram_bytes);
    mm.direct_end = max_u64(align_down(ram_address_of_byte(direct_bytes) + PAGE_BYTES / 2, PAGE_BYTES), mm.dma_end);
    zone_start(&mm.zone[0], "DMA", ZONE_DMA, 0, mm.dma_end);
    zone_start(&mm.zone[1], "NORMAL", ZONE_NORMAL, mm.dma_end, mm.direct_end);
    zone_start(&mm.zone[2], "UNMAPPED", ZONE_UNMAPPED_IN_PGT, mm.direct_end, max_u64(mm.ram_end, mm.direct_end));
}

bool zone_grow(u32 n_pages, bool anywhere)
{
    struct Zone *from = &mm.zone[2], *to = &mm.zone[1];
    u64 n_frames = (u64)n_pages * PAGE_FRAMES;
    ul flags;
    u32 first;

    if (!run_any(from))
        return false;
    flags = platform_lock(&from->lock);
    first = anywhere ? run_take(from, n_pages) : run_take_aligned(from, log2_floor(n_pages));
    if (first != PAGE_NOWHERE) {
        zone_count_taken(from, n_frames);
        from->managed_frames -= n_frames;
        for (u32 i = 0; i < n_pages; i++)
            page_at(first + i)->state = PAGE_STACKED; /* nobody's for a moment, and nobody may find them free */
    }
    platform_unlock(&from->lock, flags);
    if (first == PAGE_NOWHERE)
        return false;

    for (u32 i = 0; i < n_pages; i++) {
        paging_direct_map_page(phys(page_at(first + i)->addr_phys));
        page_at(first + i)->grown = 1;
        page_at(first + i)->zone = to;
    }
    __atomic_fetch_add(&mm.n_grown_pages, n_pages, __ATOMIC_RELAXED);
    flags = platform_lock(&to->lock);
    to->managed_frames += n_frames;
    zone_count_given(to, n_frames);
    run_give(to, first, n_pages);
    platform_unlock(&to->lock, flags);
    return true;
}

/* Takes the wholly free grown pages from `index` on to the end of their run from NORMAL back to UNMAPPED: how many, 0 when
 * this one is not free. */
static u32 zone_give_back_run(u32 index)
{
    struct Zone *from = &mm.zone[1], *to = &mm.zone[2];
    ul flags = platform_lock(&from->lock);
    u32 n_pages = run_take_tail(from, index);

    for (u32 i = 0; i < n_pages; i++)
        page_at(index + i)->state = PAGE_STACKED; /* nobody's for a moment */
    zone_count_taken(from, n_pages * PAGE_FRAMES);
    from->managed_frames -= n_pages * PAGE_FRAMES;
    platform_unlock(&from->lock, flags);
    if (n_pages == 0)
        return 0;

    for (u32 i = 0; i < n_pages; i++) {
        paging_direct_unmap_page(phys(page_at(index + i)->addr_phys));
        page_at(index + i)->grown = 0;
        page_at(index + i)->zone = to;
    }
    flags = platform_lock(&to->lock);
    to->managed_frames += n_pages * PAGE_FRAMES;
    zone_count_given(to, n_pages * PAGE_FRAMES);
    run_give(to, index, n_pages);
    platform_unlock(&to->lock, flags);
    __atomic_fetch_sub(&mm.n_grown_pages, n_pages, __ATOMIC_RELAXED);
    return n_pages;
}

/* Pages from direct_end on are NORMAL's only when they are grown. */
u64 zone_give_back_grown(void)
{
    u64 n_given = 0;

    for (u32 index = (u32)(mm.direct_end / PAGE_BYTES); index < mm.n_pages && mm.n_grown_pages != 0;) {
        u32 n_pages = page_at(index)->grown != 0 ? zone_give_back_run(index) : 0;

        n_given += n_pages;
        index += n_pages != 0 ? n_pages : 1;
    }
    return n_given;
}

/* How many pages from `start` on, the begin of a page, lie wholly in [start, end) and in one zone: as its borders say, while
 * there are no grown pages. */
static u32 whole_pages(const struct Zone *zone, u64 start, u64 end)
{
    u64 n = (end - start) / PAGE_BYTES;

    if (mm.n_grown_pages != 0)
        return n != 0;
    return (u32)min_u64(n, (zone->end - start) / PAGE_BYTES);
}

/* Frees the part of [start, end) that lies in the page of `start`, or all whole pages of one zone from there on.
 * Returns where it stopped. */
static u64 add_free_step(u64 start, u64 end)
{
    struct Page *page = page_of(phys(start));
    struct Zone *zone = page->zone;
    u32 n_pages = is_aligned(start, PAGE_BYTES) ? whole_pages(zone, start, end) : 0;
    u64 stop = n_pages != 0 ? start + n_pages * PAGE_BYTES : min_u64(end, align_down(start, PAGE_BYTES) + PAGE_BYTES);
    u64 n_frames = (stop - start) / FRAME_BYTES;
    ul flags = platform_lock(&zone->lock);

    zone_count_given(zone, n_frames);
    if (n_pages != 0)
        run_give(zone, page_index(page), n_pages);
    else
        split_give_range(zone, page, (unsigned)(start % PAGE_BYTES / FRAME_BYTES), (unsigned)n_frames);
    platform_unlock(&zone->lock, flags);
    return stop;
}

void zone_add_free(u64 start, u64 end)
{
    sanitize_frames_freed(phys(start), (end - start) / FRAME_BYTES);
    while (start < end)
        start = add_free_step(start, end);
}
