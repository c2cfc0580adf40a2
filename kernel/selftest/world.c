/* SPDX-License-Identifier: MIT */
/* The booted kernel as the tests' world: see world.h. */
#include <kernel/cpu/registers.h>
#include <kernel/mm/memory.h>
#include <kernel/selftest/world.h>
#include <kernel/smp/smp.h>

#define OTHER_CPU 1

static struct {
    void (*fn)(void *);
    void *argument;
    u32 n_there;
} duel;

bool world_has_time(void)
{
    return false;
}

void world_hush_notes(bool hush)
{
    memory_log_notes(!hush);
}

void world_hush_misuses(bool hush)
{
    memory_log_misuses(!hush);
}

u64 world_n_notes(void)
{
    return memory_note_count();
}

static void wait_for_other(void)
{
    while (smp_is_busy(OTHER_CPU)) {
        smp_serve();
        cpu_pause();
    }
}

bool world_run_elsewhere(void (*fn)(void *), void *argument)
{
    if (smp_n_cpus() == 1 || !smp_post(OTHER_CPU, fn, argument))
        return false;
    wait_for_other();
    return true;
}

/* Whoever comes first waits for the second. */
static void run_together(void *unused)
{
    (void)unused;
    __atomic_fetch_add(&duel.n_there, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&duel.n_there, __ATOMIC_ACQUIRE) != 2) {
        smp_serve();
        cpu_pause();
    }
    duel.fn(duel.argument);
}

bool world_run_on_two(void (*fn)(void *), void *argument)
{
    duel.fn = fn;
    duel.argument = argument;
    duel.n_there = 0;
    if (smp_n_cpus() == 1 || !smp_post(OTHER_CPU, run_together, NULL))
        return false;
    run_together(NULL);
    wait_for_other();
    return true;
}
