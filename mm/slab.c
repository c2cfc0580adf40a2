/* SPDX-License-Identifier: MIT */
/*
 * Slabs and magazines: between the frame allocator and kmalloc's fast paths.
 *
 * Terms.  A *class* is one of the 16 sizes, 2^5 .. 2^20 bytes.  Up to 2 KiB a *slab* is one frame cut into objects; its
 * descriptor (descriptor.c) and all state lie outside, so objects are aligned to their size and a slab wastes nothing.
 * From 4 KiB on an object is a *block* of frames by itself, and needs no descriptor (role.c).  A *magazine* is a CPU's
 * stack of objects of one class, ready to be handed out; a *round* is one of them with the address of its live byte.
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
 * A magazine holds at most 64 rounds and about mm.magazine_bytes (at least one round); it is filled and flushed by
 * halves, so a caller that goes back and forth over the border does not visit the slabs each time.  Refilling takes from
 * partial slabs first, and of those from the one that had an object freed into it last.  Empty slabs beyond
 * CLASS_KEEPS_EMPTY a class go back to the frames at once, the others by mm_shrink or when memory runs out.
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

static bool class_is_blocks(unsigned class)
{
    return class + CLASS_MIN_SHIFT > SLAB_MAX_SHIFT;
}

static u64 object_bytes(unsigned class)
{
    return 1UL << (class + CLASS_MIN_SHIFT);
}

static unsigned block_order(unsigned class)
{
    return class + CLASS_MIN_SHIFT - FRAME_SHIFT;
}

static void count_cache(s64 cache_bytes, s64 slab_free_bytes)
{
    __atomic_fetch_add(&mm.cache_bytes, (u64)cache_bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&mm.slab_free_bytes, (u64)slab_free_bytes, __ATOMIC_RELAXED);
}

void magazines_cut(struct mm_cpu *cpu, bool in_use)
{
    for (unsigned class = 0; class < MM_N_CLASSES; class++) {
        u64 fit = mm.magazine_bytes >> (class + CLASS_MIN_SHIFT);

        cpu->magazine[class].capacity = in_use ? (u32)max_u64(min_u64(fit, MAGAZINE_ROUNDS), 1) : 0;
    }
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

/* Moves free objects of a slab into a magazine, up to `target` rounds in it. */
static void slab_take(struct slab *slab, struct magazine *magazine, u32 target)
{
    unsigned shift = slab->class + CLASS_MIN_SHIFT;
    struct round *round = &magazine->round[magazine->n], *end = &magazine->round[target];

    for (unsigned w = 0; w < ARRAY_LENGTH(slab->free); w++) {
        u64 free = slab->free[w];

        for (; free != 0 && round < end; free &= free - 1) {
            u64 i = w * 64 + (u64)(unsigned)__builtin_ctzl(free);

            *round++ = (struct round){slab->base + (i << shift), &slab->live[i]};
        }
        slab->free[w] = free;
    }
    slab->n_free = (u8)(slab->n_free - (round - &magazine->round[magazine->n]));
    magazine->n = (u32)(round - magazine->round);
}

/* Refills from the slabs that there are. */
static void class_take(struct slab_class *class, struct magazine *magazine, u32 target)
{
    while (magazine->n < target) {
        bool from_empty = list_is_empty(&class->partial);
        struct list_node *node = list_first(from_empty ? &class->empty : &class->partial);
        struct slab *slab;
        u32 before = magazine->n;

        if (node == NULL)
            return;
        slab = container_of(node, struct slab, link);
        slab_take(slab, magazine, target);
        class->n_empty -= from_empty;
        class->n_free -= magazine->n - before;
        slab_relist(class, slab);
    }
}

static void class_add_slab(struct slab_class *class, struct slab *slab)
{
    count_cache((s64)FRAME_BYTES, (s64)FRAME_BYTES);
    class->n_slabs++;
    class->n_free += slab->n_objects;
    class->n_empty++;
    list_add_head(&class->empty, &slab->link);
}

static bool refill_from_slabs(struct magazine *magazine, unsigned number, u32 target)
{
    struct slab_class *class = &mm.class[number];
    struct slab *fresh = NULL;

    for (;;) {
        ul flags = platform_lock(&class->lock);

        if (fresh != NULL)
            class_add_slab(class, fresh);
        class_take(class, magazine, target);
        platform_unlock(&class->lock, flags);
        if (magazine->n != 0)
            break;
        fresh = slab_create(number);
        if (fresh == NULL)
            return false;
    }
    count_cache(0, -(s64)(magazine->n * object_bytes(number)));
    return true;
}

/* Fills in the role word of a block so that its byte 1 is live[0]; the round for it. */
static struct round block_round(phys_t first, unsigned class)
{
    u8 *live = (u8 *)role_word(first) + 1;

    role_set(first, (enum role)(class + CLASS_MIN_SHIFT), live - offsetof(struct slab, live));
    return (struct round){phys_pointer(first), live};
}

/* When memory is short, taking one more block gives back what is cached, the rounds taken so far among it: then one is
 * enough, or a single block would go round and round. */
/* Up to n blocks of this order with roles; how many. */
static u32 blocks_alloc(phys_t *first, u32 n, unsigned order)
{
    if (order == 0)
        return role_frames_alloc(first, n);
    first[0] = role_frame_alloc(order);
    return !phys_is_none(first[0]);
}

static bool refill_from_frames(struct magazine *magazine, unsigned number, u32 target)
{
    struct slab_class *class = &mm.class[number];
    bool is_short = false;

    while (magazine->n < target && !is_short) {
        phys_t first[MAGAZINE_ROUNDS];
        u32 n_before = magazine->n;
        u32 n = blocks_alloc(first, target - n_before, block_order(number));

        if (n == 0)
            break;
        is_short = magazine->n < n_before;
        __atomic_fetch_add(&class->n_slabs, n, __ATOMIC_RELAXED);
        count_cache((s64)(n * object_bytes(number)), 0);
        for (u32 i = 0; i < n; i++)
            magazine->round[magazine->n++] = block_round(first[i], number);
    }
    return magazine->n != 0;
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

static void flush_to_slabs(unsigned number, const struct round *round, u32 n)
{
    struct slab_class *class = &mm.class[number];
    struct list_node surplus;
    ul flags;

    list_init(&surplus);
    count_cache(0, (s64)(n * object_bytes(number)));
    flags = platform_lock(&class->lock);
    class_give(class, round, n, &surplus);
    platform_unlock(&class->lock, flags);
    slabs_release(&surplus);
}

static void flush_to_frames(unsigned number, const struct round *round, u32 n)
{
    phys_t first[MAGAZINE_ROUNDS];

    for (u32 i = 0; i < n; i++)
        first[i] = pointer_phys(round[i].object);
    role_frames_free(first, n, block_order(number));
    __atomic_fetch_sub(&mm.class[number].n_slabs, n, __ATOMIC_RELAXED);
    count_cache(-(s64)(n * object_bytes(number)), 0);
}

/* Takes the n rounds that came first out of a magazine. */
static void magazine_give(struct magazine *magazine, unsigned class, u32 n)
{
    if (class_is_blocks(class))
        flush_to_frames(class, magazine->round, n);
    else
        flush_to_slabs(class, magazine->round, n);
    magazine->n -= n;
    for (u32 i = 0; i < magazine->n; i++)
        magazine->round[i] = magazine->round[i + n];
}

bool magazine_refill(struct mm_cpu *cpu, unsigned class)
{
    struct magazine *magazine = &cpu->magazine[class];
    u32 target = (u32)max_u64(magazine->capacity / 2, 1);
    bool filled = class_is_blocks(class) ? refill_from_frames(magazine, class, target)
                                         : refill_from_slabs(magazine, class, target);

    if (UNLIKELY(magazine->n > 1 && magazine->n > magazine->capacity)) /* caches went out of use meanwhile (cpu.c) */
        magazine_give(magazine, class, magazine->n - 1);
    return filled;
}

void magazine_flush(struct mm_cpu *cpu, unsigned class)
{
    magazine_give(&cpu->magazine[class], class, (cpu->magazine[class].n + 1) / 2);
}

void magazine_drain(struct mm_cpu *cpu, unsigned class)
{
    if (cpu->magazine[class].n != 0)
        magazine_give(&cpu->magazine[class], class, cpu->magazine[class].n);
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
