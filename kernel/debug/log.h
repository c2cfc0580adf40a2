/* SPDX-License-Identifier: MIT */
/*
 * The log: the last lines that the kernel had to say, in a ring that any context may write to at any time,
 * also inside locks, interrupt handlers and NMIs.  It never waits and never touches a console; the console
 * reads it.
 */
#ifndef KERNEL_DEBUG_LOG_H
#define KERNEL_DEBUG_LOG_H

#include <lib/types.h>
#include <stdarg.h>

#define LOG_N_LINES    256 /* kept; the oldest go first.  A power of two */
#define LOG_LINE_BYTES 232 /* of one line, its 0 included; longer ones are cut */

/*
 * Writes one line (printf.h); the newline is added by who shows it, and one at the end of the text is
 * dropped.  About 400 bytes of stack.
 */
void klog(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kvlog(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/*
 * Copies the next line at or after *cursor (0: the oldest kept) to `line`, as "[   12.345] text" with the
 * seconds since boot, or as the text alone while no clock runs, always terminated, cut to `size` (at least
 * 1), and moves the cursor behind it.  Returns its length, at least 1; 0 when there is no further line. Lines
 * that were overwritten before they were read are passed over.  Any number of readers, each with its cursor.
 */
size_t log_read(u64 *cursor, char *line, size_t size);

/* Lines written since boot, and those of them that found their place being written to and were dropped. */
u64 log_count(void);
u64 log_dropped_count(void);

/*
 * From now on readers do not wait for a line that another context began to write: it was interrupted for
 * good.  For panic().
 */
void log_panic(void);

/* Where the time stamps come from: milliseconds since boot, any context; 0 = not known yet.  NULL: none. */
void log_set_clock(u64 (*milliseconds)(void));

#endif
