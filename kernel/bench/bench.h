/* SPDX-License-Identifier: MIT */
/*
 * Measuring mm on this very machine: the commands `bench` and `replay`.
 *
 * The figures are ticks of the time-stamp counter for one operation.  Under QEMU's -icount shift=0,sleep=off
 * a tick is one guest instruction, and two runs agree to the last digit.
 *
 * Context: the shell's, interrupts on.  What the workloads take they give back; after mm_shrink mm_stat is
 * what it was.
 */
#ifndef KERNEL_BENCH_BENCH_H
#define KERNEL_BENCH_BENCH_H

#include <lib/types.h>

enum bench_form { BENCH_TABLE, BENCH_CSV, BENCH_JSON };

struct bench_request {
    const char *name; /* a workload or one of its figures, or the beginning of several; NULL: all of them */
    enum bench_form form;
    unsigned full_percent; /* run with so much of what lies above ZONE_DMA taken (fill.h); 0: as it is */
};

/*
 * Runs the workloads asked for and prints their figures:
 *   BENCH_TABLE  a line a figure, with what Linux takes where the clock counts instructions, and what else the
 *                workload has to tell
 *   BENCH_CSV    bench,<name>,<param>,<ops>,<total>,<min per op>,<median per op>
 *   BENCH_JSON   one array of {"name", "param", "min", "median"} on one line; nothing after an error
 * Workloads that need something that is not there (a trace) run only when they are named.  Returns false
 * after an error line: an unknown name, no memory, a sum that is not what it should be, a trace that cannot be
 * played.  Ctrl-C ends it.
 */
bool bench_run(const struct bench_request *request);

/* Name i = 0, 1, ... of a workload and what it does in one line; NULL after the last. */
const char *bench_name(unsigned i);
const char *bench_summary(unsigned i);

/*
 * Fragmentation: fills 90 % of memory frame by frame, frees half of it at random, then frees and takes again
 * a tenth of what is left 100 times, and prints how much of the free memory lies in whole pages.  `seed`: of
 * the random order, not 0. On machines with more than 8 GiB the rest is taken in large blocks first.  False
 * after an error line.
 */
bool bench_churn(u64 seed);

/*
 * What memory management takes for itself, in bytes, as one line of names and numbers: total and free as
 * mm_stat has them; page_array, held_bits and tables (the page tables of boot); metadata, the sum of these
 * three.
 */
void bench_memory(void);

#endif
