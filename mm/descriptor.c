/* SPDX-License-Identifier: MIT */
/*
 * Descriptor frames: where struct slab lives, outside of the objects that it describes.
 *
 *      unit   0        1       2   3       4   5   6   7   ...         63
 *           [ header ][ slab ][ slab   ][ slab          ][ free ...      ]
 *
 * A descriptor frame is 64 units of 64 bytes; unit 0 says which are used, a bit a unit.  A slab takes one unit up to 16
 * objects (256-byte objects and larger), two for 32 and 64, four for 128, aligned to as many: so the address of a live
 * byte leads to its descriptor by a mask, and no cache line belongs to two slabs.  Descriptor frames with free units are in
 * one list.  A frame comes with its first slab and goes with its last one: as it goes when a unit comes back, one that
 * never had a slab would stay for ever.
 *
 * Invariants, checked by check_slabs.c:
 *   I311  Each descriptor frame has the role ROLE_METADATA, and its header's bits are those of the slabs in it.  The
 *         frames with free units are those in the list; each has a slab.
 *
 * Locking: mm.descriptors.lock.  Frames are taken and given back with the lock released.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/role.h>
#include <mm/slab.h>
#include <mm/state.h>

#define HEADER_BIT ((u64)1)

static unsigned units_for(unsigned class)
{
    return class_descriptor_bytes(class) / SLAB_UNIT_BYTES;
}

static struct descriptor_frame *frame_of(const void *p)
{
    return (struct descriptor_frame *)align_down((u64)p, FRAME_BYTES);
}

u64 descriptor_units(const struct slab *slab)
{
    return bits_low_mask(units_for(slab->class)) << ((u64)slab % FRAME_BYTES / SLAB_UNIT_BYTES);
}

/* The first of n_units free units, aligned to as many; 64 when there are none. */
static unsigned units_find(const struct descriptor_frame *frame, unsigned n_units)
{
    u64 starts = ~frame->used;

    for (unsigned i = 1; i < n_units; i *= 2)
        starts &= starts >> i;
    return count_trailing_zeros(starts & ~(u64)0 / bits_low_mask(n_units));
}

/* Takes units out of the listed frames; NULL when none has enough in a row. */
static struct slab *units_take(unsigned n_units)
{
    list_for_each(node, &mm.descriptors.partial) {
        struct descriptor_frame *frame = container_of(node, struct descriptor_frame, link);
        unsigned first = units_find(frame, n_units);

        if (first == 64)
            continue;
        frame->used |= bits_low_mask(n_units) << first;
        if (frame->used == ~(u64)0)
            list_remove(&frame->link);
        return (struct slab *)((u8 *)frame + first * SLAB_UNIT_BYTES);
    }
    return NULL;
}

/* Puts a fresh frame into the list, for units to be taken out of at once. */
static void frame_list(struct descriptor_frame *frame)
{
    frame->used = HEADER_BIT;
    list_add_head(&mm.descriptors.partial, &frame->link);
}

/* Units of a fresh frame; or, when another context was quicker meanwhile, of its frame: then the fresh one goes back. */
static NOINLINE struct slab *units_take_fresh(unsigned n_units)
{
    phys_t fresh = role_frame_alloc(0);
    ul flags = platform_lock(&mm.descriptors.lock);
    struct slab *slab = units_take(n_units);

    if (slab == NULL && !phys_is_none(fresh)) {
        frame_list(phys_pointer(fresh));
        slab = units_take(n_units);
        fresh = PHYS_NONE;
    }
    platform_unlock(&mm.descriptors.lock, flags);
    if (!phys_is_none(fresh))
        role_frame_free(fresh, 0);
    return slab;
}

struct slab *descriptor_alloc(unsigned class)
{
    unsigned n_units = units_for(class);
    ul flags = platform_lock(&mm.descriptors.lock);
    struct slab *slab = units_take(n_units);

    platform_unlock(&mm.descriptors.lock, flags);
    if (slab == NULL)
        slab = units_take_fresh(n_units);
    if (slab == NULL)
        return NULL;
    memset(slab, 0, class_descriptor_bytes(class));
    slab->class = (u8)class;
    list_init(&slab->link);
    return slab;
}

void descriptor_free(struct slab *slab)
{
    struct descriptor_frame *frame = frame_of(slab);
    ul flags = platform_lock(&mm.descriptors.lock);
    bool unused;

    if (frame->used == ~(u64)0)
        list_add_head(&mm.descriptors.partial, &frame->link);
    frame->used &= ~descriptor_units(slab);
    unused = frame->used == HEADER_BIT;
    if (unused)
        list_remove(&frame->link);
    platform_unlock(&mm.descriptors.lock, flags);
    if (unused)
        role_frame_free(pointer_phys(frame), 0);
}
