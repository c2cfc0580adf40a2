/* SPDX-License-Identifier: MIT */
/*
 * The PS/2 keyboard behind the 8042 controller, or what firmware makes a USB keyboard look like.
 *
 * May be absent: then everything here does nothing.  Ordinary code of one CPU, and traps after a panic.
 */
#ifndef KERNEL_CONSOLE_KEYBOARD_H
#define KERNEL_CONSOLE_KEYBOARD_H

#include <lib/types.h>

/*
 * Looks for the controller and sets it up: keyboard on, mouse off, scan codes translated to set 1.  False:
 * none.
 */
bool keyboard_start(void);
bool keyboard_present(void);

/* Receives by interrupt (line 1) from here on.  The interrupt controller must be up. */
void keyboard_use_interrupt(void);

/* The next key (keys.h) or KEY_NONE.  Asks the controller too, so it works without interrupts. */
int keyboard_read(void);

/* True when scan codes wait that keyboard_read has not seen.  Interrupts off or on. */
bool keyboard_waiting(void);

#endif
