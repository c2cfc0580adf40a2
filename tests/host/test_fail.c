/* SPDX-License-Identifier: MIT */
/* Failures on purpose: which requests fail, what is counted, and the caches that are out of use meanwhile. */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <mm/cpu.h>
#include <mm/fail.h>
#include <mm/frame.h>
#include <mm/slab.h>

static struct mm_stat_t at_start;

static int start_machine(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(64), NULL));
    mm_shrink();
    at_start = mm_stat();
    return 0;
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static void assert_as_at_start(void)
{
    struct mm_stat_t now;

    mm_shrink();
    now = mm_stat();
    assert_memory_equal(&now, &at_start, sizeof now);
    assert_sound();
}

/* Everything that the caches of a context hold. */
static u64 n_cached(const struct mm_cpu *cpu)
{
    u64 n = mm_cpu_free_frames(cpu);

    for (unsigned class = 0; class < MM_N_CLASSES; class ++)
        n += magazine_count(cpu, class);
    return n;
}

static void fill_caches(void)
{
    for (ul size = 32; size <= KMALLOC_MAX_BYTES; size *= 2)
        assert_int_equal(kfree(kmalloc(size, 0)), 0);
    for (unsigned order = 0; order <= STACK_ORDERS; order++)
        assert_int_equal(frame_free(frame_alloc(ZONE_NORMAL, order), order), 0);
    free_pages(alloc_pages(ZONE_NORMAL, 1, 0), 1);
}

static void caches_out_of_use_hold_nothing(void **state)
{
    const struct mm_cpu *cpu = mm_boot_cpu(MM_CONTEXT_CODE);

    (void)state;
    fill_caches();
    assert_int_not_equal(n_cached(cpu), 0);
    assert_true(mm_caches_off());
    assert_int_equal(n_cached(cpu), 0);
    fill_caches();
    assert_int_equal(n_cached(cpu), 0);
    assert_sound();
    assert_true(mm_caches_on());
    fill_caches();
    assert_int_not_equal(n_cached(cpu), 0);
    assert_as_at_start();
}

/* Many of each, freed in another order: past the room that magazines and stacks would have. */
static void caches_out_of_use_hold_nothing_however_much_is_freed(void **state)
{
    const struct mm_cpu *cpu = mm_boot_cpu(MM_CONTEXT_CODE);
    static void *object[300];
    static phys_t frame[300];

    (void)state;
    assert_true(mm_caches_off());
    for (unsigned i = 0; i < 300; i++) {
        object[i] = kmalloc(32UL << i % 10, 0);
        frame[i] = frame_alloc(ZONE_NORMAL, i % 4);
        assert_non_null(object[i]);
        assert_false(phys_is_none(frame[i]));
    }
    for (unsigned i = 0; i < 300; i++) {
        unsigned chosen = i * 7 % 300;

        assert_int_equal(kfree(object[chosen]), 0);
        assert_int_equal(frame_free(frame[chosen], chosen % 4), 0);
        assert_int_equal(n_cached(cpu), 0);
    }
    assert_sound();
    assert_true(mm_caches_on());
    assert_as_at_start();
}

static void caches_off_nests(void **state)
{
    const struct mm_cpu *cpu = mm_boot_cpu(MM_CONTEXT_CODE);

    (void)state;
    assert_true(mm_caches_off());
    assert_true(mm_caches_off());
    assert_true(mm_caches_on());
    fill_caches();
    assert_int_equal(n_cached(cpu), 0);
    assert_true(mm_caches_on());
    fill_caches();
    assert_int_not_equal(n_cached(cpu), 0);
    assert_as_at_start();
}

static void caches_of_a_new_cpu_are_out_of_use_like_the_others(void **state)
{
    struct mm_cpu *cpu;

    (void)state;
    assert_true(mm_caches_off());
    cpu = mm_cpu_create();
    assert_non_null(cpu);
    for (unsigned class = 0; class < MM_N_CLASSES; class ++)
        assert_int_equal(magazine_capacity(cpu, class), 0);
    assert_int_equal(cpu->frame_capacity + cpu->page_capacity, 0);
    assert_sound();
}

/* An interrupt handler cannot wait for the code that it interrupted. */
static void caches_stay_as_they_are_in_an_interrupt(void **state)
{
    (void)state;
    host_cpu_select(MM_CONTEXT_INTERRUPT);
    assert_false(mm_caches_off());
    assert_false(fail_arm(FAIL_NTH, 1, false));
    host_cpu_select(MM_CONTEXT_CODE);
    fill_caches();
    assert_int_not_equal(n_cached(mm_boot_cpu(MM_CONTEXT_CODE)), 0);
    assert_as_at_start();
}

static struct fail_info info(void)
{
    struct fail_info info;

    fail_info(&info);
    return info;
}

/* Which of the first 64 requests failed, a bit each, request 1 being bit 0. */
static u64 failures_of_64(enum fail_mode mode, u64 n)
{
    u64 failed = 0;

    assert_true(fail_arm(mode, n, false));
    for (unsigned i = 0; i < 64; i++) {
        phys_t frame = frame_alloc(ZONE_NORMAL, 0);

        failed |= (u64)phys_is_none(frame) << i;
        if (!phys_is_none(frame))
            assert_int_equal(frame_free(frame, 0), 0);
    }
    assert_int_equal(info().n_requests, 64);
    assert_int_equal(info().n_failed, __builtin_popcountl(failed));
    assert_true(fail_disarm());
    return failed;
}

static void the_chosen_requests_fail_and_no_others(void **state)
{
    (void)state;
    assert_int_equal(failures_of_64(FAIL_NTH, 1), 1);
    assert_int_equal(failures_of_64(FAIL_NTH, 64), 1UL << 63);
    assert_int_equal(failures_of_64(FAIL_NTH, 65), 0);
    assert_int_equal(failures_of_64(FAIL_EVERY, 1), ~0UL);
    assert_int_equal(failures_of_64(FAIL_EVERY, 4), 0x8888888888888888);
    assert_int_equal(failures_of_64(FAIL_EVERY, ~0UL), 0);
    assert_int_equal(failures_of_64(FAIL_FROM, 1), ~0UL);
    assert_int_equal(failures_of_64(FAIL_FROM, 33), 0xffffffff00000000);
    assert_as_at_start();
}

static void arming_wants_a_mode_and_a_number(void **state)
{
    (void)state;
    assert_false(fail_arm(FAIL_NTH, 0, false));
    assert_false(fail_arm(FAIL_OFF, 1, false));
    assert_int_equal(info().mode, FAIL_OFF);
    assert_true(fail_disarm()); /* nothing was */
    fill_caches();
    assert_int_not_equal(n_cached(mm_boot_cpu(MM_CONTEXT_CODE)), 0);
    assert_as_at_start();
}

static void arming_again_counts_from_1(void **state)
{
    (void)state;
    assert_true(fail_arm(FAIL_NTH, 1, false));
    assert_true(phys_is_none(frame_alloc(ZONE_DMA, 3)));
    assert_int_equal(info().n_failed, 1);
    assert_string_equal(info().last_zone, "DMA");
    assert_int_equal(info().last_frames, 8);
    assert_true(fail_arm(FAIL_NTH, 1, false));
    assert_int_equal(info().n_failed + info().n_requests, 0);
    assert_null(info().last_zone);
    assert_null(alloc_pages(ZONE_UNMAPPED_IN_PGT, 2, 0));
    assert_string_equal(info().last_zone, "UNMAPPED");
    assert_int_equal(info().last_frames, 1024);
    assert_true(fail_disarm());
    assert_int_equal(info().n_failed, 1); /* still told */
    fill_caches();
    assert_int_not_equal(n_cached(mm_boot_cpu(MM_CONTEXT_CODE)), 0); /* off once only */
    assert_as_at_start();
}

/* What makes no sense is refused before any zone is asked. */
static void what_asks_no_zone_is_not_counted(void **state)
{
    void *object = kmalloc(32, 0);

    (void)state;
    assert_true(fail_arm(FAIL_FROM, 1, false));
    assert_null(alloc_pages(ZONE_NORMAL, 0, 0));
    assert_null(alloc_pages(ZONE_NORMAL, 64, 0));
    assert_null(alloc_pages(7, 1, 0));
    assert_true(phys_is_none(frame_alloc(ZONE_NORMAL, FRAME_MAX_ORDER + 1)));
    assert_null(kmalloc(KMALLOC_MAX_BYTES + 1, 0));
    assert_int_equal(kfree(kmalloc(32, 0)), 0); /* beside the other one */
    assert_int_equal(info().n_requests, 0);
    assert_true(fail_disarm());
    assert_int_equal(kfree(object), 0);
    assert_as_at_start();
}

/* A request that fails gives back what is cached, as one that really fails. */
static void a_failing_request_gives_back_what_is_cached(void **state)
{
    void *objects[2];

    (void)state;
    assert_true(fail_arm(FAIL_FROM, ~0UL, false));
    for (unsigned i = 0; i < 2; i++)
        objects[i] = kmalloc(512, 0);
    assert_int_equal(kfree(objects[0]) + kfree(objects[1]), 0);
    assert_int_not_equal(mm_stat().cache_free, 0); /* the empty slab */
    assert_true(fail_arm(FAIL_NTH, 1, false));
    assert_true(phys_is_none(frame_alloc(ZONE_NORMAL, 0)));
    assert_int_equal(mm_stat().cache_free, 0);
    assert_true(fail_disarm());
    assert_as_at_start();
}

/* With caches a stack of frames is filled at the first request, and the next 31 frames are not asked for. */
static void with_caches_only_what_they_cannot_serve_is_counted(void **state)
{
    phys_t frame[32];

    (void)state;
    mm_shrink();
    assert_true(fail_arm(FAIL_NTH, 1, true));
    for (unsigned i = 0; i < 32; i++)
        frame[i] = frame_alloc(ZONE_NORMAL, 0);
    assert_false(phys_is_none(frame[0])); /* the refill failed, not the frame */
    assert_int_equal(info().n_requests, 3);
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(frame_free(frame[i], 0), 0);
    assert_int_not_equal(n_cached(mm_boot_cpu(MM_CONTEXT_CODE)), 0);
    assert_true(fail_arm(FAIL_NTH, 1, false));
    assert_int_equal(n_cached(mm_boot_cpu(MM_CONTEXT_CODE)), 0);
    assert_true(fail_arm(FAIL_NTH, 1, true));
    fill_caches();
    assert_int_not_equal(n_cached(mm_boot_cpu(MM_CONTEXT_CODE)), 0);
    assert_true(fail_disarm());
    assert_as_at_start();
}

static void the_same_calls_make_the_same_requests(void **state)
{
    u64 n[2];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        mm_shrink();
        assert_true(fail_arm(FAIL_FROM, ~0UL, false));
        fill_caches();
        n[i] = info().n_requests;
        assert_true(fail_disarm());
    }
    assert_int_not_equal(n[0], 0);
    assert_int_equal(n[0], n[1]);
    assert_as_at_start();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(caches_out_of_use_hold_nothing),
        TEST(caches_out_of_use_hold_nothing_however_much_is_freed),
        TEST(caches_off_nests),
        TEST(caches_of_a_new_cpu_are_out_of_use_like_the_others),
        TEST(caches_stay_as_they_are_in_an_interrupt),
        TEST(the_chosen_requests_fail_and_no_others),
        TEST(arming_wants_a_mode_and_a_number),
        TEST(arming_again_counts_from_1),
        TEST(what_asks_no_zone_is_not_counted),
        TEST(a_failing_request_gives_back_what_is_cached),
        TEST(with_caches_only_what_they_cannot_serve_is_counted),
        TEST(the_same_calls_make_the_same_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
