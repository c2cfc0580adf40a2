/* SPDX-License-Identifier: MIT */
/*
 * The sanitized build: every access to RAM, the image and the stacks is checked at the instruction that does it, and
 * undefined behaviour is caught.  shadow.c says how.  What the allocators tell it is in mm/sanitize.h.
 *
 * In every other build these hooks are nothing.
 */
#ifndef KERNEL_SANITIZE_SANITIZE_H
#define KERNEL_SANITIZE_SANITIZE_H

#include <lib/types.h>

struct mm_boot;

#ifdef SANITIZED

/* First of all: a shadow for the image, in boot's tables.  Nothing that is checked may run before. */
void sanitize_start(void);

/* Adds to what mm is told when it starts: the image's shadow, and where the rest of it will lie. */
void sanitize_describe(struct mm_boot *boot);

/* A stack was mapped whose last guard page ends here: it gets a shadow.  False when memory is exhausted. */
bool sanitize_stack_mapped(u64 end);

/* What ran on [low, high) of a stack will never come back: its variables' red zones go. */
void sanitize_stack_left(u64 low, u64 high);

#else

static inline void sanitize_start(void)
{
}

static inline void sanitize_describe(struct mm_boot *boot)
{
    (void)boot;
}

static inline bool sanitize_stack_mapped(u64 end)
{
    (void)end;
    return true;
}

static inline void sanitize_stack_left(u64 low, u64 high)
{
    (void)low;
    (void)high;
}

#endif

#endif
