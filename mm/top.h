/* SPDX-License-Identifier: MIT */
/* Top-level tables that lie in memory of callers: what may be one, and is one of them in use? */
#ifndef MM_TOP_H
#define MM_TOP_H

#include <mm/types.h>

/*
 * top_may_be - may this frame serve as a top-level table?
 * True for a 4 KiB-aligned frame of RAM in the direct map that a caller holds whole (of kmalloc, alloc_pages or
 * frame_alloc), or that is a table.  What the loader, firmware and mm itself hold may not.  Any physical address may be asked.
 * Context: no zone's lock held.
 */
bool top_may_be(phys_t frame);

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

/* Notes that `top` serves as a top-level table: if it lies in an object of kmalloc, kfree looks whether it is loaded. */
void top_note(phys_t top);

/* Makes what starts at `object` an ordinary object again, if it is not one already. */
void top_forget_object(phys_t object);

#endif
