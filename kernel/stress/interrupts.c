/* SPDX-License-Identifier: MIT */
/*
 * Allocation inside of timer interrupts, on every CPU, while it allocates itself.
 *
 * The APIC's timer is set anew each time, to a random moment: so interrupts come everywhere, also right
 * behind one another.  A machine that uses no APIC has the tick, on the boot CPU.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/stress/worker.h>
#include <kernel/time/time.h>

#define STEPS_EACH 3
#define MS_PARTS   10 /* the timer is set to between 1/10 and 11/10 ms */

static u32 counts_per_ms;

static void work(struct worker *worker)
{
    for (unsigned i = 0; i < STEPS_EACH && !stress.failed; i++)
        worker_step(worker);
}

static u32 on_timer(void)
{
    struct worker *worker = stress.interrupt_worker[cpu_this()->number];

    work(worker);
    return (u32)(counts_per_ms / MS_PARTS + worker_random(worker) % (counts_per_ms + 1)) | 1;
}

static void on_tick(void)
{
    work(stress.interrupt_worker[0]);
}

void interrupts_begin(struct worker *worker)
{
    if (worker->number == 0 && counts_per_ms == 0)
        counts_per_ms = smp_timer_counts_per_ms();
    if (!smp_set_timer(on_timer) && worker->number == 0)
        time_set_tick_hook(on_tick);
}

void interrupts_end(struct worker *worker)
{
    if (!smp_set_timer(NULL) && worker->number == 0)
        time_set_tick_hook(NULL);
}
