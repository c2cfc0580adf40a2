/* SPDX-License-Identifier: MIT */
/* The 16 classes of kmalloc: one for each size of objects, a power of two. */
#ifndef MM_CLASS_H
#define MM_CLASS_H

#include <mm/inspect.h>
#include <mm/types.h>

#define CLASS_MIN_SHIFT 5     /* class 0: objects of 2^5 = 32 bytes */
#define CLASS_MAX_SHIFT 20    /* class 15: 2^20 = 1 MiB */
#define SLAB_MAX_SHIFT 11     /* up to 2 KiB several objects share a frame; above, an object is a block */
#define SLAB_MAX_OBJECTS 128  /* 4 KiB / 32 bytes */
#define KMALLOC_MAX_BYTES (1UL << CLASS_MAX_SHIFT)

#define N_SLAB_CLASSES (SLAB_MAX_SHIFT + 1 - CLASS_MIN_SHIFT) /* 0 .. 6 */
#define CLASS_FIRST_BLOCK N_SLAB_CLASSES                      /* 7 .. 15 */

_Static_assert(CLASS_MAX_SHIFT - CLASS_MIN_SHIFT + 1 == MM_N_CLASSES, "all classes");

static inline u64 class_bytes(unsigned class)
{
    return 1UL << (class + CLASS_MIN_SHIFT);
}

/* An object is a block by itself, not one of a slab. */
static inline bool class_is_blocks(unsigned class)
{
    return class >= CLASS_FIRST_BLOCK;
}

/* Objects of a class that lie in a slab. */
static inline unsigned class_n_objects(unsigned class)
{
    return class_is_blocks(class) ? 1 : (unsigned)(FRAME_BYTES >> (class + CLASS_MIN_SHIFT));
}

/* Bytes of frames that a slab of a class takes. */
static inline u64 class_slab_bytes(unsigned class)
{
    return class_is_blocks(class) ? class_bytes(class) : FRAME_BYTES;
}

#endif
