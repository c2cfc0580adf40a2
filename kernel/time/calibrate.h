/* SPDX-License-Identifier: MIT */
/* How fast the time-stamp counter counts. */
#ifndef KERNEL_TIME_CALIBRATE_H
#define KERNEL_TIME_CALIBRATE_H

#include <lib/types.h>

/*
 * Counts per second, and in *source what says so.  Tries in turn the 8254, the ACPI timer, the CPU's own
 * words; never waits unboundedly and always returns something above a million.
 */
u64 calibrate_tsc(const char **source);

#endif
