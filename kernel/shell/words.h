/* SPDX-License-Identifier: MIT */
/*
 * A typed line into commands, and a command into words.  Pure C: also built, tested and fuzzed on the host.
 *
 *     line     = command { ";" command } [ "#" comment ]
 *     command  = words separated by blanks
 *     word     = plain bytes, 'taken as they stand', "with \" and \\ inside", in any mixture
 *
 * Control bytes other than the tab are refused: they come from line noise or a wrong paste, never from a
 * person.
 */
#ifndef KERNEL_SHELL_WORDS_H
#define KERNEL_SHELL_WORDS_H

#include <lib/types.h>

#define SHELL_LINE_BYTES 2048 /* a line with its terminating 0: what is typed, and what autorun= can hold */
#define SHELL_N_WORDS    48   /* words of one command */

/* One command.  word[0 .. n-1] point into text. */
struct words {
    unsigned n;
    const char *word[SHELL_N_WORDS];
    bool quoted[SHELL_N_WORDS]; /* some part of it was in quotes: it is meant as text */
    char text[SHELL_LINE_BYTES];
};

enum words_result { WORDS_END, WORDS_COMMAND, WORDS_ERROR };

/*
 * Takes the next command with at least one word off *line and moves *line behind it.
 * WORDS_END: there is none.  WORDS_ERROR: `error` (at most error_size bytes) says in one line what is wrong
 * and names it.
 */
enum words_result words_next(const char **line, struct words *out, char *error, size_t error_size);

#endif
