/* SPDX-License-Identifier: MIT */
/*
 * What tests ask of the world that they run in: the booted kernel, or a process (tests/host/), which runs the
 * suites that need no hardware once more, under sanitizers.
 */
#ifndef KERNEL_SELFTEST_WORLD_H
#define KERNEL_SELFTEST_WORLD_H

#include <lib/types.h>

/* True where thousands of cases cost little: tests then leave none out. */
bool world_has_time(void);

/* mm's notes (allocations that failed), its reports of misuse: counted, but not shown, from now on; or shown
 * again. */
void world_hush_notes(bool hush);
void world_hush_misuses(bool hush);
u64 world_n_notes(void);

/* Runs fn(argument) on another CPU, and waits for it.  False when there is none. */
bool world_run_elsewhere(void (*fn)(void *), void *argument);

/* Runs fn(argument) on another CPU and on this one, at the same moment as nearly as can be, and waits for
 * both.  False when there is only one. */
bool world_run_on_two(void (*fn)(void *), void *argument);

#endif
