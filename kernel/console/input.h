/* SPDX-License-Identifier: MIT */
/*
 * The keys of both faces in one queue, in the order they came.  Ordinary code of one CPU, and traps after a
 * panic.
 */
#ifndef KERNEL_CONSOLE_INPUT_H
#define KERNEL_CONSOLE_INPUT_H

#include <kernel/console/keys.h>
#include <lib/types.h>

struct input_key {
    int key; /* keys.h; KEY_NONE: there is none */
    bool from_keyboard;
};

/* Which faces to listen to: those that are started. */
void input_start(bool serial, bool keyboard);

/* From here on faces report by interrupt, and waiting may sleep. */
void input_use_interrupts(void);

/* The next key, taken or left in the queue. */
struct input_key input_take(void);
struct input_key input_peek(void);

/* Returns after the next interrupt; at once when keys wait, or when no interrupt would come. */
void input_wait(void);

/*
 * Was Ctrl-C typed?  If so everything typed up to it is dropped.  Cheap: it looks at what the interrupts
 * brought, and asks the hardware only now and then.
 */
bool input_take_interrupt(void);

#endif
