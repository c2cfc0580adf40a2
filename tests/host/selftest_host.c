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
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* ---- what the kernel has and a process has not ---- */

struct cpu_features cpu_features;

static char said[KIB(64)]; /* by the test that runs, or ran last */

void kvprintf(const char *format, va_list arguments)
{
    size_t n = strlen(said);

    vsnprintf(said + n, sizeof said - n, format, arguments);
    fputs(said + n, stdout);
}

bool selftest_host_said(const char *text)
{
    return strstr(said, text) != NULL;
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

void world_hush_notes(bool hush)
{
    (void)hush;
}

void world_hush_misuses(bool hush)
{
    (void)hush;
}

u64 world_n_notes(void)
{
    return host_n_reports(MM_NOTE);
}

/* ---- another CPU is another thread ---- */

static struct mm_cpu *other_cpu;

#define MAX_SPINS 1000 /* then the other one may be waiting for this CPU */

struct errand {
    void (*fn)(void *);
    void *argument;
    u32 *n_there; /* NULL: at once; else how many are ready for both to begin */
};

static void run_errand(const struct errand *errand)
{
    if (errand->n_there != NULL)
        __atomic_fetch_add(errand->n_there, 1, __ATOMIC_ACQ_REL);
    for (u32 i = 0; errand->n_there != NULL && __atomic_load_n(errand->n_there, __ATOMIC_ACQUIRE) != 2; i++)
        if (i > MAX_SPINS)
            sched_yield();
    errand->fn(errand->argument);
}

static void *run_in_thread(void *errand)
{
    host_cpu = other_cpu;
    run_errand(errand);
    return NULL;
}

static pthread_t start_thread(struct errand *errand)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, errand), 0);
    return thread;
}

bool world_run_elsewhere(void (*fn)(void *), void *argument)
{
    struct errand errand = {fn, argument, NULL};

    assert_int_equal(pthread_join(start_thread(&errand), NULL), 0);
    return true;
}

bool world_run_on_two(void (*fn)(void *), void *argument)
{
    u32 n_there = 0;
    struct errand errand = {fn, argument, &n_there};
    pthread_t thread = start_thread(&errand);

    run_errand(&errand);
    assert_int_equal(pthread_join(thread, NULL), 0);
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
        said[0] = 0;
        outcome = test_run_watched(test, &skipped);
        assert_sound();
        if (outcome != TEST_PASSED)
            fail_msg("%s %s", name, skipped != NULL ? skipped : "failed: see the notes above");
        return;
    }
    fail_msg("suite %s has no test %s", suite->name, name);
}
