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
 * Runs are claimed one at a time, with NORMAL's lock held: a single page that could not be claimed without it, because a bad
 * run over it was about to be put back, is tried once more with it.
 *
 * The stack is filled from one run, and half of it given back, under one lock.
 *
 * A page in which a top-level table is known to lie is in another state, PAGE_OWNED_TOP (top.c): so it is not claimed in
 * passing.  Who is refused it looks whether a CPU has the table loaded; if not, the page becomes an ordinary one, and it goes on.
 *
 * Cost: a page from the stack 23 instructions and to it 45, no lock; a run some 200 each way, plus 10 and 18 a page.
 *
 * Invariants, checked by check_runs.c:
 *   I106  An owned page has ref_counts 1, any other page attr and ref_counts 0.
 *   I107  A page in a CPU's stack is NORMAL's, in state PAGE_STACKED, and in the stack once; no other is in that state.
 *   I108  mm.shared_bytes is the size of the owned pages with PAGE_SHARED.
 *   I109  A page with RAM has the zone of its address (a grown one NORMAL) and that address; one without has no zone.
 *
 * Locking: the zone's lock around its lists, NORMAL's around the claims of a run; the stack belongs to the running context.
 */
#include <lib/bits.h>
#include <lib/compiler.h>
#include <lib/string.h>
#include <mm/fail.h>
#include <mm/find.h>
#include <mm/misuse.h>
#include <mm/page.h>
#include <mm/run.h>
#include <mm/sanitize.h>
#include <mm/top.h>

#define PAGES_MAX 63

/* What Phy_to_2M_Page gives for an address behind all RAM; in a hole it is the blank page there.  Both are read-only. */
static const struct Page no_ram_page;

struct Page *mm_page_at(ul at)
{
    return at < mm.ram_end ? page_of(phys(at)) : (struct Page *)&no_ram_page;
}

/* Makes pages [first, first + n) of one zone, nobody's, the caller's. */
static inline void pages_own(struct Page *first, u32 n, ul flags)
{
    sanitize_frames_taken(phys(first->addr_phys), n * PAGE_FRAMES);
    flags = UNLIKELY(first->zone == &mm.zone[2]) ? flags & ~(ul)PAGE_PGT_MAPPED : flags | PAGE_PGT_MAPPED;
    for (u32 i = 0; i < n; i++) {
        first[i].attr = flags;
        first[i].ref_counts = 1;
        first[i].state = PAGE_OWNED;
    }
    if (UNLIKELY(flags & PAGE_SHARED))
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

/* A run of whole pages, the caller's, after the zone was asked in vain; NULL when memory is exhausted. */
static NOINLINE struct Page *pages_find(struct Zone *zone, u32 n, ul flags)
{
    struct run_request run = {{take_run, (u64)n * PAGE_FRAMES, n, true, false, EFFORT_USUAL, 0}, n, flags, PAGE_NOWHERE};

    return find_elsewhere(zone, &run.request) == 0 ? NULL : page_at(run.first);
}

/* The same from the zone itself, at less cost. */
static inline struct Page *pages_find_in(struct Zone *zone, u32 n, ul flags)
{
    ul saved;
    u32 index;

    if (UNLIKELY(mm.fail.mode != 0))
        return NULL;
    saved = platform_lock(&zone->lock);
    index = run_take(zone, n);
    if (LIKELY(index != PAGE_NOWHERE)) {
        pages_own(page_at(index), n, flags);
        zone_count_taken(zone, n * PAGE_FRAMES);
    }
    platform_unlock(&zone->lock, saved);
    return index == PAGE_NOWHERE ? NULL : page_at(index);
}

/* Fills the running context's stack of pages, which is empty, from the zone, and takes one of them for the caller; NULL when
 * the zone has none, or this context keeps no stack. */
static NOINLINE struct Page *page_stack_refill(ul flags)
{
    struct mm_cpu *cpu = platform_cpu();
    struct Zone *zone = &mm.zone[1];
    u32 n_wanted, n_got = 0, first;
    ul saved;

    mm_enter(cpu); /* from here on nobody takes the stack out of use */
    n_wanted = (cpu->page_capacity + 1) / 2;
    if (n_wanted == 0 || fail_wanted(zone, n_wanted * PAGE_FRAMES)) {
        mm_leave(cpu);
        return NULL;
    }
    saved = platform_lock(&zone->lock);
    first = run_take_some(zone, n_wanted, &n_got);
    for (u32 i = 0; i + 1 < n_got; i++) {
        page_at(first + i)->state = PAGE_STACKED;
        cpu->page[i] = first + i;
    }
    if (n_got != 0) {
        cpu->stacked.n_pages = (u8)(n_got - 1);
        pages_own(page_at(first + n_got - 1), 1, flags);
        zone_count_taken(zone, n_got * PAGE_FRAMES);
    }
    platform_unlock(&zone->lock, saved);
    mm_leave(cpu);
    return n_got == 0 ? NULL : page_at(first + n_got - 1);
}

/* Says why there is no page. */
static NOINLINE struct Page *alloc_pages_failed(unsigned int zone_select, int num)
{
    const struct Zone *zone = zone_of_selector(zone_select);

    if (zone == NULL)
        platform_report(MM_NOTE, "mm: alloc_pages: zone 0x%x is not one of the three", zone_select);
    else if (num < 1 || num > PAGES_MAX)
        platform_report(MM_NOTE, "mm: alloc_pages: %d pages, not 1 to %d", num, PAGES_MAX);
    else
        platform_report(MM_NOTE, "mm: alloc_pages: no room for %d pages in %s", num, zone->name);
    return NULL;
}

/* What the stack cannot give at once. */
static NOINLINE struct Page *alloc_pages_slowly(unsigned int zone_select, int num, ul flags)
{
    struct Zone *zone = LIKELY(zone_select == ZONE_NORMAL) ? &mm.zone[1] : zone_of_selector(zone_select);
    struct Page *first = NULL;

    if (zone == NULL || num < 1 || num > PAGES_MAX)
        return alloc_pages_failed(zone_select, num);
    if (num == 1 && zone == &mm.zone[1])
        first = page_stack_refill(flags);
    if (first == NULL)
        first = pages_find_in(zone, (u32)num, flags);
    if (UNLIKELY(first == NULL))
        first = pages_find(zone, (u32)num, flags);
    if (first == NULL)
        return alloc_pages_failed(zone_select, num);
    if (UNLIKELY(mm.debug.features != 0))
        debug_pages_taken(phys(first->addr_phys), (u32)num, DEBUG_HERE);
    return first;
}

FAST_PATH struct Page *alloc_pages(unsigned int zone_select, int num, ul flags)
{
    struct mm_cpu *cpu = platform_cpu();
    struct Page *page;
    u64 n;

    if (UNLIKELY(((zone_select ^ ZONE_NORMAL) | ((unsigned)num ^ 1)) != 0))
        return alloc_pages_slowly(zone_select, num, flags);
    mm_enter_fast(cpu);
    n = cpu->stacked.n_pages;
    if (UNLIKELY(n == 0)) {
        mm_leave_fast(cpu);
        return alloc_pages_slowly(ZONE_NORMAL, 1, flags);
    }
    cpu = OPAQUE(cpu); /* so that n is counted down in memory, and stays in its register */
    cpu->stacked.n_pages--;
    page = page_at(cpu->page[n - 1]);
    page->attr = flags | PAGE_PGT_MAPPED;
    page->ref_counts = 1;
    page->state = PAGE_OWNED;
    sanitize_frames_taken(phys(page->addr_phys), PAGE_FRAMES);
    if (UNLIKELY(flags & PAGE_SHARED))
        __atomic_fetch_add(&mm.shared_bytes, PAGE_BYTES, __ATOMIC_RELAXED);
    mm_leave_fast(cpu);
    return page;
}

/* Gives the n pages that were freed longest ago back to the zone. */
static void stack_drain(struct mm_cpu *cpu, u32 n)
{
    struct Zone *zone = &mm.zone[1];
    u32 left = cpu->stacked.n_pages - n;
    ul flags = platform_lock(&zone->lock);

    for (u32 i = 0; i < n; i++) {
        page_at(cpu->page[i])->state = PAGE_FREE_BODY;
        run_join(zone, cpu->page[i], 1);
    }
    zone_count_given(zone, n * PAGE_FRAMES);
    platform_unlock(&zone->lock, flags);
    cpu->stacked.n_pages = (u8)left;
    for (u32 i = 0; i < left; i++)
        cpu->page[i] = cpu->page[i + n];
}

void page_stack_drain(struct mm_cpu *cpu)
{
    if (cpu->stacked.n_pages != 0)
        stack_drain(cpu, cpu->stacked.n_pages);
}

/* Makes an owned page nobody's, and only one of all who try. */
static inline bool page_claim(struct Page *page)
{
    uint8_t owned = PAGE_OWNED;

    return __atomic_compare_exchange_n(&page->state, &owned, PAGE_STACKED, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Claims owned pages; returns the first that is not owned, or the end.  What is not owned may be read-only. */
static inline struct Page *pages_claim(struct Page *page, const struct Page *end)
{
    do {
        if (UNLIKELY(page->state != PAGE_OWNED) || UNLIKELY(!page_claim(page)))
            return page;
    } while (++page < end);
    return page;
}

static inline void page_disown(struct Page *page)
{
    sanitize_frames_freed(phys(page->addr_phys), PAGE_FRAMES);
    if (UNLIKELY(page->attr & PAGE_SHARED))
        __atomic_fetch_sub(&mm.shared_bytes, PAGE_BYTES, __ATOMIC_RELAXED);
    page->attr = 0;
    page->ref_counts = 0;
}

/* Gives the claimed pages at the start of [first, first + n) that are this zone's back to it; its lock is held.  Returns how
 * many. */
static inline __attribute__((always_inline)) u32 pages_give(struct Zone *zone, struct Page *first, u32 n)
{
    struct Page *page = first, *end = first + n;

    for (; page < end && page->zone == zone; page++) {
        page_disown(page);
        page->state = PAGE_FREE_BODY;
    }
    n = (u32)(page - first);
    if (UNLIKELY(n == 0))
        return 0;
    run_join(zone, page_index(first), n);
    zone_count_given(zone, n * PAGE_FRAMES);
    return n;
}

/* What is wrong with the arguments themselves; false when nothing is. */
static bool pages_are_misused(const struct misuse_free *free, const struct Page *page, int number)
{
    u64 offset = (u64)page - MM_PAGE_ARRAY, index = offset / sizeof *page;
    bool is_element = offset % sizeof *page == 0 && index < mm.n_pages;

    if (page == &no_ram_page)
        misuse_free(free, (ul)page, "no RAM there");
    else if (offset % sizeof *page == 0 && index >= mm.n_pages && index < MM_RAM_LIMIT / PAGE_BYTES)
        misuse_free(free, index * PAGE_BYTES, "no RAM there"); /* where an element would be */
    else if (!is_element)
        misuse_free(free, (ul)page, "never allocated (no element of the page array)");
    else if (page->state == PAGE_ABSENT)
        misuse_free(free, index * PAGE_BYTES, "no RAM there");
    else if (number >= 1 && number <= PAGES_MAX)
        return false;
    else if (page_is_owned(page))
        misuse_free(free, page->addr_phys, "a page of alloc_pages, but the number of pages is not 1 to 63");
    else
        misuse_free_phys(free, phys(page->addr_phys));
    return true;
}

/* Reports the page at which a run stops being free_pages' business. */
static void pages_report(const struct misuse_free *free, u32 index)
{
    if (index >= mm.n_pages || page_at(index)->state == PAGE_ABSENT)
        misuse_free(free, (ul)index * PAGE_BYTES, "no RAM there");
    else if (page_is_free(page_at(index)) || page_at(index)->state == PAGE_STACKED)
        misuse_free_whose(free, phys(index * PAGE_BYTES), "already free");
    else
        misuse_free_phys(free, phys(page_at(index)->addr_phys));
}

static bool holds_loaded_table(const struct Page *page, u32 n)
{
    return ((ul)get_CR3() & PAGE_4K_MASK) - page->addr_phys < n * PAGE_BYTES;
}

/* What was refused: says what is wrong with it, and true when nothing is any more, because top-level tables in it were in use no
 * more: then it is to be tried again.  When nothing is because another CPU was about it, it stays refused. */
static NOINLINE bool free_pages_refused(struct Page *page, int number, struct debug_here here)
{
    u32 n = (u32)number, i = 0;
    u64 bytes = n - 1 < PAGES_MAX ? n * PAGE_BYTES : 0;
    const struct misuse_free free = {"free_pages", MM_EVENT_FREE_PAGES, bytes, here};

    if (pages_are_misused(&free, page, number))
        return false;
    switch (tops_leave_pages(page, n)) {
    case TOPS_FORGOTTEN:
        return true;
    case TOPS_LOADED:
        misuse_free(&free, page->addr_phys, "a page table");
        return false;
    default:
        break;
    }
    while (i < n && page_index(page) + i < mm.n_pages && page_is_owned(&page[i]))
        i++;
    pages_report(&free, page_index(page) + (u32)min_u64(i, n - 1));
    return false;
}

/* The same where free_pages ends in it, with what is no element of the page array. */
static NOINLINE void free_no_pages(struct Page *page, int number)
{
    (void)free_pages_refused(page, number, DEBUG_HERE);
}

/* Puts the claimed part of a bad run back.  Who was refused one of its pages meanwhile waits for the lock, and tries again. */
static NOINLINE bool free_run_refused(struct Page *first, const struct Page *claimed, int number, ul flags,
                                      struct debug_here here)
{
    for (struct Page *page = first; page < claimed; page++)
        __atomic_store_n(&page->state, PAGE_OWNED, __ATOMIC_RELEASE);
    platform_unlock(&mm.zone[1].lock, flags);
    return free_pages_refused(first, number, here);
}

/* Tells the debug mode of a claimed run, which looks whether a CPU has a table of it loaded: then it is false, and put back.
 * It may take its time, and claims that stay need no lock. */
static NOINLINE bool free_run_traced(struct Page *page, int number, ul flags, struct debug_here here)
{
    if (top_is_seen(phys(page->addr_phys), (u32)number * PAGE_BYTES)) {
        (void)free_run_refused(page, page + number, number, flags, here);
        return false;
    }
    platform_unlock(&mm.zone[1].lock, flags);
    debug_pages_freed(phys(page->addr_phys), (u32)number, here);
    (void)platform_lock(&mm.zone[1].lock);
    return true;
}

/* Gives claimed pages back to any zones. */
static NOINLINE void free_run_elsewhere(struct Page *page, u32 n)
{
    while (n != 0) {
        struct Zone *zone = page->zone;
        ul flags = platform_lock(&zone->lock);
        u32 n_given = pages_give(zone, page, n);

        platform_unlock(&zone->lock, flags);
        page += n_given;
        n -= n_given;
    }
}

/* Any run, and single pages that do not go onto the stack as they are.  An element of the page array. */
static NOINLINE void free_run(struct Page *page, int number)
{
    u32 n = (u32)number, n_given;
    struct Page *claimed;
    ul flags;

    if (UNLIKELY(n - 1 >= PAGES_MAX) || UNLIKELY(page_index(page) + n > mm.n_pages) ||
        UNLIKELY(holds_loaded_table(page, n))) {
        (void)free_pages_refused(page, number, DEBUG_HERE);
        return;
    }
again:
    flags = platform_lock(&mm.zone[1].lock);
    claimed = pages_claim(page, page + n);
    if (UNLIKELY(claimed != page + n)) {
        if (free_run_refused(page, claimed, number, flags, DEBUG_HERE))
            goto again;
        return;
    }
    if (UNLIKELY(mm.debug.features != 0) && !free_run_traced(page, number, flags, DEBUG_HERE))
        return;
    n_given = pages_give(&mm.zone[1], page, n);
    platform_unlock(&mm.zone[1].lock, flags);
    if (UNLIKELY(n_given != n))
        free_run_elsewhere(page + n_given, n - n_given);
}

/* One page of NORMAL, when the stack is full, or out of use. */
static NOINLINE void free_page_full(struct Page *page)
{
    struct mm_cpu *cpu = platform_cpu();

    mm_enter(cpu);
    if (cpu->page_capacity == 0 || !page_claim(page)) {
        mm_leave(cpu);
        free_run(page, 1);
        return;
    }
    if (cpu->stacked.n_pages >= cpu->page_capacity)
        stack_drain(cpu, (cpu->stacked.n_pages + 1u) / 2);
    page_disown(page);
    cpu->page[cpu->stacked.n_pages++] = page_index(page);
    mm_leave(cpu);
}

FAST_PATH void free_pages(struct Page *page, int number)
{
    struct mm_cpu *cpu = platform_cpu();
    u64 offset = (u64)page - MM_PAGE_ARRAY, n;

    if (UNLIKELY(offset >= mm.pages_bytes) || UNLIKELY(offset % sizeof *page != 0)) {
        free_no_pages(page, number);
        return;
    }
    if (number != 1 || UNLIKELY(page->zone != &mm.zone[1]) || UNLIKELY(holds_loaded_table(page, 1))) {
        free_run(page, number);
        return;
    }
    mm_enter_fast(cpu);
    n = cpu->stacked.n_pages;
    if (UNLIKELY(n >= cpu->page_capacity) || UNLIKELY(!page_claim(page))) {
        mm_leave_fast(cpu);
        free_page_full(page);
        return;
    }
    page_disown(page);
    cpu->page[n] = (u32)(offset / sizeof *page);
    cpu = OPAQUE(cpu);
    cpu->stacked.n_pages++;
    mm_leave_fast(cpu);
}
