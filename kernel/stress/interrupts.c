/* SPDX-License-Identifier: MIT */
/*
 * Allocation inside of timer interrupts, on every CPU, while it allocates itself.
 *
 * The APIC's timer is set anew each time, to a random moment: so interrupts come everywhere, also right
 * behind one another.  A machine that uses no APIC has the tick, on the boot CPU, made faster for that time.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/stress/worker.h>
#include <kernel/time/time.h>

#define STEPS_EACH  3
#define PARTS_LEAST 20 /* the timer is set to 1/20 ms and ... */
#define PARTS_MORE  8  /* ... up to 1/8 ms more: some thousands of interrupts a second */
#define TICK_HZ     4000
#define STALLED_MOST 6 /* 2^6 * 1/8 ms at most */

static u32 counts_per_ms;

/*
 * On a busy host, or with CPUs that take turns, the time between two interrupts may be over before the interrupted code
 * ran at all.  So while that makes no step, interrupts come half as often each time.
 */
static unsigned n_without_progress(struct worker *worker)
{
    u64 n_steps = stress.worker[worker->number]->n_steps;

    if (n_steps != worker->n_steps_seen)
        worker->n_stalled = 0;
    else if (worker->n_stalled < STALLED_MOST)
        worker->n_stalled++;
    worker->n_steps_seen = n_steps;
    return worker->n_stalled;
}

static void work(struct worker *worker)
{
    __atomic_fetch_add(&stress.n_interrupts, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < STEPS_EACH && !stress.failed; i++)
        worker_step(worker);
}

static u32 on_timer(void)
{
    struct worker *worker = stress.interrupt_worker[cpu_this()->number];
    unsigned n_stalled = n_without_progress(worker);
    u64 n_counts;

    work(worker);
    n_counts = counts_per_ms / PARTS_LEAST + worker_random(worker) % (counts_per_ms / PARTS_MORE + 1);
    return ((u32)n_counts | 1) << n_stalled;
}

static void on_tick(void)
{
    if (n_without_progress(stress.interrupt_worker[0]) == 0)
        work(stress.interrupt_worker[0]);
}

void interrupts_begin(struct worker *worker)
{
    worker->interrupts_from_ms = time_ms();
    if (worker->number == 0 && counts_per_ms == 0)
        counts_per_ms = smp_timer_counts_per_ms();
    if (!smp_set_timer(on_timer) && worker->number == 0) {
        time_set_tick_hook(on_tick);
        time_set_tick_rate(TICK_HZ);
    }
}

void interrupts_end(struct worker *worker)
{
    __atomic_fetch_add(&stress.interrupt_ms, time_ms() - worker->interrupts_from_ms, __ATOMIC_RELAXED);
    if (!smp_set_timer(NULL) && worker->number == 0) {
        time_set_tick_rate(TIME_TICK_HZ);
        time_set_tick_hook(NULL);
    }
}
