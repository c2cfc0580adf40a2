/* SPDX-License-Identifier: MIT */
/* A CPU's stacks of free frames, and of small blocks of them, all of zone NORMAL. */
#ifndef MM_FRAME_STACK_H
#define MM_FRAME_STACK_H

#include <mm/cpu.h>
#include <mm/types.h>

/* Cuts the stacks of a CPU's caches, which are empty, to the size of this machine; to nothing when they are not in use. */
void frame_stacks_cut(struct mm_cpu *cpu, bool in_use);

/* A block of order 0 .. STACK_ORDERS, nobody's: the one freed last; order 0 refills an empty stack from the zone.
 * PHYS_NONE when there is none. */
MUST_USE phys_t frame_stack_pop(struct mm_cpu *cpu, unsigned order);

/* Puts such a block, nobody's any more, onto the running context's stack; drains half of a full one first. */
void frame_stack_push(phys_t first, unsigned order);

/* Gives everything in a CPU's stacks back to the zone. */
void frame_stack_drain(struct mm_cpu *cpu);

#endif
