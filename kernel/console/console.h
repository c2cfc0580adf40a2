/* SPDX-License-Identifier: MIT */
/*
 * The console: one stream of text to all faces (serial line and screen), one stream of keys from all of them.
 *
 * Text may hold colours (CSI m): the screen shows them, the serial line never sees them.  Log lines (klog)
 * are put in between, at the start of a line only, whenever something is written or a key is waited for.
 * Ordinary code of one CPU, not interrupt handlers; after console_panic() also from traps.
 */
#ifndef KERNEL_CONSOLE_CONSOLE_H
#define KERNEL_CONSOLE_CONSOLE_H

#include <kernel/console/keys.h>
#include <kernel/console/line_edit.h>
#include <lib/types.h>
#include <stdarg.h>

struct boot_info;
struct options;

#define CONSOLE_COLUMNS 80 /* taken for a serial terminal: it is never asked */
#define CONSOLE_ROWS 24

/*
 * Early, with boot's tables: probes COM1 and the keyboard, and uses VGA text when the loader left that.  Both
 * arguments must live on.  What options->console excludes is left alone, unless nothing else is there.
 */
void console_start(const struct boot_info *info, const struct options *options);

/*
 * As soon as mm has loaded its tables, before or after interrupts_start: maps the screen, shows on it what was
 * written so far, and receives keys by interrupt from here on.
 */
void console_start_screen(void);

/* Text to all faces.  Never fails; a face that hangs loses text instead of blocking (serial.h). */
void console_write(const char *text, size_t n);
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kvprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Sends what a face was too slow for, waiting some seconds at most: before the machine is switched off. */
void console_finish(void);

/* Writes the log lines that are still waiting, if the cursor is at the start of a line. */
void console_flush_log(void);

/*
 * The next key (keys.h).  Waits: asleep until an interrupt when interrupts are on, else polling; meanwhile
 * the log is written out.  console_poll does not wait: KEY_NONE when there is none.
 */
int console_getc(void);
int console_poll(void);

/*
 * True once Ctrl-C was typed (or q at the end of a page) since the last call that was true or the last key
 * read.  What was typed before Ctrl-C is dropped.  Long commands ask at least every 100 ms; it also keeps
 * the screen up to date.
 */
bool console_interrupted(void);

/* True when the last line was ended on the keyboard, false for the serial line and before any. */
bool console_from_keyboard(void);

/*
 * The width and height to format for: the screen's when the line came from the keyboard, else a terminal's.
 */
unsigned console_columns(void);
unsigned console_rows(void);

/*
 * Between the two, a full screen waits for a key (space: a page, Enter: a line, q or Ctrl-C: drop the rest)
 * if the last line came from the keyboard; else they do nothing.  console_interrupted() tells the command
 * about q.
 */
void console_page_begin(void);
void console_page_end(void);

/*
 * Reads a line with the line editor: shows the prompt, returns LINE_DONE, LINE_CANCELLED or LINE_TOO_LONG
 * (already reported: the line must not be run).  *line is valid until the next call.
 */
enum line_result console_read_line(const char *prompt, const char **line);

/* What TAB asks in console_read_line (line_edit.h); before that TAB does nothing. */
typedef size_t (*console_completer)(void *context, const char *line, size_t cursor, size_t *start,
                                    struct line_candidate *list, size_t n_max);
void console_set_completer(console_completer complete);

/* The lines typed so far. */
const struct line_history *console_history(void);

/*
 * From now on writing works from a trap, whatever was interrupted: half-written sequences are forgotten,
 * nothing waits in the pager, every write reaches the glass at once.  May be called again.
 */
void console_panic(void);

#endif
