/* SPDX-License-Identifier: MIT */
/* Checks of whole pages: I101 .. I105 of run.c, I106 .. I109 of page.c. */
#include <lib/bits.h>
#include <mm/check.h>
#include <mm/page.h>
#include <mm/run.h>

/* I101: one list, link by link.  Adds the number of its pages to *n. */
static bool check_list(struct mm_violation *out, const struct Zone *zone, unsigned order, u64 *n)
{
    u32 prev = PAGE_NOWHERE;

    for (u32 i = zone->run_head[order]; i != PAGE_NOWHERE; i = page_at(i)->next) {
        const struct Page *page;

        if (i >= mm.n_pages || ++*n > mm.n_pages)
            return check_failed(out, 101, "a list of free blocks does not end", i, mm.n_pages, *n);
        page = page_at(i);
        if (page->state != PAGE_FREE_HEAD || page->order != order || page->zone != zone ||
            page->prev != prev || !is_aligned(i, (u64)1 << order))
            return check_failed(out, 101, "a page in a list of free blocks is no head of that order",
                                page->addr_phys, order, page->order);
        prev = i;
    }
    return true;
}

/* I101 and I103 of a zone; I101 again: no head outside the lists, by number. */
static bool check_lists(struct mm_violation *out, const struct Zone *zone)
{
    u64 n_listed = 0, n_heads = 0;

    for (unsigned order = 0; order < RUN_ORDERS; order++) {
        bool marked = zone->run_mask >> order & 1;

        if (!check_list(out, zone, order, &n_listed) ||
            !check_equal(out, 103, "run_mask and the list disagree", order,
                         zone->run_head[order] != PAGE_NOWHERE, marked))
            return false;
    }
    for (u32 i = 0; i < mm.n_pages; i++)
        n_heads += page_at(i)->state == PAGE_FREE_HEAD && page_at(i)->zone == zone;
    return check_equal(out, 101, "free blocks in lists and in the page array", zone->start, n_heads,
                       n_listed);
}

/* I102 and I104 of a block. */
static bool check_block(struct mm_violation *out, u32 head)
{
    const struct Page *page = page_at(head);
    u32 buddy = head ^ (1u << page->order);

    for (u32 i = head + 1; i < head + (1u << page->order); i++)
        if (i >= mm.n_pages || page_at(i)->state != PAGE_FREE_BODY || page_at(i)->zone != page->zone)
            return check_failed(out, 102, "a page of a free block is not free", (u64)i * PAGE_BYTES,
                                PAGE_FREE_BODY, i < mm.n_pages ? page_at(i)->state : PAGE_ABSENT);
    if (page->order + 1 < RUN_ORDERS && buddy < mm.n_pages && page_at(buddy)->state == PAGE_FREE_HEAD &&
        page_at(buddy)->order == page->order && page_at(buddy)->zone == page->zone)
        return check_failed(out, 104, "two free buddies did not merge", page->addr_phys, head, buddy);
    return true;
}

/* I105: a body lies behind a head. */
static bool check_body(struct mm_violation *out, u32 index)
{
    u32 head = run_head_of(index);

    if (head == PAGE_NOWHERE || index - head >= 1u << page_at(head)->order)
        return check_failed(out, 105, "a free page lies in no free block", (u64)index * PAGE_BYTES, index,
                            head);
    return true;
}

/* I106 of a page; adds what it shares. */
static bool check_owned(struct mm_violation *out, const struct Page *page, u64 *shared_bytes)
{
    u64 expected = page->state == PAGE_OWNED;

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
    if (page->state > PAGE_STACKED)
        return check_failed(out, 109, "state of a page", at, PAGE_STACKED, page->state);
    if (page->zone != (page->grown ? &mm.zone[1] : zone_of_address(at)))
        return check_failed(out, 109, "zone of a page", at, (u64)zone_of_address(at), (u64)page->zone);
    return check_equal(out, 109, "address of a page", at, at, page->addr_phys);
}

static bool check_page(struct mm_violation *out, u32 index, u64 *shared_bytes)
{
    const struct Page *page = page_at(index);

    if (page->state == PAGE_FREE_HEAD && !check_block(out, index))
        return false;
    if (page->state == PAGE_FREE_BODY && !check_body(out, index))
        return false;
    return check_owned(out, page, shared_bytes);
}

/* I107 of one stack. */
static bool check_stack(struct mm_violation *out, const struct mm_cpu *cpu)
{
    if (cpu->n_pages > cpu->page_capacity || cpu->page_capacity > STACK_PAGES)
        return check_failed(out, 107, "pages in a CPU's stack", cpu->context, cpu->page_capacity,
                            cpu->n_pages);
    for (u32 i = 0; i < cpu->n_pages; i++) {
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
        n_stacked += cpu->n_pages;
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
        if (!check_page(out, i, &shared_bytes))
            return false;
    return check_stacks(out) &&
           check_equal(out, 108, "bytes of shared pages", 0, shared_bytes, mm.shared_bytes);
}
