/* SPDX-License-Identifier: MIT */
/* Top-level tables that lie in memory of callers: what may be one, and is one of them in use? */
#ifndef MM_TOP_H
#define MM_TOP_H

#include <mm/page.h>
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

/*
 * The same where the debug mode is on, which looks at all memory of the direct map that is freed; else false.
 * Cost when it is off: a load.
 */
bool top_is_seen_by_debug(phys_t start, u64 bytes);

static inline bool top_is_seen(phys_t start, u64 bytes)
{
    return UNLIKELY(mm.debug.features != 0) && top_is_seen_by_debug(start, bytes);
}

/*
 * top_note - notes that `top` serves as a top-level table: from now on kfree, free_pages and frame_free look whether it is
 * loaded before they free what it lies in.
 * @top: a frame for which top_may_be is true.  Of those held by frame_alloc, by itself or in a block of less than a page,
 *       TOPS_HELD are known at a time; more are forgotten at once.
 * Cost: some 100 instructions and a lock.  Context: no zone's lock held.
 */
void top_note(phys_t top);

/* True for a held frame that is known: its bit in the held array is clear. */
bool top_is_held(phys_t frame);

/* Makes what starts at `object` an ordinary object again, if it is not one already. */
void top_forget_object(phys_t object);

/* What became of what is known of memory that is to be freed. */
enum top_verdict {
    TOPS_NONE,      /* nothing is, or it is not its caller's as a whole: what refused it had another reason */
    TOPS_LOADED,    /* a CPU has a table of it loaded: it must not be freed */
    TOPS_FORGOTTEN, /* it is ordinary memory again: try once more */
};

/* n pages as alloc_pages gave them; 2^order frames of frame_alloc, aligned, in RAM.  Context: as top_is_loaded, but no zone's
 * lock held. */
MUST_USE enum top_verdict tops_leave_pages(struct Page *first, u32 n);
MUST_USE enum top_verdict tops_leave_block(phys_t first, unsigned order);

#endif
