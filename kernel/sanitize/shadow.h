/* SPDX-License-Identifier: MIT */
/* The shadow: a byte for each 8 bytes that are checked. */
#ifndef KERNEL_SANITIZE_SHADOW_H
#define KERNEL_SANITIZE_SHADOW_H

#include <mm/layout.h>
#include <mm/types.h>

#define SHADOW_SHIFT  3
#define SHADOW_GRAIN  (1UL << SHADOW_SHIFT)
#define SHADOW_OFFSET 0xdfffd00000000000UL /* -fasan-shadow-offset; kernel/CMakeLists.txt says the same */
#define SHADOW_IMAGE_BYTES 0x800000UL      /* so much of the image has a shadow; boot/kernel.ld keeps it below */

/*
 * Of 8 bytes: 0, all may be touched; 1 .. 7, only the first so many; else none, because they are ...  The first five
 * are gcc's, whose code for functions with arrays writes them.
 */
enum shadow {
    SHADOW_STACK_LEFT = 0xf1,   /* below the variables of a function */
    SHADOW_STACK_MIDDLE = 0xf2, /* between them */
    SHADOW_STACK_RIGHT = 0xf3,  /* above them */
    SHADOW_STACK_SCOPE = 0xf8,  /* a variable whose block has ended */
    SHADOW_GLOBAL = 0xf9,       /* behind a global */
    SHADOW_FREE_OBJECT = 0xfb,
    SHADOW_RED_ZONE = 0xfc, /* behind what was asked for of an object */
    SHADOW_FREE_FRAME = 0xff,
};

_Static_assert((MM_KERNEL_HALF >> SHADOW_SHIFT) + SHADOW_OFFSET == MM_SHADOW_START, "where mm/layout.h says");

static inline u8 *shadow_of(u64 at)
{
    return (u8 *)((at >> SHADOW_SHIFT) + SHADOW_OFFSET);
}

/* How much of the direct map and of the stacks has a shadow, from their starts on. */
struct shadow_reach {
    u64 ram_bytes, stacks_bytes;
};

extern struct shadow_reach shadow_reach;

/* Has this address a shadow? */
static inline bool shadow_covers(u64 at)
{
    return at - PAGE_OFFSET < shadow_reach.ram_bytes || at - MM_IMAGE_START < SHADOW_IMAGE_BYTES ||
           at - MM_STACKS_START < shadow_reach.stacks_bytes;
}

/* True when all of [at, at + bytes) may be touched, or the start of it has no shadow. */
bool shadow_allows(u64 at, u64 bytes);

/* The same of few bytes, mostly in one grain. */
static inline bool shadow_allows_word(u64 at, u64 bytes)
{
    if (!shadow_covers(at) || (*shadow_of(at) == 0 && at % SHADOW_GRAIN + bytes <= SHADOW_GRAIN))
        return true;
    return shadow_allows(at, bytes);
}

/* The first byte of [at, at + bytes) that may not be touched. */
u64 shadow_first_bad(u64 at, u64 bytes);

/* Poisons whole grains, or opens [at, at + bytes), of which only the end may lie inside of a grain. */
void shadow_poison(u64 at, u64 bytes, enum shadow why);
void shadow_open(u64 at, u64 bytes);

#endif
