/* SPDX-License-Identifier: MIT */
/*
 * How drivers and processes call the API: eight patterns that must work as they stand, with the addresses and
 * flags that their authors wrote.
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/user.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/inspect.h>

#define LAPIC_VIRT       0xffffa000fee00000UL
#define FRAMEBUFFER_VIRT 0xffffa00003000000UL
#define XHCI_VIRT        0xffffa00100000000UL
#define XHCI_BYTES       0x10000UL
#define USER_VIRT        0x800000UL
#define BRK_VIRT         0x700000000000UL

/* True when nothing is mapped there yet.  Somebody at the prompt may have made one of these mappings. */
static bool is_vacant(ul at, ul bytes)
{
    struct paging_run run;

    if (!paging_next_run(current_top(), virt(at), virt(at + bytes), &run))
        return true;
    test_skip("something is mapped there");
    return false;
}

static void lapic_registers_are_mapped_from_the_value_of_their_msr(void)
{
    const ul msr = 0xfee00900; /* bits 8 and 11: boot CPU, enabled */
    struct paging_path path;

    if (!is_vacant(LAPIC_VIRT, PAGE_2M_SIZE))
        return;
    EXPECT_EQUAL(
        mm_map_phys_addr(LAPIC_VIRT, msr, PAGE_2M_SIZE, PAGE_KERNEL_PAGE | PAGE_PWT | PAGE_PCD, false), 0);
    paging_walk(current_top(), virt(LAPIC_VIRT + 0x30), &path);
    EXPECT(path.mapped);
    EXPECT_EQUAL(path.phys.addr, 0xfee00030);
    EXPECT_EQUAL(path.leaf_bytes, PAGE_2M_SIZE);
    EXPECT_MAPPED(.virt = LAPIC_VIRT, .phys = 0xfee00000, .bytes = PAGE_2M_SIZE, .flags = DEVICE_FLAGS);
    if (cpu_features.apic && (msr_read(MSR_APIC_BASE) & PAGE_4K_MASK) == 0xfee00000) {
        u32 version = 0;

        EXPECT(probe_read(LAPIC_VIRT + 0x30, &version, sizeof version)); /* the version register */
    }
    mm_unmap_addr(LAPIC_VIRT, PAGE_2M_SIZE);
    EXPECT_UNMAPPED(LAPIC_VIRT, PAGE_2M_SIZE);
}

static void a_framebuffer_gets_exactly_its_size_rounded_up_to_4_kib(void)
{
    const ul bytes = 1440UL * 900 * 4;
    ul device = space_without_ram(GIB(1), GIB(1)), mapped = PAGE_4K_ALIGN(bytes);

    if (!is_vacant(FRAMEBUFFER_VIRT, PAGE_2M_ALIGN(bytes)))
        return;
    EXPECT_EQUAL(
        mm_map_phys_addr(FRAMEBUFFER_VIRT, device, bytes, PAGE_KERNEL_PAGE | PAGE_PWT | PAGE_PCD, false), 0);
    EXPECT_MAPPED(.virt = FRAMEBUFFER_VIRT, .phys = device, .bytes = MIB(4), .flags = DEVICE_FLAGS,
                  .leaf_bytes = PAGE_2M_SIZE);
    EXPECT_MAPPED(.virt = FRAMEBUFFER_VIRT + MIB(4), .phys = device + MIB(4), .bytes = mapped - MIB(4),
                  .flags = DEVICE_FLAGS, .leaf_bytes = PAGE_4K_SIZE);
    EXPECT_UNMAPPED(FRAMEBUFFER_VIRT + mapped, PAGE_2M_ALIGN(bytes) - mapped);
    mm_unmap_addr(FRAMEBUFFER_VIRT, bytes);
    EXPECT_UNMAPPED(FRAMEBUFFER_VIRT, PAGE_2M_ALIGN(bytes));
}

static void one_of_four_xhci_controllers_goes_and_its_neighbours_stay(void)
{
    ul device = space_without_ram(GIB(1), GIB(1)) + 0x12000;

    if (!is_vacant(XHCI_VIRT, 4 * XHCI_BYTES))
        return;
    for (ul n = 0; n < 4; n++)
        EXPECT_EQUAL(mm_map_phys_addr(XHCI_VIRT + n * XHCI_BYTES, device + n * MIB(16), XHCI_BYTES,
                                      PAGE_KERNEL_PAGE | PAGE_PWT | PAGE_PCD, true),
                     0);
    mm_unmap_addr(XHCI_VIRT + 2 * XHCI_BYTES, XHCI_BYTES);
    EXPECT_UNMAPPED(XHCI_VIRT + 2 * XHCI_BYTES, XHCI_BYTES);
    for (ul n = 0; n < 4; n++)
        if (n != 2)
            EXPECT_MAPPED(.virt = XHCI_VIRT + n * XHCI_BYTES, .phys = device + n * MIB(16),
                          .bytes = XHCI_BYTES, .flags = DEVICE_FLAGS, .leaf_bytes = PAGE_4K_SIZE);
    for (ul n = 0; n < 4; n++)
        mm_unmap_addr(XHCI_VIRT + n * XHCI_BYTES, XHCI_BYTES);
    EXPECT_UNMAPPED(XHCI_VIRT, 4 * XHCI_BYTES);
}

/* Physically in one piece, where virt_2_phys says, and clear. */
static void expect_for_hardware(const void *object, ul bytes)
{
    const u8 *at = object;

    EXPECT_MAPPED(.virt = (ul)object & PAGE_4K_MASK, .phys = virt_2_phys(object) & PAGE_4K_MASK,
                  .bytes = PAGE_4K_ALIGN(bytes), .flags = PAGE_R_W | PAGE_XD);
    for (ul i = 0; i < bytes; i++)
        if (!EXPECT_EQUAL(at[i], 0))
            return;
}

static void rings_and_contexts_for_hardware_are_aligned_and_clear(void)
{
    u8 *context = kzalloc(2048, 0), *ring = kzalloc(4096, 0);

    if (EXPECT(context != NULL) && EXPECT(ring != NULL)) {
        EXPECT(is_aligned((ul)context, 64));
        EXPECT(is_aligned((ul)ring, PAGE_4K_SIZE));
        EXPECT(is_aligned(virt_2_phys(ring), PAGE_4K_SIZE));
        expect_for_hardware(context, 2048);
        expect_for_hardware(ring, 4096);
    }
    EXPECT_EQUAL(kfree(context), 0);
    EXPECT_EQUAL(kfree(ring), 0);
}

static void dma_buffers_are_shared_pages_freed_by_their_virtual_address(void)
{
    const int numbers[] = {1, 2, 4, 16};
    const ul before = mm_stat().shared;

    for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++) {
        int n = numbers[i];
        struct Page *page = alloc_pages(ZONE_NORMAL, n, PAGE_SHARED);
        ul *v;

        if (page == NULL)
            break;
        v = phys_2_virt(page->addr_phys);
        v[0] = 1;
        v[(ul)n * PAGE_2M_SIZE / sizeof *v - 1] = 2;
        EXPECT_EQUAL(mm_stat().shared, before + (ul)n * PAGE_2M_SIZE);
        EXPECT_EQUAL(page->attr, PAGE_SHARED | PAGE_PGT_MAPPED);
        free_pages(Phy_to_2M_Page(virt_2_phys(v)), n);
        EXPECT_EQUAL(mm_stat().shared, before);
    }
}

/* A new top-level table as a process gets one: nothing in the lower half, the kernel's upper half. */
static ul *make_top(void)
{
    ul *pgd = kmalloc(4096, 0);

    if (!EXPECT(pgd != NULL))
        return NULL;
    memset(pgd, 0, 2048);
    memcpy(pgd + 256, phys_2_virt((ul)get_CR3() & PAGE_4K_MASK) + 256, 2048);
    return pgd;
}

static void a_process_runs_in_an_address_space_of_its_own(void)
{
    static const u8 program[] = {0x48, 0x8d, 0x04, 0x3f, 0x50,
                                 0x58, 0xcd, 0x80}; /* lea rax, [rdi + rdi]; push rax;
                                                       pop rax; int 0x80 */
    struct mm_stat_t before = mm_stat();
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
    ul *pgd = make_top(), kernel = (ul)get_CR3();
    struct user_exit end;

    if (!EXPECT(page != NULL) || pgd == NULL)
        return;
    memcpy(phys_2_virt(page->addr_phys), program, sizeof program);
    EXPECT_EQUAL(mm_map_proc_page_table(virt_2_phys(pgd), true, USER_VIRT, page->addr_phys, PAGE_2M_SIZE,
                                        PAGE_USER_PAGE, false, true, false),
                 0);
    cr3_write(virt_2_phys(pgd));
    EXPECT_EQUAL((ul)get_CR3(), virt_2_phys(pgd));
    end = user_run(USER_VIRT, USER_VIRT + PAGE_2M_SIZE, 21);
    cr3_write(kernel);
    EXPECT_EQUAL(end.how, USER_ENDED);
    EXPECT_EQUAL(end.rax, 42);
    mm_unmap_proc_table(virt_2_phys(pgd), true, USER_VIRT, PAGE_2M_SIZE);
    EXPECT_EQUAL(pgd[0], 0);
    EXPECT_EQUAL(kfree(pgd), 0);
    free_pages(page, 1);
    mm_shrink();
    EXPECT_SAME_STAT(before);
}

static void brk_shrinks_by_unmapping_the_end(void)
{
    const ul len = 16 * PAGE_4K_SIZE, kept = 5 * PAGE_4K_SIZE;
    u8 *memory = kzalloc(len, 0);
    ul *top = make_top(), pgd = virt_2_phys(top), end = BRK_VIRT + kept;
    struct paging_run run;

    if (!EXPECT(memory != NULL) || top == NULL)
        return;
    EXPECT_EQUAL(mm_map_proc_page_table(pgd, true, BRK_VIRT, virt_2_phys(memory), len, PAGE_USER_4K_PAGE,
                                        true, true, true),
                 0);
    mm_unmap_proc_table((ul)phys_2_virt(pgd), false, end, len - kept);
    EXPECT_MAPPED_IN(phys(pgd), .virt = BRK_VIRT, .phys = virt_2_phys(memory), .bytes = kept,
                     .flags = PAGE_USER_4K_PAGE);
    EXPECT(!paging_next_run(phys(pgd), virt(end), virt(MM_USER_END), &run));
    mm_unmap_proc_table((ul)phys_2_virt(pgd), false, BRK_VIRT, kept);
    EXPECT(!paging_next_run(phys(pgd), virt(0), virt(MM_USER_END), &run));
    EXPECT_EQUAL(kfree(top), 0);
    EXPECT_EQUAL(kfree(memory), 0);
}

static void an_ahci_table_of_1_mib_is_one_piece(void)
{
    u8 *table = kmalloc(1048576, 0);

    if (!EXPECT(table != NULL))
        return;
    EXPECT(is_aligned((ul)table, 1048576));
    EXPECT_MAPPED(.virt = (ul)table, .phys = virt_2_phys(table), .bytes = 1048576,
                  .flags = PAGE_R_W | PAGE_XD);
    memset(table, 0x5a, 1048576);
    EXPECT_EQUAL(table[1048575], 0x5a);
    EXPECT_EQUAL(kfree(table), 0);
}

static const struct test tests[] = {
    TEST(lapic_registers_are_mapped_from_the_value_of_their_msr),
    TEST(a_framebuffer_gets_exactly_its_size_rounded_up_to_4_kib),
    TEST(one_of_four_xhci_controllers_goes_and_its_neighbours_stay),
    TEST(rings_and_contexts_for_hardware_are_aligned_and_clear),
    TEST(dma_buffers_are_shared_pages_freed_by_their_virtual_address),
    TEST(a_process_runs_in_an_address_space_of_its_own),
    TEST(brk_shrinks_by_unmapping_the_end),
    TEST(an_ahci_table_of_1_mib_is_one_piece),
    TEST_END,
};

const struct test_suite selftest_patterns = {"patterns",
                                             "how drivers and processes call the API, eight times", tests};
