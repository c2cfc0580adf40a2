/* SPDX-License-Identifier: MIT */
/*
 * Time since boot, and the tick.
 *
 * Time is counted by the CPU's time-stamp counter, so it runs with interrupts off too; its rate is measured
 * once.  The tick (the 8254 timer, where there is one) only wakes the CPU regularly.
 */
#ifndef KERNEL_TIME_TIME_H
#define KERNEL_TIME_TIME_H

#include <lib/types.h>

#define TIME_TICK_HZ 250

/*
 * Measures the counter's rate (about 30 ms), starts the clock at 0 and programs the tick.  After acpi_start,
 * whose timer serves where there is no 8254.  Before or after interrupts_start.
 */
void time_start(void);

/* Since time_start; 0 before.  Any context. */
u64 time_ns(void);
u64 time_ms(void);

/* Ticks so far: 0 for ever means that no timer interrupt comes. */
u64 time_n_ticks(void);

/* Calls fn at every tick, inside the interrupt; NULL: nobody. */
void time_set_tick_hook(void (*fn)(void));

/* Makes the tick come so often, 19 .. 10000 times a second; TIME_TICK_HZ is usual. */
void time_set_tick_rate(u32 hz);

/* Waits busily.  Any context; before time_start it is a rough guess. */
void time_wait_us(u64 microseconds);

/* The counter's rate, and what it was measured against: "8254 timer", ... or "a guess". */
u64 time_tsc_hz(void);
const char *time_source(void);

#endif
