/* SPDX-License-Identifier: MIT */
/*
 * Homes: each slab belongs to somebody, who alone takes objects out of it and puts them back.
 *
 * Terms.  A *home* is a set of slabs with objects to give, in lists by class.  There are three kinds:
 *
 *      code's                  one a CPU, without a lock: only the CPU's code works on it, or an interrupt that found that
 *                              code outside of mm (cpu.h)
 *      interrupt handlers'     one a CPU, with a lock, which nearly always is free
 *      nobody's (mm.orphans)   with a lock; slabs that were left, for whoever needs one
 *
 * A slab belongs to the home of the context that made it.  So objects that are freed where they were allocated come and go
 * without a lock, and without a cache line that another CPU writes: magazine, descriptor and lists are all the CPU's own.
 *
 * Coming back.  An object freed elsewhere lies in that CPU's magazine like any other, and may be handed out from there.
 * When it leaves the magazine, it must go home.  Nothing is written into it: its bit in `returned` of its group is set,
 * atomically; who sets the first bit of a group puts it onto the `returned` list of its home:
 *
 *      freeing CPU                                       home's CPU, when its partial slabs are used up
 *      old = group.returned |= bits     (atomic)
 *      if old == 0: push the group   ---> returned --->  take the whole list        (one exchange)
 *                                                        for each group:
 *                                                            bits = group.returned, which becomes 0   (atomic)
 *                                                            group.free |= bits
 *
 * From its first bit on, until it is taken off the list, a group is in just one list.  While it has such bits, its slab is
 * not empty for its home, so neither goes away while somebody is between setting the bit and pushing.  When the slab has
 * moved to another home meanwhile, the group is sent on there, bits and all; and who empties all homes goes through them
 * again then (reclaim.c), since that one may have been through.
 *
 * Leaving.  mm_shrink and want of memory make every home take in what came back, free its empty slabs, and leave the
 * others to nobody (home_leave): so what an idle CPU's slabs have to give is there for all.  A home that runs out of slabs
 * adopts one of nobody's before a new one is made.
 *
 * A home that is not visited collects nothing.  When COLLECT_GROUPS have gathered in one that is shared, the CPU that brings
 * the last takes them in itself, under the home's lock; of code's it asks all to take in what came back (slab_collect),
 * where it may wait for them.
 *
 * Cost: an object taken 8 instructions when neighbours come together, up to 30 when each lies elsewhere; given 16; one that
 * goes home from elsewhere 30, with an atomic operation or two.
 *
 * Invariants, checked by check_slabs.c:
 *   I312  n_absent of a slab is its objects without a free bit; as it says, the slab is in `partial` or in `empty` of its home, or
 *         in no list and marked full.
 *   I318  A group is in the `returned` list of a home just when it has such bits; then those objects are neither live,
 *         nor free, nor in a magazine.
 *
 * Locking: a shared home's lock around its lists and the free bits of its slabs; nobody's is taken after another's.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/home.h>
#include <mm/slab.h>
#include <mm/state.h>

#define COLLECT_GROUPS 1024u /* a home's; each keeps a frame at most: 4 MiB */

static ul home_enter(struct slab_home *home)
{
    return home->is_shared ? platform_lock(&home->lock) : 0;
}

static void home_exit(struct slab_home *home, ul flags)
{
    if (home->is_shared)
        platform_unlock(&home->lock, flags);
}

void home_start(struct slab_home *home, bool is_shared)
{
    home->is_shared = is_shared;
    for (unsigned class = 0; class < N_SLAB_CLASSES; class++) {
        list_init(&home->class[class].partial);
        list_init(&home->class[class].empty);
    }
}

/* The slab that a group lies in: 32, 48, 64 or 80 bytes behind its start, which is the start of a unit. */
static struct slab *slab_of_group(const struct slab_group *group)
{
    return (struct slab *)align_down((u64)group - offsetof(struct slab, group), SLAB_UNIT_BYTES);
}

/* ---- taking ---- */

/* A run of n neighbours as rounds. */
static inline struct round *rounds_fill(struct round *round, u32 n, u8 *object, u8 *live, u64 bytes)
{
    for (const struct round *end = round + n; round < end; round++, object += bytes, live++)
        *round = (struct round){object, live};
    return round;
}

/* Moves up to n free objects of a group into rounds; the end of these.  `object` and `live` are those of bit 0. */
static struct round *group_take(struct slab_group *group, struct round *round, u32 n, u8 *object, u8 *live, u64 bytes)
{
    u64 free = group->free;

    while (free != 0 && n != 0) {
        u64 first = (unsigned)__builtin_ctzl(free);
        u32 run = (u32)min_u64((unsigned)__builtin_ctzl(~(free >> first)), n);

        round = rounds_fill(round, run, object + first * bytes, live + first, bytes);
        free &= ~(bits_low_mask(run) << first);
        n -= run;
    }
    group->free = (u32)free;
    return round;
}

/* Moves up to n free objects of a slab into rounds; how many. */
static u32 slab_take_from(struct slab *slab, unsigned class, struct round *round, u32 n)
{
    u64 bytes = class_bytes(class);
    u8 *object = slab_base(slab) - class_first_bit(class) * bytes; /* of bit 0 */
    u8 *live = (u8 *)slab + class_live_offset(class) - class_first_bit(class);
    struct slab_group *group = slab->group, *end = group + class_n_groups(class);
    struct round *at = round;

    for (; group < end; group++, object += GROUP_OBJECTS * bytes, live += GROUP_OBJECTS)
        at = group_take(group, at, n - (u32)(at - round), object, live, bytes);
    slab->n_absent = (u8)(slab->n_absent + (at - round));
    return (u32)(at - round);
}

static struct slab *first_slab(const struct list_node *list)
{
    struct list_node *node = list_first(list);

    return node == NULL ? NULL : container_of(node, struct slab, link);
}

static void returned_collect(struct slab_home *home, unsigned class, struct list_node *surplus);

/* A slab to take from, in `partial`, when there was none: out of what came back, or of the empty ones; NULL when there is no
 * such either.  With the home entered. */
static NOINLINE struct slab *home_find(struct slab_home *home, unsigned number, struct list_node *surplus)
{
    struct home_class *class = &home->class[number];
    struct slab *slab = NULL;

    if (__atomic_load_n(&home->returned[number], __ATOMIC_RELAXED) != NULL) {
        returned_collect(home, number, surplus);
        slab = first_slab(&class->partial);
    }
    if (slab != NULL || list_is_empty(&class->empty))
        return slab;
    slab = first_slab(&class->empty);
    home->n_empty--;
    list_remove(&slab->link);
    list_add_head(&class->partial, &slab->link);
    return slab;
}

u32 home_take(struct slab_home *home, unsigned class, struct round *round, u32 n, struct list_node *surplus)
{
    ul flags = home_enter(home);
    u32 n_taken = 0;

    do {
        struct slab *slab = first_slab(&home->class[class].partial);

        if (slab == NULL)
            slab = home_find(home, class, surplus);
        if (slab == NULL)
            break;
        n_taken += slab_take_from(slab, class, round + n_taken, n - n_taken);
        if (slab->n_absent == class_n_objects(class)) {
            list_remove(&slab->link);
            slab->home |= SLAB_FULL;
        }
    } while (n_taken < n);
    home_exit(home, flags);
    return n_taken;
}

void home_add(struct slab_home *home, unsigned class, struct slab *slab)
{
    ul flags = home_enter(home);

    slab->home = (ul)home;
    home->n_empty++;
    list_add_head(&home->class[class].empty, &slab->link);
    home_exit(home, flags);
}

/* ---- giving ---- */

/* A slab that has got all its objects back. */
static NOINLINE void slab_emptied(struct slab_home *home, unsigned class, struct slab *slab, struct list_node *surplus)
{
    bool keep = home->n_empty < mm.home_keeps_empty[class];

    list_remove(&slab->link);
    list_add_head(keep ? &home->class[class].empty : surplus, &slab->link);
    home->n_empty += keep;
}

/* A slab of this home that was full has something to give again. */
static void slab_opened(struct slab_home *home, unsigned class, struct slab *slab)
{
    slab->home = (ul)home;
    list_add_head(&home->class[class].partial, &slab->link);
}

/* Puts a group with objects that came back onto the list of its home; that home when this has become long, or NULL. */
static struct slab_home *group_push(struct slab_group *group, unsigned class)
{
    struct slab_home *home = slab_home(slab_of_group(group));
    struct slab_group *first = __atomic_load_n(&home->returned[class], __ATOMIC_RELAXED);

    do
        group->next = first;
    while (!__atomic_compare_exchange_n(&home->returned[class], &first, group, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
    return __atomic_add_fetch(&home->n_returned, 1, __ATOMIC_RELAXED) >= COLLECT_GROUPS ? home : NULL;
}

/* An object of another home is on its way there; notes in *crowded that many are. */
static NOINLINE void object_return(struct slab_group *group, unsigned class, u32 bit, struct slab_home **crowded)
{
    struct slab_home *home = NULL;

    if (__atomic_fetch_or(&group->returned, bit, __ATOMIC_ACQ_REL) == 0)
        home = group_push(group, class);
    if (home != NULL)
        *crowded = home;
}

struct slab_home *home_give(struct slab_home *home, unsigned class, const struct round *round, u32 n, struct list_node *surplus)
{
    u64 mask = ~(u64)(class_descriptor_bytes(class) - 1), group_mask = class_group_mask(class);
    struct slab_home *crowded = NULL;
    ul flags = home_enter(home);

    for (const struct round *end = round + n; round < end; round++) {
        u64 live = (u64)round->live;
        struct slab *slab = (struct slab *)(live & mask);

        if (UNLIKELY(slab->home != (ul)home)) {
            if (slab_home(slab) != home) {
                object_return(group_of_live(slab, live, group_mask), class, group_bit_of_live(live), &crowded);
                continue;
            }
            slab_opened(home, class, slab);
        }
        group_of_live(slab, live, group_mask)->free |= group_bit_of_live(live);
        if (UNLIKELY(--slab->n_absent == 0))
            slab_emptied(home, class, slab, surplus);
    }
    home_exit(home, flags);
    return crowded;
}

/* ---- coming back, leaving ---- */

/* Objects of a group of this home's that came back are free in their slab again. */
static void group_collect(struct slab_home *home, unsigned class, struct slab_group *group, struct list_node *surplus)
{
    struct slab *slab = slab_of_group(group);
    u32 bits = __atomic_exchange_n(&group->returned, 0, __ATOMIC_ACQUIRE);

    if (slab->home & SLAB_FULL)
        slab_opened(home, class, slab);
    group->free |= bits;
    slab->n_absent = (u8)(slab->n_absent - count_ones(bits));
    if (slab->n_absent == 0)
        slab_emptied(home, class, slab, surplus);
}

/* With the home entered. */
static void returned_collect(struct slab_home *home, unsigned class, struct list_node *surplus)
{
    struct slab_group *group = __atomic_exchange_n(&home->returned[class], NULL, __ATOMIC_ACQUIRE), *next;
    u32 n = 0;

    for (; group != NULL; group = next, n++) {
        next = group->next;
        if (slab_home(slab_of_group(group)) == home) {
            group_collect(home, class, group, surplus);
            continue;
        }
        group_push(group, class);
        __atomic_fetch_add(&mm.n_groups_sent_on, 1, __ATOMIC_RELAXED);
    }
    __atomic_fetch_sub(&home->n_returned, n, __ATOMIC_RELAXED);
}

void home_collect(struct slab_home *home, unsigned class, struct list_node *surplus)
{
    ul flags = home_enter(home);

    returned_collect(home, class, surplus);
    home_exit(home, flags);
}

/* Moves a list of slabs from one home to the same list of another.  With both entered. */
static void slabs_move(struct list_node *from, struct list_node *to, struct slab_home *home)
{
    struct list_node *node;

    while ((node = list_pop(from)) != NULL) {
        __atomic_store_n(&container_of(node, struct slab, link)->home, (ul)home, __ATOMIC_RELAXED);
        list_add_tail(to, node);
    }
}

void home_leave(struct slab_home *home, unsigned number, struct list_node *surplus)
{
    struct home_class *class = &home->class[number];
    struct list_node *node;
    ul flags = home_enter(home), flags_of_orphans;

    returned_collect(home, number, surplus);
    while ((node = list_pop(&class->empty)) != NULL) {
        list_add_head(surplus, node);
        home->n_empty--;
    }
    if (home != &mm.orphans && !list_is_empty(&class->partial)) {
        flags_of_orphans = platform_lock(&mm.orphans.lock);
        slabs_move(&class->partial, &mm.orphans.class[number].partial, &mm.orphans);
        platform_unlock(&mm.orphans.lock, flags_of_orphans);
    }
    home_exit(home, flags);
}

/* Is there anything to be had at nobody's?  A look without the lock. */
static bool orphans_seem_to_have(unsigned class)
{
    const struct slab_home *orphans = &mm.orphans;

    return !list_is_empty(&orphans->class[class].partial) || !list_is_empty(&orphans->class[class].empty) ||
           __atomic_load_n(&orphans->returned[class], __ATOMIC_RELAXED) != NULL;
}

bool home_adopt(struct slab_home *home, unsigned number, struct list_node *surplus)
{
    struct home_class *class = &mm.orphans.class[number];
    struct slab *slab;
    ul flags, flags_of_orphans;

    if (!orphans_seem_to_have(number))
        return false;
    flags = home_enter(home);
    flags_of_orphans = platform_lock(&mm.orphans.lock);
    returned_collect(&mm.orphans, number, surplus);
    slab = first_slab(&class->partial);
    if (slab == NULL) {
        slab = first_slab(&class->empty);
        mm.orphans.n_empty -= slab != NULL;
    }
    if (slab != NULL) {
        list_remove(&slab->link);
        __atomic_store_n(&slab->home, (ul)home, __ATOMIC_RELAXED);
        list_add_head(slab->n_absent != 0 ? &home->class[number].partial : &home->class[number].empty, &slab->link);
        home->n_empty += slab->n_absent == 0;
    }
    platform_unlock(&mm.orphans.lock, flags_of_orphans);
    home_exit(home, flags);
    return slab != NULL;
}
