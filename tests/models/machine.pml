/* SPDX-License-Identifier: MIT */
/*
 * What the models share: N CPUs with interrupts, mailboxes and store buffers.
 *
 * A CPU is a process of ordinary code and one of its interrupt handler, which runs only with interrupts on
 * and holds the code up while it runs (`provided`).  A stopped CPU runs neither.
 *
 * Memory is x86's (TSO): a plain store may wait in its CPU's store buffer, seen by that CPU at once and by
 * others when it lands; locked instructions and those that serialise wait until it has landed (FENCE).
 * Stores whose delay can matter are modelled so; others land at once.
 *
 * MUTANT(k) is true when the checker runs with MUTANT=k in its environment: then one thing is done wrong, and
 * the model must fail.  0 is what the kernel does.
 */
#ifndef N
#define N 2
#endif

c_decl {
    \#include <stdlib.h>
};
byte mutant;
#define MUTANT(k) (mutant == (k))
#define READ_MUTANT c_code { now.mutant = getenv("MUTANT") ? atoi(getenv("MUTANT")) : 0; }

bool interrupts[N] = true;
bool in_handler[N];
bool stopped[N];
bool finished[N];

#define RUNS(me) (!in_handler[me] && !stopped[me])

/* A mailbox a CPU, a bit a kind (kernel/smp/ipi.c), and what the one request of each kind under way says. */
bool flush_mail[N], sync_mail[N];
byte flush_next, flush_now, sync_next, sync_now;    /* their locks are taken in turns */
byte flush_range;
bool sync_runs_fn;

/* One of mm's locks. */
bool zone_lock;

/* Nothing more can happen: all CPUs must have come to their end, or in a panic the one that is left. */
bool panicked;
byte owner = N;

proctype watch()
{
    byte i;

    timeout ->
    do
    :: i < N ->
        assert(finished[i] || (panicked && owner != i));
        i++
    :: else -> break
    od
}
