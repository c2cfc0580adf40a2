/* SPDX-License-Identifier: MIT */
/* A CPU's stacks of free frames, and of small blocks of them, all of zone NORMAL. */
#ifndef MM_FRAME_STACK_H
#define MM_FRAME_STACK_H

#include <mm/cpu.h>
#include <mm/types.h>

/* Cuts the stacks of a CPU's caches, which are empty, to the size of this machine; to nothing when they are not in use. */
void frame_stacks_cut(struct mm_cpu *cpu, bool in_use);

/* Fills the running context's stack of single frames, which is empty, up to half from the zone, and takes one of them,
 * nobody's.  PHYS_NONE when the zone has none, or this context keeps no stack. */
MUST_USE phys_t frame_stack_refill(void);

/* Puts a block of order 0 .. STACK_ORDERS, nobody's any more, onto the running context's stack; drains half of a full one first. */
void frame_stack_push(phys_t first, unsigned order);

/* Gives everything in a CPU's stacks back to the zone. */
void frame_stack_drain(struct mm_cpu *cpu);

#endif
