/* SPDX-License-Identifier: MIT */
/* Stress: everything that mm can do, at once, on all CPUs, with every content checked. */
#ifndef KERNEL_STRESS_STRESS_H
#define KERNEL_STRESS_STRESS_H

#include <lib/types.h>

/* What there is to do, and options of how. */
enum stress_part {
    STRESS_OBJECTS = 1 << 0,
    STRESS_BLOCKS = 1 << 1,
    STRESS_PAGES = 1 << 2,
    STRESS_MAPPINGS = 1 << 3,
    STRESS_SHRINK = 1 << 4,
    STRESS_SHORTAGE = 1 << 5,   /* now and then one CPU takes all memory that is left */
    STRESS_WRONG = 1 << 6,      /* now and then a wrong call, which must be refused */
    STRESS_SHOOT = 1 << 7,      /* at first: mappings shot down while all other CPUs use them */
    STRESS_DUELS = 1 << 8,      /* before that: things freed by all CPUs at once */
    STRESS_CROWD = 1 << 9,      /* before the rest: all CPUs work on objects of one size only */
    STRESS_FAULTS = 1 << 10,    /* in every other slice, requests for memory fail on purpose */
    STRESS_WORK = (1 << 7) - 1, /* what is done at once */
    STRESS_ALL = (1 << 11) - 1,
    STRESS_ACTS = STRESS_WORK | STRESS_SHOOT | STRESS_DUELS | STRESS_CROWD, /* what does something without the others */
    STRESS_INTERRUPTS = 1 << 11, /* allocation in timer interrupts, too */
    STRESS_SPOIL = 1 << 12,      /* a worker spoils an object of its own, to see the report: only when asked for */
};

struct stress_request {
    u64 seconds;
    u64 seed;  /* not 0 */
    u32 parts; /* enum stress_part */
};

/*
 * Runs it on all CPUs, for that long or until Ctrl-C.  What it takes it gives back, and then mm_check must
 * hold and mm_stat be as before.  Writes what it did, and as the last line `ok` or `error: ...`; true when
 * that was ok.  Boot CPU, ordinary code.
 */
bool stress_run(const struct stress_request *request);

#endif
