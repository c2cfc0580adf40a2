/* SPDX-License-Identifier: MIT */
/* The process as the world of the kernel's tests: see selftest_host.h. */
#include <cmocka_all.h>
#include <paging_tools.h>
#include <selftest_host.h>

#include <kernel/console/console.h>
#include <kernel/cpu/features.h>
#include <kernel/selftest/outcome.h>
#include <kernel/selftest/tables.h>
#include <kernel/selftest/world.h>
#include <mm/cpu.h>
#include <mm/inspect.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* ---- what the kernel has and a process has not ---- */

struct cpu_features cpu_features;

void kvprintf(const char *format, va_list arguments)
{
    vprintf(format, arguments);
}

void kprintf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
}

bool world_has_time(void)
{
    return true;
}

/* ---- log lines: the host's reports are not in the kernel's log ---- */

void world_hush(bool hush)
{
    (void)hush;
}

u64 world_n_notes(void)
{
    return host_n_reports(MM_NOTE);
}

/* ---- another CPU is another thread ---- */

static struct mm_cpu *other_cpu;

struct errand {
    void (*fn)(void *);
    void *argument;
    pthread_barrier_t *start; /* NULL: at once */
};

static void *run_errand(void *context)
{
    const struct errand *errand = context;

    host_cpu = other_cpu;
    if (errand->start != NULL)
        pthread_barrier_wait(errand->start);
    errand->fn(errand->argument);
    return NULL;
}

bool world_run_elsewhere(void (*fn)(void *), void *argument)
{
    struct errand errand = {fn, argument, NULL};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run_errand, &errand), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return true;
}

bool world_run_on_two(void (*fn)(void *), void *argument)
{
    pthread_barrier_t start;
    struct errand errand = {fn, argument, &start};
    pthread_t thread;

    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, run_errand, &errand), 0);
    pthread_barrier_wait(&start);
    fn(argument);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_barrier_destroy(&start);
    return true;
}

void selftest_host_start(void)
{
    const struct mm_features *features = &machine_boot()->features;

    cpu_features = (struct cpu_features){.no_execute = features->no_execute,
                                         .gigabyte_pages = features->gigabyte_pages,
                                         .global_pages = features->global_pages,
                                         .pat = features->pat,
                                         .phys_bits = features->phys_bits};
    other_cpu = mm_cpu_create();
    assert_non_null(other_cpu);
}

void selftest_host_stop(void)
{
    other_cpu = NULL;
}

void selftest_host_run(const struct test_suite *suite, const char *name)
{
    for (const struct test *test = suite->tests; test->name != NULL; test++) {
        const char *skipped = NULL;
        enum test_outcome outcome;

        if (strcmp(test->name, name) != 0)
            continue;
        outcome = test_run_watched(test, &skipped);
        assert_sound();
        if (outcome != TEST_PASSED)
            fail_msg("%s %s", name, skipped != NULL ? skipped : "failed: see the notes above");
        return;
    }
    fail_msg("suite %s has no test %s", suite->name, name);
}
