/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs: finding and starting them, giving them work, and being heard by them at once.
 *
 * There are no threads.  A CPU that has no work sleeps in HLT; the boot CPU posts functions to it.  What is
 * posted must not touch the console, which belongs to the boot CPU: it speaks through klog.
 */
#ifndef KERNEL_SMP_SMP_H
#define KERNEL_SMP_SMP_H

#include <lib/types.h>

#define SMP_N_CPUS 64

struct cpu;
struct options;

/* Finds the CPUs in the MADT and starts them, options->smp_cpus in all at most.  Interrupts on, clock
 * running.  What does not start is named in the log and left alone. */
void smp_start(const struct options *options);

/* CPUs that run, this one among them; at least 1.  Their numbers are 0 .. smp_n_cpus() - 1, 0 being the boot
 * CPU. */
u32 smp_n_cpus(void);
const struct cpu *smp_cpu(u32 number);

/* Posts a function to a sleeping CPU (1 ..), which runs it in ordinary code, interrupts on.  False when it
 * has work. */
bool smp_post(u32 number, void (*fn)(void *), void *argument);

/* True while a CPU works on what was posted. */
bool smp_is_busy(u32 number);

/* Runs fn(number, argument) on all CPUs at once, this one (the boot CPU) included, and waits until all have
 * returned. */
void smp_run_on_all(void (*fn)(u32 number, void *argument), void *argument);

/*
 * Drops translations of [start, start + n_pages * 4 KiB), or everything when n_pages is 0, on all other CPUs,
 * and waits for it.  Any context but NMI, locks held or not, interrupts on or off.
 */
void smp_flush_others(u64 start, u64 n_pages);

/* Behind platform_synchronize (mm/platform.h).  Ordinary code, not interrupt handlers. */
bool smp_synchronize(void (*fn)(void));

/* For whoever spins: does what other CPUs wait for meanwhile. */
void smp_serve(void);

/*
 * Makes fn run on this CPU in timer interrupts of its APIC; each call returns after how many counts of the
 * timer the next is to come, 0 for none.  NULL stops it.  False where there is no APIC in use.
 */
bool smp_set_timer(u32 (*fn)(void));

/* Counts of that timer in a millisecond, about; measures for 1 ms.  0 where there is no APIC in use. */
u32 smp_timer_counts_per_ms(void);

/* A panic on another CPU stops this one for good, at `rip`; 0: in a panic of its own. */
_Noreturn void smp_stop_here(u64 rip);

/* In a panic: what the other CPUs were about, a line for each that was about something. */
void smp_report_others(void (*line)(const char *format, ...) __attribute__((format(printf, 1, 2))));

#endif
