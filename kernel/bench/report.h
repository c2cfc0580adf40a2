/* SPDX-License-Identifier: MIT */
/* How figures are printed. */
#ifndef KERNEL_BENCH_REPORT_H
#define KERNEL_BENCH_REPORT_H

#include <kernel/bench/measure.h>

/* Before the first figure, as each comes, and after the last. */
void report_begin(const struct bench *bench);
void report_figure(const struct bench *bench, const struct figure *figure);
void report_end(const struct bench *bench);

#endif
