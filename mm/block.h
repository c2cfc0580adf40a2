/* SPDX-License-Identifier: MIT */
/* Objects of a frame and more: blocks of frames by themselves. */
#ifndef MM_BLOCK_H
#define MM_BLOCK_H

#include <mm/cpu.h>

/* Takes up to n blocks of a class, 1 .. MAGAZINE_ROUNDS, for a magazine.  How many; 0 when memory is exhausted. */
MUST_USE u32 blocks_take(struct mm_cpu *cpu, unsigned class, struct round *round, u32 n);

/* Gives n such blocks, not live, back to the frames. */
void blocks_give(struct mm_cpu *cpu, unsigned class, const struct round *round, u32 n);

#endif
