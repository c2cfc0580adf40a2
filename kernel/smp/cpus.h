/* SPDX-License-Identifier: MIT */
/* Between the files of smp: adding a CPU, and what it does from then on.  Nobody else includes it. */
#ifndef KERNEL_SMP_CPUS_H
#define KERNEL_SMP_CPUS_H

#include <lib/types.h>

struct cpu;

/* Gives a CPU its number; and says how many run, numbers 0 .. n - 1.  Boot CPU, at start. */
void cpus_set(u32 number, struct cpu *cpu);
void cpus_count(u32 n);

/* For panic_set_stopper: stops all other CPUs; from then on nobody waits for them. */
void cpus_stop_others(void);

/* From now on no other CPU answers. */
void cpus_forget_others(void);

/* Sleeps until there is work for this CPU, and does it. */
_Noreturn void cpus_work(u32 number);

#endif
