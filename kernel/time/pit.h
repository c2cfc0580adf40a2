/* SPDX-License-Identifier: MIT */
/*
 * The 8254 timer: channel 0 for the tick, channel 2 to measure against.  Where there is none, nothing
 * happens.
 */
#ifndef KERNEL_TIME_PIT_H
#define KERNEL_TIME_PIT_H

#include <lib/types.h>

#define PIT_HZ 1193182U

/* Interrupts on line 0, `hz` (19..PIT_HZ) times a second. */
void pit_tick_start(u32 hz);

/* Channel 2 counts down from `counts` (1..65535); done() turns true when it is through.  Not before start. */
void pit_oneshot_start(u32 counts);
bool pit_oneshot_done(void);
void pit_oneshot_stop(void);

#endif
