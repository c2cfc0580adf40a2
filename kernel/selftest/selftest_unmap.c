/* SPDX-License-Identifier: MIT */
/* Unmapping: exactly the range, large leaves split, holes skipped, every table given back, nothing reachable.
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>

#define FAR_APART GIB(600) /* tables of every level of their own */

static const ul borders[] = {LOWER_BORDER, SPECIAL_BORDER};

static ul device;

static bool find_device(ul bytes)
{
    device = space_without_ram(bytes, GIB(1));
    if (device == 0)
        test_skip("not so much physical space is free of RAM");
    return device != 0;
}

/* Takes [from, from + bytes) out of a mapping of whole_bytes and looks at both ends, and at the hole. */
static void try_middle(ul start, ul whole_bytes, ul from, ul bytes)
{
    ul hole = start + from, rest = from + bytes;

    if (!EXPECT_MAP(.virt = start, .phys = device, .bytes = whole_bytes, .flags = DEVICE_FLAGS))
        return;
    EXPECT_UNMAP(hole, bytes);
    EXPECT_UNMAPPED(hole, bytes);
    EXPECT_MAPPED(.virt = start, .phys = device, .bytes = from, .flags = DEVICE_FLAGS);
    EXPECT_MAPPED(.virt = start + rest, .phys = device + rest, .bytes = whole_bytes - rest,
                  .flags = DEVICE_FLAGS);
    EXPECT_UNMAP(start, whole_bytes);
    EXPECT_UNMAPPED(start, whole_bytes);
}

static void the_middle_of_a_2_mib_leaf_can_be_taken_out(void)
{
    if (!find_device(MIB(2)))
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(borders); i++) {
        try_middle(borders[i], MIB(2), MIB(1), PAGE_4K_SIZE);
        try_middle(borders[i], MIB(2), 0, PAGE_4K_SIZE);
        try_middle(borders[i], MIB(2), MIB(2) - PAGE_4K_SIZE, PAGE_4K_SIZE);
        try_middle(borders[i], MIB(2), PAGE_4K_SIZE, MIB(2) - 2 * PAGE_4K_SIZE);
    }
}

static void the_middle_of_a_1_gib_leaf_can_be_taken_out(void)
{
    if (!find_device(GIB(1)))
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(borders); i++) {
        try_middle(borders[i], GIB(1), MIB(512), PAGE_4K_SIZE);
        try_middle(borders[i], GIB(1), MIB(512), MIB(2));
        try_middle(borders[i], GIB(1), MIB(2) + PAGE_4K_SIZE, MIB(100));
        try_middle(borders[i], GIB(1), 0, GIB(1) - PAGE_4K_SIZE);
    }
}

/* A hole from inside one 2 MiB leaf into the next but one: two are split, the one between goes as a whole. */
static void a_range_from_leaf_to_leaf_splits_both_ends(void)
{
    if (!find_device(MIB(6)))
        return;
    try_middle(LOWER_BORDER, MIB(6), MIB(1), MIB(4));
    try_middle(SPECIAL_BORDER, MIB(6), MIB(2) - PAGE_4K_SIZE, MIB(2) + 2 * PAGE_4K_SIZE);
}

static void single_bytes_take_their_whole_frame(void)
{
    if (!find_device(MIB(2)))
        return;
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = 3 * PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_UNMAP(LOWER_BORDER + PAGE_4K_SIZE + 123, 1);
    EXPECT_MAPPED(.virt = LOWER_BORDER, .phys = device, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_UNMAPPED(LOWER_BORDER + PAGE_4K_SIZE, PAGE_4K_SIZE);
    EXPECT_UNMAP(LOWER_BORDER + PAGE_4K_SIZE - 1, PAGE_4K_SIZE + 2); /* a byte on each side, and the hole */
    EXPECT_UNMAPPED(LOWER_BORDER, MIB(2));
}

static void split_leaves_keep_permissions_and_cache_mode(void)
{
    const ul modes[] = {PAGE_R_W | PAGE_WC, PAGE_WC | PAGE_XD, PAGE_R_W | PAGE_PCD, PAGE_PWT};

    if (!find_device(GIB(1)))
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(modes); i++) {
        EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = GIB(1), .flags = modes[i]);
        EXPECT_UNMAP(LOWER_BORDER + MIB(2) + PAGE_4K_SIZE, PAGE_4K_SIZE);
        EXPECT_MAPPED(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(2) + PAGE_4K_SIZE,
                      .flags = modes[i]);
        EXPECT_MAPPED(.virt = LOWER_BORDER + MIB(4), .phys = device + MIB(4), .bytes = MIB(1020),
                      .flags = modes[i], .leaf_bytes = MIB(2));
        EXPECT_UNMAP(LOWER_BORDER, GIB(1));
    }
}

static void holes_are_skipped(void)
{
    if (!find_device(MIB(2)))
        return;
    EXPECT_UNMAP(LOWER_BORDER, MIB(2)); /* nothing but a hole */
    for (ul i = 0; i < 5; i++)
        EXPECT_MAP(.virt = LOWER_BORDER + i * MIB(3), .phys = device, .bytes = PAGE_4K_SIZE,
                   .flags = DEVICE_FLAGS);
    EXPECT_UNMAP(LOWER_BORDER, MIB(16));
    EXPECT_UNMAPPED(LOWER_BORDER, MIB(16));
}

static void the_whole_of_what_callers_may_use_can_be_unmapped_at_once(void)
{
    if (!find_device(MIB(2)))
        return;
    EXPECT_MAP(.virt = MM_USER_START, .phys = device, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(2), .flags = DEVICE_FLAGS);
    EXPECT_MAP(.virt = MM_USER_END - PAGE_4K_SIZE, .phys = device, .bytes = PAGE_4K_SIZE,
               .flags = DEVICE_FLAGS);
    EXPECT_UNMAP(MM_USER_START, MM_USER_END - MM_USER_START);
    EXPECT_UNMAPPED(MM_USER_START, MM_USER_END - MM_USER_START - PAGE_4K_SIZE);
    EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = device, .bytes = MIB(2), .flags = DEVICE_FLAGS, .use4k = true);
    EXPECT_UNMAP(SPECIAL_BORDER - GIB(1), GIB(2));
    EXPECT_UNMAPPED(SPECIAL_BORDER - GIB(1), GIB(2));
}

/* Tables as many as possible: 4 KiB leaves far apart, in one call each.  Then all frames are back. */
static void every_table_is_given_back(void)
{
    u64 n_tables = paging_count_tables();
    struct mm_stat_t before = mm_stat();

    if (!find_device(MIB(8)))
        return;
    for (ul i = 0; i < 4; i++)
        EXPECT_MAP(.virt = LOWER_BORDER + i * FAR_APART, .phys = device, .bytes = MIB(8),
                   .flags = DEVICE_FLAGS, .use4k = true);
    EXPECT_EQUAL(paging_count_tables(), n_tables + 4 * 6); /* each: a PDPT, a PD, four PTs */
    EXPECT(mm_stat().used > before.used);
    for (ul i = 0; i < 4; i++)
        EXPECT_UNMAP(LOWER_BORDER + i * FAR_APART, MIB(8));
    EXPECT_EQUAL(paging_count_tables(), n_tables);
    mm_shrink();
    EXPECT_SAME_STAT(before);
}

/* The same, one frame at a time, so that each table becomes empty by its last entry. */
static void a_table_goes_with_its_last_entry(void)
{
    u64 n_tables = paging_count_tables();

    if (!find_device(MIB(4)))
        return;
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(4), .flags = DEVICE_FLAGS, .use4k = true);
    EXPECT_EQUAL(paging_count_tables(), n_tables + 4); /* a PDPT, a PD, two PTs */
    for (ul at = 0; at < MIB(4); at += PAGE_4K_SIZE) {
        if (at == MIB(2))
            EXPECT_EQUAL(paging_count_tables(), n_tables + 3);
        if (!EXPECT_UNMAP(LOWER_BORDER + at, PAGE_4K_SIZE))
            return;
    }
    EXPECT_EQUAL(paging_count_tables(), n_tables);
}

/* Reads through a mapping so that the CPU caches it, unmaps, and reads again. */
static void try_unreachable(ul at, ul bytes, struct Page *page)
{
    u64 value = 0;

    EXPECT_MAP(.virt = at, .phys = page->addr_phys, .bytes = bytes, .flags = PAGE_KERNEL_PAGE);
    for (ul i = 0; i < bytes; i += PAGE_4K_SIZE)
        EXPECT(probe_write(at + i, &i, sizeof i));
    EXPECT_UNMAP(at + bytes / 2, PAGE_4K_SIZE);
    EXPECT(!probe_read(at + bytes / 2, &value, sizeof value));
    EXPECT_EQUAL(probe_last_fault().address, at + bytes / 2);
    EXPECT(probe_read(at, &value, sizeof value));
    EXPECT_UNMAP(at, bytes);
    for (ul i = 0; i < bytes; i += PAGE_4K_SIZE)
        EXPECT(!probe_read(at + i, &value, sizeof value));
}

static void what_was_unmapped_cannot_be_reached(void)
{
    const ul lengths[] = {2 * PAGE_4K_SIZE, 8 * PAGE_4K_SIZE, 100 * PAGE_4K_SIZE, MIB(2)};
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

    if (!EXPECT(page != NULL))
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(lengths); i++) {
        try_unreachable(LOWER_BORDER, lengths[i], page);
        try_unreachable(SPECIAL_BORDER, lengths[i], page);
    }
    free_pages(page, 1);
}

static void a_place_that_is_mapped_anew_shows_the_new_frame(void)
{
    u64 *first = kzalloc(4096, 0), *second = kzalloc(4096, 0), value = 0;

    if (EXPECT(first != NULL) && EXPECT(second != NULL)) {
        *first = 1;
        *second = 2;
        EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = virt_2_phys(first), .bytes = 4096,
                   .flags = PAGE_KERNEL_PAGE);
        EXPECT(probe_read(SPECIAL_BORDER, &value, 8));
        EXPECT_EQUAL(value, 1);
        EXPECT_UNMAP(SPECIAL_BORDER, 4096);
        EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = virt_2_phys(second), .bytes = 4096,
                   .flags = PAGE_KERNEL_PAGE);
        EXPECT(probe_read(SPECIAL_BORDER, &value, 8));
        EXPECT_EQUAL(value, 2);
        EXPECT_UNMAP(SPECIAL_BORDER, 4096);
    }
    EXPECT_EQUAL(kfree(first), 0);
    EXPECT_EQUAL(kfree(second), 0);
}

static void mapped_frames_are_never_freed(void)
{
    u64 *object = kzalloc(4096, 0);
    struct mm_stat_t before = mm_stat();

    if (!EXPECT(object != NULL))
        return;
    *object = 77;
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = virt_2_phys(object), .bytes = 4096, .flags = PAGE_KERNEL_PAGE);
    EXPECT_UNMAP(LOWER_BORDER, 4096);
    EXPECT_EQUAL(*object, 77);
    EXPECT_EQUAL(mm_stat().cache_used, before.cache_used);
    EXPECT_EQUAL(kfree(object), 0);
}

static void the_macro_unmaps_in_the_current_table(void)
{
    if (!find_device(MIB(2)))
        return;
    EXPECT_EQUAL(mm_map_phys_addr(SPECIAL_BORDER, device, MIB(2), DEVICE_FLAGS, false), 0);
    mm_unmap_addr(SPECIAL_BORDER, MIB(2));
    EXPECT_UNMAPPED(SPECIAL_BORDER, MIB(2));
}

static const struct test tests[] = {
    TEST(the_middle_of_a_2_mib_leaf_can_be_taken_out),
    TEST(the_middle_of_a_1_gib_leaf_can_be_taken_out),
    TEST(a_range_from_leaf_to_leaf_splits_both_ends),
    TEST(single_bytes_take_their_whole_frame),
    TEST(split_leaves_keep_permissions_and_cache_mode),
    TEST(holes_are_skipped),
    TEST(the_whole_of_what_callers_may_use_can_be_unmapped_at_once),
    TEST(every_table_is_given_back),
    TEST(a_table_goes_with_its_last_entry),
    TEST(what_was_unmapped_cannot_be_reached),
    TEST(a_place_that_is_mapped_anew_shows_the_new_frame),
    TEST(mapped_frames_are_never_freed),
    TEST(the_macro_unmaps_in_the_current_table),
    TEST_END,
};

const struct test_suite selftest_unmap = {"unmap", "unmapping: exactly the range, and no table stays behind",
                                          tests};
