/* SPDX-License-Identifier: MIT */
/*
 * Slabs: between the frame allocator and magazines.
 *
 * Terms.  A *class* is one of the 16 sizes, 2^5 .. 2^20 bytes.  Up to 2 KiB a *slab* is one frame cut into objects; its
 * descriptor (descriptor.c) and all state lie outside, so objects are aligned to their size and a slab wastes nothing.
 * From 4 KiB on an object is a *block* of frames by itself, and needs no descriptor (block.c).  A *magazine* is a CPU's
 * stack of objects of one class, ready to be handed out; a *round* is one of them with the address of its live byte
 * (magazine.c).
 *
 *                          state of an object        free bit   in a magazine   live byte
 *      frames                                                                               slab_create
 *         |                lies in its slab              1            -             0
 *         v   refill                                                                        magazine_refill
 *      slab  ------->      in a magazine                 0            1             0
 *            <-------                                                                       magazine_flush
 *             flush        live                          0            -             1       kmalloc, kfree
 *
 * Nothing is ever written into a free object: use after free cannot harm the allocator, and the live byte, apart from all
 * the rest, is the one thing that kfree believes.
 *
 * Refilling a magazine (magazine.c) takes from partial slabs first, and of those from the one that had an object freed into
 * it last.  Empty slabs beyond CLASS_KEEPS_EMPTY a class go back to the frames at once, the others by mm_shrink or when
 * memory runs out.
 *
 * Cost: about 10 instructions an object refilled, 20 flushed, 150 a slab created or freed.
 *
 * Invariants, checked by check_slabs.c:
 *   I312  n_free of a slab is its set free bits; it is in `partial`, in `empty`, or in no list, as n_free says.
 *   I313  An object is in one state: a free bit excludes a live byte and a magazine; a round's live byte is 0.
 *   I314  n_slabs, n_free and n_empty of a class, and mm.cache_bytes and mm.slab_free_bytes, are what a recount gives.
 *   I315  A role of 5 .. 11 belongs to a slab of that class whose base is the frame; one of 12 .. 20 to an aligned block of
 *         held frames, the others without a role, and its word leads to its own live byte (role.c).
 *   I316  Live objects, those in magazines and those free in slabs are all there are of a class.
 *
 * Locking: the class's lock around its lists and the free bits of its slabs.  Frames and descriptors are taken and given
 * back with no lock held.  Magazines belong to the running context (cpu.h).
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/slab.h>

#define CLASS_KEEPS_EMPTY 2

static void count_cache(s64 cache_bytes, s64 slab_free_bytes)
{
    __atomic_fetch_add(&mm.cache_bytes, (u64)cache_bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&mm.slab_free_bytes, (u64)slab_free_bytes, __ATOMIC_RELAXED);
}

void slab_start(void)
{
    for (unsigned class = 0; class < MM_N_CLASSES; class++) {
        list_init(&mm.class[class].partial);
        list_init(&mm.class[class].empty);
    }
    list_init(&mm.descriptors.partial);
}

/* A slab with all its objects free, in no list yet. */
static struct slab *slab_create(unsigned class)
{
    unsigned n_objects = class_n_objects(class);
    phys_t frame = role_frame_alloc(0);
    struct slab *slab;

    if (phys_is_none(frame))
        return NULL;
    slab = descriptor_alloc(n_objects);
    if (slab == NULL) {
        role_frame_free(frame, 0);
        return NULL;
    }
    slab->base = phys_pointer(frame);
    slab->class = (u8)class;
    slab->n_objects = slab->n_free = (u8)n_objects;
    slab->free[0] = bits_low_mask(n_objects);
    slab->free[1] = n_objects > 64 ? ~(u64)0 : 0;
    role_set(frame, (enum role)(class + CLASS_MIN_SHIFT), slab);
    return slab;
}

static void slab_destroy(struct slab *slab)
{
    role_frame_free(pointer_phys(slab->base), 0);
    limbo_add_slab(slab);
    limbo_settle_if_due();
}

/* Puts a slab into the list that n_free calls for. */
static void slab_relist(struct slab_class *class, struct slab *slab)
{
    list_remove(&slab->link);
    if (slab->n_free == slab->n_objects)
        list_add_head(&class->empty, &slab->link);
    else if (slab->n_free != 0)
        list_add_head(&class->partial, &slab->link);
}

/* Moves up to n free objects of a slab into rounds; how many. */
static u32 slab_take_from(struct slab *slab, struct round *round, u32 n)
{
    unsigned shift = slab->class + CLASS_MIN_SHIFT;
    const struct round *first = round, *end = round + n;

    for (unsigned w = 0; w < ARRAY_LENGTH(slab->free); w++) {
        u64 free = slab->free[w];

        for (; free != 0 && round < end; free &= free - 1) {
            u64 i = w * 64 + (u64)(unsigned)__builtin_ctzl(free);

            *round++ = (struct round){slab->base + (i << shift), &slab->live[i]};
        }
        slab->free[w] = free;
    }
    slab->n_free = (u8)(slab->n_free - (round - first));
    return (u32)(round - first);
}

/* Takes up to n objects from the slabs that there are; how many. */
static u32 class_take(struct slab_class *class, struct round *round, u32 n)
{
    u32 n_taken = 0;

    while (n_taken < n) {
        bool from_empty = list_is_empty(&class->partial);
        struct list_node *node = list_first(from_empty ? &class->empty : &class->partial);
        struct slab *slab;

        if (node == NULL)
            break;
        slab = container_of(node, struct slab, link);
        n_taken += slab_take_from(slab, round + n_taken, n - n_taken);
        class->n_empty -= from_empty;
        slab_relist(class, slab);
    }
    class->n_free -= n_taken;
    return n_taken;
}

static void class_add_slab(struct slab_class *class, struct slab *slab)
{
    count_cache((s64)FRAME_BYTES, (s64)FRAME_BYTES);
    class->n_slabs++;
    class->n_free += slab->n_objects;
    class->n_empty++;
    list_add_head(&class->empty, &slab->link);
}

u32 slab_take(struct mm_cpu *cpu, unsigned number, struct round *round, u32 n)
{
    struct slab_class *class = &mm.class[number];
    struct slab *fresh = NULL;
    u32 n_taken;

    (void)cpu;
    for (;;) {
        ul flags = platform_lock(&class->lock);

        if (fresh != NULL)
            class_add_slab(class, fresh);
        n_taken = class_take(class, round, n);
        platform_unlock(&class->lock, flags);
        if (n_taken != 0)
            break;
        fresh = slab_create(number);
        if (fresh == NULL)
            return 0;
    }
    count_cache(0, -(s64)(n_taken * class_bytes(number)));
    return n_taken;
}

/* The slab of an object that is known to be one of a slab. */
static inline struct slab *slab_of_object(const void *object)
{
    phys_t at = pointer_phys(object);

    return slab_of_word(page_of(at)->words[at.addr / FRAME_BYTES % PAGE_FRAMES]);
}

/* Puts objects back into their slabs.  Slabs that this makes superfluous are left in *surplus. */
static void class_give(struct slab_class *class, const struct round *round, u32 n, struct list_node *surplus)
{
    for (u32 i = 0; i < n; i++) {
        struct slab *slab = slab_of_object(round[i].object);
        unsigned object = (unsigned)(round[i].live - slab->live);

        slab->free[object / 64] |= (u64)1 << (object % 64);
        slab->n_free++;
        if (slab->n_free != slab->n_objects) {
            if (slab->n_free == 1)
                slab_relist(class, slab);
            continue;
        }
        if (class->n_empty < CLASS_KEEPS_EMPTY) {
            class->n_empty++;
            slab_relist(class, slab);
            continue;
        }
        list_remove(&slab->link);
        list_add_head(surplus, &slab->link);
        class->n_slabs--;
        class->n_free -= slab->n_objects;
    }
    class->n_free += n;
}

/* Destroys the slabs of a list that are the class's no more. */
static void slabs_release(struct list_node *surplus)
{
    struct list_node *node;

    while ((node = list_pop(surplus)) != NULL) {
        count_cache(-(s64)FRAME_BYTES, -(s64)FRAME_BYTES);
        slab_destroy(container_of(node, struct slab, link));
    }
}

void slab_give(struct mm_cpu *cpu, unsigned number, const struct round *round, u32 n)
{
    struct slab_class *class = &mm.class[number];
    struct list_node surplus;
    ul flags;

    (void)cpu;
    list_init(&surplus);
    count_cache(0, (s64)(n * class_bytes(number)));
    flags = platform_lock(&class->lock);
    class_give(class, round, n, &surplus);
    platform_unlock(&class->lock, flags);
    slabs_release(&surplus);
}

void slab_release_empty(void)
{
    for (unsigned number = 0; number < MM_N_CLASSES; number++) {
        struct slab_class *class = &mm.class[number];
        struct list_node *node, surplus;
        ul flags = platform_lock(&class->lock);

        list_init(&surplus);
        while ((node = list_pop(&class->empty)) != NULL) {
            list_add_head(&surplus, node);
            class->n_slabs--;
            class->n_empty--;
            class->n_free -= container_of(node, struct slab, link)->n_objects;
        }
        platform_unlock(&class->lock, flags);
        slabs_release(&surplus);
    }
}
