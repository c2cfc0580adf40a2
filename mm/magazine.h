/* SPDX-License-Identifier: MIT */
/* Magazines: a CPU's stacks of objects, and what fills and empties them. */
#ifndef MM_MAGAZINE_H
#define MM_MAGAZINE_H

#include <mm/cpu.h>

/* Makes the magazines of cleared caches empty, with room for nothing. */
void magazines_start(struct mm_cpu *cpu);

/* Cuts the magazines of a CPU's caches, which are empty, to the size of this machine; to nothing when they are not in use. */
void magazines_cut(struct mm_cpu *cpu, bool in_use);

/* Fills an empty magazine.  False when memory is exhausted. */
MUST_USE bool magazine_refill(struct mm_cpu *cpu, unsigned class);

/* Puts a round into a full magazine: makes room first, or lets it go where it came from. */
void magazine_put(struct mm_cpu *cpu, unsigned class, struct round round);

/* Empties a magazine. */
void magazine_drain(struct mm_cpu *cpu, unsigned class);

#endif
