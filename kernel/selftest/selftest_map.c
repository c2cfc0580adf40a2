/* SPDX-License-Identifier: MIT */
/*
 * Mapping: every byte reaches what it should, across all borders, in the leaves that fit, and what is there
 * already is kept.
 *
 * Physical space without RAM is mapped and never accessed.  RAM is mapped to see that the CPU agrees.
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>

#define DEVICE_BYTES GIB(1)

/* Where the tests map: both halves. */
static const ul borders[] = {LOWER_BORDER, SPECIAL_BORDER};

static ul device; /* physical; 1 GiB without RAM, aligned so */

static bool find_device(void)
{
    device = space_without_ram(DEVICE_BYTES, GIB(1));
    if (device == 0)
        test_skip("no GiB of physical space is free of RAM");
    return device != 0;
}

/* Maps [border - before, border + after), looks, and unmaps. */
static void try_across(ul border, ul before, ul after, bool use4k)
{
    ul start = border - before, bytes = before + after;
    ul first = start & PAGE_4K_MASK, mapped = PAGE_4K_ALIGN(start + bytes) - first;

    if (!EXPECT_MAP(.virt = start, .phys = device, .bytes = bytes, .flags = DEVICE_FLAGS, .use4k = use4k))
        return;
    EXPECT_MAPPED(.virt = first, .phys = device, .bytes = mapped, .flags = DEVICE_FLAGS,
                  .leaf_bytes = use4k ? PAGE_4K_SIZE : 0);
    EXPECT_UNMAPPED(first - PAGE_4K_SIZE, PAGE_4K_SIZE);
    EXPECT_UNMAPPED(first + mapped, PAGE_4K_SIZE);
    EXPECT_UNMAP(start, bytes);
    EXPECT_UNMAPPED(first, mapped);
}

static void try_across_all(ul offset)
{
    if (!find_device())
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(borders); i++) {
        for (unsigned use4k = 0; use4k < 2; use4k++) {
            ul border = borders[i] + offset;

            try_across(border, PAGE_4K_SIZE, PAGE_4K_SIZE, use4k);
            try_across(border, 3 * PAGE_4K_SIZE, MIB(2), use4k);
            try_across(border, MIB(4), MIB(2) + 5 * PAGE_4K_SIZE, use4k);
            try_across(border, 1, 1, use4k);
            try_across(border, 12345, MIB(6) + 777, use4k);
        }
    }
}

static void a_range_across_a_2_mib_border_is_mapped_whole(void)
{
    try_across_all(MIB(2));
}

static void a_range_across_a_1_gib_border_is_mapped_whole(void)
{
    try_across_all(GIB(1));
}

static void a_range_across_a_512_gib_border_is_mapped_whole(void)
{
    try_across_all(0);
}

static void the_low_bits_of_the_physical_address_are_replaced(void)
{
    ul at = SPECIAL_BORDER + 0x678;
    struct paging_path path;

    if (!find_device() || !EXPECT_MAP(.virt = at, .phys = device + 0x900, .bytes = 16, .flags = DEVICE_FLAGS))
        return;
    paging_walk(current_top(), virt(at + 15), &path);
    EXPECT(path.mapped);
    EXPECT_EQUAL(path.phys.addr, device + 0x678 + 15);
    EXPECT_UNMAP(at, 16);
}

/* The largest leaf for what is aligned to `bytes`. */
static ul largest_leaf(ul bytes)
{
    if (bytes >= GIB(1) && cpu_features.gigabyte_pages)
        return GIB(1);
    return bytes >= MIB(2) ? MIB(2) : PAGE_4K_SIZE;
}

static void leaves_are_the_largest_that_fit(void)
{
    const ul sizes[] = {PAGE_4K_SIZE, MIB(2), GIB(1)};

    if (!find_device())
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(borders); i++) {
        for (unsigned j = 0; j < ARRAY_LENGTH(sizes); j++) {
            if (!EXPECT_MAP(.virt = borders[i], .phys = device, .bytes = sizes[j], .flags = DEVICE_FLAGS))
                continue;
            EXPECT_MAPPED(.virt = borders[i], .phys = device, .bytes = sizes[j], .flags = DEVICE_FLAGS,
                          .leaf_bytes = largest_leaf(sizes[j]));
            EXPECT_UNMAP(borders[i], sizes[j]);
        }
    }
}

/* Where virtual and physical address do not lie alike, no large leaf can be. */
static void a_large_leaf_needs_both_addresses_aligned(void)
{
    if (!find_device())
        return;
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device + PAGE_4K_SIZE, .bytes = MIB(4), .flags = DEVICE_FLAGS);
    EXPECT_MAPPED(.virt = LOWER_BORDER, .phys = device + PAGE_4K_SIZE, .bytes = MIB(4), .flags = DEVICE_FLAGS,
                  .leaf_bytes = PAGE_4K_SIZE);
    EXPECT_UNMAP(LOWER_BORDER, MIB(4));
}

static void ragged_edges_take_4_kib_leaves_and_the_rest_large_ones(void)
{
    ul start = LOWER_BORDER + MIB(2) - PAGE_4K_SIZE, at;

    if (!find_device())
        return;
    at = device + MIB(2) - PAGE_4K_SIZE;
    EXPECT_MAP(.virt = start, .phys = at, .bytes = MIB(4) + 2 * PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_MAPPED(.virt = start, .phys = at, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS,
                  .leaf_bytes = PAGE_4K_SIZE);
    EXPECT_MAPPED(.virt = start + PAGE_4K_SIZE, .phys = device + MIB(2), .bytes = MIB(4),
                  .flags = DEVICE_FLAGS, .leaf_bytes = MIB(2));
    EXPECT_MAPPED(.virt = start + PAGE_4K_SIZE + MIB(4), .phys = device + MIB(6), .bytes = PAGE_4K_SIZE,
                  .flags = DEVICE_FLAGS, .leaf_bytes = PAGE_4K_SIZE);
    EXPECT_UNMAPPED(start + MIB(4) + 2 * PAGE_4K_SIZE, MIB(2));
    EXPECT_UNMAP(start, MIB(4) + 2 * PAGE_4K_SIZE);
}

/* Bit 7 of a 4 KiB leaf chooses the cache mode; callers pass it as PAGE_PS. */
static void page_ps_in_the_flags_never_becomes_pat(void)
{
    struct paging_path path;

    if (!find_device())
        return;
    EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = device, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS,
               .use4k = true);
    paging_walk(current_top(), virt(SPECIAL_BORDER), &path);
    if (EXPECT(path.mapped) && EXPECT_EQUAL(path.n_steps, 4))
        EXPECT_EQUAL(path.step[3].entry & PAGE_PS, 0);
    EXPECT_UNMAP(SPECIAL_BORDER, PAGE_4K_SIZE);
}

static void mapping_again_is_a_success_and_changes_nothing(void)
{
    u64 hash;

    if (!find_device())
        return;
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(4), .flags = DEVICE_FLAGS);
    hash = mappings_hash(current_top());
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(4), .flags = DEVICE_FLAGS);
    EXPECT_MAP(.virt = LOWER_BORDER + MIB(1), .phys = device + MIB(1), .bytes = MIB(2), .flags = DEVICE_FLAGS,
               .use4k = true);
    EXPECT_MAP(.virt = LOWER_BORDER + 4321, .phys = device + PAGE_4K_SIZE, .bytes = 1, .flags = DEVICE_FLAGS);
    EXPECT_EQUAL(mappings_hash(current_top()), hash);
    EXPECT_UNMAP(LOWER_BORDER, MIB(4));
}

/* [.. a b c ..]: b is there already, and the call that maps all three keeps it. */
static void what_is_mapped_alike_is_kept_and_the_rest_is_added(void)
{
    ul middle = LOWER_BORDER + MIB(2);

    if (!find_device())
        return;
    EXPECT_MAP(.virt = middle, .phys = device + MIB(2), .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(6), .flags = DEVICE_FLAGS);
    EXPECT_MAPPED(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(6), .flags = DEVICE_FLAGS);
    EXPECT_EQUAL(mapped_leaf_bytes(LOWER_BORDER), MIB(2));
    EXPECT_EQUAL(mapped_leaf_bytes(middle), PAGE_4K_SIZE);
    EXPECT_UNMAP(LOWER_BORDER, MIB(6));
}

/* Something else in the last frame of the range: nothing before it may be mapped either. */
static void an_overlap_with_something_else_is_refused_as_a_whole(void)
{
    ul end = LOWER_BORDER + MIB(4);

    if (!find_device())
        return;
    EXPECT_MAP(.virt = end - PAGE_4K_SIZE, .phys = device, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(4), .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(4), .flags = DEVICE_FLAGS,
                   .use4k = true);
    EXPECT_REFUSED(.virt = end - 1, .phys = device + MIB(2), .bytes = 1, .flags = DEVICE_FLAGS);
    EXPECT_UNMAP(end - PAGE_4K_SIZE, PAGE_4K_SIZE);
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(4), .flags = DEVICE_FLAGS);
    EXPECT_UNMAP(LOWER_BORDER, MIB(4));
}

static void other_permissions_or_cache_mode_are_something_else(void)
{
    const ul at = LOWER_BORDER,
             others[] = {PAGE_PWT | PAGE_PCD, PAGE_R_W | PAGE_PCD, PAGE_R_W, DEVICE_FLAGS | PAGE_U_S};

    if (!find_device())
        return;
    EXPECT_MAP(.virt = at, .phys = device, .bytes = MIB(2), .flags = DEVICE_FLAGS);
    for (unsigned i = 0; i < ARRAY_LENGTH(others); i++)
        EXPECT_REFUSED(.virt = at, .phys = device, .bytes = MIB(2), .flags = others[i]);
    EXPECT_REFUSED(.virt = at, .phys = device, .bytes = MIB(2), .flags = DEVICE_FLAGS, .user = true);
    if (cpu_features.no_execute)
        EXPECT_REFUSED(.virt = at, .phys = device, .bytes = MIB(2), .flags = DEVICE_FLAGS | PAGE_XD);
    EXPECT_REFUSED(.virt = at, .phys = device + PAGE_4K_SIZE, .bytes = MIB(2), .flags = DEVICE_FLAGS);
    EXPECT_UNMAP(at, MIB(2));
}

static void ram_is_the_same_through_every_alias(void)
{
    u64 *object = kzalloc(8192, 0);
    volatile u64 *low = (u64 *)LOWER_BORDER, *special = (u64 *)SPECIAL_BORDER;
    ul at = virt_2_phys(object);

    if (!EXPECT(object != NULL))
        return;
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = at, .bytes = 8192, .flags = PAGE_KERNEL_4K_PAGE);
    EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = at, .bytes = 8192, .flags = PAGE_KERNEL_PAGE);
    low[0] = 11;
    low[1023] = 22;
    EXPECT_EQUAL(special[0], 11);
    EXPECT_EQUAL(special[1023], 22);
    special[512] = 33;
    EXPECT_EQUAL(object[512], 33);
    EXPECT_EQUAL(low[512], 33);
    EXPECT_UNMAP(LOWER_BORDER, 8192);
    EXPECT_UNMAP(SPECIAL_BORDER, 8192);
    EXPECT_EQUAL(object[1023], 22);
    EXPECT_EQUAL(kfree(object), 0);
}

static void a_mapping_call_needs_no_flush_to_be_seen(void)
{
    u64 *object = kzalloc(4096, 0), value;

    if (!EXPECT(object != NULL))
        return;
    object[0] = 0xabcdef;
    EXPECT(!probe_read(SPECIAL_BORDER, &value, 8)); /* the CPU has looked, and found nothing */
    EXPECT_EQUAL(mm_map_proc_page_table(current_top().addr, true, SPECIAL_BORDER, virt_2_phys(object), 4096,
                                        PAGE_KERNEL_PAGE, false, false, false),
                 0); /* flush = false */
    EXPECT(probe_read(SPECIAL_BORDER, &value, 8));
    EXPECT_EQUAL(value, 0xabcdef);
    EXPECT_UNMAP(SPECIAL_BORDER, 4096);
    EXPECT_EQUAL(kfree(object), 0);
}

static void the_ends_of_what_callers_may_use_can_be_mapped(void)
{
    const ul first[] = {MM_USER_START, MM_USER_END - MIB(2), MM_SPECIAL_START, MM_SPECIAL_END - MIB(2)};
    struct paging_run run;

    if (!find_device())
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(first); i++) {
        if (paging_next_run(current_top(), virt(first[i]), virt(first[i] + MIB(2)), &run)) {
            test_note("0x%lx: somebody has mapped something there", first[i]);
            continue;
        }
        if (!EXPECT_MAP(.virt = first[i], .phys = device, .bytes = MIB(2), .flags = DEVICE_FLAGS))
            continue;
        EXPECT_MAPPED(.virt = first[i], .phys = device, .bytes = MIB(2), .flags = DEVICE_FLAGS);
        EXPECT_UNMAP(first[i], MIB(2));
    }
}

static void length_0_is_a_success_whatever_the_rest_says(void)
{
    EXPECT_MAP(.virt = 0, .phys = ~0UL, .bytes = 0, .flags = ~0UL);
    EXPECT_MAP(.table = 3, .virt = 1UL << 60, .bytes = 0);
    EXPECT_EQUAL(mm_map_phys_addr(PAGE_OFFSET, 0, 0, PAGE_KERNEL_PAGE, false), 0);
    EXPECT_EQUAL(mm_unmap_range(3, false, 1UL << 60, 0), 0);
}

static const struct test tests[] = {
    TEST(a_range_across_a_2_mib_border_is_mapped_whole),
    TEST(a_range_across_a_1_gib_border_is_mapped_whole),
    TEST(a_range_across_a_512_gib_border_is_mapped_whole),
    TEST(the_low_bits_of_the_physical_address_are_replaced),
    TEST(leaves_are_the_largest_that_fit),
    TEST(a_large_leaf_needs_both_addresses_aligned),
    TEST(ragged_edges_take_4_kib_leaves_and_the_rest_large_ones),
    TEST(page_ps_in_the_flags_never_becomes_pat),
    TEST(mapping_again_is_a_success_and_changes_nothing),
    TEST(what_is_mapped_alike_is_kept_and_the_rest_is_added),
    TEST(an_overlap_with_something_else_is_refused_as_a_whole),
    TEST(other_permissions_or_cache_mode_are_something_else),
    TEST(ram_is_the_same_through_every_alias),
    TEST(a_mapping_call_needs_no_flush_to_be_seen),
    TEST(the_ends_of_what_callers_may_use_can_be_mapped),
    TEST(length_0_is_a_success_whatever_the_rest_says),
    TEST_END,
};

const struct test_suite selftest_map = {
    "map", "mapping: every byte, across all borders, in the leaves that fit", tests};
