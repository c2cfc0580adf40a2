/* SPDX-License-Identifier: MIT */
/* How figures are printed. */
#ifndef KERNEL_BENCH_REPORT_H
#define KERNEL_BENCH_REPORT_H

#include <kernel/bench/measure.h>

/* As each figure comes, and after the last, unless something went wrong. */
void report_figure(const struct bench *bench, const struct figure *figure);
void report_end(const struct bench *bench);

#endif
