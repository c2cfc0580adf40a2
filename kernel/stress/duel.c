/* SPDX-License-Identifier: MIT */
/*
 * Of several calls that concern the same thing at the same time exactly one succeeds, and is not disturbed by the others.
 *
 *      boot CPU   take one |         | call | judge, drop, take the next |         | call ...
 *      others              |(barrier)| call |                  (barrier) |         | call ...
 *
 * Nobody allocates between the calls, so it cannot be somebody else's by the time of the second free.  The
 * refusals are counted as misuses, n - 1 each time, and not logged.  Where one call is right and the others wrong, the CPUs
 * take turns in making it.
 */
#include <kernel/cpu/registers.h>
#include <kernel/mm/memory.h>
#include <kernel/stress/duel.h>
#include <kernel/stress/worker.h>
#include <kernel/time/time.h>
#include <mm/mm.h>

#define STARTS_PER_S 20000 /* 50 us after the next one was decided on */
#define START_SPINS  10000

static struct {
    u32 kind;
    u32 right; /* the CPU that makes the right call */
    u64 at;    /* what it is about; 0: no more */
    u64 start; /* by the time-stamp counter */
    u32 n_won;
    u32 n_there, n_barriers; /* CPUs that wait at the barrier, and how often it opened */
} duel;

/* Waits until all CPUs are here. */
static void barrier(void)
{
    u32 n_barriers = __atomic_load_n(&duel.n_barriers, __ATOMIC_ACQUIRE);

    if (__atomic_add_fetch(&duel.n_there, 1, __ATOMIC_ACQ_REL) == stress.n_workers) {
        duel.n_there = 0;
        __atomic_fetch_add(&duel.n_barriers, 1, __ATOMIC_ACQ_REL);
    }
    while (__atomic_load_n(&duel.n_barriers, __ATOMIC_ACQUIRE) == n_barriers) {
        smp_serve();
        cpu_pause();
    }
}

/* The barrier lets them through one after the other: waits for a moment agreed on, if the CPUs' clocks agree.
 */
static void wait_for_start(void)
{
    for (u32 i = 0; i < START_SPINS && tsc_read() < duel.start; i++)
        smp_serve();
}

/* Decides on the next round: the kind whose turn it is, or one after it for which there is memory. */
static void prepare(struct worker *worker)
{
    bool over = stress_look_up(worker);

    duel.at = 0;
    duel.n_won = 0;
    duel.right = (u32)(worker->n_steps / n_duel_kinds % stress.n_workers);
    for (u32 i = 0; i < n_duel_kinds && !over && duel.at == 0; i++) {
        duel.kind = (u32)((worker->n_steps + i) % n_duel_kinds);
        duel.at = duel_kinds[duel.kind].take();
    }
    duel.start = tsc_read() + time_tsc_hz() / STARTS_PER_S;
}

static void fight(const struct duel_kind *kind, u32 number)
{
    bool wrong = kind->wrong != NULL && number != duel.right;

    if ((wrong ? kind->wrong : kind->call)(duel.at, number))
        __atomic_fetch_add(&duel.n_won, 1, __ATOMIC_RELAXED);
}

static void judge(const struct worker *worker, const struct duel_kind *kind, u32 n_lost)
{
    __atomic_fetch_add(&stress.n_wrong, n_lost, __ATOMIC_RELAXED);
    STRESS_EXPECT(worker, n_lost == stress.n_workers - 1 && (!kind->tells || duel.n_won == 1),
                  "%u CPUs at once on 0x%lx (%s): %u were refused, %u succeeded", stress.n_workers, duel.at, kind->name,
                  n_lost, duel.n_won);
    if (kind->drop != NULL)
        kind->drop(duel.at);
}

/* The boot CPU decides for all whether there is another round. */
void duel_all(struct worker *worker)
{
    bool leads = worker->number == 0, logged = false;
    ul n_misuses = mm_misuse_count();

    if (leads)
        logged = memory_log_misuses(false);
    for (;;) {
        worker->n_steps++;
        if (leads)
            prepare(worker);
        barrier();
        if (duel.at == 0)
            break;
        trace(worker, TRACE_DUEL, duel.kind, duel.at, 0);
        wait_for_start();
        fight(&duel_kinds[duel.kind], worker->number);
        barrier();
        if (leads) {
            judge(worker, &duel_kinds[duel.kind], (u32)(mm_misuse_count() - n_misuses));
            n_misuses = mm_misuse_count();
        }
    }
    if (leads)
        memory_log_misuses(logged);
}
