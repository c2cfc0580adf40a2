/* SPDX-License-Identifier: MIT */
/* Pages of 2 MiB: alloc_pages and free_pages as they are, and what is known about one. */
#include <kernel/cpu/features.h>
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/format.h>
#include <kernel/shell/names.h>
#include <kernel/shell/out.h>
#include <kernel/shell/results.h>
#include <kernel/shell/show.h>
#include <kernel/shell/suggest.h>
#include <lib/string.h>
#include <mm/inspect.h>
#include <mm/layout.h>
#include <mm/mm.h>

#define MAX_PAGES 63 /* of one call of alloc_pages */

/* A zone's name, or the bits themselves, so that wrong ones can be tried. */
static bool zone_argument(const struct call *call, unsigned i, unsigned *zone)
{
    struct suggestion nearest;
    const char *word = call->argument[i];
    u64 value;
    if (names_zone(word, zone))
        return true;
    if (word[0] >= '0' && word[0] <= '9') {
        if (!call_number(call, i, &value))
            return false;
        *zone = (unsigned)value;
        return value <= UINT32_MAX || out_error("zone '%s' does not fit in 32 bits", word);
    }
    suggest_start(&nearest, word);
    for (const struct choice *choice = names_zones; choice->word; choice++)
        suggest_try(&nearest, choice->word);
    if (nearest.best)
        return out_error("unknown zone '%s'; did you mean '%s'?", word, nearest.best);
    return out_error("unknown zone '%s'; zones are dma, normal, unmapped", word);
}

/* A number of pages as the calls take it: any int, so that wrong ones can be tried. */
static bool pages_argument(const struct call *call, unsigned i, int *n_pages)
{
    s64 value;
    if (!call_signed(call, i, &value))
        return false;
    if (value < INT32_MIN || value > INT32_MAX)
        return out_error("'%s' pages do not fit in an int", call->argument[i]);
    *n_pages = (int)value;
    return true;
}

/* The arguments from `i` on, as PAGE_* attributes: names or numbers. */
static bool attributes_argument(const struct call *call, unsigned i, ul *attributes)
{
    for (*attributes = 0; i < call->n; i++) {
        ul bit;
        u64 value;
        const char *word = call->argument[i];
        if (names_attribute(word, &bit))
            *attributes |= bit;
        else if (word[0] < '0' || word[0] > '9')
            return out_error("unknown page flag '%s'; flags are kernel-init, device, kernel, shared", word);
        else if (call_number(call, i, &value))
            *attributes |= value;
        else
            return false;
    }
    return true;
}

static bool alloc_failed(const struct call *call, unsigned zone, int n_pages)
{
    if (zone != ZONE_DMA && zone != ZONE_NORMAL && zone != ZONE_UNMAPPED_IN_PGT)
        return out_error("alloc_pages: zone %s is none of dma (1), normal (2), unmapped (4)",
                         call->argument[0]);
    if (n_pages < 1 || n_pages > MAX_PAGES)
        return out_error("alloc_pages: %d pages are not 1 to %d", n_pages, MAX_PAGES);
    return out_error("alloc_pages: no room for %d contiguous pages in zone %s", n_pages, call->argument[0]);
}

static bool run_alloc_pages(struct call *call)
{
    unsigned zone = 0;
    int n_pages = 0;
    ul attributes = 0;
    if (!zone_argument(call, 0, &zone) || !pages_argument(call, 1, &n_pages) ||
        !attributes_argument(call, 2, &attributes))
        return false;
    struct Page *page = alloc_pages(zone, n_pages, attributes);
    if (!page)
        return alloc_failed(call, zone, n_pages);
    results_add(page->addr_phys, RESULT_PAGES, (unsigned)n_pages);
    out("0x%lx %d\n", page->addr_phys, n_pages);
    return true;
}

/* The pages of [at, at + n) are gone from the results, whichever allocations they were parts of. */
static void forget_pages(u64 at, int n_pages)
{
    for (int i = 0; i < n_pages; i++)
        results_forget(at + (u64)i * PAGE_2M_SIZE, RESULT_PAGES);
}

/* The page to free.  Behind all RAM what the page array would have there, so that the report names the address; where it
 * ends for good there is only the page that stands in for all that is no RAM. */
static struct Page *page_at_number(u64 at)
{
    bool is_behind = at >= mm_ram_end() && at < MM_RAM_LIMIT;
    return is_behind ? (struct Page *)MM_PAGE_ARRAY + (at >> PAGE_2M_SHIFT) : Phy_to_2M_Page(at);
}

static bool run_free_pages(struct call *call)
{
    u64 at;
    int n_pages = 0;
    if (!call_number(call, 0, &at) || !pages_argument(call, 1, &n_pages))
        return false;
    if (at & ~PAGE_2M_MASK)
        return out_error("0x%lx is not the start of a page: pages are 2 MiB, this one begins at 0x%lx", at,
                         at & PAGE_2M_MASK);
    ul before = mm_misuse_count();
    free_pages(page_at_number(at), n_pages);
    if (mm_misuse_count() != before && at >= MM_RAM_LIMIT)
        return out_error("free_pages(0x%lx, %d) was refused: RAM ends at 0x%lx", at, n_pages, mm_ram_end());
    if (mm_misuse_count() != before)
        return out_error("free_pages(0x%lx, %d) was refused", at, n_pages);
    forget_pages(at, n_pages);
    return out_ok();
}

static bool run_page(struct call *call)
{
    u64 at;
    if (!call_number(call, 0, &at))
        return false;
    if (at >> cpu_features.phys_bits)
        return out_error("0x%lx is beyond the %u physical address bits of this CPU; whatis takes virtual addresses, too", at,
                         (unsigned)cpu_features.phys_bits);
    const struct Page *page = Phy_to_2M_Page(at);
    if (!page->zone) {
        out("0x%lx: no page: no RAM there\n", at);
        show_physical(at);
        return true;
    }
    out("page 0x%lx, attr 0x%lx, ref_counts %lu, ", page->addr_phys, page->attr, page->ref_counts);
    out("%u of 512 frames with a use of mm's own\n", page->n_roles);
    out("frame 0x%lx\n", at & PAGE_4K_MASK);
    show_physical(at);
    return true;
}

const struct command commands_frames[] = {
    {.name = "alloc_pages",
     .usage = "alloc_pages ZONE NUM [FLAG...]",
     .summary = "take NUM contiguous 2 MiB pages; prints 0xPHYS NUM",
     .example = "alloc_pages normal 4 shared\nfree_pages $$ 4",
     .trouble =
         "NUM outside 1..63, a zone that is not one of the three, no room: an error, and nothing is taken",
     .run = run_alloc_pages,
     .n_min = 2,
     .n_max = COMMAND_ANY_NUMBER,
     .kinds = {ARGUMENT_ZONE, ARGUMENT_NONE, ARGUMENT_PAGE_FLAG}},
    {.name = "free_pages",
     .usage = "free_pages PHYS NUM",
     .summary = "give NUM pages back, from physical address PHYS on",
     .example = "alloc_pages normal 2\nfree_pages $$+2M 1\nfree_pages $$ 1",
     .trouble =
         "pages that alloc_pages did not give, or that are free already: reported, and nothing changes",
     .run = run_free_pages,
     .n_min = 2,
     .n_max = 2,
     .kinds = {ARGUMENT_ADDRESS, ARGUMENT_NONE}},
    {.name = "page",
     .usage = "page PHYS",
     .summary = "everything known about a page and a frame",
     .example = "page 0x200000",
     .trouble = "an address without RAM is said to have none",
     .run = run_page,
     .n_min = 1,
     .n_max = 1,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_ADDRESS}},
    {.name = NULL},
};
