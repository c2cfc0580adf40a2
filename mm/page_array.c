/* SPDX-License-Identifier: MIT */
/*
 * Building the page array and the held array while mm starts; page.c says what they are.
 *
 * Both are windows, an entry a page (128 bytes) or a word's worth of bits (64 bytes a page).  For each run of RAM the part
 * of the window that describes it is rounded outward to frames and backed by early frames; what the run before backed
 * already is left out.  What lies between is shown as one frame of blank, in the page array only.
 *
 * Cost: 192 bytes of RAM cleared a page of RAM, some 15 instructions a page to fill it in.
 */
#include <lib/bits.h>
#include <mm/page.h>
#include <mm/paging.h>
#include <mm/platform.h>

#define HELD_BYTES_A_PAGE (PAGE_FRAMES / 8) /* 512 bits */

/* A window with so many bytes for each page of physical address space. */
struct window {
    u64 base, bytes_a_page;
    u64 done;     /* backed, or filled, up to here */
    u64 *n_bytes; /* statistics: what it took */
    phys_t blank; /* of the page array: pages without RAM, shown in holes; else PHYS_NONE */
};

/* Cleared frames become pages without RAM: all that such a page says is that it has no roles. */
static void pages_blank(phys_t first, u64 n_frames)
{
    struct Page *page = phys_pointer(first);

    for (u64 i = 0; i < n_frames * FRAME_BYTES / sizeof *page; i++)
        page[i].words = mm.no_roles;
}

static const char *window_back(struct window *w, u64 start, u64 end)
{
    while (start < end) {
        u64 n_got;
        phys_t first = early_alloc_frames((end - start) / FRAME_BYTES, &n_got);

        if (phys_is_none(first) ||
            paging_map_own(virt(start), first, n_got * FRAME_BYTES, PAGE_R_W | PAGE_XD | PAGE_GLOBAL, false) != 0)
            return "no room for the page array";
        if (!phys_is_none(w->blank))
            pages_blank(first, n_got);
        platform_window(start, first, n_got * FRAME_BYTES, true);
        *w->n_bytes += n_got * FRAME_BYTES;
        start += n_got * FRAME_BYTES;
    }
    return NULL;
}

static const char *window_fill(const struct window *w, u64 start, u64 end)
{
    if (phys_is_none(w->blank))
        return NULL;
    for (; start < end; start += FRAME_BYTES) {
        if (paging_map_own(virt(start), w->blank, FRAME_BYTES, PAGE_XD | PAGE_GLOBAL, true) != 0)
            return "no room for the page array";
        platform_window(start, w->blank, FRAME_BYTES, false);
    }
    return NULL;
}

/* Backs what describes the RAM in [start, end), and fills the hole before it. */
static const char *window_extend(struct window *w, u64 start, u64 end)
{
    u64 from = w->base + align_down(start / PAGE_BYTES * w->bytes_a_page, FRAME_BYTES);
    u64 to = w->base + align_up(align_up(end, PAGE_BYTES) / PAGE_BYTES * w->bytes_a_page, FRAME_BYTES);
    const char *wrong;

    wrong = window_fill(w, w->done, from);
    from = max_u64(from, w->done);
    if (wrong == NULL)
        wrong = window_back(w, from, to);
    w->done = max_u64(w->done, to);
    return wrong;
}

/* Fills in the pages of a run of RAM: split, without a free frame yet. */
static void pages_describe(u64 start, u64 end)
{
    struct Zone *zone = NULL;

    for (u32 index = (u32)(start / PAGE_BYTES); (u64)index * PAGE_BYTES < end; index++) {
        struct Page *page = page_at(index);
        u64 first = max_u64(start, (u64)index * PAGE_BYTES), last = min_u64(end, (u64)(index + 1) * PAGE_BYTES);

        if (zone == NULL || (u64)index * PAGE_BYTES >= zone->end)
            zone = zone_of_address((u64)index * PAGE_BYTES);
        page->zone = zone;
        page->addr_phys = (u64)index * PAGE_BYTES;
        page->state = PAGE_SPLIT;
        page->order = PAGE_NO_ORDER;
        zone->managed_frames += (last - first) / FRAME_BYTES;
    }
}

const char *page_array_start(void)
{
    struct window pages = {MM_PAGE_ARRAY, sizeof(struct Page), MM_PAGE_ARRAY, &mm.start.page_array_bytes,
                           early_alloc_frame()};
    struct window held = {MM_HELD_ARRAY, HELD_BYTES_A_PAGE, MM_HELD_ARRAY, &mm.start.held_array_bytes, PHYS_NONE};
    struct memory_range run;
    const char *wrong = NULL;

    if (phys_is_none(pages.blank))
        return "no room for the page array";
    pages_blank(pages.blank, 1);

    for (u64 from = 0; wrong == NULL && ram_next(from, &run); from = run.end) {
        wrong = window_extend(&pages, run.start, run.end);
        if (wrong == NULL)
            wrong = window_extend(&held, run.start, run.end);
    }
    if (wrong != NULL)
        return wrong;
    for (u64 from = 0; ram_next(from, &run); from = run.end)
        pages_describe(run.start, run.end);
    return NULL;
}
