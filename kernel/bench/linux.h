/* SPDX-License-Identifier: MIT */
/*
 * What Linux 6.1 takes for the same operations in the same machine, in instructions, and what we want to
 * take.
 *
 * Two builds were measured: Debian's as it is installed, and a lean one of the same source (no hardening, no
 * memory control groups, no NUMA, no debugging), which is the bar.
 */
#ifndef KERNEL_BENCH_LINUX_H
#define KERNEL_BENCH_LINUX_H

#include <lib/types.h>

struct linux_figure {
    const char *name;
    u64 param;
    const char *debian;    /* "-" where it was not measured */
    u64 lean_hundredths;   /* 0: not measured */
    unsigned target, goal; /* 0: none */
};

/* NULL when there is nothing to compare with. */
const struct linux_figure *linux_find(const char *name, u64 param);

#endif
