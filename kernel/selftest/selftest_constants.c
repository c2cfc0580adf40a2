/* SPDX-License-Identifier: MIT */
/* The names of <mm/mm.h> mean what callers were compiled for: values, layouts, types. */
#include <kernel/cpu/probe.h>
#include <kernel/selftest/suites.h>
#include <mm/inspect.h>
#include <mm/paging.h>

_Static_assert(__builtin_types_compatible_p(__typeof__(phys_2_virt(0)), ul *), "phys_2_virt gives a pointer");
_Static_assert(__builtin_types_compatible_p(__typeof__(virt_2_phys(0)), ul), "virt_2_phys gives a number");
_Static_assert(__builtin_types_compatible_p(__typeof__(((struct Page *)0)->zone), struct Zone *),
               "Page.zone");
_Static_assert(__builtin_types_compatible_p(gfp_t, unsigned int), "gfp_t");
_Static_assert(__builtin_types_compatible_p(__typeof__(kfree(NULL)), ul), "kfree gives a number");

static void zones_and_page_attributes_have_their_bits(void)
{
    EXPECT_EQUAL(ZONE_DMA, 1 << 0);
    EXPECT_EQUAL(ZONE_NORMAL, 1 << 1);
    EXPECT_EQUAL(ZONE_UNMAPPED_IN_PGT, 1 << 2);
    EXPECT_EQUAL(PAGE_PGT_MAPPED, 1 << 0);
    EXPECT_EQUAL(PAGE_KERNEL_INIT, 1 << 1);
    EXPECT_EQUAL(PAGE_DEVICE, 1 << 2);
    EXPECT_EQUAL(PAGE_KERNEL, 1 << 3);
    EXPECT_EQUAL(PAGE_SHARED, 1 << 4);
    EXPECT_EQUAL(__GFP_ZERO, 1 << 0);
    EXPECT_EQUAL(EFAULT, 14);
}

static void flags_of_mappings_are_those_of_the_cpu(void)
{
    EXPECT_EQUAL(PAGE_PRESENT, 1UL << 0);
    EXPECT_EQUAL(PAGE_R_W, 1UL << 1);
    EXPECT_EQUAL(PAGE_U_S, 1UL << 2);
    EXPECT_EQUAL(PAGE_PWT, 1UL << 3);
    EXPECT_EQUAL(PAGE_PCD, 1UL << 4);
    EXPECT_EQUAL(PAGE_PS, 1UL << 7);
    EXPECT_EQUAL(PAGE_GLOBAL, 1UL << 8);
    EXPECT_EQUAL(PAGE_WC, 1UL << 9);
    EXPECT_EQUAL(PAGE_XD, 1UL << 63);
    EXPECT_EQUAL(PAGE_KERNEL_PAGE, 0x83);
    EXPECT_EQUAL(PAGE_KERNEL_4K_PAGE, 0x03);
    EXPECT_EQUAL(PAGE_USER_PAGE, 0x87);
    EXPECT_EQUAL(PAGE_USER_4K_PAGE, 0x07);
}

static void sizes_masks_and_rounding_agree(void)
{
    EXPECT_EQUAL(PAGE_OFFSET, 0xffff800000000000UL);
    EXPECT_EQUAL(PAGE_4K_SHIFT, 12);
    EXPECT_EQUAL(PAGE_2M_SHIFT, 21);
    EXPECT_EQUAL(PAGE_1G_SHIFT, 30);
    EXPECT_EQUAL(PAGE_4K_SIZE, 4096);
    EXPECT_EQUAL(PAGE_2M_SIZE, 2097152);
    EXPECT_EQUAL(PAGE_1G_SIZE, 1073741824);
    EXPECT_EQUAL(PAGE_4K_MASK, ~4095UL);
    EXPECT_EQUAL(PAGE_2M_MASK, ~2097151UL);
    EXPECT_EQUAL(PAGE_4K_ALIGN(0), 0);
    EXPECT_EQUAL(PAGE_4K_ALIGN(1), 4096);
    EXPECT_EQUAL(PAGE_4K_ALIGN(4096), 4096);
    EXPECT_EQUAL(PAGE_2M_ALIGN(4097), 2097152);
    EXPECT_EQUAL(PAGE_2M_ALIGN(0xffffa00000200001UL), 0xffffa00000400000UL);
}

static void struct_page_begins_with_the_four_fields_of_the_api(void)
{
    EXPECT_EQUAL(offsetof(struct Page, zone), 0);
    EXPECT_EQUAL(offsetof(struct Page, addr_phys), 8);
    EXPECT_EQUAL(offsetof(struct Page, attr), 16);
    EXPECT_EQUAL(offsetof(struct Page, ref_counts), 24);
    EXPECT(sizeof(struct Page) <= 128);
}

static void mm_stat_has_seven_fields_in_order(void)
{
    EXPECT_EQUAL(sizeof(struct mm_stat_t), 56);
    EXPECT_EQUAL(offsetof(struct mm_stat_t, total), 0);
    EXPECT_EQUAL(offsetof(struct mm_stat_t, used), 8);
    EXPECT_EQUAL(offsetof(struct mm_stat_t, free), 16);
    EXPECT_EQUAL(offsetof(struct mm_stat_t, shared), 24);
    EXPECT_EQUAL(offsetof(struct mm_stat_t, cache_used), 32);
    EXPECT_EQUAL(offsetof(struct mm_stat_t, cache_free), 40);
    EXPECT_EQUAL(offsetof(struct mm_stat_t, available), 48);
}

static void pages_are_found_by_pointer_and_by_number(void)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
    ul *address;

    if (!EXPECT(page != NULL))
        return;
    address = phys_2_virt(page->addr_phys);
    EXPECT_EQUAL(virt_2_phys(address), page->addr_phys);
    EXPECT(Virt_To_2M_Page(address) == page);
    EXPECT(Virt_To_2M_Page((ul)address + 12345) == page);
    EXPECT(Phy_to_2M_Page(page->addr_phys + PAGE_2M_SIZE - 1) == page);
    EXPECT(Phy_to_2M_Page((void *)page->addr_phys) == page);
    EXPECT(Phy_to_2M_Page(page->addr_phys + PAGE_2M_SIZE) != page);
    free_pages(page, 1);
}

static void an_address_without_ram_has_a_page_that_says_so(void)
{
    const ul addresses[] = {mm_ram_end() + PAGE_2M_SIZE, 1UL << 46, 1UL << 51, 1UL << 63, ~0UL};

    for (unsigned i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        const struct Page *page = Phy_to_2M_Page(addresses[i]);

        EXPECT(page->zone == NULL);
        EXPECT_EQUAL(page->attr, 0);
        EXPECT_EQUAL(page->ref_counts, 0);
    }
    EXPECT(Virt_To_2M_Page(0x1000)->zone == NULL);
}

static void the_page_without_ram_cannot_be_written(void)
{
    struct Page *page = Phy_to_2M_Page(~0UL);
    ul value = 1;

    EXPECT(!probe_write((u64)&page->ref_counts, &value, sizeof value));
    EXPECT_EQUAL(page->ref_counts, 0);
}

static void the_current_table_is_the_kernels(void)
{
    EXPECT_EQUAL((ul)get_CR3(), paging_kernel_top().addr);
    flush_tlb();
    EXPECT_EQUAL((ul)get_CR3(), paging_kernel_top().addr);
}

static const struct test tests[] = {
    TEST(zones_and_page_attributes_have_their_bits),
    TEST(flags_of_mappings_are_those_of_the_cpu),
    TEST(sizes_masks_and_rounding_agree),
    TEST(struct_page_begins_with_the_four_fields_of_the_api),
    TEST(mm_stat_has_seven_fields_in_order),
    TEST(pages_are_found_by_pointer_and_by_number),
    TEST(an_address_without_ram_has_a_page_that_says_so),
    TEST(the_page_without_ram_cannot_be_written),
    TEST(the_current_table_is_the_kernels),
    TEST_END,
};

const struct test_suite selftest_constants = {"constants", "names, values and layouts of <mm/mm.h>", tests};
