/* SPDX-License-Identifier: MIT */
/* Slabs: frames cut into objects. */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include <lib/list.h>
#include <mm/cpu.h>
#include <mm/platform.h>
#include <mm/types.h>

#define SLAB_MAX_SHIFT 11                       /* up to 2 KiB several objects share a frame; above, an object is a block */
#define CLASS_FIRST_BLOCK (SLAB_MAX_SHIFT + 1 - CLASS_MIN_SHIFT)
#define SLAB_MAX_OBJECTS 128                    /* 4 KiB / 32 bytes */
#define KMALLOC_MAX_BYTES (1UL << CLASS_MAX_SHIFT)

/* A frame cut into objects.  Lies in a descriptor frame, in 1 to 3 units of 64 bytes. */
struct slab {
    u64 free[SLAB_MAX_OBJECTS / 64]; /* a bit an object: lies here, neither live nor in a magazine */
    struct list_node link;           /* in partial or empty of its class; alone when no object lies here */
    u8 *base;                        /* the frame, in the direct map */
    u8 class;
    u8 n_free;
    u8 n_objects;
    u8 live[];                       /* a byte an object: 1 = handed out to a caller */
};

/* What the role word of a frame without objects points to: live is all zero. */
struct slab_none {
    u8 before[offsetof(struct slab, live)];
    u8 live[SLAB_MAX_OBJECTS];
};

/* One of the 16 sizes. */
struct slab_class {
    struct mm_lock lock;
    struct list_node partial; /* slabs with free and with taken objects */
    struct list_node empty;   /* slabs all of whose objects lie free in them */
    u32 n_empty;
    u64 n_slabs;              /* slabs; for a class of blocks, blocks */
    u64 n_free;               /* objects that lie in slabs */
    u64 n_failures;
};

/* The descriptor frames. */
struct descriptor_pool {
    struct mm_lock lock;
    struct list_node partial; /* frames with free units */
};

/* Empties the classes. */
void slab_start(void);

/* Takes up to n objects of a class for a magazine, 1 .. MAGAZINE_ROUNDS.  How many; 0 when memory is exhausted. */
MUST_USE u32 slab_take(struct mm_cpu *cpu, unsigned class, struct round *round, u32 n);

/* Brings n such objects, not live, back to where they lay. */
void slab_give(struct mm_cpu *cpu, unsigned class, const struct round *round, u32 n);

/* Frees all empty slabs. */
void slab_release_empty(void);

/* The slab that a role word leads to. */
static inline struct slab *slab_of_word(ul word)
{
    return (struct slab *)((s64)word >> 16);
}

/* The live bytes that a role word leads to: those of a slab, or one inside a word, at any alignment (role.c). */
static inline u8 *live_of_word(ul word)
{
    return (u8 *)((u64)((s64)word >> 16) + offsetof(struct slab, live));
}

/* An object is a block by itself, not one of a slab. */
static inline bool class_is_blocks(unsigned class)
{
    return class >= CLASS_FIRST_BLOCK;
}

static inline u64 class_bytes(unsigned class)
{
    return 1UL << (class + CLASS_MIN_SHIFT);
}

/* Objects of a class that lie in a slab. */
static inline unsigned class_n_objects(unsigned class)
{
    return class + CLASS_MIN_SHIFT > SLAB_MAX_SHIFT ? 1 : (unsigned)(FRAME_BYTES >> (class + CLASS_MIN_SHIFT));
}

/* Bytes of frames that a slab of a class takes. */
static inline u64 class_slab_bytes(unsigned class)
{
    u64 object = 1UL << (class + CLASS_MIN_SHIFT);

    return object > FRAME_BYTES ? object : FRAME_BYTES;
}

/* The start of a descriptor frame: its first unit of 64 bytes. */
struct descriptor_frame {
    u64 used; /* a bit a unit */
    struct list_node link;
};

/* The bits of its frame's `used` that a slab's descriptor takes. */
u64 descriptor_units(const struct slab *slab);

/* A descriptor for n_objects, cleared but for `link`; NULL when memory is exhausted.  Lies in descriptor.c. */
MUST_USE struct slab *descriptor_alloc(unsigned n_objects);
void descriptor_free(struct slab *slab);

#endif
