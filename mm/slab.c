/* SPDX-License-Identifier: MIT */
/*
 * Slabs: between the frame allocator and magazines.
 *
 * Terms.  A *class* is one of the 16 sizes, 2^5 .. 2^20 bytes.  Up to 2 KiB a *slab* is one frame cut into objects; its
 * descriptor (descriptor.c) and all state lie outside, so objects are aligned to their size and a slab wastes nothing.
 * From 4 KiB on an object is a *block* of frames by itself, and needs no descriptor (block.c).  A *magazine* is a CPU's
 * stack of objects of one class, ready to be handed out; a *round* is one of them with the address of its live byte
 * (magazine.c).  A *home* is whose slabs they are (home.c).
 *
 *                          state of an object         free bit   returned   in a magazine   live byte
 *      frames                                                                                           slab_create
 *         |                lies in its slab               1          0            -             0
 *         v   take                                                                                      slab_take
 *      slab  ------->      in a magazine                  0          0            1             0
 *       ^ ^  <-------                                                                                   slab_give
 *       |      give        on its way home                0          1            -             0
 *       +-----             live                           0          0            -             1       kmalloc, kfree
 *         collect
 *
 * Nothing is ever written into a free object: use after free cannot harm the allocator, and the live byte, apart from all
 * the rest, is the one thing that kfree believes.
 *
 * Objects come from partial slabs first, and of those from the one that had an object freed into it last.  Empty slabs
 * beyond a few a class go back to the frames at once, the others by mm_shrink or when memory runs out.
 *
 * Counters belong to the context that counts, and only their sums over all contexts mean something: an object that comes out
 * of one CPU's slab may be counted back by another.
 *
 * Cost: 150 instructions a slab created or freed.
 *
 * Invariants, checked by check_slabs.c:
 *   I313  An object is in one state: a free bit excludes a live byte and a magazine; a round's live byte is 0.
 *   I314  The sums of n_slabs, n_free, cache_bytes and slab_free_bytes, and n_empty of a home, are what a recount gives.
 *   I315  A role of 5 .. 11 belongs to a slab of that class whose base is the frame; one of 12 .. 20 to an aligned block of
 *         held frames, the others without a role, and its word leads to its own live byte (role.c).
 *   I316  Live objects, those in magazines and those free in slabs are all there are of a class.
 *
 * Locking: that of homes.  Frames and descriptors are taken and given back with no lock held.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/sanitize.h>
#include <mm/slab.h>

/* Counts what came to the objects that lie in slabs of a class. */
static inline void slab_count_free(struct mm_cpu *cpu, unsigned class, s64 n_free)
{
    cpu->n_free[class] += (u64)n_free;
    cpu->slab_free_bytes += (u64)n_free << (class + CLASS_MIN_SHIFT);
}

void slab_count(struct mm_cpu *cpu, unsigned class, s64 n_slabs)
{
    cpu->n_slabs[class] += (u64)n_slabs;
    cpu->cache_bytes += (u64)n_slabs * class_slab_bytes(class);
    if (!class_is_blocks(class))
        slab_count_free(cpu, class, n_slabs * class_n_objects(class));
}

/* A slab with all its objects free, of no home yet. */
static struct slab *slab_create(unsigned class)
{
    phys_t frame = role_frame_alloc(0);
    struct slab *slab;

    if (phys_is_none(frame))
        return NULL;
    slab = descriptor_alloc(class);
    if (slab == NULL) {
        role_frame_free(frame, 0);
        return NULL;
    }
    slab->frame_low = (u32)(frame.addr >> FRAME_SHIFT);
    slab->frame_high = (u16)(frame.addr >> FRAME_SHIFT >> 32);
    for (unsigned g = 0; g < class_n_groups(class); g++)
        slab->group[g].free = class_group_bits(class);
    role_set(frame, (enum role)(class + CLASS_MIN_SHIFT), slab_live(slab));
    sanitize_objects_freed(phys_pointer(frame), FRAME_BYTES);
    return slab;
}

/* Destroys the slabs of a list that are no home's any more. */
static NOINLINE void slabs_destroy(struct mm_cpu *cpu, unsigned class, struct list_node *surplus)
{
    struct list_node *node;

    while ((node = list_pop(surplus)) != NULL) {
        struct slab *slab = container_of(node, struct slab, link);

        slab_count(cpu, class, -1);
        role_frame_free(pointer_phys(slab_base(slab)), 0);
        limbo_add_slab(slab);
        limbo_settle_if_due();
    }
}

/* A slab with free objects that was nobody's, or that has just become empty, comes to this CPU's home. */
static bool slab_reuse(struct mm_cpu *cpu, unsigned class, struct list_node *surplus)
{
    if (home_adopt(&cpu->home, class, surplus))
        return true;
    if (list_is_empty(surplus))
        return false;
    home_add(&cpu->home, class, container_of(list_pop(surplus), struct slab, link));
    return true;
}

/* The same, or a fresh one.  Looking for memory empties all caches, so what was not there before may be there then. */
static bool slab_obtain(struct mm_cpu *cpu, unsigned class, struct list_node *surplus)
{
    struct slab *slab;

    if (slab_reuse(cpu, class, surplus))
        return true;
    slab = slab_create(class);
    if (slab == NULL)
        return slab_reuse(cpu, class, surplus);
    slab_count(cpu, class, 1);
    home_add(&cpu->home, class, slab);
    return true;
}

/* Objects out of such a slab; how many. */
static u32 slab_take_new(struct mm_cpu *cpu, unsigned class, struct round *round, u32 n, struct list_node *surplus)
{
    u32 n_taken;

    do {
        if (!slab_obtain(cpu, class, surplus))
            return 0;
        n_taken = home_take(&cpu->home, class, round, n, surplus);
    } while (n_taken == 0); /* a shared home may have been emptied in between */
    return n_taken;
}

/* Destroys what is in *surplus, most often nothing. */
static inline void surplus_destroy(struct mm_cpu *cpu, unsigned class, struct list_node *surplus)
{
    if (UNLIKELY(!list_is_empty(surplus)))
        slabs_destroy(cpu, class, surplus);
}

u32 slab_take(struct mm_cpu *cpu, unsigned class, struct round *round, u32 n)
{
    struct list_node surplus;
    u32 n_taken;

    list_init(&surplus);
    n_taken = home_take(&cpu->home, class, round, n, &surplus);
    if (n_taken == 0)
        n_taken = slab_take_new(cpu, class, round, n, &surplus);
    slab_count_free(cpu, class, -(s64)n_taken);
    surplus_destroy(cpu, class, &surplus);
    return n_taken;
}

/* Takes in what was brought back to a home. */
static void home_see_to(struct mm_cpu *cpu, struct slab_home *home)
{
    for (unsigned class = 0; class < N_SLAB_CLASSES; class++) {
        struct list_node surplus;

        list_init(&surplus);
        home_collect(home, class, &surplus);
        surplus_destroy(cpu, class, &surplus);
    }
}

/* Much is waiting in a home: with a lock it can be seen to from here; otherwise its own CPU has to be asked. */
static NOINLINE void home_crowded(struct mm_cpu *cpu, struct slab_home *home)
{
    if (home->is_shared)
        home_see_to(cpu, home);
    else
        cpu->collect_is_due = true;
}

void slab_give(struct mm_cpu *cpu, unsigned class, const struct round *round, u32 n)
{
    struct slab_home *crowded;
    struct list_node surplus;

    list_init(&surplus);
    crowded = home_give(&cpu->home, class, round, n, &surplus);
    slab_count_free(cpu, class, n);
    surplus_destroy(cpu, class, &surplus);
    if (UNLIKELY(crowded != NULL))
        home_crowded(cpu, crowded);
}

void slab_collect(void)
{
    struct mm_cpu *own = platform_cpu();
    struct mm_cpu *code = own->context == MM_CONTEXT_CODE ? own : own->other;

    home_see_to(code, &code->home);
}

void slab_release(struct mm_cpu *cpu, struct slab_home *home)
{
    for (unsigned class = 0; class < N_SLAB_CLASSES; class++) {
        struct list_node surplus;

        list_init(&surplus);
        home_leave(home, class, &surplus);
        surplus_destroy(cpu, class, &surplus);
    }
}

void slab_release_shared(struct mm_cpu *cpu)
{
    for (struct mm_cpu *other = mm_first_cpu(); other != NULL; other = other->next)
        if (other->home.is_shared)
            slab_release(cpu, &other->home);
    slab_release(cpu, &mm.orphans);
}
