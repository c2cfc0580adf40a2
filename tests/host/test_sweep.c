/* SPDX-License-Identifier: MIT */
/* The kernel's suite `sweep` in a process: every request for memory of every call fails once. */
#include <cmocka_all.h>
#include <selftest_host.h>

#include <kernel/selftest/suites.h>
#include <kernel/selftest/sweep.h>
#include <mm/cpu.h>
#include <mm/fail.h>

#include <stdio.h>

static int start_machine(u64 bytes, const struct machine_options *options)
{
    assert_null(machine_start_bytes(bytes, options));
    selftest_host_start();
    return 0;
}

static int start_64m(void **state)
{
    (void)state;
    return start_machine(MIB(64), NULL);
}

/* Runs of 63 pages in every zone. */
static int start_1g(void **state)
{
    static const struct machine_options options = {.dma_bytes = MIB(256)};

    (void)state;
    return start_machine(GIB(1), &options);
}

/* A block of the largest order. */
static int start_192g(void **state)
{
    static const struct machine_options options = {.direct_map_bytes = GIB(160)};

    (void)state;
    return start_machine(GIB(192), &options);
}

/* No leaves of 1 GiB: holes split those of 2 MiB. */
static int start_old(void **state)
{
    static const struct machine_options options = {.old_cpu = true};

    (void)state;
    return start_machine(MIB(64), &options);
}

static int stop(void **state)
{
    (void)state;
    selftest_host_stop();
    machine_stop();
    return 0;
}

static void run(void **state)
{
    selftest_host_run(&selftest_sweep, *state);
}

/* ---- what only a process can try ---- */

static void *object;

/* An interrupt handler cannot wait, and has no caches. */
static bool kmalloc_in_interrupt(ul bytes)
{
    host_cpu_select(MM_CONTEXT_INTERRUPT);
    object = kmalloc(bytes, 0);
    host_cpu_select(MM_CONTEXT_CODE);
    return object != NULL;
}

static void kfree_in_interrupt(ul bytes)
{
    (void)bytes;
    host_cpu_select(MM_CONTEXT_INTERRUPT);
    assert_int_equal(kfree(object), 0);
    host_cpu_select(MM_CONTEXT_CODE);
}

static void kmalloc_of_interrupt_handlers(void)
{
    for (ul bytes = 32; bytes <= MIB(1); bytes *= 2) {
        const struct sweep cases[] = {
            {"kmalloc(%lu) in an interrupt", sweep_fill_slabs, kmalloc_in_interrupt, kfree_in_interrupt,
             sweep_release, bytes, SWEEP_ASKS | SWEEP_TELLS},
            {"kmalloc(%lu) in an interrupt, no frame in pages with roles", sweep_fill_role_pages,
             kmalloc_in_interrupt, kfree_in_interrupt, sweep_release, bytes, SWEEP_ASKS | SWEEP_TELLS},
        };

        sweep_all(cases, 2);
    }
}

static const struct test own_tests[] = {TEST(kmalloc_of_interrupt_handlers), TEST_END};
static const struct test_suite own_suite = {"own", "what only a process can try", own_tests};

static void run_own(void **state)
{
    selftest_host_run(&own_suite, *state);
}

/* Caches of CPUs are for ever: the one that was made at last stays. */
static void mm_cpu_create_fails_as_a_whole(void **state)
{
    struct mm_stat_t before = mm_stat(), after;
    struct fail_info info;
    struct mm_cpu *cpu;

    (void)state;
    assert_true(fail_arm(FAIL_NTH, 1, false));
    cpu = mm_cpu_create();
    fail_info(&info);
    assert_null(cpu);
    assert_int_equal(info.n_failed, 1);
    mm_shrink();
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    cpu = mm_cpu_create();
    fail_info(&info);
    assert_non_null(cpu);
    assert_int_equal(info.n_requests, 2);
    assert_true(fail_disarm());
}

/* Each case could be prepared. */
static void run_all(void **state)
{
    char all[32];
    unsigned n = 0;

    run(state);
    do
        snprintf(all, sizeof all, " cases: %u of %u;", n, n);
    while (!selftest_host_said(all) && ++n < 1000);
    assert_in_range(n, 1, 999);
}

#define ON(name, machine)                                                                                    \
    {                                                                                                        \
#name " on " #machine, run_all, start_##machine, stop, #name                                             \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(kmalloc_of_small_objects, 64m),
        ON(kmalloc_of_large_objects, 64m),
        ON(kzalloc_of_small_and_large_objects, 64m),
        ON(frame_alloc_of_each_order, 64m),
        ON(frame_alloc_of_each_order, 192g),
        ON(alloc_pages_of_each_zone, 64m),
        ON(calls_that_free, 64m),
        ON(alloc_pages_of_each_zone, 1g),
        ON(calls_that_free, 1g),
        ON(mapping_calls, 64m),
        ON(mapping_calls, old),
        ON(mapping_calls_with_the_kept_frames_in_use, 64m),
        ON(mapping_calls_with_the_kept_frames_in_use, old),
        ON(unmapping_calls_that_split, 64m),
        ON(unmapping_calls_that_split, old),
        ON(address_spaces_and_device_memory, 64m),
        {"kmalloc_of_interrupt_handlers", run_own, start_64m, stop, "kmalloc_of_interrupt_handlers"},
        {"mm_cpu_create_fails_as_a_whole", mm_cpu_create_fails_as_a_whole, start_64m, stop, NULL},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
