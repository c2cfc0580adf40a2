/* SPDX-License-Identifier: MIT */
/*
 * Misuse: every kind of wrong free and wrong unmap is refused, reported in exactly one line that says what
 * the address is, counted, and without any effect.
 */
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>
#include <lib/printf.h>
#include <mm/frame.h>
#include <mm/inspect.h>

extern const char image_text_start[];

static void expect_bad_kfree(ul address, const char *what)
{
    test_watch();
    EXPECT(kfree((void *)address) != 0);
    EXPECT_REPORT("kfree", address, what);
}

static void kfree_twice(void)
{
    for (ul bytes = 32; bytes <= MIB(1); bytes *= 8) {
        void *object = kmalloc(bytes, 0);

        EXPECT_EQUAL(kfree(object), 0);
        expect_bad_kfree((ul)object, "already free");
    }
}

static void kfree_inside_an_object(void)
{
    const ul sizes[] = {32, 64, 2048, 4096, 32768, MIB(1)};

    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
        ul size = sizes[i], object = (ul)kmalloc(size, 0);
        const ul inside[] = {object + 1, object + 8, object + size / 2, object + size - 1};
        char what[80];

        if (!EXPECT(object != 0))
            continue;
        ksnprintf(what, sizeof what, "inside an object of %lu bytes at 0x%lx", size, object);
        for (unsigned j = 0; j < ARRAY_LENGTH(inside); j++)
            expect_bad_kfree(inside[j], what);
        EXPECT_EQUAL(kfree((void *)object), 0);
    }
}

static void kfree_of_a_free_frame(void)
{
    phys_t frame = frame_alloc(ZONE_NORMAL, 0);
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

    EXPECT_EQUAL(frame_free(frame, 0), 0);
    expect_bad_kfree((ul)phys_pointer(frame), "a free frame");
    if (!EXPECT(page != NULL))
        return;
    free_pages(page, 1);
    expect_bad_kfree((ul)phys_2_virt(page->addr_phys), "a free frame");
    expect_bad_kfree((ul)phys_2_virt(page->addr_phys) + 4096 + 8, "a free frame");
}

static void kfree_of_what_kmalloc_never_gave(void)
{
    phys_t frame = frame_alloc(ZONE_NORMAL, 0);

    expect_bad_kfree((ul)phys_pointer(frame), "never allocated");
    expect_bad_kfree((ul)phys_pointer(frame) + 32, "never allocated");
    EXPECT_EQUAL(frame_free(frame, 0), 0);
    expect_bad_kfree(PAGE_OFFSET, "never allocated"); /* low memory is reserved */
}

static void kfree_of_a_page_of_alloc_pages(void)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

    if (!EXPECT(page != NULL))
        return;
    expect_bad_kfree((ul)phys_2_virt(page->addr_phys), "a page of alloc_pages");
    expect_bad_kfree((ul)phys_2_virt(page->addr_phys) + PAGE_2M_SIZE - 32, "a page of alloc_pages");
    EXPECT_EQUAL(page->ref_counts, 1);
    free_pages(page, 1);
}

static void kfree_of_the_kernel(void)
{
    static int variable;
    int local;

    expect_bad_kfree((ul)image_text_start, "the kernel image");
    expect_bad_kfree((ul)&variable, "the kernel image");
    expect_bad_kfree(PAGE_OFFSET + ((ul)&variable - MM_IMAGE_START), "the kernel image");
    expect_bad_kfree((ul)&local, "not in the direct map"); /* a stack */
}

static void kfree_of_page_tables_and_metadata(void)
{
    struct paging_path path;

    expect_bad_kfree((ul)phys_2_virt(get_CR3()), "a page table");
    paging_walk(current_top(), virt(MM_PAGE_ARRAY), &path);
    if (EXPECT(path.mapped)) {
        expect_bad_kfree((ul)phys_pointer(path.phys), "allocator metadata");
        expect_bad_kfree((ul)phys_pointer(path.step[path.n_steps - 1].table), "a page table");
    }
    expect_bad_kfree((ul)Phy_to_2M_Page(MIB(2)), "not in the direct map");
}

static void kfree_outside_the_direct_map(void)
{
    phys_t unmapped = frame_alloc(ZONE_UNMAPPED_IN_PGT, 0);

    expect_bad_kfree(8, "not in the direct map");
    expect_bad_kfree(LOWER_BORDER, "not in the direct map");
    expect_bad_kfree(MM_USER_END - 32, "not in the direct map");
    expect_bad_kfree(SPECIAL_BORDER, "not in the direct map");
    expect_bad_kfree(MM_MMIO_START, "not in the direct map");
    expect_bad_kfree(~0UL, "not in the direct map");
    if (!phys_is_none(unmapped)) {
        expect_bad_kfree(PAGE_OFFSET + unmapped.addr, "not in the direct map");
        EXPECT_EQUAL(frame_free(unmapped, 0), 0);
    }
}

static void kfree_without_ram_or_not_canonical(void)
{
    expect_bad_kfree(PAGE_OFFSET + PAGE_2M_ALIGN(mm_ram_end()), "no RAM there");
    expect_bad_kfree(PAGE_OFFSET + (1UL << 44), "no RAM there");
    expect_bad_kfree(1UL << 63, "not canonical");
    expect_bad_kfree(1UL << 47, "not canonical");
    expect_bad_kfree(PAGE_OFFSET - 1, "not canonical");
}

static void kfree_of_random_numbers(void)
{
    u64 random = 0x9e3779b97f4a7c15UL;

    for (unsigned i = 0; i < 30; i++) {
        expect_bad_kfree(test_random(&random) | 1, ""); /* odd: never the start of an object */
        expect_bad_kfree((PAGE_OFFSET + test_random(&random) % mm_ram_end()) | 1, "");
    }
}

static void expect_bad_free_pages(struct Page *page, int number, ul address, const char *what)
{
    test_watch();
    free_pages(page, number);
    EXPECT_REPORT("free_pages", address, what);
}

static void free_pages_twice(void)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

    if (!EXPECT(page != NULL))
        return;
    free_pages(page, 1);
    expect_bad_free_pages(page, 1, page->addr_phys, "");
    mm_shrink();
    expect_bad_free_pages(page, 1, page->addr_phys, "already free");
}

static void free_pages_of_a_wrong_number(void)
{
    const int numbers[] = {0, -1, 64, INT32_MIN, INT32_MAX};
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

    if (!EXPECT(page != NULL))
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++)
        expect_bad_free_pages(page, numbers[i], page->addr_phys, "a page of alloc_pages");
    EXPECT_EQUAL(page->ref_counts, 1);
    free_pages(page, 1);
}

/* The last of three is free already: none of the three may be freed. */
static void free_pages_of_a_run_that_is_not_all_allocated(void)
{
    struct Page *page = alloc_pages(ZONE_UNMAPPED_IN_PGT, 3, PAGE_SHARED);

    if (page == NULL)
        page = alloc_pages(ZONE_NORMAL, 3, PAGE_SHARED);
    if (page == NULL) {
        test_skip("no three pages in a row are free");
        return;
    }
    free_pages(page + 2, 1);
    mm_shrink();
    expect_bad_free_pages(page, 3, page[2].addr_phys, "already free");
    EXPECT_EQUAL(page[0].ref_counts + page[1].ref_counts, 2);
    free_pages(page, 2);
}

static void free_pages_of_what_is_no_element_of_the_array(void)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0), local = {0};
    void *object = kmalloc(128, 0);

    if (EXPECT(page != NULL)) {
        struct Page *between = (struct Page *)((u8 *)page + 8);

        expect_bad_free_pages(between, 1, (ul)between, "never allocated");
        free_pages(page, 1);
    }
    expect_bad_free_pages(NULL, 1, 0, "never allocated");
    expect_bad_free_pages(&local, 1, (ul)&local, "never allocated");
    expect_bad_free_pages(object, 1, (ul)object, "never allocated");
    EXPECT_EQUAL(kfree(object), 0);
}

static void free_pages_without_ram(void)
{
    struct Page *none = Phy_to_2M_Page(~0UL);

    expect_bad_free_pages(none, 1, (ul)none, "no RAM there");
}

static void free_pages_of_pages_that_serve_otherwise(void)
{
    void *object = kmalloc(4096, 0);

    expect_bad_free_pages(Phy_to_2M_Page(0), 1, 0, "never allocated"); /* low memory and the kernel image */
    expect_bad_free_pages(Virt_To_2M_Page(object), 1, virt_2_phys(object) & PAGE_2M_MASK, "");
    EXPECT_EQUAL(kfree(object), 0);
}

static void expect_bad_unmap(ul table, bool is_phys, ul at, ul bytes, ul reported)
{
    test_watch();
    EXPECT_EQUAL(mm_unmap_range(table, is_phys, at, bytes), -EFAULT);
    EXPECT_REPORT("mm_unmap_range", reported, "");
    test_watch();
    mm_unmap_proc_table(table, is_phys, at, bytes);
    EXPECT_REPORT("mm_unmap_proc_table", reported, "");
}

static void unmap_where_callers_have_no_business(void)
{
    const ul places[] = {0,        PAGE_OFFSET, MM_MMIO_START, MM_PAGE_ARRAY, MM_STACKS_START, MM_IMAGE_START,
                         1UL << 62};
    ul top = current_top().addr;

    for (unsigned i = 0; i < ARRAY_LENGTH(places); i++)
        expect_bad_unmap(top, true, places[i], PAGE_4K_SIZE, places[i]);
    expect_bad_unmap(top, true, MM_USER_END - 1, 2, MM_USER_END);
    expect_bad_unmap(top, true, MM_SPECIAL_END - 1, 2, MM_SPECIAL_END);
    expect_bad_unmap(top, true, ~0UL, 2, ~0UL);
}

static void unmap_in_what_is_no_table(void)
{
    phys_t frame = frame_alloc(ZONE_NORMAL, 0);
    struct paging_path path;

    EXPECT_EQUAL(frame_free(frame, 0), 0);
    expect_bad_unmap(frame.addr, true, LOWER_BORDER, PAGE_4K_SIZE, frame.addr);
    expect_bad_unmap((ul)phys_pointer(frame), false, LOWER_BORDER, PAGE_4K_SIZE, (ul)phys_pointer(frame));
    expect_bad_unmap(current_top().addr + 8, true, LOWER_BORDER, PAGE_4K_SIZE, current_top().addr + 8);
    expect_bad_unmap(PAGE_2M_ALIGN(mm_ram_end()), true, LOWER_BORDER, 1, PAGE_2M_ALIGN(mm_ram_end()));
    paging_walk(current_top(), virt(MM_SPECIAL_START), &path);
    expect_bad_unmap(path.step[1].table.addr, true, LOWER_BORDER, 1, path.step[1].table.addr);
}

/* An entry of a top level of our own that leads to an ordinary object. */
static void unmap_through_an_entry_that_leads_to_no_table(void)
{
    ul *top = kzalloc(4096, 0), *fake = kzalloc(4096, 0);

    if (EXPECT(top != NULL) && EXPECT(fake != NULL)) {
        top[0] = virt_2_phys(fake) | PAGE_PRESENT | PAGE_R_W | PAGE_U_S;
        expect_bad_unmap((ul)top, false, PAGE_4K_SIZE, PAGE_4K_SIZE, virt_2_phys(fake));
        EXPECT_EQUAL(top[0], virt_2_phys(fake) | PAGE_PRESENT | PAGE_R_W | PAGE_U_S);
    }
    EXPECT_EQUAL(kfree(top), 0);
    EXPECT_EQUAL(kfree(fake), 0);
}

static const struct test tests[] = {
    TEST(kfree_twice),
    TEST(kfree_inside_an_object),
    TEST(kfree_of_a_free_frame),
    TEST(kfree_of_what_kmalloc_never_gave),
    TEST(kfree_of_a_page_of_alloc_pages),
    TEST(kfree_of_the_kernel),
    TEST(kfree_of_page_tables_and_metadata),
    TEST(kfree_outside_the_direct_map),
    TEST(kfree_without_ram_or_not_canonical),
    TEST(kfree_of_random_numbers),
    TEST(free_pages_twice),
    TEST(free_pages_of_a_wrong_number),
    TEST(free_pages_of_a_run_that_is_not_all_allocated),
    TEST(free_pages_of_what_is_no_element_of_the_array),
    TEST(free_pages_without_ram),
    TEST(free_pages_of_pages_that_serve_otherwise),
    TEST(unmap_where_callers_have_no_business),
    TEST(unmap_in_what_is_no_table),
    TEST(unmap_through_an_entry_that_leads_to_no_table),
    TEST_END,
};

const struct test_suite selftest_misuse = {"misuse", "wrong frees and unmaps: one report each, and no effect",
                                           tests};
