/* SPDX-License-Identifier: MIT */
/*
 * The CPUs that run, and their work.
 *
 * A CPU that has no work sleeps in HLT.  smp_post hands it one function at a time through its slot: `work` is
 * set last and cleared when the function has returned; the interrupt that follows only ends the HLT.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/registers.h>
#include <kernel/smp/cpus.h>
#include <kernel/smp/ipi.h>
#include <kernel/smp/lapic.h>
#include <kernel/smp/smp.h>

/* What a CPU is to do.  fn is read once `work` is true. */
struct slot {
    struct cpu *cpu;
    void (*fn)(void *);
    void *argument;
    bool work;
};

static struct slot slots[SMP_N_CPUS];
static u32 n_cpus = 1;

u32 smp_n_cpus(void)
{
    return __atomic_load_n(&n_cpus, __ATOMIC_ACQUIRE);
}

const struct cpu *smp_cpu(u32 number)
{
    return slots[number].cpu;
}

void cpus_set(u32 number, struct cpu *cpu)
{
    slots[number].cpu = cpu;
}

void cpus_count(u32 n)
{
    __atomic_store_n(&n_cpus, n, __ATOMIC_RELEASE);
}

/* STI takes effect after HLT has begun, so no wake-up is lost. */
_Noreturn void cpus_work(u32 number)
{
    struct slot *slot = &slots[number];

    for (;;) {
        interrupts_disable();
        if (!__atomic_load_n(&slot->work, __ATOMIC_ACQUIRE)) {
            cpu_wait_interrupt();
            continue;
        }
        interrupts_enable();
        slot->fn(slot->argument);
        __atomic_store_n(&slot->work, false, __ATOMIC_RELEASE);
    }
}

bool smp_post(u32 number, void (*fn)(void *), void *argument)
{
    struct slot *slot = &slots[number];

    if (smp_is_busy(number))
        return false;
    slot->fn = fn;
    slot->argument = argument;
    __atomic_store_n(&slot->work, true, __ATOMIC_RELEASE);
    lapic_send(slot->cpu->apic_id, IPI_VECTOR);
    return true;
}

bool smp_is_busy(u32 number)
{
    return __atomic_load_n(&slots[number].work, __ATOMIC_ACQUIRE);
}

struct call_all {
    void (*fn)(u32 number, void *argument);
    void *argument;
};

static void call_here(void *argument)
{
    const struct call_all *call = argument;

    call->fn(cpu_this()->number, call->argument);
}

static void wait_idle(u32 number)
{
    while (smp_is_busy(number)) {
        smp_serve();
        cpu_pause();
    }
}

void smp_run_on_all(void (*fn)(u32 number, void *argument), void *argument)
{
    struct call_all call = {fn, argument};
    u32 n = smp_n_cpus();

    for (u32 i = 1; i < n; i++) {
        wait_idle(i);
        smp_post(i, call_here, &call);
    }
    call_here(&call);
    for (u32 i = 1; i < n; i++)
        wait_idle(i);
}
