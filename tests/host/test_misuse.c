/* SPDX-License-Identifier: MIT */
/* The kernel's table of wrong frees in a process, other CPUs being threads. */
#include <cmocka_all.h>
#include <selftest_host.h>

#include <kernel/selftest/suites.h>

static int start_64m(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(64), NULL));
    selftest_host_start();
    return 0;
}

/* With a hole below 4 GiB, and RAM above it. */
static int start_6g(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(GIB(6), NULL));
    selftest_host_start();
    return 0;
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
    selftest_host_run(&selftest_misuse, *state);
}

/* The table as a whole, but for what such a machine has not. */
static void run_rows(void **state, const char *rows)
{
    run(state);
    assert_true(selftest_host_said(rows));
}

static void run_64m(void **state)
{
    run_rows(state, " 88 of 89 rows tried\n");
}

static void run_6g(void **state)
{
    run_rows(state, " 89 of 89 rows tried\n");
}

#define ROWS(name, machine)                                                                                  \
    {                                                                                                        \
#name " on " #machine, run_##machine, start_##machine, stop, #name                                   \
    }
#define ON(name, machine)                                                                                    \
    {                                                                                                        \
#name " on " #machine, run, start_##machine, stop, #name                                             \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROWS(wrong_frees_are_refused, 64m),
        ROWS(wrong_frees_are_refused, 6g),
        ROWS(wrong_frees_of_what_another_cpu_took_are_refused, 64m),
        ROWS(wrong_frees_of_what_another_cpu_took_are_refused, 6g),
        ROWS(wrong_frees_on_another_cpu_are_refused, 64m),
        ROWS(wrong_frees_on_another_cpu_are_refused, 6g),
        ON(of_two_frees_at_the_same_moment_one_succeeds, 64m),
        ON(kfree_of_random_numbers, 64m),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
