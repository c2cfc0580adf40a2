/* SPDX-License-Identifier: MIT */
/* Mapping calls that must be refused: -EFAULT, and nothing changed at all. */
#include <kernel/cpu/features.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>
#include <mm/frame.h>
#include <mm/inspect.h>

/* Somewhere without RAM, and a size that is there. */
static ul device;

static bool find_device(void)
{
    device = space_without_ram(MIB(4), MIB(2));
    if (device == 0)
        test_skip("no 4 MiB of physical space are free of RAM");
    return device != 0;
}

static void ranges_that_are_none_are_refused(void)
{
    const struct {
        ul virt, bytes;
    } ranges[] = {
        {MM_USER_END - PAGE_4K_SIZE, 2 * PAGE_4K_SIZE}, /* into the hole that is not canonical */
        {MM_USER_END, PAGE_4K_SIZE},
        {1UL << 62, 1},
        {MM_KERNEL_HALF - PAGE_4K_SIZE, PAGE_4K_SIZE},
        {MM_KERNEL_HALF - 1, 2},
        {LOWER_BORDER, ~0UL}, /* wraps */
        {LOWER_BORDER, 0UL - LOWER_BORDER},
        {LOWER_BORDER, 1UL << 62},
        {~0UL, 1},
        {~0UL, 2},
        {~0UL, ~0UL},
    };

    if (!find_device())
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(ranges); i++)
        EXPECT_REFUSED(.virt = ranges[i].virt, .phys = device, .bytes = ranges[i].bytes,
                       .flags = DEVICE_FLAGS);
}

static void virtual_page_0_is_refused(void)
{
    if (!find_device())
        return;
    EXPECT_REFUSED(.virt = 0, .phys = device, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = 0, .phys = device, .bytes = MIB(2), .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = PAGE_4K_SIZE - 1, .phys = device, .bytes = 2, .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = 1, .phys = device, .bytes = 1, .flags = DEVICE_FLAGS, .user = true);
}

static void the_kernels_own_half_is_refused(void)
{
    const ul places[] = {PAGE_OFFSET,     PAGE_OFFSET + GIB(1024), MM_SPECIAL_END,
                         MM_MMIO_START,   MM_PAGE_ARRAY,           MM_HELD_ARRAY,
                         MM_STACKS_START, MM_IMAGE_START,          ~0UL & PAGE_4K_MASK};

    if (!find_device())
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(places); i++)
        EXPECT_REFUSED(.virt = places[i], .phys = device, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = MM_SPECIAL_START - PAGE_4K_SIZE, .phys = device, .bytes = 2 * PAGE_4K_SIZE,
                   .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = MM_SPECIAL_END - PAGE_4K_SIZE, .phys = device, .bytes = PAGE_4K_SIZE + 1,
                   .flags = DEVICE_FLAGS);
}

static void user_access_in_the_kernel_half_is_refused(void)
{
    if (!find_device())
        return;
    EXPECT_REFUSED(.virt = SPECIAL_BORDER, .phys = device, .bytes = PAGE_4K_SIZE,
                   .flags = DEVICE_FLAGS | PAGE_U_S);
    EXPECT_REFUSED(.virt = SPECIAL_BORDER, .phys = device, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS,
                   .user = true);
}

static void write_combining_with_another_cache_mode_is_refused(void)
{
    const ul modes[] = {PAGE_WC | PAGE_PWT, PAGE_WC | PAGE_PCD, PAGE_WC | PAGE_PWT | PAGE_PCD};

    if (!find_device())
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(modes); i++)
        EXPECT_REFUSED(.virt = SPECIAL_BORDER, .phys = device, .bytes = PAGE_4K_SIZE,
                       .flags = PAGE_R_W | modes[i]);
}

static void physical_addresses_past_the_cpus_width_are_refused(void)
{
    ul limit = 1UL << cpu_features.phys_bits;

    EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = limit, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = limit - PAGE_4K_SIZE, .bytes = PAGE_4K_SIZE + 1,
                   .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = ~0UL, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = 1UL << 52, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = 1UL << 63, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
}

static void the_last_physical_frame_can_be_mapped(void)
{
    ul last = (1UL << cpu_features.phys_bits) - PAGE_4K_SIZE;

    if (memory_map_overlaps_usable(mm_firmware_map(), last, last + PAGE_4K_SIZE)) {
        test_skip("there is RAM up to the last address");
        return;
    }
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = last, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_MAPPED(.virt = LOWER_BORDER, .phys = last, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
    EXPECT_UNMAP(LOWER_BORDER, PAGE_4K_SIZE);
}

/* Two names with different cache modes for one line of RAM corrupt it. */
static void ram_with_another_cache_mode_than_write_back_is_refused(void)
{
    const ul modes[] = {PAGE_PWT, PAGE_PCD, PAGE_PWT | PAGE_PCD, PAGE_WC};
    void *object = kmalloc(4096, 0);
    ul at = virt_2_phys(object);

    if (!EXPECT(object != NULL))
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(modes); i++) {
        EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = at, .bytes = 1, .flags = PAGE_R_W | modes[i]);
        EXPECT_REFUSED(.virt = SPECIAL_BORDER, .phys = at, .bytes = 4096, .flags = PAGE_R_W | modes[i]);
    }
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = at, .bytes = 4096, .flags = PAGE_R_W);
    EXPECT_UNMAP(LOWER_BORDER, 4096);
    EXPECT_EQUAL(kfree(object), 0);
}

/* The last frame of RAM, and the one behind it, which is none. */
static void a_range_that_touches_ram_at_one_end_counts_as_ram(void)
{
    ul end = mm_ram_end();

    EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = end - PAGE_4K_SIZE, .bytes = 2 * PAGE_4K_SIZE,
                   .flags = DEVICE_FLAGS);
    EXPECT_REFUSED(.virt = LOWER_BORDER, .phys = end - MIB(1), .bytes = MIB(2), .flags = PAGE_R_W | PAGE_WC);
}

static void refuse_table(ul table, bool is_virtual)
{
    EXPECT_REFUSED(.table = table, .is_virtual = is_virtual, .virt = LOWER_BORDER, .phys = device,
                   .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
}

static void what_is_no_top_level_is_refused(void)
{
    phys_t unmapped, freed;
    void *object;

    if (!find_device())
        return;
    unmapped = frame_alloc(ZONE_UNMAPPED_IN_PGT, 0);
    freed = frame_alloc(ZONE_NORMAL, 0);
    object = kzalloc(4096, 0);
    EXPECT_EQUAL(frame_free(freed, 0), 0);
    refuse_table(freed.addr, false);
    refuse_table((ul)phys_2_virt(freed.addr), true);
    refuse_table(virt_2_phys(object) + 8, false); /* not aligned */
    refuse_table((ul)object + 2048, true);
    refuse_table(mm_ram_end() + MIB(2), false); /* no RAM */
    refuse_table(~0UL & PAGE_4K_MASK, false);
    refuse_table(virt_2_phys(object), true); /* neither physical nor in the direct map */
    refuse_table((ul)object, false);
    refuse_table((ul)&device, true); /* the image is not in the direct map */
    if (!phys_is_none(unmapped)) {
        refuse_table(unmapped.addr, false);
        EXPECT_EQUAL(frame_free(unmapped, 0), 0);
    }
    EXPECT_EQUAL(kfree(object), 0);
}

/* The table that slot 0xffffa000.. of the kernel's top level points to: a table, but none of the top level.
 */
static void a_table_of_a_lower_level_is_no_top_level(void)
{
    struct paging_path path;

    if (!find_device())
        return;
    paging_walk(current_top(), virt(MM_SPECIAL_START), &path);
    if (EXPECT(path.n_steps >= 2))
        refuse_table(path.step[1].table.addr, false);
}

/* A top level of our own whose first entries lead to what paging did not mark as a table. */
static void an_entry_that_leads_to_no_table_is_refused(void)
{
    ul *top = kzalloc(4096, 0), *fake = kzalloc(4096, 0);
    struct map_call call = {
        .table = virt_2_phys(top), .virt = PAGE_4K_SIZE, .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS};

    if (find_device() && EXPECT(top != NULL) && EXPECT(fake != NULL)) {
        call.phys = device;
        top[0] = virt_2_phys(fake) | PAGE_PRESENT | PAGE_R_W | PAGE_U_S;
        test_expect_refused(TEST_HERE, &call);
        EXPECT_EQUAL(fake[0], 0);
        top[0] = (mm_ram_end() + MIB(2)) | PAGE_PRESENT | PAGE_R_W | PAGE_U_S;
        test_expect_refused(TEST_HERE, &call);
        top[0] = (ul)get_CR3() | PAGE_PRESENT | PAGE_R_W | PAGE_U_S; /* a table of the wrong level */
        test_expect_refused(TEST_HERE, &call);
    }
    EXPECT_EQUAL(kfree(top), 0);
    EXPECT_EQUAL(kfree(fake), 0);
}

/* In the kernel half the tables are shared; a top level that says otherwise cannot be used there. */
static void a_top_level_without_the_kernels_half_is_refused_there(void)
{
    ul *top = kzalloc(4096, 0);

    if (find_device() && EXPECT(top != NULL)) {
        EXPECT_REFUSED(.table = (ul)top, .is_virtual = true, .virt = SPECIAL_BORDER, .phys = device,
                       .bytes = PAGE_4K_SIZE, .flags = DEVICE_FLAGS);
        EXPECT_EQUAL(top[(SPECIAL_BORDER >> 39) & 511], 0);
    }
    EXPECT_EQUAL(kfree(top), 0);
}

static const struct test tests[] = {
    TEST(ranges_that_are_none_are_refused),
    TEST(virtual_page_0_is_refused),
    TEST(the_kernels_own_half_is_refused),
    TEST(user_access_in_the_kernel_half_is_refused),
    TEST(write_combining_with_another_cache_mode_is_refused),
    TEST(physical_addresses_past_the_cpus_width_are_refused),
    TEST(the_last_physical_frame_can_be_mapped),
    TEST(ram_with_another_cache_mode_than_write_back_is_refused),
    TEST(a_range_that_touches_ram_at_one_end_counts_as_ram),
    TEST(what_is_no_top_level_is_refused),
    TEST(a_table_of_a_lower_level_is_no_top_level),
    TEST(an_entry_that_leads_to_no_table_is_refused),
    TEST(a_top_level_without_the_kernels_half_is_refused_there),
    TEST_END,
};

const struct test_suite selftest_refusals = {"refusals", "mapping calls that are refused change nothing",
                                             tests};
