/* SPDX-License-Identifier: MIT */
/* Frames: 4 KiB of physical memory, and blocks of 2^order of them. */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include <mm/cpu.h>
#include <mm/types.h>

#define FRAME_MAX_ORDER (MM_N_ORDERS - 1)

/*
 * frame_alloc - a block of 2^order frames, aligned to its size, not cleared.
 * @zone:  exactly one ZONE_*.  NORMAL grows into UNMAPPED, and borrows from DMA when nothing else is left.
 * @order: 0 .. FRAME_MAX_ORDER.
 * Returns its physical address, or PHYS_NONE for a bad argument or when memory is exhausted, caches given back first.
 * Any context but NMI.  Cost: about 20 instructions for a single NORMAL frame from the CPU's stack, 200 otherwise.
 */
MUST_USE phys_t frame_alloc(unsigned zone, unsigned order);

/*
 * frame_free - gives a block back: what frame_alloc gave, or an aligned part of it (whole pages of a block of pages).
 * Returns 0; anything else is misuse, reported, without effect, and -EFAULT; also a block with a top-level table in it that a
 * CPU has loaded, as far as that is known (top.h).
 */
int frame_free(phys_t first, unsigned order);

/* True when somebody holds this frame (of RAM) from frame_alloc. */
bool frame_is_held(phys_t frame);

/* A held frame becomes one whose bit is clear, false if it is so already; and back.  The lock of its zone is held. */
bool frame_hide(phys_t frame);
void frame_show(phys_t frame);

/* True for a frame of a split page that is neither held nor free there: mm's own, reserved, or in a CPU's stack. */
bool frame_is_mms(phys_t frame);

#endif
