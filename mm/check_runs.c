/* SPDX-License-Identifier: MIT */
/* Checks of whole pages: I101 .. I105 of run.c, I106 .. I109 of page.c. */
#include <lib/bits.h>
#include <mm/check.h>
#include <mm/page.h>
#include <mm/run.h>

/* I102 and I104 of a run, whose head and length are sound. */
static bool check_run(struct mm_violation *out, u32 head, u32 n_pages)
{
    const struct Zone *zone = page_at(head)->zone;
    u32 end = head + n_pages;

    for (u32 i = head + 1; i < end; i++)
        if (page_at(i)->state != PAGE_FREE_BODY || page_at(i)->zone != zone)
            return check_failed(out, 102, "a page of a free run is not free", (u64)i * PAGE_BYTES, PAGE_FREE_BODY,
                                page_at(i)->state);
    if (page_at(end - 1)->free_frames[1] != head)
        return check_failed(out, 102, "the last page of a free run does not know the first", (u64)head * PAGE_BYTES, head,
                            page_at(end - 1)->free_frames[1]);
    if ((head != 0 && page_is_free(page_at(head - 1)) && page_at(head - 1)->zone == zone) ||
        (end < mm.n_pages && page_is_free(page_at(end)) && page_at(end)->zone == zone))
        return check_failed(out, 104, "next to a free run lies a free page", (u64)head * PAGE_BYTES, head, end);
    return true;
}

/* I101 of one list, link by link.  Adds the pages of its runs to *n_pages. */
static bool check_list(struct mm_violation *out, const struct Zone *zone, struct run_bin bin, u64 *n_pages)
{
    u32 prev = PAGE_NOWHERE;
    u64 n_runs = 0;

    for (u32 i = zone->run[bin.kind].head[bin.number]; i != PAGE_NOWHERE; i = page_at(i)->next) {
        const struct Page *page;
        struct run_bin own;

        if (i >= mm.n_pages || ++n_runs > mm.n_pages)
            return check_failed(out, 101, "a list of free runs does not end", i, mm.n_pages, n_runs);
        page = page_at(i);
        if (page->state != PAGE_FREE_HEAD || page->zone != zone || page->prev != prev || page->free_frames[0] == 0 ||
            page->free_frames[0] > mm.n_pages - i)
            return check_failed(out, 101, "a page in a list of free runs heads none of the zone", (u64)i * PAGE_BYTES,
                                PAGE_FREE_HEAD, page->state);
        own = run_bin_of(i, run_length(page));
        if (own.kind != bin.kind || own.number != bin.number ||
            page->order != (bin.number | (bin.kind == RUN_GOOD ? RUN_ORDER_GOOD : 0)))
            return check_failed(out, 101, "a free run is in another's list", page->addr_phys, own.number, bin.number);
        if (!check_run(out, i, run_length(page)))
            return false;
        *n_pages += run_length(page);
        prev = i;
    }
    return check_equal(out, 103, "a mask and the list of runs disagree", bin.number, n_runs != 0,
                       zone->run[bin.kind].mask[bin.number / BITS_PER_WORD] >> (bin.number % BITS_PER_WORD) & 1);
}

/* I101, I103 and I105 of a zone. */
static bool check_lists(struct mm_violation *out, const struct Zone *zone)
{
    u64 n_listed = 0, n_free = 0;

    for (unsigned list = 0; list < N_RUN_KINDS * N_RUN_BINS; list++) {
        struct run_bin bin = {(u8)(list / N_RUN_BINS), (u8)(list % N_RUN_BINS)};

        if (!check_list(out, zone, bin, &n_listed))
            return false;
    }
    for (u32 i = 0; i < mm.n_pages; i++)
        n_free += page_is_free(page_at(i)) && page_at(i)->zone == zone;
    return check_equal(out, 105, "free pages in runs and in the page array", zone->start, n_free, n_listed);
}

/* I106 of a page; adds what it shares. */
static bool check_owned(struct mm_violation *out, const struct Page *page, u64 *shared_bytes)
{
    u64 expected = page_is_owned(page);

    if (!check_equal(out, 106, "ref_counts of a page", page->addr_phys, expected, page->ref_counts))
        return false;
    if (expected == 0 && page->attr != 0)
        return check_failed(out, 106, "attr of a page that is not allocated", page->addr_phys, 0, page->attr);
    *shared_bytes += page->attr & PAGE_SHARED ? PAGE_BYTES : 0;
    return true;
}

/* I109 of a page: what all other checks rely on. */
static bool check_identity(struct mm_violation *out, u32 index)
{
    const struct Page *page = page_at(index);
    u64 at = (u64)index * PAGE_BYTES;

    if (page->state == PAGE_ABSENT) {
        if (page->zone != NULL || page->roles != NULL || page->grown != 0)
            return check_failed(out, 109, "a page without RAM says something", at, 0, (u64)page->zone);
        return true;
    }
    if (page->state > PAGE_LAST_STATE)
        return check_failed(out, 109, "state of a page", at, PAGE_LAST_STATE, page->state);
    if (page->zone != (page->grown ? &mm.zone[1] : zone_of_address(at)))
        return check_failed(out, 109, "zone of a page", at, (u64)zone_of_address(at), (u64)page->zone);
    return check_equal(out, 109, "address of a page", at, at, page->addr_phys);
}

/* I107 of one stack. */
static bool check_stack(struct mm_violation *out, const struct mm_cpu *cpu)
{
    if (cpu->stacked.n_pages > cpu->page_capacity || cpu->page_capacity > STACK_PAGES)
        return check_failed(out, 107, "pages in a CPU's stack", cpu->context, cpu->page_capacity,
                            cpu->stacked.n_pages);
    for (u32 i = 0; i < cpu->stacked.n_pages; i++) {
        u32 index = cpu->page[i];
        u64 at = (u64)index * PAGE_BYTES;

        if (index >= mm.n_pages || page_at(index)->state != PAGE_STACKED ||
            page_at(index)->zone != &mm.zone[1])
            return check_failed(out, 107, "state of a page in a CPU's stack", at, PAGE_STACKED,
                                index < mm.n_pages ? page_at(index)->state : PAGE_ABSENT);
        for (u32 k = 0; k < i; k++)
            if (cpu->page[k] == index)
                return check_failed(out, 107, "a page is twice in a CPU's stack", at, i, k);
    }
    return true;
}

/* I107 of all stacks; and no page is in that state and in none of them. */
static bool check_stacks(struct mm_violation *out)
{
    u64 n_marked = 0, n_stacked = 0;

    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next) {
        if (!check_stack(out, cpu))
            return false;
        n_stacked += cpu->stacked.n_pages;
    }
    for (u32 i = 0; i < mm.n_pages; i++)
        n_marked += page_at(i)->state == PAGE_STACKED;
    return check_equal(out, 107, "pages in CPUs' stacks", 0, n_stacked, n_marked);
}

bool check_runs(struct mm_violation *out)
{
    u64 shared_bytes = 0;

    for (u32 i = 0; i < mm.n_pages; i++)
        if (!check_identity(out, i))
            return false;
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        if (!check_lists(out, &mm.zone[i]))
            return false;
    for (u32 i = 0; i < mm.n_pages; i++)
        if (!check_owned(out, page_at(i), &shared_bytes))
            return false;
    return check_stacks(out) &&
           check_equal(out, 108, "bytes of shared pages", 0, shared_bytes, mm.shared_bytes);
}
