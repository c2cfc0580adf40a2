/* SPDX-License-Identifier: MIT */
/*
 * What commands write: text, errors, colours, JSON.
 *
 * Everything goes to all faces of the console.  No allocation; a line is formatted in a fixed buffer.
 */
#ifndef KERNEL_SHELL_OUT_H
#define KERNEL_SHELL_OUT_H

#include <kernel/shell/json.h>
#include <lib/types.h>

#define OUT_LINE_BYTES 512 /* what one call of out() writes at most */

void out(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_text(const char *text);

/* "error: ..." as a line of its own, after the log lines that are still waiting.  Always false, for `return
 * out_error(...)`. */
bool out_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same as "ok".  Always true. */
bool out_ok(void);

enum out_style { OUT_PLAIN, OUT_TITLE, OUT_DIM };

/* One line in a colour, where the console shows colours.  Never used for lines that scripts read. */
void out_styled(enum out_style style, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON value on a line of its own: start, write it, end. */
void out_json_start(struct json *json);
void out_json_end(void);

/* True once Ctrl-C was typed (or q at the end of a page) since the line began.  Long commands ask now and
 * then. */
bool out_interrupted(void);
void out_interrupted_clear(void);

#endif
