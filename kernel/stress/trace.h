/* SPDX-License-Identifier: MIT */
/* What each worker did last, for the report of a failure. */
#ifndef KERNEL_STRESS_TRACE_H
#define KERNEL_STRESS_TRACE_H

#include <lib/types.h>

#define TRACE_EVENTS 16 /* kept of each worker */

enum trace_what {
    TRACE_NOTHING,
    TRACE_MAKE,     /* a thing: kind, address, number (worker.h) */
    TRACE_DROP,     /* the same */
    TRACE_GIVE,     /* the same, put into another CPU's inbox */
    TRACE_TAKE,     /* the same, out of its own */
    TRACE_BURST,    /* many at once: kind, how many, order */
    TRACE_MAP,      /* a cell: 0, where, frames */
    TRACE_UNMAP,    /* the same */
    TRACE_SHRINK,
    TRACE_WRONG,    /* a wrong call: kind, address, which */
    TRACE_SHORTAGE, /* took all memory */
    TRACE_DUEL,     /* frees what all free: kind, address */
    TRACE_SPOIL,    /* a thing, as above */
};

struct trace_event {
    u64 tsc;
    u64 at;
    u32 step;
    u16 number;
    u8 what; /* enum trace_what */
    u8 kind;
};

struct worker;

/* Notes what a worker is about to do.  Cost: some 10 instructions and a look at the TSC. */
void trace(struct worker *worker, enum trace_what what, unsigned kind, u64 at, u64 number);

/* Prints the last events of all workers, the oldest first.  Boot CPU, while the others rest. */
void trace_print(void);

#endif
