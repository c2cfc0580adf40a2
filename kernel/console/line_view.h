/* SPDX-License-Identifier: MIT */
/* How the line editor shows its line.  For line_edit.c and line_complete.c only. */
#ifndef KERNEL_CONSOLE_LINE_VIEW_H
#define KERNEL_CONSOLE_LINE_VIEW_H

#include <kernel/console/line_edit.h>

/* Shows prompt and line on the row at whose start the cursor is. */
void line_view_show(struct line_edit *edit);

/* To be called before any change but an appended character: gives a spilled line a row of its own. */
void line_view_own_row(struct line_edit *edit);

/*
 * Afterwards: n characters were appended; the last one was taken off; the cursor was at `from`; anything
 * else.
 */
void line_view_appended(struct line_edit *edit, size_t n);
void line_view_rubbed_out(struct line_edit *edit);
void line_view_moved(struct line_edit *edit, size_t from);
void line_view_changed(struct line_edit *edit);

/* Leaves the line where it is, `mark` behind it, and goes to a new row; `whole`: all of it is shown. */
void line_view_leave(struct line_edit *edit, const char *mark, bool whole);

void line_view_write(struct line_edit *edit, const char *text);

#endif
