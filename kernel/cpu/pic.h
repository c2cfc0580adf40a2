/* SPDX-License-Identifier: MIT */
/*
 * The pair of 8259 interrupt controllers (Intel 8259A data sheet): 16 lines, the second controller hangs on
 * line 2 of the first.  Where there is none the writes go nowhere, and no interrupt ever comes.
 */
#ifndef KERNEL_CPU_PIC_H
#define KERNEL_CPU_PIC_H

#include <lib/types.h>

#define PIC_N_LINES 16

/* Moves the lines to vectors VECTOR_IRQ_BASE .. + 15 and masks them all. */
void pic_start(void);

/* Lets interrupts of `line` (0..15) through, or not. */
void pic_set_masked(unsigned line, bool masked);

/*
 * True when no request is behind the interrupt: lines 7 and 15 are also signalled when a request went away
 * too soon. Such an interrupt must not be acknowledged; what the first controller needs for it is done here.
 */
bool pic_is_spurious(unsigned line);

/* Says that the interrupt has been dealt with; the controller is then free to send the next. */
void pic_acknowledge(unsigned line);

#endif
