/* SPDX-License-Identifier: MIT */
/* Frames of split pages when memory is nearly full: a few in each page, for two CPUs. */
#include <cmocka_all.h>
#include <check_tools.h>

#include <mm/frame.h>
#include <mm/page.h>
#include <mm/state.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FRAMES (MIB(64) / FRAME_BYTES)

static struct mm_cpu *cpu[2];
static phys_t all[MAX_FRAMES];
static bool is_free[MAX_FRAMES];
static u32 n_all, n_free;

static int start(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(64), NULL));
    cpu[0] = mm_boot_cpu(MM_CONTEXT_CODE);
    assert_non_null(cpu[1] = mm_cpu_create());
    n_all = n_free = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* A frame, for this CPU; false when there is none left. */
static bool take_on(unsigned i)
{
    phys_t frame;

    host_cpu = cpu[i];
    frame = frame_alloc(ZONE_NORMAL, 0);
    if (phys_is_none(frame))
        return false;
    assert_true(is_free[frame.addr / FRAME_BYTES]);
    is_free[frame.addr / FRAME_BYTES] = false;
    n_free--;
    return true;
}

/* Takes all frames there are, then gives back one of each `step`: no two neighbours. */
static void scatter(unsigned step)
{
    phys_t frame;

    memset(is_free, 0, sizeof is_free);
    host_cpu = cpu[0];
    while (!phys_is_none(frame = frame_alloc(ZONE_NORMAL, 0)))
        all[n_all++] = frame;
    for (u32 i = 0; i < n_all; i++)
        if (all[i].addr / FRAME_BYTES % step == 0) {
            assert_int_equal(frame_free(all[i], 0), 0);
            is_free[all[i].addr / FRAME_BYTES] = true;
            n_free++;
        }
    mm_shrink();
    assert_sound();
}

static void give_all(void)
{
    host_cpu = cpu[0];
    for (u32 i = 0; i < n_all; i++)
        if (!is_free[all[i].addr / FRAME_BYTES])
            assert_int_equal(frame_free(all[i], 0), 0);
    mm_shrink();
    assert_sound();
}

/* The last frames of many pages are found, each once; what one CPU prefers is left to it as long as there is more. */
static void all_play(unsigned step, unsigned in_a_row)
{
    struct mm_stat_t before = mm_stat(), after;

    scatter(step);
    assert_true(n_free >= n_all / step - 1);
    for (u32 n = 0; n_free != 0; n++) {
        unsigned i = n / in_a_row % 2;

        if (!take_on(i) && !take_on(!i))
            break;
        if (n % 16 == 0)
            assert_sound();
    }
    assert_int_equal(n_free, 0);
    assert_true(phys_is_none(frame_alloc(ZONE_NORMAL, 0)));
    give_all();
    after = mm_stat();
    assert_int_equal(after.free, before.free);
    assert_int_equal(after.used, before.used);
}

static void a_frame_or_two_in_a_page(void **state)
{
    (void)state;
    all_play(256, 1);
}

static void some_frames_in_a_page(void **state)
{
    (void)state;
    all_play(64, 3);
}

static void half_of_the_frames(void **state)
{
    (void)state;
    all_play(2, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_or_two_in_a_page, start, stop),
        cmocka_unit_test_setup_teardown(some_frames_in_a_page, start, stop),
        cmocka_unit_test_setup_teardown(half_of_the_frames, start, stop),
    };
    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
