/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices: who handles which line.
 *
 * A handler runs with interrupts off, on whatever stack was in use, and must be short.  It may call what
 * mm/mm.h allows in interrupt handlers, and klog.
 */
#ifndef KERNEL_CPU_INTERRUPT_H
#define KERNEL_CPU_INTERRUPT_H

#include <lib/types.h>

#define INTERRUPT_TIMER    0
#define INTERRUPT_KEYBOARD 1
#define INTERRUPT_COM1     4
#define INTERRUPT_MOUSE    12

typedef void (*interrupt_handler)(void);

/* Programs the controller, all lines closed, and turns interrupts on.  Once, after cpu_start_early. */
void interrupts_start(void);

/*
 * Makes `fn` the handler of a line (0..15) and opens it; NULL closes it.  Before or after interrupts_start.
 * False for a line that does not exist.
 */
bool interrupt_set_handler(unsigned line, interrupt_handler fn);

/* Interrupts of a line so far; those that came without a handler or without a request count as stray. */
u64 interrupt_count(unsigned line);
u64 interrupt_stray_count(void);

/* For trap.c: serves the vector (32..255). */
void interrupt_dispatch(u64 vector);

#endif
