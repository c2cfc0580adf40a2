/* SPDX-License-Identifier: MIT */
/*
 * alloc_pages and free_pages.
 *
 * How many pages a zone has differs from machine to machine: 16 MiB of RAM leave two in UNMAPPED.  What must
 * be possible is therefore found by looking at each page first.
 */
#include <kernel/cpu/probe.h>
#include <kernel/selftest/hoard.h>
#include <kernel/selftest/suites.h>
#include <lib/bits.h>
#include <mm/inspect.h>

#define PAGES_MAX 63

static const unsigned selectors[MM_N_ZONES] = {ZONE_DMA, ZONE_NORMAL, ZONE_UNMAPPED_IN_PGT};

/* The longest row of whole free pages of a zone. */
static int longest_free_run(unsigned zone)
{
    int longest = 0, n = 0;

    for (u64 at = 0; at < mm_ram_end(); at += PAGE_2M_SIZE) {
        struct mm_what what;

        mm_describe_phys(phys(at), &what);
        n = what.zone == zone && what.kind == MM_FREE_FRAME && what.order >= 9 ? n + 1 : 0;
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* NORMAL grows into UNMAPPED, so it has what either has. */
static int longest_run_for(unsigned zone)
{
    int own = longest_free_run(zone), other = zone == 1 ? longest_free_run(2) : 0;

    return own > other ? own : other;
}

static bool zone_may_give(unsigned zone, const struct Page *page)
{
    struct mm_what what;

    mm_describe_phys(phys(page->addr_phys), &what);
    return what.zone == zone || (zone == 1 && what.zone == 0); /* NORMAL borrows from DMA */
}

static void expect_allocated(unsigned zone, const struct Page *first, int n, ul attr)
{
    for (int i = 0; i < n; i++) {
        struct mm_what what;

        mm_describe_phys(phys(first[i].addr_phys), &what);
        EXPECT_EQUAL(what.kind, MM_PAGE);
        EXPECT_EQUAL(first[i].addr_phys, first->addr_phys + (ul)i * PAGE_2M_SIZE);
        EXPECT_EQUAL(first[i].attr, attr);
        EXPECT_EQUAL(first[i].ref_counts, 1);
        EXPECT(first[i].zone != NULL && zone_may_give(zone, &first[i]));
    }
    EXPECT(is_aligned(first->addr_phys, PAGE_2M_SIZE));
}

static void expect_freed(const struct Page *first, int n)
{
    for (int i = 0; i < n; i++) {
        EXPECT_EQUAL(first[i].attr, 0);
        EXPECT_EQUAL(first[i].ref_counts, 0);
    }
}

/* n pages of a zone, if there is room for them by `longest`; else NULL and one log line. */
static void try_pages(unsigned zone, int n, int longest)
{
    ul mapped = zone == 2 ? 0 : PAGE_PGT_MAPPED;
    struct Page *page;

    test_watch();
    page = alloc_pages(selectors[zone], n, PAGE_KERNEL | PAGE_PGT_MAPPED);
    if (page == NULL) {
        EXPECT_ONE_LOG_LINE();
        if (n <= longest)
            test_fail(TEST_HERE, "zone %u: %d pages refused, but %d in a row are free", zone, n, longest);
        return;
    }
    expect_allocated(zone, page, n, PAGE_KERNEL | mapped);
    free_pages(page, n);
    expect_freed(page, n);
}

static void zones_follow_each_other_with_borders_between_pages(void)
{
    struct mm_start_info start;
    u64 end = 0;

    mm_start_info(&start);
    for (unsigned zone = 0; zone < MM_N_ZONES; zone++) {
        struct mm_zone_info info;

        mm_zone_info(zone, &info);
        EXPECT_EQUAL(info.start, end);
        EXPECT(is_aligned(info.start, PAGE_2M_SIZE));
        EXPECT(info.managed_bytes <=
               info.end - info.start + (zone == 1 ? start.n_grown_pages * PAGE_2M_SIZE : 0));
        end = info.end;
    }
    EXPECT(end >= mm_ram_end()); /* zone_dma= may reach beyond */
}

static void each_zone_gives_1_2_and_63_pages_where_there_is_room(void)
{
    const int numbers[] = {1, 2, 3, 62, 63};

    for (unsigned zone = 0; zone < MM_N_ZONES; zone++) {
        int longest = longest_run_for(zone);

        for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++)
            try_pages(zone, numbers[i], longest);
    }
}

static void more_pages_than_a_zone_has_are_refused(void)
{
    for (unsigned zone = 0; zone < MM_N_ZONES;
         zone += 2) { /* NORMAL may have more by growing and borrowing */
        struct mm_zone_info info;
        int too_many;

        mm_zone_info(zone, &info);
        if (info.n_whole_free_pages >= PAGES_MAX)
            continue;
        too_many = (int)info.n_whole_free_pages + 1;
        test_watch();
        EXPECT(alloc_pages(selectors[zone], too_many, 0) == NULL);
        EXPECT_ONE_LOG_LINE();
    }
}

static void wrong_zones_are_refused_with_one_log_line(void)
{
    const unsigned zones[] = {0, 3, 5, 6, 7, 8, 1u << 31, ~0u};

    for (unsigned i = 0; i < ARRAY_LENGTH(zones); i++) {
        test_watch();
        EXPECT(alloc_pages(zones[i], 1, 0) == NULL);
        EXPECT_ONE_LOG_LINE();
    }
}

static void wrong_numbers_are_refused_with_one_log_line(void)
{
    const int numbers[] = {0, 64, -1, 65, 1000, INT32_MIN, INT32_MAX};

    for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++) {
        for (unsigned zone = 0; zone < MM_N_ZONES; zone++) {
            test_watch();
            EXPECT(alloc_pages(selectors[zone], numbers[i], 0) == NULL);
            EXPECT_ONE_LOG_LINE();
        }
    }
}

static void attributes_are_the_flags_with_pgt_mapped_as_the_zone_has_it(void)
{
    const ul flags = PAGE_KERNEL_INIT | PAGE_DEVICE | PAGE_SHARED, before = mm_stat().shared;

    for (unsigned zone = 0; zone < MM_N_ZONES; zone++) {
        struct Page *page = alloc_pages(selectors[zone], 1, flags);

        if (page == NULL)
            continue;
        EXPECT_EQUAL(page->attr, zone == 2 ? flags : flags | PAGE_PGT_MAPPED);
        EXPECT_EQUAL(mm_stat().shared, before + PAGE_2M_SIZE);
        free_pages(page, 1);
        EXPECT_EQUAL(mm_stat().shared, before);
    }
}

static void pages_of_normal_are_memory_from_end_to_end(void)
{
    bool has_room = longest_run_for(1) != 0;
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
    u64 *words;

    if (page == NULL) {
        EXPECT(!has_room);
        return;
    }
    words = phys_2_virt(page->addr_phys);
    for (u64 i = 0; i < PAGE_2M_SIZE / sizeof *words; i += PAGE_4K_SIZE / sizeof *words - 1)
        words[i] = i;
    for (u64 i = 0; i < PAGE_2M_SIZE / sizeof *words; i += PAGE_4K_SIZE / sizeof *words - 1)
        EXPECT_EQUAL(words[i], i);
    free_pages(page, 1);
}

static void an_allocation_may_be_freed_in_parts(void)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 4, 0);

    if (page == NULL) {
        test_skip("no four pages in a row are free");
        return;
    }
    free_pages(page + 1, 2);
    expect_freed(page + 1, 2);
    EXPECT_EQUAL(page[0].ref_counts, 1);
    EXPECT_EQUAL(page[3].ref_counts, 1);
    free_pages(page + 3, 1);
    free_pages(page, 1);
}

/* Single pages until two lie side by side; those are freed in one call. */
static void neighbouring_allocations_may_be_freed_at_once(void)
{
    struct Page *pages[8];
    unsigned n = 0, pair = 0;

    while (n < ARRAY_LENGTH(pages) && pair == 0 && (pages[n] = alloc_pages(ZONE_NORMAL, 1, 0)) != NULL) {
        if (n > 0 && (pages[n] == pages[n - 1] + 1 || pages[n] + 1 == pages[n - 1]))
            pair = n;
        n++;
    }
    if (pair == 0) {
        test_skip("no two allocations are neighbours");
    } else {
        n = pair - 1;
        free_pages(pages[pair] < pages[pair - 1] ? pages[pair] : pages[pair - 1], 2);
        expect_freed(pages[pair], 1);
        expect_freed(pages[pair - 1], 1);
    }
    while (n > 0)
        free_pages(pages[--n], 1);
}

static void remember_zones(struct mm_zone_info *zones)
{
    for (unsigned zone = 0; zone < MM_N_ZONES; zone++)
        mm_zone_info(zone, &zones[zone]);
}

static void expect_same_zones(const struct mm_zone_info *before)
{
    static struct mm_zone_info after;

    for (unsigned zone = 0; zone < MM_N_ZONES; zone++) {
        mm_zone_info(zone, &after);
        EXPECT_EQUAL(after.managed_bytes, before[zone].managed_bytes);
        EXPECT_EQUAL(after.free_bytes, before[zone].free_bytes);
        for (unsigned order = 0; order < MM_N_ORDERS; order++)
            EXPECT_EQUAL(after.n_free_blocks[order], before[zone].n_free_blocks[order]);
    }
}

/* Takes all of DMA or UNMAPPED: these never borrow, so it is exactly their own pages, and the others keep
 * theirs. */
static void try_until_empty(unsigned zone)
{
    static struct mm_zone_info before[MM_N_ZONES];
    struct page_hoard hoard;
    struct mm_zone_info other;

    remember_zones(before);
    page_hoard_fill(&hoard, selectors[zone]);
    EXPECT_EQUAL(hoard.n_pages, before[zone].n_whole_free_pages);
    test_watch();
    EXPECT(alloc_pages(selectors[zone], 1, 0) == NULL);
    EXPECT_ONE_LOG_LINE();
    mm_zone_info(2 - zone, &other);
    if (before[1].n_whole_free_pages != 0) /* else the hoard's list may be borrowed, or make NORMAL grow */
        EXPECT_EQUAL(other.free_bytes, before[2 - zone].free_bytes);
    for (unsigned i = 0; i < hoard.n_runs; i++)
        EXPECT(zone_may_give(zone, hoard.runs[i].page));
    page_hoard_free(&hoard);
    mm_shrink();
    expect_same_zones(before);
}

static void dma_and_unmapped_give_all_their_pages_and_get_them_back(void)
{
    try_until_empty(0);
    try_until_empty(2);
}

/* The first page of a hoard that was UNMAPPED's, or NULL. */
static const struct Page *find_grown(const struct page_hoard *hoard)
{
    for (unsigned i = 0; i < hoard->n_runs; i++) {
        struct mm_what what;

        mm_describe_phys(phys(hoard->runs[i].page->addr_phys), &what);
        if (what.grown)
            return hoard->runs[i].page;
    }
    return NULL;
}

static void normal_grows_into_unmapped_and_gives_it_back(void)
{
    static struct mm_zone_info before[MM_N_ZONES];
    struct mm_zone_info unmapped;
    struct page_hoard hoard;
    const struct Page *grown;
    u64 value = 0x5eed;

    remember_zones(before);
    page_hoard_fill(&hoard, ZONE_NORMAL);
    mm_zone_info(2, &unmapped);
    EXPECT_EQUAL(unmapped.n_whole_free_pages, 0);
    EXPECT(hoard.n_pages + 1 >= before[1].n_whole_free_pages + before[2].n_whole_free_pages);
    grown = find_grown(&hoard);
    if (before[2].n_whole_free_pages != 0 && EXPECT(grown != NULL)) {
        ul address = grown->addr_phys;

        EXPECT(address >= before[2].start && address < before[2].end);
        EXPECT(grown->attr & PAGE_PGT_MAPPED);
        EXPECT(probe_write((u64)phys_2_virt(address), &value, sizeof value));
        page_hoard_free(&hoard);
        mm_shrink();
        EXPECT(!probe_read((u64)phys_2_virt(address), &value, sizeof value));
    }
    page_hoard_free(&hoard);
    mm_shrink();
    expect_same_zones(before);
}

static void normal_leaves_a_quarter_of_dma(void)
{
    struct mm_zone_info before, after;
    struct page_hoard hoard;

    mm_zone_info(0, &before);
    page_hoard_fill(&hoard, ZONE_NORMAL);
    mm_zone_info(0, &after);
    EXPECT(after.free_bytes >=
           min_u64(align_down(before.managed_bytes / 4, PAGE_4K_SIZE), before.free_bytes));
    if (before.n_whole_free_pages >= 4) /* else there may be no page to lend */
        EXPECT(after.free_bytes < before.free_bytes);
    page_hoard_free(&hoard);
}

static void an_unmapped_request_gets_grown_pages_back_by_itself(void)
{
    struct mm_zone_info unmapped;
    struct page_hoard hoard;
    struct mm_what runs;

    mm_zone_info(2, &unmapped);
    page_hoard_fill(&hoard, ZONE_NORMAL);
    page_hoard_free(&hoard); /* now they are free, but NORMAL's */
    page_hoard_fill(&hoard, ZONE_UNMAPPED_IN_PGT);
    mm_describe_virt(virt((u64)hoard.runs), &runs); /* its list may itself lie in a grown page, which then stays NORMAL's */
    EXPECT(hoard.n_pages + runs.grown >= unmapped.n_whole_free_pages);
    EXPECT(hoard.n_pages <= unmapped.n_whole_free_pages);
    page_hoard_free(&hoard);
}

static const struct test tests[] = {
    TEST(zones_follow_each_other_with_borders_between_pages),
    TEST(each_zone_gives_1_2_and_63_pages_where_there_is_room),
    TEST(more_pages_than_a_zone_has_are_refused),
    TEST(wrong_zones_are_refused_with_one_log_line),
    TEST(wrong_numbers_are_refused_with_one_log_line),
    TEST(attributes_are_the_flags_with_pgt_mapped_as_the_zone_has_it),
    TEST(pages_of_normal_are_memory_from_end_to_end),
    TEST(an_allocation_may_be_freed_in_parts),
    TEST(neighbouring_allocations_may_be_freed_at_once),
    TEST(dma_and_unmapped_give_all_their_pages_and_get_them_back),
    TEST(normal_grows_into_unmapped_and_gives_it_back),
    TEST(normal_leaves_a_quarter_of_dma),
    TEST(an_unmapped_request_gets_grown_pages_back_by_itself),
    TEST_END,
};

const struct test_suite selftest_pages = {
    "pages", "alloc_pages and free_pages in each zone, until empty and back", tests};
