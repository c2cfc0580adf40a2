/* SPDX-License-Identifier: MIT */
/* Running one test with everything watched around it: between selftest.c and expect.c. */
#ifndef KERNEL_SELFTEST_OUTCOME_H
#define KERNEL_SELFTEST_OUTCOME_H

#include <kernel/selftest/test.h>

enum test_outcome { TEST_PASSED, TEST_FAILED, TEST_SKIPPED };

/* *skipped is the reason when it was skipped. */
enum test_outcome test_run_watched(const struct test *test, const char **skipped);

#endif
