/* SPDX-License-Identifier: MIT */
/*
 * The 8254 timer: channel 0 for the tick, channel 2 to measure against.  Where there is none nothing happens,
 * and the counter stands still.
 */
#ifndef KERNEL_TIME_PIT_H
#define KERNEL_TIME_PIT_H

#include <lib/types.h>

#define PIT_HZ           1193182U
#define PIT_COUNTER_MASK 0xffffU

/* Interrupts on line 0, `hz` (19..PIT_HZ) times a second. */
void pit_tick_start(u32 hz);

/* Channel 2 as a counter that goes up PIT_HZ times a second, modulo 2^16 (55 ms). */
void pit_counter_start(void);
u32 pit_counter_read(void);
void pit_counter_stop(void);

#endif
