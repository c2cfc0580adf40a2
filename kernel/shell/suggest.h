/* SPDX-License-Identifier: MIT */
/* The nearest name to a mistyped one.  Pure C: also built and tested on the host. */
#ifndef KERNEL_SHELL_SUGGEST_H
#define KERNEL_SHELL_SUGGEST_H

#include <lib/types.h>

#define SUGGEST_N_BYTES 24 /* longer words are compared by their first so many bytes */

/* How many single-letter steps (insert, delete, replace, swap two neighbours) lead from a to b; capital and
 * small letters are the same. */
unsigned suggest_distance(const char *a, const char *b);

/* A search: give it every candidate; `best` is the nearest one, or NULL when none is near enough to be meant.
 */
struct suggestion {
    const char *word;
    const char *best;
    unsigned distance;
};

void suggest_start(struct suggestion *s, const char *word);
void suggest_try(struct suggestion *s, const char *candidate);

#endif
