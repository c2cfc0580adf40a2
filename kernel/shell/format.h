/* SPDX-License-Identifier: MIT */
/*
 * Numbers as a person reads them.  Pure C: also built and tested on the host.
 *
 * Results are small structures, so that several fit into one call: out("%s of %s", format_size(a).s,
 * format_size(b).s).
 */
#ifndef KERNEL_SHELL_FORMAT_H
#define KERNEL_SHELL_FORMAT_H

#include <lib/types.h>

struct number_text {
    char s[40];
};

/* Bytes with three significant digits and a unit: "0", "512 B", "1.50 KiB", "16 MiB", "63.9 GiB".  Never
 * rounded up to more than there is; exact multiples have no fraction. */
struct number_text format_size(u64 bytes);

/* The same without blank and "iB", for tight places: "512", "1.50K", "16M". */
struct number_text format_size_short(u64 bytes);

/* 0x and lower-case hex, also for 0. */
struct number_text format_hex(u64 value);

/* [start, end) as "0x1000-0x2000". */
struct number_text format_range(u64 start, u64 end);

/* 536870912 as "536,870,912". */
struct number_text format_thousands(u64 value);

/* Sizes for people or for scripts: format_size, or the plain number of bytes. */
struct number_text format_bytes(u64 bytes, bool human);

/* part / whole as "12.3 %"; of nothing it is "-".  Rounded down, so that 100.0 % means all. */
struct number_text format_percent(u64 part, u64 whole);

/* The number of tenths of a percent, rounded down; whole 0 gives 0. */
unsigned per_mille(u64 part, u64 whole);

#endif
