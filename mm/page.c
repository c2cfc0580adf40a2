/* SPDX-License-Identifier: MIT */
/*
 * Pages: alloc_pages, free_pages, and the page array.
 *
 * The page array has a struct Page for each 2 MiB of physical address space up to the end of RAM.  It lies in a window of
 * virtual memory that is backed, frame by frame (64 MiB of RAM each), only where there is RAM; in between it shows one
 * frame of blank pages, read-only, which say "no RAM" everywhere.  So any address below mm.ram_end may be looked up without
 * a test.  The held array (frame.c) is backed in the same way; nobody looks into its holes.
 *
 *      RAM          [=========]                    [====]
 *      page array   [f][f][f][f][0][0][0][0][0][0][f][f]      f: a frame of its own, 0: the blank frame
 *
 * alloc_pages takes a run of whole pages from its zone; single NORMAL pages come from the CPU's stack of them.  A page
 * becomes the caller's by its state, PAGE_OWNED, which is what free_pages believes: it claims each page of the run by a
 * compare-and-exchange before it gives any back, so a bad run changes nothing, and of two simultaneous frees one fails.
 *
 * Cost: a page from or to the stack no lock; otherwise as run.c says, plus some 10 instructions a page.
 *
 * Invariants, checked by check_runs.c:
 *   I106  An owned page has ref_counts 1, any other page attr and ref_counts 0.
 *   I107  A page in a CPU's stack is NORMAL's, in state PAGE_STACKED, and in the stack once; no other is in that state.
 *   I108  mm.shared_bytes is the size of the owned pages with PAGE_SHARED.
 *   I109  A page with RAM has the zone of its address (a grown one NORMAL) and that address; one without has no zone.
 *
 * Locking: the zone's lock around its lists; the stack belongs to the running context.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/find.h>
#include <mm/misuse.h>
#include <mm/page.h>
#include <mm/run.h>

#define PAGES_MAX 63

/* What Phy_to_2M_Page gives for an address without RAM.  Read-only. */
static const struct Page no_ram_page;

struct Page *mm_page_at(ul at)
{
    return page_exists(phys(at)) ? page_of(phys(at)) : (struct Page *)&no_ram_page;
}

/* Makes pages [first, first + n) of one zone, nobody's, the caller's. */
static void pages_own(struct Page *first, u32 n, ul flags)
{
    flags = first->zone->selector == ZONE_UNMAPPED_IN_PGT ? flags & ~(ul)PAGE_PGT_MAPPED : flags | PAGE_PGT_MAPPED;
    for (u32 i = 0; i < n; i++) {
        first[i].attr = flags;
        first[i].ref_counts = 1;
        first[i].state = PAGE_OWNED;
    }
    if (flags & PAGE_SHARED)
        __atomic_fetch_add(&mm.shared_bytes, n * PAGE_BYTES, __ATOMIC_RELAXED);
}

/* A run that somebody asks for. */
struct run_request {
    struct request request;
    u32 n_pages;
    ul flags;
    u32 first;
};

static u64 take_run(struct Zone *zone, struct request *request)
{
    struct run_request *run = (struct run_request *)request;

    run->first = run_take(zone, run->n_pages);
    if (run->first == PAGE_NOWHERE)
        return 0;
    pages_own(page_at(run->first), run->n_pages, run->flags);
    return request->n_frames;
}

/* A run of whole pages, the caller's; NULL when memory is exhausted. */
static struct Page *pages_find(struct Zone *zone, u32 n, ul flags)
{
    struct run_request run = {{take_run, (u64)n * PAGE_FRAMES, n, true, EFFORT_USUAL}, n, flags, PAGE_NOWHERE};

    return find_memory(zone, &run.request) == 0 ? NULL : page_at(run.first);
}

/* Puts a page, nobody's, onto the stack; false when it does not belong or fit there. */
static bool page_stack_push(struct mm_cpu *cpu, u32 index)
{
    bool fits;

    mm_enter(cpu);
    fits = page_at(index)->zone == &mm.zone[1] && cpu->n_pages < cpu->page_capacity;
    if (fits)
        cpu->page[cpu->n_pages++] = index;
    mm_leave(cpu);
    return fits;
}

/* What the stack cannot give at once. */
static NOINLINE struct Page *alloc_pages_slowly(unsigned int zone_select, int num, ul flags)
{
    struct Zone *zone = zone_of_selector(zone_select);
    struct Page *first;

    if (zone == NULL) {
        platform_report(MM_NOTE, "mm: alloc_pages: zone 0x%x is not one of the three", zone_select);
        return NULL;
    }
    if (num < 1 || num > PAGES_MAX) {
        platform_report(MM_NOTE, "mm: alloc_pages: %d pages, not 1 to %d", num, PAGES_MAX);
        return NULL;
    }
    first = pages_find(zone, (u32)num, flags);
    if (first == NULL)
        platform_report(MM_NOTE, "mm: alloc_pages: no room for %d pages in %s", num, zone->name);
    else if (UNLIKELY(mm.debug.features != 0))
        debug_pages_taken(phys(first->addr_phys), (u32)num, DEBUG_HERE);
    return first;
}

struct Page *alloc_pages(unsigned int zone_select, int num, ul flags)
{
    struct mm_cpu *cpu = platform_cpu();
    struct Page *page;

    mm_enter(cpu);
    if (UNLIKELY(zone_select != ZONE_NORMAL || num != 1 || cpu->n_pages == 0)) {
        mm_leave(cpu);
        return alloc_pages_slowly(zone_select, num, flags);
    }
    page = page_at(cpu->page[--cpu->n_pages]);
    pages_own(page, 1, flags);
    mm_leave(cpu);
    return page;
}

/* Gives pages [index, index + n), nobody's, back to their zones. */
static void pages_give(u32 index, u32 n)
{
    for (u32 done = 0; done < n;) {
        struct Zone *zone = page_at(index + done)->zone;
        u32 count = 1;
        ul flags;

        while (done + count < n && page_at(index + done + count)->zone == zone)
            count++;
        flags = platform_lock(&zone->lock);
        run_give(zone, index + done, count);
        zone_count_given(zone, count * PAGE_FRAMES);
        platform_unlock(&zone->lock, flags);
        done += count;
    }
}

void page_stack_drain(struct mm_cpu *cpu)
{
    while (cpu->n_pages != 0)
        pages_give(cpu->page[--cpu->n_pages], 1);
}

/* Claims owned pages; the number claimed is less than n when one of them is not owned. */
static u32 pages_claim(struct Page *first, u32 n)
{
    u32 i = 0;

    while (i < n) {
        uint8_t owned = PAGE_OWNED;

        if (!__atomic_compare_exchange_n(&first[i].state, &owned, PAGE_STACKED, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            break;
        i++;
    }
    return i;
}

static void pages_disown(struct Page *first, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        if (first[i].attr & PAGE_SHARED)
            __atomic_fetch_sub(&mm.shared_bytes, PAGE_BYTES, __ATOMIC_RELAXED);
        first[i].attr = 0;
        first[i].ref_counts = 0;
    }
}

/* What is wrong with the arguments themselves; false when nothing is. */
static bool pages_are_misused(const struct Page *page, int number)
{
    u64 offset = (u64)page - MM_PAGE_ARRAY;

    if (page == &no_ram_page) {
        mm_misuse("free_pages", (ul)page, "no RAM there");
        return true;
    }
    if (offset % sizeof *page != 0 || offset / sizeof *page >= mm.n_pages) {
        mm_misuse("free_pages", (ul)page, "never allocated (no element of the page array)");
        return true;
    }
    if (page->state == PAGE_ABSENT) {
        mm_misuse("free_pages", (ul)page_index(page) * PAGE_BYTES, "no RAM there");
        return true;
    }
    if (page->state == PAGE_OWNED && (number < 1 || number > PAGES_MAX)) {
        mm_misuse("free_pages", page->addr_phys, "a page of alloc_pages, but the number of pages is not 1 to 63");
        return true;
    }
    return number < 1 || number > PAGES_MAX ? misuse_phys("free_pages", phys(page->addr_phys)) != 0 : false;
}

/* Reports the page at which a run stops being free_pages' business. */
static void pages_report(u32 index)
{
    if (index >= mm.n_pages || page_at(index)->state == PAGE_ABSENT)
        mm_misuse("free_pages", (ul)index * PAGE_BYTES, "no RAM there");
    else if (page_is_free(page_at(index)) || page_at(index)->state == PAGE_STACKED)
        misuse_whose("free_pages", phys(index * PAGE_BYTES), "already free");
    else
        misuse_phys("free_pages", phys(page_at(index)->addr_phys));
}

static bool holds_loaded_table(const struct Page *page, u32 n)
{
    return ((ul)get_CR3() & PAGE_4K_MASK) - page->addr_phys < n * PAGE_BYTES;
}

void free_pages(struct Page *page, int number)
{
    u32 n = (u32)number, index, n_there, n_claimed;

    if (UNLIKELY((u64)page - MM_PAGE_ARRAY >= mm.n_pages * sizeof *page || n - 1 >= PAGES_MAX ||
                 ((u64)page - MM_PAGE_ARRAY) % sizeof *page != 0 || page->state != PAGE_OWNED) &&
        pages_are_misused(page, number))
        return;
    index = page_index(page);
    if (UNLIKELY(page->state == PAGE_OWNED && holds_loaded_table(page, n))) {
        mm_misuse("free_pages", page->addr_phys, "a page table");
        return;
    }
    n_there = (u32)min_u64(n, mm.n_pages - index);
    n_claimed = pages_claim(page, n_there);
    if (UNLIKELY(n_claimed != n)) {
        for (u32 i = 0; i < n_claimed; i++)
            __atomic_store_n(&page[i].state, PAGE_OWNED, __ATOMIC_RELEASE);
        pages_report(index + n_claimed);
        return;
    }
    pages_disown(page, n);
    if (n == 1 && page_stack_push(platform_cpu(), index))
        return;
    if (UNLIKELY(mm.debug.features != 0))
        debug_pages_freed(phys(page->addr_phys), n, DEBUG_HERE);
    pages_give(index, n);
}
