/* SPDX-License-Identifier: MIT */
/*
 * The line editor: keys in, one line of text out.  Pure C; output and completion through callbacks, no
 * allocation.
 *
 *     arrows, Home, End, Ctrl-A E B F      move               Ctrl-P N, up, down    history
 *     Backspace, Delete, Ctrl-D            one character      TAB                   completes, or lists
 *     Ctrl-K U W                           to the end, to the start, the word before
 *     Ctrl-L                               clear the screen   Ctrl-C                give the line up
 *
 * It asks the terminal nothing.  A character typed at the end of the line is echoed and nothing else, so a
 * script sees its own line; only changes in the middle redraw.  A line that was typed past the right edge
 * stays as the terminal wrapped it, until it is edited in the middle: then it moves to a row of its own and
 * scrolls sideways, since where the rows of a serial terminal end is not known.
 */
#ifndef KERNEL_CONSOLE_LINE_EDIT_H
#define KERNEL_CONSOLE_LINE_EDIT_H

#include <kernel/console/line_history.h>
#include <lib/types.h>

#define LINE_EDIT_BYTES 1024 /* the longest line, without its 0 */
#define LINE_EDIT_N_CANDIDATES 64

/* One way to complete the word at the cursor. */
struct line_candidate {
    const char *text; /* the whole word, beginning with what is typed */
    const char *help; /* what it is for, one line, or NULL */
};

struct line_callbacks {
    void *context;
    /* Shows n bytes: text, \n \r \b \a, and CSI n D, CSI K, CSI J, CSI H. */
    void (*write)(void *context, const char *text, size_t n);
    /*
     * Fills `list` with at most n_max ways to complete the word that ends at line[cursor], sets *start to
     * where that word begins, and returns how many there are (also beyond n_max).  The texts live until the
     * next call. May be NULL: TAB does nothing.
     */
    size_t (*complete)(void *context, const char *line, size_t cursor, size_t *start,
                       struct line_candidate *list, size_t n_max);
};

enum line_result {
    LINE_MORE,      /* still editing */
    LINE_DONE,      /* Enter: the line is in `text` */
    LINE_CANCELLED, /* Ctrl-C: ^C and a newline were shown; `text` is empty */
    LINE_TOO_LONG,  /* Enter, but n_lost characters did not fit: the line must not be used */
};

struct line_edit {
    struct line_callbacks callbacks;
    struct line_history history;

    char text[LINE_EDIT_BYTES + 1];
    size_t length, cursor;
    size_t n_lost; /* characters that did not fit since the line was last short enough */

    const char *prompt;
    size_t prompt_columns;
    size_t columns;

    /* What is on the terminal: see line_view.c. */
    bool spilled;       /* the text runs past the right edge, and the cursor is at its end */
    bool windowed;      /* one row shows a part of the text */
    size_t window;      /* first character shown then */

    unsigned recalled;  /* 0: the own line; n: n-th newest of the history */
    char own[LINE_EDIT_BYTES + 1]; /* the own line while another is recalled */
};

/* Once; the history is empty. */
void line_edit_start(struct line_edit *edit, const struct line_callbacks *callbacks);

/*
 * A new line: shows the prompt, which must live until the line is done; it may contain colours (CSI m).
 * `columns` is the width to keep within, at least 20 columns more than the prompt's; less is taken as that.
 */
void line_edit_begin(struct line_edit *edit, const char *prompt, unsigned columns);

/*
 * One key (keys.h).  After any result but LINE_MORE the cursor is on a new row, the line is in the history
 * if it is LINE_DONE, and line_edit_begin starts the next.  Characters outside ASCII and unknown keys do
 * nothing.
 */
enum line_result line_edit_key(struct line_edit *edit, int key);

/*
 * Takes prompt and line off the terminal so that other text can be written at the start of a row; shows
 * them again.
 */
void line_edit_hide(struct line_edit *edit);
void line_edit_show(struct line_edit *edit);

/*
 * Puts n characters in at the cursor, as many as fit (the others are counted in n_lost, with one bell).
 * For the completion; keys do it themselves.
 */
void line_edit_insert(struct line_edit *edit, const char *text, size_t n);

#endif
