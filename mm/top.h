/* SPDX-License-Identifier: MIT */
/* Top-level tables that lie in memory of callers: is one of them in use? */
#ifndef MM_TOP_H
#define MM_TOP_H

#include <mm/types.h>

/*
 * True when the table that this CPU has loaded lies in [start, start + bytes), whole frames.  Cost: a few instructions.
 */
static inline bool top_is_loaded_here(phys_t start, u64 bytes)
{
    return ((ul)get_CR3() & PAGE_4K_MASK) - start.addr < bytes;
}

/*
 * top_is_loaded - is a table in [start, start + bytes), whole frames of RAM, loaded on any CPU?
 * Cost: a load a frame, if the direct map shows it; when a frame looks like a top level, or cannot be looked at, a platform_flush
 * besides.  Context: as platform_flush of a frame; also with locks held.
 */
bool top_is_loaded(phys_t start, u64 bytes);

#endif
