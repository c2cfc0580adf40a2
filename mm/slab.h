/* SPDX-License-Identifier: MIT */
/* Slabs: frames cut into objects. */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include <lib/list.h>
#include <mm/class.h>
#include <mm/cpu.h>
#include <mm/platform.h>
#include <mm/types.h>

#define SLAB_UNIT_BYTES 64
#define GROUP_OBJECTS 32

/* Up to 32 neighbouring objects of a slab.  The bit of an object is the address of its live byte, modulo 32. */
struct slab_group {
    u32 free;                /* a bit an object: lies here, neither live nor in a magazine; the home's */
    u32 returned;            /* the same of objects that other CPUs have brought back; atomic */
    struct slab_group *next; /* in a home's list of groups with `returned` */
};

/*
 * A frame cut into objects.  Lies in a descriptor frame, in 1, 2 or 4 units of 64 bytes, aligned to its size; a byte an
 * object, 1 = handed out to a caller, comes after the groups, from the second unit on where there is one:
 *
 *      objects   groups   live bytes at     size
 *       2 .. 16     1        48 .. 64         64
 *            32     1        64 .. 96        128
 *            64     2        64 .. 128       128
 *           128     4       128 .. 256       256
 */
struct slab {
    struct list_node link; /* in `partial` or `empty` of its home; alone while it is full */
    ul home;               /* the address of its home, who may change all this; + SLAB_FULL while no object lies here */
    u32 frame_low;         /* the number of the frame */
    u16 frame_high;
    u8 class;
    u8 n_absent;           /* objects that do not lie here */
    struct slab_group group[];
};

#define SLAB_FULL 1UL

_Static_assert(sizeof(struct slab) == 32 && sizeof(struct slab_group) == 16, "48 bytes and up to 16 objects are a unit");

static inline unsigned class_n_groups(unsigned class)
{
    return class < 2 ? 4u >> class : 1;
}

/* Where the live bytes are in a descriptor of a class. */
static inline unsigned class_live_offset(unsigned class)
{
    return class == 0 ? 2 * SLAB_UNIT_BYTES : class < 3 ? SLAB_UNIT_BYTES : SLAB_UNIT_BYTES - 16;
}

/* The bit of a group's first object. */
static inline unsigned class_first_bit(unsigned class)
{
    return class_live_offset(class) % GROUP_OBJECTS;
}

/* The bits of all objects of a group. */
static inline u32 class_group_bits(unsigned class)
{
    return (u32)((class_n_objects(class) < GROUP_OBJECTS ? 1UL << class_n_objects(class) : 1UL << GROUP_OBJECTS) - 1)
           << class_first_bit(class);
}

static inline unsigned class_descriptor_bytes(unsigned class)
{
    return class == 0 ? 4 * SLAB_UNIT_BYTES : class < 3 ? 2 * SLAB_UNIT_BYTES : SLAB_UNIT_BYTES;
}

/* The descriptor that a live byte lies in. */
static inline struct slab *slab_of_live(const u8 *live, unsigned class)
{
    return (struct slab *)((u64)live & ~(u64)(class_descriptor_bytes(class) - 1));
}

/* What of the address of a live byte tells its group: that is half of this behind the first, if the first live byte's is 0. */
static inline u64 class_group_mask(unsigned class)
{
    return (class_n_groups(class) - 1) * GROUP_OBJECTS;
}

static inline struct slab_group *group_of_live(struct slab *slab, u64 live, u64 group_mask)
{
    _Static_assert(GROUP_OBJECTS == 2 * sizeof(struct slab_group), "half");
    return (struct slab_group *)((u8 *)slab->group + (live & group_mask) / 2);
}

static inline u32 group_bit_of_live(u64 live)
{
    return 1u << live % GROUP_OBJECTS;
}

/* Of a slab: its home, its live bytes, its frame. */
static inline struct slab_home *slab_home(const struct slab *slab)
{
    return (struct slab_home *)(__atomic_load_n(&slab->home, __ATOMIC_RELAXED) & ~SLAB_FULL);
}

/* No object lies in it.  Of another CPU's slab: so it was a moment ago. */
static inline bool slab_is_full(const struct slab *slab)
{
    return (__atomic_load_n(&slab->home, __ATOMIC_RELAXED) & SLAB_FULL) != 0;
}

static inline u8 *slab_live(const struct slab *slab)
{
    return (u8 *)slab + class_live_offset(slab->class);
}

static inline u8 *slab_base(const struct slab *slab)
{
    return phys_pointer(phys(((u64)slab->frame_high << 32 | slab->frame_low) << FRAME_SHIFT));
}

/* The live bytes that a role word leads to: those of a slab, or one inside a word (role.c). */
static inline u8 *live_of_word(ul word)
{
    return (u8 *)((s64)word >> 16);
}

/* The slab that the role word of an object leads to. */
static inline struct slab *slab_of_word(ul word, unsigned class)
{
    return slab_of_live(live_of_word(word), class);
}

/* Counts slabs of a class that were made, all objects free, or blocks that were taken; or, below 0, that are no more. */
void slab_count(struct mm_cpu *cpu, unsigned class, s64 n_slabs);

/* Takes up to n objects of a class for a magazine, 1 .. MAGAZINE_ROUNDS.  How many; 0 when memory is exhausted. */
MUST_USE u32 slab_take(struct mm_cpu *cpu, unsigned class, struct round *round, u32 n);

/* Brings n such objects, not live, back to where they lay. */
void slab_give(struct mm_cpu *cpu, unsigned class, const struct round *round, u32 n);

/* Takes in what other CPUs have brought back to the running CPU's code (home.c). */
void slab_collect(void);

/* Gives back what a home does not need, and leaves the rest to whoever wants it (home.c). */
void slab_release(struct mm_cpu *cpu, struct slab_home *home);

/* The same for all homes that do not belong to code. */
void slab_release_shared(struct mm_cpu *cpu);

/* The start of a descriptor frame: its first unit of 64 bytes. */
struct descriptor_frame {
    u64 used; /* a bit a unit */
    struct list_node link;
};

/* The bits of its frame's `used` that a slab's descriptor takes. */
u64 descriptor_units(const struct slab *slab);

/* A descriptor for a slab of a class, cleared but for `class` and `link`; NULL when memory is exhausted.  In descriptor.c. */
MUST_USE struct slab *descriptor_alloc(unsigned class);
void descriptor_free(struct slab *slab);

#endif
