/* SPDX-License-Identifier: MIT */
/*
 * The screen: a terminal in memory (terminal.h), and a face that puts single characters on the glass.
 *
 * Only what differs from what was drawn is drawn again, so video memory is never read and a scroll costs the
 * characters that changed.  One screen; ordinary code of one CPU, and traps after a panic.
 */
#ifndef KERNEL_CONSOLE_SCREEN_H
#define KERNEL_CONSOLE_SCREEN_H

#include <kernel/console/terminal.h>

/* 1920 x 1200 pixels at 8 x 16 are 238 * 74 = 17612 cells; larger screens get larger characters. */
#define SCREEN_N_CELLS 20480u
#define SCREEN_N_OWN   8192u /* those it has memory for of its own: 1024 x 768 pixels are 128 * 48 = 6144 */

struct screen_face {
    /* Draws a cell; `cursor`: the cursor stands on it. */
    void (*draw)(unsigned column, unsigned row, struct terminal_cell cell, bool cursor);
    /* For a face whose hardware shows the cursor, else NULL. */
    void (*cursor)(unsigned column, unsigned row, bool shown);
};

/* How many cells a screen may have now; and memory for 2 * n cells, for ever, so that it may have n.  Before screen_start. */
unsigned screen_n_cells(void);
void screen_lend(struct terminal_cell *cells, unsigned n);

/* A blank screen of at most screen_n_cells cells.  The face may be used from here on. */
void screen_start(const struct screen_face *face, unsigned columns, unsigned rows);

/*
 * The face cannot be used any more (face NULL: text is still taken in), or another one can; then all is
 * drawn anew.
 */
void screen_set_face(const struct screen_face *face);

/* True from screen_start on. */
bool screen_present(void);
unsigned screen_columns(void);
unsigned screen_rows(void);

/* Writes as terminal_write does, and shows it: at once, or, while text is rushing by, a little later. */
void screen_write(const char *text, size_t n);

/* Whether what is written from here on is broken at blanks where it is too long for a row (on at the start); a line that is
 * being edited is not. */
void screen_wrap_words(bool on);

/* Shows everything that was written. */
void screen_refresh(void);

/* Rows that text has gone down by, ever: how much has passed between two moments. */
u64 screen_rows_passed(void);

/*
 * From now on every write is shown at once, and a face in whose drawing the trap happened is not touched
 * again.
 */
void screen_panic(void);

#endif
