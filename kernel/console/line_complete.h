/* SPDX-License-Identifier: MIT */
/* What TAB does in the line editor. */
#ifndef KERNEL_CONSOLE_LINE_COMPLETE_H
#define KERNEL_CONSOLE_LINE_COMPLETE_H

#include <kernel/console/line_edit.h>

/*
 * Completes the word at the cursor as far as all candidates agree, with a space behind it when only one is
 * left (not behind '=').  When nothing can be added they are listed below the line, each with what it is
 * for, and the line is shown again.  No candidate: a bell.
 */
void line_complete(struct line_edit *edit);

#endif
