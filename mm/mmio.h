/* SPDX-License-Identifier: MIT */
/* The MMIO window: device memory and firmware tables, at addresses that mm chooses. */
#ifndef MM_MMIO_H
#define MM_MMIO_H

#include <mm/types.h>

enum mmio_cache { MMIO_UNCACHED, MMIO_WRITE_COMBINING, MMIO_WRITE_BACK };

/*
 * Maps [at, at + bytes) for reading and writing, no-execute, with a guard page behind it. Any alignment: the
 * pointer returned is to the byte `at`.  RAM is always mapped write-back, whatever `cache` says. Returns NULL
 * when memory for tables or window space is exhausted, or the range is bad.
 */
MUST_USE void *mmio_map(phys_t at, u64 bytes, enum mmio_cache cache);

/* Takes a mapping of mmio_map away, given the pointer that it returned.  Returns false for any other pointer. */
bool mmio_unmap(const void *pointer);

/* The window's invariants, for mm_check (mmio.c numbers them).  Takes the window's lock, then paging's. */
struct mm_violation;
bool mmio_check(struct mm_violation *out);

#endif
