/* SPDX-License-Identifier: MIT */
/*
 * The list of suites, and running them: output as KTAP version 1.
 *
 *     KTAP version 1
 *     1..15                                      suites
 *         KTAP version 1
 *         # Subtest: kmalloc
 *         1..12                                  its tests
 *         # ./kernel/selftest/selftest_kmalloc.c:31: object: expected 0x0, found 0x1
 *         not ok 1 kmalloc_of_0_gives_32_bytes
 *         ...
 *     not ok 1 kmalloc
 *     ...
 *     # selftest: 150 passed, 1 failed
 *
 * Log lines (`[    1.234] mm: bad ...`) stand in between: tests of misuse provoke them.
 */
#include <kernel/console/console.h>
#include <kernel/mm/memory.h>
#include <kernel/selftest/outcome.h>
#include <kernel/selftest/selftest.h>
#include <kernel/selftest/suites.h>
#include <kernel/shell/out.h>
#include <kernel/time/time.h>
#include <lib/bits.h>
#include <lib/string.h>

static const struct test_suite *const suites[] = {
    &selftest_constants,   &selftest_stat,   &selftest_kmalloc,   &selftest_frames,
    &selftest_pages,       &selftest_map,    &selftest_refusals,  &selftest_unmap,
    &selftest_permissions, &selftest_paging, &selftest_shootdown, &selftest_crowd,
    &selftest_kernel_map,  &selftest_traps,  &selftest_user,      &selftest_patterns,
    &selftest_exhaustion,  &selftest_sweep,  &selftest_misuse,    &selftest_misuse_maps,
    &selftest_debug,       SELFTEST_SANITIZE};

struct totals {
    unsigned n_passed, n_failed, n_skipped;
    bool interrupted;
};

static unsigned suite_n_tests(const struct test_suite *suite)
{
    unsigned n = 0;

    while (suite->tests[n].name != NULL)
        n++;
    return n;
}

static void run_test(const struct test *test, unsigned number, struct totals *totals)
{
    const char *skipped = NULL;
    enum test_outcome outcome = test_run_watched(test, &skipped);

    totals->n_passed += outcome == TEST_PASSED;
    totals->n_failed += outcome == TEST_FAILED;
    totals->n_skipped += outcome == TEST_SKIPPED;
    kprintf("    %s %u %s", outcome == TEST_FAILED ? "not ok" : "ok", number, test->name);
    if (outcome == TEST_SKIPPED)
        kprintf(" # SKIP %s", skipped);
    kprintf("\n");
}

static void run_suite(const struct test_suite *suite, unsigned number, struct totals *totals)
{
    unsigned n_failed_before = totals->n_failed, n_tests = suite_n_tests(suite);

    kprintf("    KTAP version 1\n    # Subtest: %s\n    1..%u\n", suite->name, n_tests);
    for (unsigned i = 0; i < n_tests; i++) {
        totals->interrupted = out_interrupted();
        if (totals->interrupted)
            return;
        run_test(&suite->tests[i], i + 1, totals);
    }
    kprintf("%s %u %s\n", totals->n_failed == n_failed_before ? "ok" : "not ok", number, suite->name);
}

static bool suite_is_chosen(const struct test_suite *suite, const char *name)
{
    return name == NULL || strcmp(suite->name, name) == 0;
}

static unsigned n_suites_chosen(const char *name)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ARRAY_LENGTH(suites); i++)
        n += suite_is_chosen(suites[i], name);
    return n;
}

int selftest_run(const char *name)
{
    struct totals totals = {0};
    unsigned n_suites = n_suites_chosen(name), number = 0;
    u64 begin = time_ms();
    bool panicked_on_misuse;

    if (n_suites == 0)
        return SELFTEST_UNKNOWN;
    panicked_on_misuse = memory_panic_on_misuse(false); /* some tests misuse mm on purpose */
    kprintf("KTAP version 1\n1..%u\n", n_suites);
    for (unsigned i = 0; i < ARRAY_LENGTH(suites) && !totals.interrupted; i++)
        if (suite_is_chosen(suites[i], name))
            run_suite(suites[i], ++number, &totals);
    if (totals.interrupted)
        kprintf("Bail out! interrupted\n");
    memory_panic_on_misuse(panicked_on_misuse);
    if (totals.n_skipped != 0)
        kprintf("# %u skipped: this machine has not what they need\n", totals.n_skipped);
    kprintf("# took %lu ms\n", time_ms() - begin);
    kprintf("# selftest: %u passed, %u failed\n", totals.n_passed, totals.n_failed);
    return totals.interrupted && totals.n_failed == 0 ? SELFTEST_INTERRUPTED : (int)totals.n_failed;
}

const char *selftest_name(unsigned i)
{
    return i < ARRAY_LENGTH(suites) ? suites[i]->name : NULL;
}

const char *selftest_summary(unsigned i)
{
    return i < ARRAY_LENGTH(suites) ? suites[i]->summary : NULL;
}
