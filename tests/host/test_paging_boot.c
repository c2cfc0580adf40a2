/* SPDX-License-Identifier: MIT */
/* The kernel's own tables: image, direct map, windows, growth, on machines of all kinds. */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/paging.h>
#include <mm/state.h>

static u64 top;

static void start(u64 bytes, const struct machine_options *options)
{
    assert_null(machine_start_bytes(bytes, options));
    top = (u64)get_CR3();
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* What the tables say of a direct-map address. */
static bool direct(u64 at, struct host_translation *got)
{
    return host_walk(top, PAGE_OFFSET + at, got);
}

static void the_image_is_writable_or_executable_but_not_both(void **state)
{
    static const struct {
        u64 at, bytes;
        bool writable, executable;
    } parts[] = {
        {MACHINE_TEXT_PHYS, MACHINE_TEXT_BYTES, false, true},
        {MACHINE_RODATA_PHYS, MACHINE_RODATA_BYTES, false, false},
        {MACHINE_DATA_PHYS, MACHINE_DATA_BYTES, true, false},
    };
    struct host_translation got, alias;

    (void)state;
    start(MIB(64), NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_maps(top, MM_IMAGE_START + parts[i].at, parts[i].at, parts[i].bytes, KIB(4));
        assert_true(host_walk(top, MM_IMAGE_START + parts[i].at, &got));
        assert_true(direct(parts[i].at + parts[i].bytes - 1, &alias));
        assert_int_equal(got.writable, parts[i].writable);
        assert_int_equal(got.executable, parts[i].executable);
        assert_int_equal(alias.writable, parts[i].writable);
        assert_true(!alias.executable && !alias.user && !got.user && got.global && alias.global);
    }
    assert_unmapped(top, MM_IMAGE_START, MACHINE_TEXT_PHYS);
    assert_unmapped(top, MM_IMAGE_START + MACHINE_IMAGE_END, MIB(2));
    assert_true(direct(MACHINE_IMAGE_END, &got) && got.writable);
    assert_true(direct(MACHINE_TEXT_PHYS - MIB(1), &got) && got.writable);
    assert_sound();
}

static void nothing_else_is_left_of_the_tables_of_boot(void **state)
{
    struct paging_run run;

    (void)state;
    start(MIB(64), NULL);
    assert_false(paging_next_run(phys(top), virt(0), virt(PAGE_OFFSET), &run)); /* no identity map */
    assert_false(paging_next_run(phys(top), virt(MM_SPECIAL_START), virt(MM_MMIO_END), &run));
}

static void the_direct_map_covers_ram_of_dma_and_normal_and_nothing_else(void **state)
{
    struct host_translation got;

    (void)state;
    start(MIB(64), NULL);
    for (u64 at = 0; at < MIB(80); at += KIB(4)) {
        bool is_ram = at < KIB(640) || (at >= MIB(1) && at < MIB(64));
        assert_int_equal(direct(at, &got), is_ram && at < mm.direct_end);
        assert_int_equal(direct(at, &got), mm_is_direct(phys(at)));
    }
    assert_true(direct(MIB(32), &got));
    assert_int_equal(got.leaf_bytes, MIB(2));
    assert_true(got.writable && !got.executable && !got.user && got.global && got.cache == HOST_WB);
}

static void leaves_of_1_gib_lie_where_nothing_ever_changes(void **state)
{
    static const struct machine_options no_large = {.no_gigabyte_pages = true};
    struct host_translation got;

    (void)state;
    start(GIB(16), NULL);
    assert_true(direct(GIB(5), &got));
    assert_int_equal(got.leaf_bytes, GIB(1));
    assert_true(direct(mm.direct_end - MIB(2), &got));
    assert_true(direct(MIB(512), &got));
    assert_int_equal(got.leaf_bytes, MIB(2)); /* the image's GiB */
    assert_true(paging_count_tables() * KIB(4) < KIB(128));
    assert_sound();
    start(GIB(16), &no_large);
    assert_true(direct(GIB(5), &got));
    assert_int_equal(got.leaf_bytes, MIB(2));
    assert_sound();
}

static void no_large_leaf_reaches_over_a_hole(void **state)
{
    static const struct machine_ram ram[] = {
        {0, MIB(700)},
        {MIB(700) + KIB(4), MIB(300)}, /* a hole of one frame */
        {GIB(1) + MIB(1), GIB(1)},     /* begins and ends in the middle of a page */
        {GIB(3) + KIB(12), KIB(8)},    /* two frames alone */
        {GIB(4), GIB(4) - KIB(4)},     /* the last frame is missing */
    };
    static const struct machine_options all = {.direct_map_bytes = ~0UL};
    struct host_translation got;

    (void)state;
    assert_null(machine_start(ram, 5, &all));
    top = (u64)get_CR3();
    assert_sound();
    assert_false(direct(MIB(700), &got));
    assert_true(direct(MIB(700) - KIB(4), &got) && direct(MIB(700) + KIB(4), &got));
    assert_false(direct(GIB(1) + MIB(1) - 1, &got));
    assert_true(direct(GIB(1) + MIB(1), &got) && got.leaf_bytes == KIB(4));
    assert_false(direct(GIB(3) + KIB(8), &got) || direct(GIB(3) + KIB(20), &got));
    assert_true(direct(GIB(3) + KIB(16), &got));
    assert_false(direct(GIB(8) - KIB(4), &got));
    assert_true(direct(GIB(8) - KIB(8), &got) && got.leaf_bytes == KIB(4));
    assert_true(direct(GIB(5), &got) && got.leaf_bytes == GIB(1));
}

static void growing_takes_no_frame_for_tables_and_shrinking_gives_back(void **state)
{
    struct mm_zone_info zone;
    u64 n_tables, used;
    struct host_translation got;

    (void)state;
    start(MIB(256), NULL);
    mm_shrink();
    used = mm_stat().used;
    n_tables = paging_count_tables();
    assert_false(direct(mm.direct_end, &got));
    hoard_take(0);
    mm_zone_info(2, &zone);
    assert_int_equal(zone.free_bytes, 0);
    assert_int_equal(paging_count_tables(), n_tables);
    assert_true(direct(MIB(256) - 1, &got));
    assert_true(got.writable && !got.executable);
    assert_sound();
    assert_true(host_translate(PAGE_OFFSET + MIB(256) - 1, &got));
    hoard_give();
    assert_nothing_leaked(used);
    assert_false(host_translate(PAGE_OFFSET + MIB(256) - 1, &got));
    assert_int_equal(paging_count_tables(), n_tables);
}

static void every_slot_of_the_kernel_half_is_made_at_boot(void **state)
{
    u64 before[256], *entries;

    (void)state;
    start(MIB(64), NULL);
    entries = phys_2_virt(top);
    for (unsigned i = 0; i < 256; i++)
        before[i] = entries[256 + i];
    assert_int_equal(mm_map_phys_addr(MM_SPECIAL_START, DEVICE_AT, KIB(4), 0, true), 0);
    assert_int_equal(mm_map_phys_addr(MM_SPECIAL_END - KIB(4), DEVICE_AT, KIB(4), 0, true), 0);
    assert_int_equal(paging_map_own(virt(MM_MMIO_END - KIB(4)), phys(DEVICE_AT), KIB(4), PAGE_XD, true), 0);
    assert_int_equal(paging_map_own(virt(MM_STACKS_END - KIB(4)), phys(DEVICE_AT), KIB(4), PAGE_XD, true), 0);
    assert_int_equal(paging_unmap_own(virt(MM_MMIO_END - KIB(4)), KIB(4)), 0);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(entries[256 + i], before[i]);
    assert_sound();
}

static void machines_of_all_sizes_start(void **state)
{
    static const u64 sizes[] = {MIB(4), MIB(8), MIB(16), MIB(64), MIB(513),
                                GIB(2), GIB(3), GIB(6),  GIB(64), TIB(1)};
    static const struct machine_options old = {.old_cpu = true};

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        start(sizes[i], NULL);
        assert_sound();
        if (sizes[i] >= GIB(64))
            continue;
        start(sizes[i], &old);
        assert_sound();
    }
}

static void an_old_cpu_is_given_no_bit_that_it_reserves(void **state)
{
    static const struct machine_options old = {.old_cpu = true};
    struct host_translation got;

    (void)state;
    start(GIB(6), &old);
    assert_true(direct(MIB(64), &got));
    assert_true(got.executable && !got.global && got.leaf_bytes == MIB(2));
    assert_true(host_walk(top, MM_IMAGE_START + MACHINE_TEXT_PHYS, &got));
    assert_false(got.writable || got.global);
    assert_int_equal(host_n_mmu_mistakes(), 0);
}

static void too_little_memory_is_told_in_words(void **state)
{
    static const struct machine_ram tiny[] = {{MIB(1), KIB(768)}}, none[] = {{GIB(1), KIB(2)}};

    (void)state;
    assert_non_null(machine_start(tiny, 1, NULL)); /* all of it is the image */
    assert_non_null(machine_start(none, 1, NULL));
}

#define TEST(name) cmocka_unit_test_teardown(name, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_image_is_writable_or_executable_but_not_both),
        TEST(nothing_else_is_left_of_the_tables_of_boot),
        TEST(the_direct_map_covers_ram_of_dma_and_normal_and_nothing_else),
        TEST(leaves_of_1_gib_lie_where_nothing_ever_changes),
        TEST(no_large_leaf_reaches_over_a_hole),
        TEST(growing_takes_no_frame_for_tables_and_shrinking_gives_back),
        TEST(every_slot_of_the_kernel_half_is_made_at_boot),
        TEST(machines_of_all_sizes_start),
        TEST(an_old_cpu_is_given_no_bit_that_it_reserves),
        TEST(too_little_memory_is_told_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
