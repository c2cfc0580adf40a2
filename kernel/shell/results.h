/* SPDX-License-Identifier: MIT */
/* The results of allocations, $1, $2 ... $$: what they are, so that an interrupted command's can be given
 * back. */
#ifndef KERNEL_SHELL_RESULTS_H
#define KERNEL_SHELL_RESULTS_H

#include <lib/types.h>

#define RESULTS_KEPT 4096 /* the newest so many; a word each = 32 KiB */

/* The kinds of results.  RESULT_GONE: given back by a command. */
enum result_kind { RESULT_GONE, RESULT_OBJECT, RESULT_PAGES, RESULT_TABLE };

struct result {
    u64 value;
    enum result_kind kind;
    unsigned n_pages;
};

/* Adds one; it becomes $$.  `value` is a canonical address, n_pages at most 63. */
void results_add(u64 value, enum result_kind kind, unsigned n_pages);

/* How many there ever were: the number of the last one. */
u64 results_count(void);

/* Result n (1 ... count; 0 = the last).  False when it never was or is no longer kept; `why` says which. */
bool results_get(u64 n, u64 *value, char *why, size_t why_size);

/* The same with all that is known; n must be kept. */
bool results_entry(u64 n, struct result *out);

/* The newest result with this value that is not gone was given back. */
void results_forget(u64 value, enum result_kind kind);

#endif
