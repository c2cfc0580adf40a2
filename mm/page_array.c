/* SPDX-License-Identifier: MIT */
/*
 * Building the page array and the held array while mm starts; page.c says what they are.
 *
 * Both are windows, an entry a page (128 bytes) or a word's worth of bits (64 bytes a page).  For each run of RAM the part
 * of the window that describes it is rounded outward to frames and backed by early frames; what the run before backed
 * already is left out.  What lies between is shown as blank frames, in the page array only: one, or a few over and over where
 * holes are large.
 *
 * Cost: 192 bytes of RAM cleared a page of RAM, some 10 instructions a page to fill it in; of a hole 1 a page.
 */
#include <lib/bits.h>
#include <mm/page.h>
#include <mm/paging.h>
#include <mm/platform.h>

#define HELD_BYTES_A_PAGE (PAGE_FRAMES / 8) /* 512 bits */

#define BLANK_MAX_FRAMES 64 /* holes are shown as 256 KiB of blank pages over and over: 8 GiB of them at a time */
#define BLANK_RAM_SHARE 4096 /* of RAM, at most */

/* A window with so many bytes for each page of physical address space. */
struct window {
    u64 base, bytes_a_page;
    u64 done;     /* backed, or filled, up to here */
    u64 *n_bytes; /* statistics: what it took */
    phys_t blank; /* of the page array: pages without RAM, shown in holes; else PHYS_NONE */
    u64 blank_bytes;
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
    while (start < end) {
        u64 bytes = min_u64(end - start, w->blank_bytes);

        if (paging_map_own(virt(start), w->blank, bytes, PAGE_XD | PAGE_GLOBAL, true) != 0)
            return "no room for the page array";
        platform_window(start, w->blank, bytes, false);
        start += bytes;
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

/* Fills in the pages of a run of RAM in one zone: split, without a free frame yet. */
static void pages_describe(struct Zone *zone, u64 start, u64 end)
{
    u64 addr = align_down(start, PAGE_BYTES);

    for (struct Page *page = page_of(phys(addr)); addr < end; page++, addr += PAGE_BYTES) {
        page->zone = zone;
        page->addr_phys = addr;
        page->state = PAGE_SPLIT;
        page->order = PAGE_NO_ORDER;
    }
    zone->managed_frames += (end - start) / FRAME_BYTES;
}

/* Frames of blank: one, or as many as make filling the holes cheap on a large machine. */
static const char *window_start_blank(struct window *w)
{
    u64 ram_frames = ram_bytes_total() / FRAME_BYTES, a_page = sizeof(struct Page);
    u64 n_holes = (mm.n_pages - min_u64(mm.n_pages, ram_frames / PAGE_FRAMES)) * a_page / FRAME_BYTES;
    u64 n_wanted = min_u64(min_u64(n_holes / BLANK_MAX_FRAMES, ram_frames / BLANK_RAM_SHARE), BLANK_MAX_FRAMES);
    u64 n_got;

    w->blank = early_alloc_frames(max_u64(n_wanted, 1), &n_got);
    if (phys_is_none(w->blank))
        return "no room for the page array";
    w->blank_bytes = n_got * FRAME_BYTES;
    pages_blank(w->blank, n_got);
    return NULL;
}

const char *page_array_start(void)
{
    struct window pages = {.base = MM_PAGE_ARRAY, .bytes_a_page = sizeof(struct Page), .done = MM_PAGE_ARRAY,
                           .n_bytes = &mm.start.page_array_bytes};
    struct window held = {.base = MM_HELD_ARRAY, .bytes_a_page = HELD_BYTES_A_PAGE, .done = MM_HELD_ARRAY,
                          .n_bytes = &mm.start.held_array_bytes, .blank = PHYS_NONE};
    const char *wrong = window_start_blank(&pages);
    struct memory_range run;

    for (u64 from = 0; wrong == NULL && ram_next(from, &run); from = run.end) {
        wrong = window_extend(&pages, run.start, run.end);
        if (wrong == NULL)
            wrong = window_extend(&held, run.start, run.end);
    }
    if (wrong != NULL)
        return wrong;
    for (u64 from = 0; ram_next(from, &run); from = run.end)
        for (u64 at = run.start, stop; at < run.end; at = stop) {
            struct Zone *zone = zone_of_address(at);

            stop = min_u64(run.end, zone->end);
            pages_describe(zone, at, stop);
        }
    return NULL;
}
