/* SPDX-License-Identifier: MIT */
/* Batches: n things taken in a row, then given back in a certain order. */
#ifndef KERNEL_BENCH_BATCH_H
#define KERNEL_BENCH_BATCH_H

#include <kernel/bench/measure.h>

#define BATCH_ROUNDS 15

/* Which is given back first: the oldest, the newest, or any. */
enum batch_order { BATCH_FIFO, BATCH_LIFO, BATCH_RANDOM };

struct batch {
    const char *alloc_name, *free_name; /* of the two figures */
    u64 param;
    unsigned n;
    enum batch_order order;
    u64 nothing; /* what a failed allocation leaves in its item */

    /* One sample each: ticks for all n.  `free` gets the items in the order in which they go. */
    u64 (*alloc)(u64 *item, unsigned n, u64 param);
    u64 (*free)(const u64 *item, unsigned n, u64 param);
};

/* Runs BATCH_ROUNDS rounds and one before them, and reports both figures. */
enum outcome batch_run(struct bench *bench, const struct batch *batch);

#endif
