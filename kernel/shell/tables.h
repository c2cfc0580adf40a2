/* SPDX-License-Identifier: MIT */
/* The address spaces made with `pt new`: a fixed list with stable numbers. */
#ifndef KERNEL_SHELL_TABLES_H
#define KERNEL_SHELL_TABLES_H

#include <kernel/shell/call.h>
#include <mm/types.h>

#define TABLES_MAX 64

/* Number 1 .. TABLES_MAX of a new entry for the top-level table at virtual address `table`; 0 when the list
 * is full. */
unsigned tables_add(u64 table);

/* The table of a number, 0 when there is none. */
u64 tables_get(unsigned number);

/* Takes a table off the list, if it is on it. */
void tables_forget(u64 table);

/* Makes an address space: an object of 4096 bytes with the kernel half of the current one.  NULL: no memory,
 * or the list is full (an error line was written). */
MUST_USE void *tables_new(void);

/* Unmaps everything in the lower half of a listed table, and frees it.  False after an error line. */
bool tables_free(u64 table);

/*
 * Argument i as a top-level table: a number of the list, an address (virtual or physical), `kernel` or
 * `current`. False after an error line.  The frame is in the direct map, so it can be read.
 */
bool tables_argument(const struct call *call, unsigned i, phys_t *top);

/* The table that this CPU uses now. */
phys_t tables_current(void);

#endif
