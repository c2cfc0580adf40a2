/* SPDX-License-Identifier: MIT */
/* Starting mm on machines of all sizes and shapes: it comes up sound, or says why not. */
#include <cmocka_all.h>
#include <map_machine.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <mm/frame.h>
#include <mm/inspect.h>

#define SMALL_BYTES MIB(128) /* so small that all of it is taken and given back */

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* Something of everything, on a machine of any size. */
static void assert_usable(void)
{
    static const unsigned zones[] = {ZONE_DMA, ZONE_NORMAL, ZONE_UNMAPPED_IN_PGT};
    u64 used;

    mm_shrink();
    used = mm_stat().used;
    for (unsigned i = 0; i < ARRAY_LENGTH(zones); i++) {
        struct Page *page = alloc_pages(zones[i], 1, 0);

        if (page != NULL)
            free_pages(page, 1);
    }
    for (u64 size = 32; size <= MIB(1); size *= 2)
        assert_int_equal(kfree(kmalloc(size, 0)), 0);
    if (mm_map_phys_addr(MM_SPECIAL_START, DEVICE_AT, MIB(2), DEVICE_FLAGS, true) == 0)
        mm_unmap_addr(MM_SPECIAL_START, MIB(2));
    assert_sound();
    if (mm_stat().total <= SMALL_BYTES)
        assert_all_can_be_taken();
    assert_nothing_leaked(used);
    assert_int_equal(mm_misuse_count(), 0);
}

/* The options that every machine is tried with. */
static const struct machine_options all_options[] = {
    {0},
    {.old_cpu = true},
    {.no_gigabyte_pages = true},
    {.direct_map_bytes = ~0UL},
    {.direct_map_bytes = MIB(33) + 5},
    {.direct_map_bytes = 1},
    {.dma_bytes = MIB(6)},
    {.dma_bytes = MIB(33) + 5},
    {.mem_bytes = MIB(24) + 4095},
};

static void start_with_all_options(const struct machine_ram *ram, unsigned n_ram)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(all_options); i++) {
        const char *wrong = machine_start(ram, n_ram, &all_options[i]);

        if (wrong != NULL && all_options[i].direct_map_bytes == 1)
            continue; /* nothing of the direct map may be left above the first MiB */
        if (wrong != NULL)
            fail_msg("%lu bytes at 0x%lx and more, options %u: %s", ram->bytes, ram->start, i, wrong);
        assert_started();
        assert_usable();
    }
}

static void machines_of_all_sizes_start(void **state)
{
    (void)state;
    for (u64 bytes = MIB(8); bytes <= GIB(64); bytes *= 2) {
        struct machine_ram ram[2] = {{0, min_u64(bytes, GIB(3))}, {GIB(4), bytes - min_u64(bytes, GIB(3))}};

        start_with_all_options(ram, bytes > GIB(3) ? 2 : 1);
    }
}

static void machines_of_odd_sizes_start(void **state)
{
    const u64 sizes[] = {MIB(9) + 4096, MIB(15) + 12345, MIB(63) + 1, MIB(127) - 1, MIB(2047) + 4095};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct machine_ram ram = {0, sizes[i]};

        start_with_all_options(&ram, 1);
    }
}

/* From nothing on: there is a message, or a sound machine, and once there is enough there is always enough.
 */
static void too_small_a_machine_says_so(void **state)
{
    const char *wrong = "never tried";
    u64 enough = 0;

    (void)state;
    for (u64 bytes = 0; bytes <= MIB(8); bytes += KIB(68)) {
        struct machine_ram ram = {0, bytes};

        wrong = machine_start(&ram, 1, NULL);
        if (wrong == NULL) {
            assert_started();
            assert_usable();
            enough = enough == 0 ? bytes : enough;
        } else if (enough != 0) {
            fail_msg("%lu bytes are enough, %lu are not: %s", enough, bytes, wrong);
        }
    }
    assert_null(wrong);
    assert_in_range(enough, MIB(2), MIB(4));
}

/* NORMAL with 0, 1, 2 ... frames: the early allocator, and what comes after it, run dry at each of their
 * steps. */
static void start_can_run_out_of_memory_anywhere(void **state)
{
    static const struct machine_ram ram = {0, MIB(64)};
    const char *wrong = "never tried";
    unsigned n_failed = 0;

    (void)state;
    for (u64 n_frames = 0; wrong != NULL; n_frames++) {
        const struct mm_reserved reserved[] = {
            {MACHINE_IMAGE_END, MIB(20), "below"},
            {MIB(20) + n_frames * FRAME_BYTES, MIB(64), "above"},
        };
        const struct machine_options options = {.reserved = reserved, .n_reserved = 2};

        wrong = machine_start(&ram, 1, &options);
        n_failed += wrong != NULL;
        assert_true(n_frames < 100);
    }
    assert_in_range(n_failed, 8, 64);
    assert_sound();
}

static void holes_of_all_kinds_are_left_alone(void **state)
{
    static const struct machine_ram rams[][4] = {
        {{0, MIB(16)}, {MIB(17), KIB(4)}, {MIB(18) + KIB(4), MIB(100)}, {GIB(1), KIB(12)}},
        {{0, MIB(7)}, {MIB(9), MIB(9)}, {MIB(20), MIB(31)}, {MIB(53), MIB(4)}},
        {{MIB(1), MIB(15)}, {MIB(32), MIB(32)}, {GIB(4), MIB(64)}, {GIB(8) - KIB(8), KIB(8)}},
        {{0, KIB(640)}, {MIB(16), MIB(64)}, {MIB(100), KIB(4)}, {MIB(102), KIB(4)}},
        {{0, MIB(3)}, {GIB(1), GIB(1)}, {GIB(3), GIB(1) - KIB(4)}, {GIB(5) + KIB(4), GIB(1)}},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(rams); i++)
        start_with_all_options(rams[i], 4);
}

/* AMD moves high RAM up to 1 TiB; and what a machine with 46 bits can have at the end of its addresses. */
static void ram_behind_great_holes_is_used(void **state)
{
    const struct machine_ram rams[][2] = {
        {{0, MIB(512)}, {TIB(1), MIB(512)}},
        {{0, GIB(3)}, {TIB(1), GIB(3)}},
        {{0, MIB(64)}, {TIB(16), MIB(64)}},
        {{0, MIB(64)}, {TIB(32) - MIB(64), MIB(64)}},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(rams); i++) {
        struct machine_options options = {.direct_map_bytes = i % 2 == 0 ? ~0UL : 0};

        assert_null(machine_start(rams[i], 2, &options));
        assert_started();
        assert_usable();
        assert_true(Phy_to_2M_Page(GIB(500))->zone == NULL);
        assert_int_equal(mm_ram_end(), rams[i][1].start + rams[i][1].bytes);
    }
}

static void ram_above_32_tib_does_not_count(void **state)
{
    static const struct machine_ram ram[] = {{0, MIB(64)}, {TIB(32) - MIB(8), MIB(16)}, {TIB(40), GIB(1)}};

    (void)state;
    assert_null(machine_start(ram, 3, NULL));
    assert_started();
    assert_usable();
    assert_int_equal(mm_stat().total, MIB(72) - KIB(384));
    assert_int_equal(mm_ram_end(), TIB(32));
}

static void ram_behind_what_does_not_count_is_as_if_it_were_not_there(void **state)
{
    static const struct machine_ram ram[] = {{0, MIB(64)}, {TIB(33), GIB(1)}};

    (void)state;
    assert_null(machine_start(ram, 2, NULL));
    assert_started();
    assert_usable();
    assert_int_equal(mm_ram_end(), MIB(64));
}

static void ram_beyond_the_address_width_does_not_count(void **state)
{
    static const struct machine_ram ram[] = {{0, MIB(64)}, {GIB(64) - MIB(8), MIB(16)}, {GIB(65), GIB(1)}};
    static const struct machine_options options = {.old_cpu = true}; /* 36 bits: 64 GiB */

    (void)state;
    assert_null(machine_start(ram, 3, &options));
    assert_started();
    assert_usable();
    assert_int_equal(mm_ram_end(), GIB(64));
}

static void a_machine_without_ram_says_so(void **state)
{
    static const struct machine_ram high = {TIB(33), GIB(1)}, tiny = {0, KIB(4)}, partial = {100, KIB(4)};

    (void)state;
    assert_non_null(machine_start(NULL, 0, NULL));
    assert_non_null(machine_start(&high, 1, NULL));
    assert_non_null(machine_start(&tiny, 1, NULL));
    assert_non_null(machine_start(&partial, 1, NULL));
}

/* boot/'s tables reach 4 GiB; what lies above cannot be written before mm has tables of its own. */
static void ram_above_the_early_tables_is_not_touched_early(void **state)
{
    static const struct machine_ram low = {0, MIB(16)}, high = {GIB(5), GIB(1)};
    const struct machine_ram both[] = {low, high};

    (void)state;
    assert_non_null(machine_start(&high, 1, NULL));
    start_with_all_options(both, 2);
}

static void mm_can_be_started_again_and_again(void **state)
{
    u64 used = 0;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_null(machine_start_bytes(MIB(64), NULL));
        assert_started();
        if (i > 0)
            assert_int_equal(mm_stat().used, used);
        used = mm_stat().used;
        assert_non_null(kmalloc(100, 0));
        assert_non_null(alloc_pages(ZONE_NORMAL, 2, PAGE_SHARED));
        kfree((void *)0x123);
    }
}

/* What starting costs: at 512 MiB 8 MiB at most are in use, and each further GiB costs little. */
static void starting_takes_little_memory(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(512), NULL));
    assert_true(mm_stat().used <= MIB(8));
    assert_null(machine_start_bytes(GIB(64), NULL));
    assert_true(mm_stat().used <= MIB(24));
}

#define TEST(name) cmocka_unit_test_teardown(name, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(machines_of_all_sizes_start),
        TEST(machines_of_odd_sizes_start),
        TEST(too_small_a_machine_says_so),
        TEST(start_can_run_out_of_memory_anywhere),
        TEST(holes_of_all_kinds_are_left_alone),
        TEST(ram_behind_great_holes_is_used),
        TEST(ram_above_32_tib_does_not_count),
        TEST(ram_behind_what_does_not_count_is_as_if_it_were_not_there),
        TEST(ram_beyond_the_address_width_does_not_count),
        TEST(a_machine_without_ram_says_so),
        TEST(ram_above_the_early_tables_is_not_touched_early),
        TEST(mm_can_be_started_again_and_again),
        TEST(starting_takes_little_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
