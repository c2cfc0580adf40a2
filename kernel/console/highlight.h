/* SPDX-License-Identifier: MIT */
/* The colour of a line, by what it begins with, for the screen.  Pure C. */
#ifndef KERNEL_CONSOLE_HIGHLIGHT_H
#define KERNEL_CONSOLE_HIGHLIGHT_H

#include <lib/types.h>

/* The CSI m sequence for a line that begins with the n bytes at `text`, or NULL for ordinary ones. */
const char *highlight_line(const char *text, size_t n);

#endif
