/* SPDX-License-Identifier: MIT */
/* The lines typed before: the last 64, without duplicates.  Pure C. */
#ifndef KERNEL_CONSOLE_LINE_HISTORY_H
#define KERNEL_CONSOLE_LINE_HISTORY_H

#include <lib/types.h>

#define LINE_HISTORY_N 64
#define LINE_HISTORY_BYTES 16384 /* 256 bytes a line on average; very long lines push out more than one */

/* All zero is empty. */
struct line_history {
    char text[LINE_HISTORY_BYTES]; /* the lines, oldest first, each ended by a 0 */
    size_t n_bytes;
    unsigned n_lines;
};

/*
 * Keeps a line as the newest.  An equal older one is taken out, and the oldest ones make room.  Empty and
 * blank lines, and such as do not fit at all, are not kept.
 */
void line_history_add(struct line_history *history, const char *line);

/* Line i, 0 the oldest, n_lines - 1 the newest; NULL beyond.  Valid until the next add. */
const char *line_history_get(const struct line_history *history, unsigned i);

#endif
