/* SPDX-License-Identifier: MIT */
/* The suites, one a file. */
#ifndef KERNEL_SELFTEST_SUITES_H
#define KERNEL_SELFTEST_SUITES_H

#include <kernel/selftest/test.h>

extern const struct test_suite selftest_constants;
extern const struct test_suite selftest_stat;
extern const struct test_suite selftest_kmalloc;
extern const struct test_suite selftest_frames;
extern const struct test_suite selftest_pages;
extern const struct test_suite selftest_map;
extern const struct test_suite selftest_refusals;
extern const struct test_suite selftest_unmap;
extern const struct test_suite selftest_permissions;
extern const struct test_suite selftest_paging;
extern const struct test_suite selftest_shootdown;
extern const struct test_suite selftest_crowd;
extern const struct test_suite selftest_kernel_map;
extern const struct test_suite selftest_exhaustion;
extern const struct test_suite selftest_sweep;
extern const struct test_suite selftest_misuse;
extern const struct test_suite selftest_misuse_maps;
extern const struct test_suite selftest_debug;
extern const struct test_suite selftest_traps;
extern const struct test_suite selftest_user;
extern const struct test_suite selftest_patterns;

#ifdef SANITIZED
extern const struct test_suite selftest_sanitize;
#define SELFTEST_SANITIZE &selftest_sanitize,
#else
#define SELFTEST_SANITIZE
#endif

#endif
