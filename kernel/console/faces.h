/* SPDX-License-Identifier: MIT */
/*
 * Where text goes: the serial line and the screen, each in its own way.
 *
 * Until the screen can be used its text is kept, and shown when it starts.
 */
#ifndef KERNEL_CONSOLE_FACES_H
#define KERNEL_CONSOLE_FACES_H

#include <lib/types.h>

struct boot_info;

/* Early: which faces are wanted.  If none of those is there, the others are used. */
void faces_start(const struct boot_info *info, bool want_serial, bool want_screen);

/* After mm_start: maps the screen. */
void faces_start_screen(void);

/* Which faces take text (the screen possibly later). */
bool faces_serial(void);
bool faces_screen(void);

/* Text with at most one newline, at its end. */
void faces_write(const char *text, size_t n);

/* Is the cursor where a line begins?  After a newline, or after somebody wiped the line and said so. */
bool faces_at_line_start(void);
void faces_restart_line(void);

/* Makes writing safe from a trap, and tries to get a picture when the screen was not started yet. */
void faces_panic(void);

#endif
