/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own tests in a process: the suites of kernel/selftest/ that need no hardware, on machines made
 * to measure, under sanitizers, with the modelled MMU as the judge of mappings.
 */
#ifndef TESTS_HOST_SELFTEST_HOST_H
#define TESTS_HOST_SELFTEST_HOST_H

#include <machine.h>

struct test_suite;

/* What describes the CPU to the tests, and a second CPU: after machine_start. */
void selftest_host_start(void);
void selftest_host_stop(void);

/* Runs one test of a suite as the kernel does, with all watched around it; fails the cmocka test when it
 * fails, or is skipped. */
void selftest_host_run(const struct test_suite *suite, const char *name);

/* Whether this is in the notes of the test that ran last. */
bool selftest_host_said(const char *text);

#endif
