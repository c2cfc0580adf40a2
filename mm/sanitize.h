/* SPDX-License-Identifier: MIT */
/*
 * Hooks for a build that knows of every byte whether it may be touched (kernel/sanitize/).
 *
 * In that build (SANITIZED) the platform provides these functions: what the allocators hand out becomes accessible, to
 * the byte that was asked for, and what comes back is poisoned before anybody else can get it.  In every other build
 * they are nothing, and cost nothing.
 *
 * Red zones: an object is taken from the next class, so that behind the bytes that its own class promises as many follow
 * that nobody may touch; size and alignment promises stand.  Above 512 KiB there is no next class, and the red zone is
 * what is left of the object behind the last byte that was asked for.
 */
#ifndef MM_SANITIZE_H
#define MM_SANITIZE_H

#include <mm/types.h>

#ifdef SANITIZED

#define SANITIZE_MOST_PADDED (1UL << 19)

/* Shadow for all RAM, out of early frames; all of it accessible.  NULL, or what is wrong.  Before any frame is free. */
MUST_USE const char *sanitize_ram_start(void);

/* Frames that now belong to a caller, or are free again: before they can be given out anew. */
void sanitize_frames_taken(phys_t first, u64 n_frames);
void sanitize_frames_freed(phys_t first, u64 n_frames);

/* n blocks of so many frames. */
void sanitize_blocks_taken(const phys_t *first, u32 n, u64 n_frames);
void sanitize_blocks_freed(const phys_t *first, u32 n, u64 n_frames);

/* Objects that are free: new ones, and one that came back. */
void sanitize_objects_freed(const void *first, u64 bytes);

/* An object for so many bytes: just these may be touched. */
void sanitize_object_taken(const void *object, ul size);

/* The same, somewhere in a slot of so many bytes. */
void sanitize_slot_taken(const void *slot, u64 slot_bytes, const void *object, ul size);

/* For who relies on the whole class of an object that was asked for with fewer bytes. */
void sanitize_object_opened(const void *object, ul bytes);

/* The size that chooses the class, from the size that was asked for.  Any value; 0 stays 0. */
static inline ul sanitize_padded(ul size)
{
    if (size - 1 >= SANITIZE_MOST_PADDED)
        return size;
    return size < 32 ? 64 : 2 * size; /* at least 32 bytes are promised, and as many follow */
}

/* log2 of the bytes promised to who asked for `size`, less 1; `bit` is that of the class that it was taken from. */
static inline ul sanitize_promised_bit(ul size, ul bit)
{
    return sanitize_padded(size) == size ? bit : bit - 1;
}

/* Bytes promised of a live object, which was taken from the class of so many. */
u64 sanitize_promised_bytes(phys_t object, u64 class_bytes);

#else

static inline const char *sanitize_ram_start(void)
{
    return NULL;
}

static inline void sanitize_frames_taken(phys_t first, u64 n_frames)
{
    (void)first;
    (void)n_frames;
}

static inline void sanitize_frames_freed(phys_t first, u64 n_frames)
{
    (void)first;
    (void)n_frames;
}

static inline void sanitize_blocks_taken(const phys_t *first, u32 n, u64 n_frames)
{
    (void)first;
    (void)n;
    (void)n_frames;
}

static inline void sanitize_blocks_freed(const phys_t *first, u32 n, u64 n_frames)
{
    (void)first;
    (void)n;
    (void)n_frames;
}

static inline void sanitize_objects_freed(const void *first, u64 bytes)
{
    (void)first;
    (void)bytes;
}

static inline void sanitize_object_taken(const void *object, ul size)
{
    (void)object;
    (void)size;
}

static inline void sanitize_slot_taken(const void *slot, u64 slot_bytes, const void *object, ul size)
{
    (void)slot;
    (void)slot_bytes;
    (void)object;
    (void)size;
}

static inline void sanitize_object_opened(const void *object, ul bytes)
{
    (void)object;
    (void)bytes;
}

static inline ul sanitize_padded(ul size)
{
    return size;
}

static inline ul sanitize_promised_bit(ul size, ul bit)
{
    (void)size;
    return bit;
}

static inline u64 sanitize_promised_bytes(phys_t object, u64 class_bytes)
{
    (void)object;
    return class_bytes;
}

#endif

#endif
