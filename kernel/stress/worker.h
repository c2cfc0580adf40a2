/* SPDX-License-Identifier: MIT */
/*
 * Between the files of stress.
 *
 * A *worker* is what one CPU has of a run: its random numbers, and a number of *things*, each of which is
 * nothing or something taken from mm, of one *kind*.  A second worker of each CPU works in its timer
 * interrupts.
 */
#ifndef KERNEL_STRESS_WORKER_H
#define KERNEL_STRESS_WORKER_H

#include <kernel/smp/smp.h>
#include <kernel/stress/stress.h>
#include <kernel/stress/trace.h>
#include <lib/bits.h>
#include <mm/types.h>

enum thing_kind { THING_NONE, THING_OBJECT, THING_BLOCK, THING_PAGES, THING_MAPPING, N_THING_KINDS };

struct thing {
    u8 kind;
    u8 zone;   /* ZONE_* of a block or pages */
    u8 number; /* an object's class shift, a block's order, how many pages, a mapping's cell */
    u64 at;    /* virtual of an object, physical of a block or the first page */
    u64 tag;   /* its content follows from it */
};

#define WORKER_THINGS  256
#define WORKER_PARCELS 8

/* A thing on its way to another CPU. */
struct parcel {
    u32 state; /* enum parcel_state in worker.c */
    struct thing thing;
};

struct worker {
    u32 number; /* the CPU's */
    bool in_interrupt;
    u64 random;
    u64 n_steps;
    u64 bytes, budget_bytes;   /* what its things take, and may take */
    u64 n_made[N_THING_KINDS]; /* since start */
    u64 n_refused;             /* no memory */
    u64 n_given;               /* things handed to other CPUs */
    u64 n_in_bursts;
    u64 rest_until[N_THING_KINDS], rest[N_THING_KINDS]; /* after a failure: steps to leave that kind alone */
    struct thing thing[WORKER_THINGS];
    struct parcel inbox[WORKER_PARCELS];
    u64 interrupts_from_ms;
    u64 n_steps_seen; /* of an interrupt worker: how far the interrupted one was the last time ... */
    u32 n_stalled;    /* ... and how often in a row it was no further */
    u64 n_events;
    struct trace_event event[TRACE_EVENTS]; /* a ring */
};

enum burst_kind { BURST_OBJECTS, BURST_FRAMES, BURST_PAGE, BURST_MAPPING };

/* What all CPUs do in a slice of the crowd. */
struct crowd {
    enum burst_kind kind;
    unsigned order;
};

/* A run.  The flags are set by anybody. */
struct stress {
    struct stress_request request;
    u32 parts;                                   /* those of this slice */
    u32 n_workers;
    struct worker *worker[SMP_N_CPUS];
    struct worker *interrupt_worker[SMP_N_CPUS]; /* NULL without STRESS_INTERRUPTS */
    bool slice_over;                             /* leave what you are doing, the boot CPU wants to look */
    bool interrupted;                            /* Ctrl-C */
    bool failed;
    u64 failed_tsc;                              /* when */
    const struct crowd *crowd;                   /* NULL: everything */
    u64 n_faults;                                /* requests that failed on purpose */
    u64 n_interrupts, interrupt_ms;              /* interrupts that allocated; for how long they came, sum of the CPUs */
    u32 n_wrong_allowed, n_shortages_allowed; /* in this slice */
    u64 n_wrong;                              /* wrong calls made */
    char why[160];
};

extern struct stress stress;

/* One kind of thing. */
struct kind_of_thing {
    const char *name;
    bool (*make)(struct worker *worker, struct thing *thing);        /* false: no memory */
    void (*check)(struct worker *worker, const struct thing *thing); /* its content, in full */
    void (*drop)(struct worker *worker, struct thing *thing);
    u64 (*bytes)(const struct thing *thing);
};

extern const struct kind_of_thing kind_object, kind_block, kind_pages, kind_mapping;

/* The kind of a thing that is something. */
const struct kind_of_thing *kind_of(const struct thing *thing);

/* On the boot CPU: looks at the clock and the keyboard; true when the slice is over. */
bool stress_look_up(const struct worker *worker);

/* Notes why the run failed, if it is the first to, and ends it.  `worker` may be NULL. */
void stress_fail(const struct worker *worker, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fails unless `good`. */
#define STRESS_EXPECT(worker, good, ...) ((good) ? (void)0 : stress_fail(worker, __VA_ARGS__))

static inline u64 worker_random(struct worker *worker)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return worker->random >> 11; /* the low bits are the weaker ones */
}

static inline bool worker_chance(struct worker *worker, u64 one_in)
{
    return worker_random(worker) % one_in == 0;
}

static inline bool stress_is_over(void)
{
    return __atomic_load_n(&stress.slice_over, __ATOMIC_RELAXED) ||
           __atomic_load_n(&stress.failed, __ATOMIC_RELAXED);
}

/* Word i of the content that belongs to a tag. */
static inline u64 content_word(u64 tag, u64 i)
{
    return tag ^ (i + 1) * 0x9e3779b97f4a7c15UL;
}

/* One step: makes, checks, gives away or drops a thing; sometimes more. */
void worker_step(struct worker *worker);

/* Checks all its things; drops them and what is in its inbox. */
void worker_check_all(struct worker *worker);
void worker_drop_all(struct worker *worker);

/* burst.c: many of one kind at once; false when there was no memory for one. */
bool burst(struct worker *worker);

/* wrong.c: one wrong call, which must be refused.  shortage.c: takes all that is left, and gives it back. */
void wrong_call(struct worker *worker);
void shortage(struct worker *worker);

/* duel.c: the same thing freed by all CPUs at once; on all of them, until the slice is over. */
void duel_all(struct worker *worker);

/* cells.c: places for mappings, n of them. */
void cells_start(u32 n);
void cells_peek(struct worker *worker); /* looks at what another CPU has mapped, or has not mapped any more */

/* shoot.c: on all CPUs at once, worker 0 .. n - 1; `shooter` maps and unmaps, the others use it. */
void shoot(struct worker *worker, u32 shooter);

/* faults.c: around a slice in which requests for memory fail.  Boot CPU, while the others rest. */
void faults_begin(u64 slice);
void faults_end(void);

/* interrupts.c: starts and stops the timer interrupts of this CPU. */
void interrupts_begin(struct worker *worker);
void interrupts_end(struct worker *worker);

#endif
