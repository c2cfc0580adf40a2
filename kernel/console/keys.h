/* SPDX-License-Identifier: MIT */
/*
 * What a key is, whichever face it was pressed on.
 *
 * 0..255 are bytes as a terminal sends them (letters, and control characters such as 3 for Ctrl-C); the
 * keys that have no byte lie above.  Enter is always '\r'.
 */
#ifndef KERNEL_CONSOLE_KEYS_H
#define KERNEL_CONSOLE_KEYS_H

#define KEY_NONE (-1) /* no key, or the sequence is not complete yet */

#define KEY_CTRL(letter) ((letter) & 0x1f)
#define KEY_ENTER '\r'
#define KEY_ESCAPE 27
#define KEY_BACKSPACE '\b'
#define KEY_RUBOUT 127 /* what most terminals send for Backspace */

enum {
    KEY_UP = 256,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_INSERT,
    KEY_DELETE,
    KEY_PGUP,
    KEY_PGDN,
};

#endif
