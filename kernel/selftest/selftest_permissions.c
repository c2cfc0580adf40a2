/* SPDX-License-Identifier: MIT */
/*
 * Flags mean what they say: the CPU is asked where it can be (writing, jumping), paging_walk where it cannot
 * (cache modes).
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>

/* Bits of a page fault's error code: Intel SDM volume 3, "Page-Fault Exceptions". */
#define FAULT_PROTECTION  (1UL << 0)
#define FAULT_WRITE       (1UL << 1)
#define FAULT_INSTRUCTION (1UL << 4)

#define RETURN_INSTRUCTION 0xc3

/* A frame that begins with an instruction; at both places it is mapped by the tests. */
static u8 *frame;

static bool frame_make(void)
{
    frame = kzalloc(4096, 0);
    if (!EXPECT(frame != NULL))
        return false;
    frame[0] = RETURN_INSTRUCTION;
    return true;
}

static void frame_map(ul at, ul flags)
{
    EXPECT_MAP(.virt = at, .phys = virt_2_phys(frame), .bytes = 4096, .flags = flags);
}

static void frame_done(ul at)
{
    EXPECT_UNMAP(at, 4096);
    EXPECT_EQUAL(kfree(frame), 0);
}

static void expect_page_fault(u64 address, u64 error)
{
    struct probe_fault fault = probe_last_fault();

    EXPECT_EQUAL(fault.vector, VECTOR_PAGE_FAULT);
    EXPECT_EQUAL(fault.address, address);
    EXPECT_EQUAL(fault.error, error);
}

static void a_write_to_a_read_only_mapping_faults(void)
{
    u64 value = 0;

    if (!frame_make())
        return;
    frame_map(SPECIAL_BORDER, 0);
    EXPECT_EQUAL(mapped_flags(SPECIAL_BORDER) & PAGE_R_W, 0);
    EXPECT(probe_read(SPECIAL_BORDER, &value, 8));
    EXPECT_EQUAL(value, RETURN_INSTRUCTION);
    value = 1;
    EXPECT(!probe_write(SPECIAL_BORDER + 8, &value, 8));
    expect_page_fault(SPECIAL_BORDER + 8, FAULT_PROTECTION | FAULT_WRITE);
    EXPECT_EQUAL(frame[8], 0);
    frame_done(SPECIAL_BORDER);
}

static void a_write_to_a_writable_mapping_arrives(void)
{
    u64 value = 0x1234;

    if (!frame_make())
        return;
    frame_map(LOWER_BORDER, PAGE_R_W);
    EXPECT(probe_write(LOWER_BORDER + 8, &value, 8));
    EXPECT_EQUAL(*(u64 *)(frame + 8), 0x1234);
    frame_done(LOWER_BORDER);
}

static void a_read_only_2_mib_leaf_is_read_only_throughout(void)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
    u64 value = 1;

    if (!EXPECT(page != NULL))
        return;
    EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = page->addr_phys, .bytes = MIB(2), .flags = 0);
    EXPECT_EQUAL(mapped_leaf_bytes(SPECIAL_BORDER), MIB(2));
    for (ul i = 0; i < MIB(2); i += MIB(1) / 4)
        EXPECT(!probe_write(SPECIAL_BORDER + i, &value, 8));
    EXPECT_UNMAP(SPECIAL_BORDER + MIB(1), PAGE_4K_SIZE); /* split: still read-only */
    EXPECT(!probe_write(SPECIAL_BORDER, &value, 8));
    EXPECT_UNMAP(SPECIAL_BORDER, MIB(2));
    free_pages(page, 1);
}

static void a_jump_into_a_no_execute_mapping_faults(void)
{
    if (!frame_make())
        return;
    frame_map(SPECIAL_BORDER, PAGE_XD);
    EXPECT_EQUAL(mapped_flags(SPECIAL_BORDER) & PAGE_XD, flags_usable(PAGE_XD) & PAGE_XD);
    if (cpu_features.no_execute) {
        EXPECT(!probe_execute(SPECIAL_BORDER));
        expect_page_fault(SPECIAL_BORDER, FAULT_PROTECTION | FAULT_INSTRUCTION);
    } else {
        EXPECT(probe_execute(SPECIAL_BORDER)); /* without NX it must not have become a reserved bit */
    }
    frame_done(SPECIAL_BORDER);
}

static void code_in_a_mapping_without_xd_runs(void)
{
    if (!frame_make())
        return;
    frame_map(SPECIAL_BORDER, PAGE_KERNEL_4K_PAGE);
    EXPECT(probe_execute(SPECIAL_BORDER));
    frame_done(SPECIAL_BORDER);
}

static void the_direct_map_is_not_executable(void)
{
    if (!frame_make())
        return;
    EXPECT_EQUAL(probe_execute((u64)frame), !cpu_features.no_execute);
    EXPECT_EQUAL(kfree(frame), 0);
}

/* The lower half without PAGE_U_S is the kernel's; with it, the kernel may not execute there if SMEP says so.
 */
static void the_lower_half_is_for_the_user_only_where_it_was_asked_for(void)
{
    const struct {
        ul flags;
        bool user, is_user;
    } cases[] = {
        {PAGE_KERNEL_4K_PAGE, false, false},
        {PAGE_KERNEL_4K_PAGE, true, true},
        {PAGE_USER_4K_PAGE, false, true},
        {PAGE_USER_4K_PAGE, true, true},
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(cases) && frame_make(); i++) {
        EXPECT_MAP(.virt = LOWER_BORDER, .phys = virt_2_phys(frame), .bytes = 4096, .flags = cases[i].flags,
                   .user = cases[i].user);
        EXPECT_EQUAL((mapped_flags(LOWER_BORDER) & PAGE_U_S) != 0, cases[i].is_user);
        EXPECT_EQUAL(probe_execute(LOWER_BORDER), !(cases[i].is_user && cpu_features.smep));
        frame_done(LOWER_BORDER);
    }
}

/* Entries above the leaves allow everything, so that the leaves decide. */
static void upper_levels_are_present_writable_and_user(void)
{
    const ul wanted = PAGE_PRESENT | PAGE_R_W | PAGE_U_S;
    struct paging_path path;

    if (!frame_make())
        return;
    frame_map(LOWER_BORDER, 0);
    paging_walk(current_top(), virt(LOWER_BORDER), &path);
    EXPECT_EQUAL(path.n_steps, 4);
    for (unsigned i = 0; i + 1 < path.n_steps; i++) {
        EXPECT_EQUAL(path.step[i].entry & wanted, wanted);
        EXPECT_EQUAL(path.step[i].entry & PAGE_XD, 0);
    }
    frame_done(LOWER_BORDER);
}

static void read_word(void *address)
{
    (void)*(volatile u64 *)address;
}

static void smap_keeps_the_kernel_from_user_pages(void)
{
    if (!cpu_features.smap) {
        test_skip("the CPU has no SMAP");
        return;
    }
    EXPECT(cr4_read() & CR4_SMAP);
    if (!frame_make())
        return;
    frame_map(LOWER_BORDER, PAGE_USER_4K_PAGE);
    EXPECT(!probe_call(read_word, (void *)LOWER_BORDER));
    expect_page_fault(LOWER_BORDER, FAULT_PROTECTION);
    frame_done(LOWER_BORDER);
}

/* A global translation outlives the load of another table, so the lower half must not have any. */
static void nothing_in_the_lower_half_is_global(void)
{
    if (!frame_make())
        return;
    frame_map(LOWER_BORDER, PAGE_KERNEL_4K_PAGE | PAGE_GLOBAL);
    EXPECT_EQUAL(mapped_flags(LOWER_BORDER), PAGE_KERNEL_4K_PAGE);
    frame_done(LOWER_BORDER);
}

/* Every cache mode in leaves of both sizes, as paging_walk reads it back, and the PAT bit where it belongs.
 */
static void cache_modes_are_what_was_asked_for(void)
{
    const ul modes[] = {0, PAGE_PWT, PAGE_PCD, PAGE_PWT | PAGE_PCD, PAGE_WC};
    ul device = space_without_ram(MIB(4), MIB(2));

    if (device == 0) {
        test_skip("no 4 MiB of physical space are free of RAM");
        return;
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(modes); i++) {
        ul flags = PAGE_KERNEL_PAGE | modes[i];
        struct paging_path large, small;

        EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = device, .bytes = MIB(2) + 1, .flags = flags);
        EXPECT_MAPPED(.virt = SPECIAL_BORDER, .phys = device, .bytes = MIB(2) + 4096, .flags = flags);
        paging_walk(current_top(), virt(SPECIAL_BORDER), &large);
        paging_walk(current_top(), virt(SPECIAL_BORDER + MIB(2)), &small);
        EXPECT_EQUAL(large.n_steps, 3);
        EXPECT_EQUAL(small.n_steps, 4);
        EXPECT_EQUAL((large.step[2].entry >> 12) & 1, modes[i] == PAGE_WC && cpu_features.pat);
        EXPECT_EQUAL((small.step[3].entry >> 7) & 1, modes[i] == PAGE_WC && cpu_features.pat);
        EXPECT_UNMAP(SPECIAL_BORDER, MIB(2) + 1);
    }
}

/* Index 0: write-back, 1: write-through, 2: UC-, 3: uncached, 4: write-combining. */
static void the_pat_is_loaded_as_entries_are_written(void)
{
    const u8 codes[] = {6, 4, 7, 0, 1};
    u64 pat;

    if (!cpu_features.pat) {
        test_skip("the CPU has no PAT");
        return;
    }
    pat = msr_read(MSR_PAT);
    for (unsigned i = 0; i < ARRAY_LENGTH(codes); i++)
        EXPECT_EQUAL((pat >> (8 * i)) & 7, codes[i]);
}

static const struct test tests[] = {
    TEST(a_write_to_a_read_only_mapping_faults),
    TEST(a_write_to_a_writable_mapping_arrives),
    TEST(a_read_only_2_mib_leaf_is_read_only_throughout),
    TEST(a_jump_into_a_no_execute_mapping_faults),
    TEST(code_in_a_mapping_without_xd_runs),
    TEST(the_direct_map_is_not_executable),
    TEST(the_lower_half_is_for_the_user_only_where_it_was_asked_for),
    TEST(upper_levels_are_present_writable_and_user),
    TEST(smap_keeps_the_kernel_from_user_pages),
    TEST(nothing_in_the_lower_half_is_global),
    TEST(cache_modes_are_what_was_asked_for),
    TEST(the_pat_is_loaded_as_entries_are_written),
    TEST_END,
};

const struct test_suite selftest_permissions = {"permissions", "read-only, no-execute, user, cache modes",
                                                tests};
