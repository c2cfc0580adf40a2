/* SPDX-License-Identifier: MIT */
/* Scan codes of a PC keyboard (set 1, as the 8042 translates them) to keys, US layout.  Pure C. */
#ifndef KERNEL_CONSOLE_SCANCODE_H
#define KERNEL_CONSOLE_SCANCODE_H

#include <kernel/console/keys.h>
#include <lib/types.h>

/* The state of one keyboard.  scancode_start() before the first code. */
struct scancode_decoder {
    u8 held;        /* SCANCODE_* keys that are down */
    bool caps_lock;
    bool num_lock;
    bool extended;  /* the last code was E0 */
    u8 n_skip;      /* codes still to drop of the sequence that E1 began (Pause) */
};

enum {
    SCANCODE_LEFT_SHIFT = 1 << 0,
    SCANCODE_RIGHT_SHIFT = 1 << 1,
    SCANCODE_LEFT_CTRL = 1 << 2,
    SCANCODE_RIGHT_CTRL = 1 << 3,
    SCANCODE_ALT = 1 << 4,
    SCANCODE_ALTGR = 1 << 5,
    SCANCODE_CAPS_LOCK = 1 << 6, /* the key itself, which repeats while it is held */
    SCANCODE_NUM_LOCK = 1 << 7,
};

/* Nothing held, Caps Lock off, Num Lock on (as firmware leaves it). */
void scancode_start(struct scancode_decoder *decoder);

/*
 * Takes one code; returns the key pressed, or KEY_NONE for releases, modifiers, prefixes and keys without a
 * meaning here.  Ctrl with a letter or one of @[\]^_ gives the control character.  The US layout has
 * nothing on AltGr: it is followed, and changes nothing.
 */
int scancode_push(struct scancode_decoder *decoder, u8 code);

#endif
