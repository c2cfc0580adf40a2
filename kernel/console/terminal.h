/* SPDX-License-Identifier: MIT */
/*
 * A terminal in memory: text with ANSI control sequences goes in, a grid of coloured characters comes out.
 *
 * It draws nothing: whoever shows it (screen.c) compares the grid with what is on the glass.  Pure C, no
 * allocation, any context; the caller keeps two from writing at once.
 */
#ifndef KERNEL_CONSOLE_TERMINAL_H
#define KERNEL_CONSOLE_TERMINAL_H

#include <kernel/console/utf8.h>
#include <lib/types.h>

/* Colours are indexes: 0..7 and 8..15 (bright) are the theme's, 16..255 xterm's cube and greys. */
#define TERMINAL_FOREGROUND 7
#define TERMINAL_BACKGROUND 0

struct terminal_cell {
    u16 code; /* Unicode, basic plane */
    u8 foreground;
    u8 background;
};

#define TERMINAL_N_PARAMETERS 16

enum terminal_state { TERMINAL_TEXT, TERMINAL_ESCAPE, TERMINAL_CSI };

struct terminal {
    struct terminal_cell *cells; /* rows * columns, row after row */
    unsigned columns, rows;

    unsigned column, row;  /* the cursor; always inside the grid */
    bool wrap_pending;     /* the last column was written: the next character starts a new row */
    bool word_wrap;        /* text that does not fit is broken at a blank, where one is near */
    bool cursor_hidden;
    unsigned saved_column, saved_row;

    u8 foreground, background;
    bool bold, dim, reverse;

    u64 n_scrolled;        /* rows that have left at the top, ever */

    enum terminal_state state;
    u16 parameters[TERMINAL_N_PARAMETERS];
    unsigned n_parameters;
    bool private_sequence; /* CSI ? ... */
    struct utf8_decoder utf8;
};

/* A blank terminal over `cells`, which holds columns * rows of them (both at least 1) and outlives it.  word_wrap is off;
 * it may be switched at any time. */
void terminal_start(struct terminal *terminal, struct terminal_cell *cells, unsigned columns, unsigned rows);

/*
 * Writes UTF-8 text.  Understood: \n (also returns to column 0), \r, \b, \t (every 8 columns), and of ECMA-48
 *   CSI A B C D E F G d H f   moves       CSI J, CSI K   erase       CSI s, CSI u   save, restore the cursor
 *   CSI m                     0 1 2 7 22 27 30-37 38;5;n 39 40-47 48;5;n 49 90-97 100-107
 *   CSI ? 25 h, l             show, hide the cursor
 * Every other sequence and control character is dropped.  Cost: one pass, and a copy of the grid per
 * scrolled row.
 */
void terminal_write(struct terminal *terminal, const char *text, size_t n);

/* 0xRRGGBB of a colour index 0..255 in the theme. */
u32 terminal_colour(u8 index);

/* The one of the 16 basic colours that is nearest to an index 0..255, for screens that have no more. */
u8 terminal_basic_colour(u8 index);

#endif
