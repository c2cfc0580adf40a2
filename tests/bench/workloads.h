/* SPDX-License-Identifier: MIT */
/* The workloads of kernel/bench/ that make sense for any allocator, timed by the clock of the process. */
#ifndef TESTS_BENCH_WORKLOADS_H
#define TESTS_BENCH_WORKLOADS_H

#include <allocator.h>

struct trace;

/* What one thread needs.  Threads share nothing but the allocator and the lists that are only read. */
struct worker {
    const struct allocator *allocator;
    const struct trace *trace; /* NULL: no replay */
    const u32 *steps;          /* of mixed_server */
    const u32 *order;          /* 0 .. 1023 shuffled */
};

struct workload {
    const char *name; /* as in the kernel's bench */
    u64 param;
    u64 n_operations; /* of one call of `run`; 0: an event of the trace each */

    /* Does it once and returns nanoseconds, one or two numbers (allocate, free); false: memory is exhausted.
     */
    bool (*run)(const struct worker *worker, u64 param, u64 ns[2]);
    const char *second_name; /* of ns[1]; NULL: there is one number */
    unsigned n_samples;
};

extern const struct workload workloads[];
extern const unsigned n_workloads;

#endif
