/* SPDX-License-Identifier: MIT */
/*
 * The end of all CPUs but one, when the kernel panics.
 *
 * An NMI stops them wherever they are, interrupts off and locks held: the one that is left takes no lock
 * (those that it meets are broken, platform.c) and waits for nobody.  Each notes where it was, for the
 * report.  One that does not answer in time is left to itself, and said so.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/backtrace.h>
#include <kernel/debug/symbols.h>
#include <kernel/smp/cpus.h>
#include <kernel/smp/lapic.h>
#include <kernel/smp/smp.h>
#include <kernel/time/time.h>

#define STOP_WAIT_US 2000000
#define STEP_US      50

static struct {
    bool stopped;
    u64 rip; /* 0: it stopped by itself, in a panic of its own */
} stops[SMP_N_CPUS];

_Noreturn void smp_stop_here(u64 rip)
{
    u32 number = cpu_this()->number;

    stops[number].rip = rip;
    __atomic_store_n(&stops[number].stopped, true, __ATOMIC_RELEASE);
    cpu_halt();
}

static bool have_all_stopped(void)
{
    u32 n = smp_n_cpus(), self = cpu_this()->number;

    for (u32 i = 0; i < n; i++)
        if (i != self && !__atomic_load_n(&stops[i].stopped, __ATOMIC_ACQUIRE))
            return false;
    return true;
}

void cpus_stop_others(void)
{
    u32 n = smp_n_cpus(), self = cpu_this()->number;

    cpus_forget_others();
    for (u32 i = 0; i < n; i++)
        if (i != self)
            lapic_send_nmi(smp_cpu(i)->apic_id);
    for (u64 waited = 0; waited < STOP_WAIT_US && !have_all_stopped(); waited += STEP_US)
        time_wait_us(STEP_US);
}

static void report_one(u32 number, report_line line)
{
    char place[80];

    if (!stops[number].stopped) {
        line("CPU %u does not stop", number);
        return;
    }
    if (stops[number].rip == 0) {
        line("CPU %u panicked, too", number);
        return;
    }
    symbol_text(stops[number].rip, place, sizeof place);
    line("CPU %u was in %s", number, place);
}

void smp_report_others(report_line line)
{
    u32 n = smp_n_cpus(), self = cpu_this()->number;

    for (u32 i = 0; i < n; i++)
        if (i != self && (i == 0 || smp_is_busy(i) || !stops[i].stopped))
            report_one(i, line);
}
