/* SPDX-License-Identifier: MIT */
/* Checks of objects: I311 of descriptor.c, I312 and I318 of home.c, I313 .. I316 of slab.c, I317 of magazine.c.
 * Role tables are sound (check_roles.c). */
#include <lib/bits.h>
#include <mm/check_tally.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>

/* Of a set of objects: the sum over its members.  Sets of one size that differ have different ones, but for
 * luck. */
static u64 fingerprint(u64 address)
{
    address *= 0x9e3779b97f4a7c15; /* 2^64 over the golden ratio: spreads neighbours over all bits */
    return (address ^ address >> 32) * 0x9e3779b97f4a7c15;
}

bool check_is_metadata(const void *p)
{
    return role_of(pointer_phys(p)) == ROLE_METADATA;
}

static struct descriptor_frame *descriptor_frame_of(const void *p)
{
    return (struct descriptor_frame *)align_down((u64)p, FRAME_BYTES);
}

/* I311 of a slab: does its frame's header know it? */
static bool check_descriptor(struct mm_violation *out, const struct slab *slab,
                             struct descriptor_tally *tally)
{
    u64 used = descriptor_frame_of(slab)->used, units = descriptor_units(slab);

    if ((used & units) != units)
        return check_failed(out, 311, "units of a slab's descriptor are not marked used", (u64)slab, units,
                            used);
    if (used == ~(u64)0)
        tally->n_units_full += count_ones(units);
    else
        tally->n_units_partial += count_ones(units);
    return true;
}

/* I313 and I318 of an object of a slab. */
static bool check_object(struct mm_violation *out, const struct slab *slab, unsigned i, struct tally *tally)
{
    const struct slab_group *group = &slab->group[i / GROUP_OBJECTS];
    unsigned bit = class_first_bit(slab->class) + i % GROUP_OBJECTS;
    bool free = group->free >> bit & 1, returned = group->returned >> bit & 1;
    u8 live = slab_live(slab)[i];
    u64 address = (u64)slab_base(slab) + i * class_bytes(slab->class);

    if (live > (free || returned ? 0 : 1))
        return check_failed(out, 313, "a live object lies free in its slab, or lives more than once", address, !free, live);
    if (free && returned)
        return check_failed(out, 318, "a free object came back once more", address, 0, 1);
    tally->n_live += live;
    tally->n_free += free || returned;
    if (!free && !returned && live == 0)
        tally->absent_print += fingerprint(address);
    return true;
}

/* I312, I313 and I318 of the objects of a slab. */
static bool check_objects(struct mm_violation *out, const struct slab *slab, struct tally *tally)
{
    unsigned n_objects = class_n_objects(slab->class), n_absent = n_objects;

    for (unsigned i = 0; i < n_objects; i++)
        if (!check_object(out, slab, i, tally))
            return false;
    for (unsigned g = 0; g < class_n_groups(slab->class); g++) {
        if (((slab->group[g].free | slab->group[g].returned) & ~class_group_bits(slab->class)) != 0)
            return check_failed(out, 313, "a free bit of no object", (u64)slab_base(slab), 0, slab->group[g].free);
        n_absent -= count_ones(slab->group[g].free);
        tally->n_groups_returned += slab->group[g].returned != 0;
    }
    tally->n_partial += n_absent != 0 && n_absent != n_objects;
    tally->n_empty += n_absent == 0;
    if ((slab->home & SLAB_FULL) != (n_absent == n_objects))
        return check_failed(out, 312, "a slab is marked full and is not, or the other way round", (u64)slab_base(slab),
                            n_absent, slab->home);
    return check_equal(out, 312, "objects absent from a slab", (u64)slab_base(slab), n_absent, slab->n_absent);
}

/* I315 of a slab. */
static bool check_slab(struct mm_violation *out, phys_t frame, unsigned class, struct tallies *tallies)
{
    const u8 *live = live_of_word(*role_word(frame));
    const struct slab *slab = slab_of_live(live, class);

    if (!check_is_metadata(slab))
        return check_failed(out, 315, "a slab's descriptor lies in no descriptor frame", frame.addr, 0,
                            (u64)slab);
    if (slab->class != class || live != slab_live(slab) || slab_base(slab) != phys_pointer(frame))
        return check_failed(out, 315, "a slab is not that of its frame", frame.addr, (u64)phys_pointer(frame),
                            (u64)slab_base(slab));
    tallies->class[class].n_slabs++;
    return check_descriptor(out, slab, &tallies->descriptors) &&
           check_objects(out, slab, &tallies->class[class]);
}

/* I313 and I315 of a block; `noted`: it serves as a top-level table. */
static bool check_block(struct mm_violation *out, phys_t first, unsigned class, bool noted,
                        struct tally *tally)
{
    u64 bytes = 1UL << (class + CLASS_MIN_SHIFT);
    const u8 *live = (const u8 *)role_word(first) + 1;

    if (!is_aligned(first.addr, bytes) || (!noted && live_of_word(*role_word(first)) != live))
        return check_failed(out, 315, "a block is not aligned, or does not lead to its own live byte",
                            first.addr, (u64)live, (u64)live_of_word(*role_word(first)));
    for (u64 at = FRAME_BYTES; at < bytes; at += FRAME_BYTES)
        if (role_of(phys_add(first, at)) != ROLE_NONE || !frame_is_mms(phys_add(first, at)))
            return check_failed(out, 315, "a frame inside a block is held, free, or has a role",
                                first.addr + at, 0, role_of(phys_add(first, at)));
    if (*live > 1)
        return check_failed(out, 313, "a block lives more than once", first.addr, 1, *live);
    tally->n_slabs++;
    tally->n_live += *live;
    tally->absent_print += *live == 0 ? fingerprint((u64)phys_pointer(first)) : 0;
    return true;
}

static bool check_frame(struct mm_violation *out, phys_t frame, struct tallies *tallies)
{
    unsigned role = role_of(frame) % ROLE_TOP_LEVEL;
    unsigned class = role - CLASS_MIN_SHIFT;

    tallies->descriptors.n_frames += role == ROLE_METADATA;
    if (role < ROLE_OBJECT_MIN || role > ROLE_OBJECT_MAX)
        return true;
    if (role <= SLAB_MAX_SHIFT)
        return check_slab(out, frame, class, tallies);
    return check_block(out, frame, class, role_of(frame) != role, &tallies->class[class]);
}

static bool tally_frames(struct mm_violation *out, struct tallies *tallies)
{
    for (u32 i = 0; i < mm.n_pages; i++) {
        const struct Page *page = page_at(i);

        if (page->roles == NULL)
            continue;
        for (u64 k = 0; k < PAGE_FRAMES; k++)
            if (!check_frame(out, phys(page->addr_phys + k * FRAME_BYTES), tallies))
                return false;
    }
    return true;
}

/* Does an object lie in its slab, or has come back there? */
static bool object_is_home(const u8 *live, unsigned class)
{
    const struct slab_group *group = group_of_live(slab_of_live(live, class), (u64)live, class_group_mask(class));

    return ((group->free | group->returned) & group_bit_of_live((u64)live)) != 0;
}

/* I313 of a round of a magazine. */
static bool check_round(struct mm_violation *out, const struct round *round, unsigned class)
{
    phys_t at = pointer_phys(round->object);
    unsigned shift = class + CLASS_MIN_SHIFT;
    const u8 *live;
    u64 number;

    if (role_of(at) != shift || !is_aligned(at.addr, 1UL << shift))
        return check_failed(out, 313, "a round of a magazine is no object of its class", (u64)round->object,
                            shift, role_of(at));
    number = at.addr % FRAME_BYTES >> shift;
    live = &live_of_word(*role_word(at))[number];
    if (round->live != live || *round->live != 0)
        return check_failed(out, 313, "a round of a magazine is live, or another's", (u64)round->object,
                            (u64)live, (u64)round->live);
    if (!class_is_blocks(class) && object_is_home(live, class))
        return check_failed(out, 313, "a round of a magazine lies free in its slab", (u64)round->object, 0,
                            1);
    return true;
}

static bool check_magazine(struct mm_violation *out, const struct mm_cpu *cpu, unsigned class, struct tally *tally)
{
    const struct magazine *magazine = &cpu->magazine[class];
    u32 n = magazine_count(cpu, class), capacity = magazine_capacity(cpu, class);

    if (n > capacity || capacity > MAGAZINE_ROUNDS || magazine->empty.object != NULL)
        return check_failed(out, 313, "rounds in a magazine", class, capacity, n);
    for (u32 i = 0; i < n; i++) {
        if (!check_round(out, &magazine->round[i], class))
            return false;
        tally->round_print += fingerprint((u64)magazine->round[i].object);
    }
    tally->n_rounds += n;
    return true;
}

/* I317. */
static bool check_large(struct mm_violation *out, const struct mm_cpu *cpu)
{
    u64 bytes = 0, guest_bytes = magazine_guest_bytes(cpu);
    u32 n = 0;

    for (unsigned class = CLASS_FIRST_BLOCK; class < MM_N_CLASSES; class++) {
        n += magazine_capacity(cpu, class);
        bytes += magazine_capacity(cpu, class) * class_bytes(class);
    }
    if (bytes - guest_bytes > cpu->large_budget && n > 1 + (guest_bytes != 0))
        return check_failed(out, 317, "capacities for large objects are above their budget", n, cpu->large_budget, bytes);
    return check_equal(out, 317, "capacities for large objects", n, bytes, cpu->large_bytes);
}

/* Descriptors out of use that are not free yet. */
static bool tally_limbo(struct mm_violation *out, struct descriptor_tally *tally)
{
    list_for_each(node, &mm.limbo.slabs)
        if (!check_descriptor(out, container_of(node, struct slab, link), tally))
            return false;
    return true;
}

/* Slots that records of the debug mode hold: to their slabs they are as if in a magazine (debug.c, I502). */
static void tally_debug(struct tallies *tallies)
{
    for (u32 i = 0; i < mm.debug.n_used; i++) {
        unsigned class;
        u64 slot;

        if (debug_slot_at(i, &slot, &class)) {
            tallies->class[class].n_rounds++;
            tallies->class[class].round_print += fingerprint(slot);
        }
    }
}

static bool tally_magazines(struct mm_violation *out, struct tallies *tallies)
{
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next) {
        if (!check_large(out, cpu))
            return false;
        for (unsigned class = 0; class < MM_N_CLASSES; class++)
            if (!check_magazine(out, cpu, class, &tallies->class[class]))
                return false;
    }
    return true;
}

bool check_link(const struct list_node *node, const struct list_node *before)
{
    return check_is_metadata(node) && is_aligned((u64)node, sizeof(u64)) && node->prev == before;
}

/* I314 and I316 of a class. */
static bool check_class(struct mm_violation *out, unsigned class, const struct tally *tally)
{
    u64 n_slabs = 0, n_free = 0;

    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next) {
        n_slabs += cpu->n_slabs[class];
        n_free += cpu->n_free[class];
    }
    return check_equal(out, 314, "slabs of a class", class, tally->n_slabs, n_slabs) &&
           check_equal(out, 314, "objects of a class free in slabs", class, tally->n_free, n_free) &&
           check_equal(out, 316, "objects that are live, free, or in a magazine", class,
                       tally->n_slabs * class_n_objects(class),
                       tally->n_live + tally->n_free + tally->n_rounds) &&
           check_equal(out, 316, "an object is twice in magazines, another lost", class, tally->absent_print,
                       tally->round_print);
}

/* I314 of all classes together. */
static bool check_classes(struct mm_violation *out, const struct tally *tally)
{
    u64 cache_bytes = 0, free_bytes = mm.debug.waiting_bytes, counted_bytes = 0, counted_free_bytes = 0;

    for (unsigned class = 0; class < MM_N_CLASSES; class ++) {
        if (!check_class(out, class, &tally[class]))
            return false;
        cache_bytes += tally[class].n_slabs * class_slab_bytes(class);
        free_bytes += tally[class].n_free << (class + CLASS_MIN_SHIFT);
    }
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next) {
        counted_bytes += cpu->cache_bytes;
        counted_free_bytes += cpu->slab_free_bytes;
    }
    return check_equal(out, 314, "frames held by kmalloc", 0, cache_bytes, counted_bytes) &&
           check_equal(out, 314, "bytes free in slabs", 0, free_bytes, counted_free_bytes);
}

/* I311 of the list, and of all descriptor frames by number: those that are not in it are full. */
static bool check_descriptors(struct mm_violation *out, const struct descriptor_tally *tally)
{
    const struct list_node *before = &mm.descriptors.partial;
    u64 n_listed = 0, n_units = 0;

    list_for_each(node, &mm.descriptors.partial) {
        const struct descriptor_frame *frame = descriptor_frame_of(node);

        if (!check_link(node, before) || node != &frame->link || ++n_listed > tally->n_frames)
            return check_failed(out, 311, "the list of descriptor frames is broken", (u64)node,
                                tally->n_frames, n_listed);
        if (frame->used == ~(u64)0 || !(frame->used & 1))
            return check_failed(out, 311, "a listed descriptor frame is full, or its header is free",
                                (u64)frame, 1, frame->used);
        if (frame->used == 1)
            return check_failed(out, 311, "a listed descriptor frame describes no slab", (u64)frame, 2, 1);
        n_units += count_ones(frame->used) - 1;
        before = node;
    }
    return check_equal(out, 311, "used units of descriptor frames", 0, tally->n_units_partial, n_units) &&
           check_equal(out, 311, "units of full descriptor frames", 0, (tally->n_frames - n_listed) * 63,
                       tally->n_units_full);
}

bool check_slabs(struct mm_violation *out)
{
    struct tallies tallies = {0};

    tally_debug(&tallies);
    return tally_frames(out, &tallies) && tally_limbo(out, &tallies.descriptors) && tally_magazines(out, &tallies) &&
           check_descriptors(out, &tallies.descriptors) && check_classes(out, tallies.class) &&
           check_homes(out, tallies.class);
}
