/* SPDX-License-Identifier: MIT */
/*
 * Magazines: what lies between kmalloc's fast paths and the slabs (slab.c) and blocks (block.c).
 *
 * Terms.  A *magazine* is a CPU's stack of objects of one class, ready to be handed out; a *round* is one of them with the
 * address of its live byte.  Its *capacity* is how many it may hold.  A *large* class is one of blocks, of a frame and more.
 *
 *      struct mm_cpu:   [ empty ][ round ][ round ][ round ][       ][       ] ...
 *                           ^                          ^        ^
 *                           |                          top      limit + 1: capacity 4
 *                           below the oldest round, without an object
 *
 * How much.  A magazine that runs empty or full comes here; the more of it happens in a row, the more it gets.
 *
 *      empty        gets half its basic capacity; when it was not full since, twice as many as the last time
 *      full         gives back three quarters; when it has done so and was not empty since, its capacity is doubled instead
 *      empty again  has its basic capacity, or what it got if that is more
 *
 * (With large objects a step wants 2, 4 or 8 such visits, or one more: a magazine of one or two is soon full twice.)
 *
 * So where objects come and go by turns, little lies idle here, and slabs are not opened for it; and in a burst of either
 * the way here is short.  What is given back is what was freed longest ago; the warm rest moves down.
 *
 *                         basic capacity                     at most
 *      up to 512 bytes    a frame's worth: 64 .. 8           four frames': 64 .. 32
 *      1, 2 KiB           4                                  the same
 *      4 .. 16 KiB        four frames' worth: 4, 2, 1        64, or what the budget allows
 *      32 KiB and more    one, the guest                     the same
 *
 * An object that is handed out from here again stands in for one that a slab would have given: a slab that is nearly empty is
 * not left to become so, nor a nearly full one filled.  Where a slab has few objects, and a class many slabs, that decides how
 * many of them are in use.  So of 1 and 2 KiB few objects lie here; and from 512 bytes on, of what is given back, those go
 * first whose slab has a place free anyway, before those that would open a full one.  Full slabs stay full, and others get
 * empty: some 5 frames in 900 under a mix of all sizes (`bench mixed_server`), for 7 instructions a step of it.
 *
 * The large classes share a budget, large_budget: mm.magazine_bytes, 256 KiB from 512 MiB of RAM on, of which what is above
 * 3/8, 96 KiB, is for bursts.  It is given out as capacity, round by round, to the class that asks; what others have and
 * do not use is taken back for it, and when all of it lies in rounds of other classes, those that hold most are flushed by
 * halves.
 *
 * The *guest* is what came last of 32 KiB and more: one object, besides the budget, until one of another such class comes.
 * So a caller that takes and gives one and the same does not go to the frames each time, whatever its size, and what is
 * rare and large does not drive out what is small and common.
 *
 * Cost: some 8 instructions an object refilled or flushed, besides those of slabs and blocks.
 *
 * Invariants, checked by check_slabs.c:
 *   I313  A magazine holds objects of its class that are not live, and no more than its capacity.
 *   I317  large_bytes of a CPU's caches are its capacities for large objects, and without the guest's not above large_budget,
 *         unless there is one such object only.
 *
 * Locking: none; magazines belong to the running context (cpu.h).
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/block.h>
#include <mm/magazine.h>
#include <mm/slab.h>
#include <mm/state.h>

#define SMALL_BYTES FRAME_BYTES             /* basic capacity of a small class, ... */
#define SMALL_BURST_BYTES (4 * FRAME_BYTES) /* ... and the most that it may have */
#define FEW_FIRST (CLASS_FIRST_BLOCK - 2)    /* from here on up to 4 objects lie in a slab, ... */
#define FEW_ROUNDS 4                        /* ... and so many may lie in a magazine */
#define CHOOSY_FIRST (CLASS_FIRST_BLOCK - 3) /* up to 8: one chooses what is given back */
#define LARGE_BYTES (4 * FRAME_BYTES)       /* basic capacity of a large class */
#define LARGE_IN_A_ROW 2u                   /* what makes a burst of frames; of 8 KiB objects twice as many visits, ... */
#define LARGE_IN_A_ROW_SHIFT 2              /* ... and from 16 KiB on four times */
#define LARGE_EIGHTHS 3                     /* of the budget: what there is without a burst */

void magazines_start(struct mm_cpu *cpu)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(cpu->top); i++)
        cpu->top[i] = magazine_bottom(0); /* empty for ever, where i is of no class */
    for (unsigned class = 0; class < MM_N_CLASSES; class++) {
        magazine_set_count(cpu, class, 0);
        magazine_set_capacity(cpu, class, 0);
    }
}

/* How many objects of a class come to so many bytes: at least one, less on a small machine. */
static u32 rounds_of(unsigned class, u64 bytes)
{
    u64 n = min_u64(bytes, mm.magazine_bytes) >> (class + CLASS_MIN_SHIFT);

    return n < 1 ? 1 : n < MAGAZINE_ROUNDS ? (u32)n : MAGAZINE_ROUNDS;
}

/* How many of a small class come to so many bytes; as many as ever of those with few objects a slab. */
static u32 small_capacity(unsigned class, u64 bytes)
{
    return rounds_of(class, class >= FEW_FIRST ? FEW_ROUNDS * class_bytes(class) : bytes);
}

static u32 basic_capacity(unsigned class)
{
    return class_is_blocks(class) ? rounds_of(class, LARGE_BYTES) : small_capacity(class, SMALL_BYTES);
}

static u32 most_capacity(unsigned class)
{
    return class_is_blocks(class) ? rounds_of(class, mm.magazine_bytes) : small_capacity(class, SMALL_BURST_BYTES);
}

void magazines_cut(struct mm_cpu *cpu, bool in_use)
{
    for (unsigned class = 0; class < MM_N_CLASSES; class++) {
        /* large ones get theirs when they ask for it */
        magazine_set_capacity(cpu, class, in_use && !class_is_blocks(class) ? basic_capacity(class) : 0);
        cpu->n_refills[class] = cpu->n_flushes[class] = 0;
    }
    cpu->large_guest = 0;
    cpu->large_bytes = 0;
    cpu->large_budget = in_use ? mm.magazine_bytes : 0;
    cpu->in_use = in_use;
}

/* Gives the n rounds that came first back, and moves the others down. */
static void magazine_give(struct mm_cpu *cpu, unsigned class, u32 n)
{
    struct round *round = cpu->magazine[class].round;
    u32 left = magazine_count(cpu, class) - n;

    if (class_is_blocks(class))
        blocks_give(cpu, class, round, n);
    else
        slab_give(cpu, class, round, n);
    memmove(round, round + n, left * sizeof *round);
    magazine_set_count(cpu, class, left);
}

void magazine_drain(struct mm_cpu *cpu, unsigned class)
{
    if (magazine_count(cpu, class) != 0)
        magazine_give(cpu, class, magazine_count(cpu, class));
}

/* ---- capacities of large classes ---- */

/* Takes back what large classes may hold and do not. */
static void large_trim(struct mm_cpu *cpu)
{
    for (unsigned shift = CLASS_FIRST_BLOCK + CLASS_MIN_SHIFT; shift <= CLASS_MAX_SHIFT; shift++) {
        u32 top = cpu->top[shift], limit = cpu->limit[shift];

        if (limit <= top)
            continue;
        cpu->limit[shift] = top;
        cpu->large_bytes -= (u64)((limit - top) / sizeof(struct round)) << shift;
    }
}

/* Raises the capacity of a large class by up to n rounds; false when the budget does not allow for one. */
static bool large_grow(struct mm_cpu *cpu, unsigned class, u32 n, bool burst)
{
    unsigned shift = class + CLASS_MIN_SHIFT;
    u32 capacity = magazine_capacity(cpu, class);
    u64 budget = burst ? cpu->large_budget : cpu->large_budget / 8 * LARGE_EIGHTHS;
    u64 taken = cpu->large_bytes - magazine_guest_bytes(cpu), room;

    if (taken + ((u64)n << shift) > budget && cpu->large_bytes != (u64)capacity << shift) {
        large_trim(cpu);
        taken = cpu->large_bytes - magazine_guest_bytes(cpu);
    }
    room = budget > taken ? (budget - taken) >> shift : 0;
    if (taken == 0 && cpu->large_budget != 0 && room == 0)
        room = 1; /* larger than the budget, and alone */
    n = (u32)min_u64(min_u64(n, room), MAGAZINE_ROUNDS - capacity);
    magazine_set_capacity(cpu, class, capacity + n);
    cpu->large_bytes += (u64)n << shift;
    return n != 0;
}

/* What the rounds of a large class take of the budget. */
static u64 large_weight(const struct mm_cpu *cpu, unsigned class)
{
    u64 n = magazine_count(cpu, class);

    return (class == cpu->large_guest && n != 0 ? n - 1 : n) * class_bytes(class);
}

/* The large class whose rounds take most. */
static unsigned large_heaviest(const struct mm_cpu *cpu)
{
    unsigned heaviest = CLASS_FIRST_BLOCK;

    for (unsigned class = CLASS_FIRST_BLOCK + 1; class < MM_N_CLASSES; class++)
        if (large_weight(cpu, class) > large_weight(cpu, heaviest))
            heaviest = class;
    return heaviest;
}

/* Takes a capacity away from a large class, and what it holds. */
static void large_end(struct mm_cpu *cpu, unsigned class)
{
    magazine_drain(cpu, class);
    cpu->large_bytes -= magazine_capacity(cpu, class) * class_bytes(class);
    magazine_set_capacity(cpu, class, 0);
}

/* A capacity of one for a large class that has none: as the guest, or out of the budget. */
static void large_begin(struct mm_cpu *cpu, unsigned class)
{
    if (class_bytes(class) > LARGE_BYTES) {
        if (cpu->large_guest != 0)
            large_end(cpu, cpu->large_guest);
        cpu->large_guest = (u8)class;
        cpu->large_bytes += class_bytes(class);
        magazine_set_capacity(cpu, class, 1);
        return;
    }
    while (!large_grow(cpu, class, 1, false)) {
        unsigned heaviest = large_heaviest(cpu);

        magazine_give(cpu, heaviest, (magazine_count(cpu, heaviest) + 1) / 2);
    }
}

/* ---- full, empty ---- */

/* How many visits of an empty magazine make a burst: a magazine of one or two is soon empty twice. */
static unsigned refills_in_a_row(unsigned class)
{
    return class_is_blocks(class) ? LARGE_IN_A_ROW << min_u64(class - CLASS_FIRST_BLOCK, LARGE_IN_A_ROW_SHIFT) : 1;
}

/* And of a full one: what it gets then may lie idle afterwards. */
static unsigned flushes_in_a_row(unsigned class)
{
    return refills_in_a_row(class) + class_is_blocks(class);
}

/* Doubles a capacity of n rounds, or nearly; false when it is as large as may be. */
static bool capacity_grow(struct mm_cpu *cpu, unsigned class, u32 n)
{
    u32 more = n < most_capacity(class) - n ? n : most_capacity(class) - n;

    if (class_is_blocks(class))
        return more != 0 && large_grow(cpu, class, more, true);
    magazine_set_capacity(cpu, class, n + more);
    return more != 0;
}

/* Moves the rounds of slabs that have a place free to where they are given back first. */
static void rounds_choose(struct round *round, u32 n, unsigned class)
{
    struct round *to = round;

    for (const struct round *end = round + n; round < end; round++) {
        struct round chosen = *round;

        if (slab_is_full(slab_of_live(chosen.live, class)))
            continue;
        *round = *to;
        *to++ = chosen;
    }
}

/* Room for one more round at least in a magazine that was full when kfree looked.  Before it entered mm, another CPU's
 * request may have emptied it. */
static void make_room(struct mm_cpu *cpu, unsigned class)
{
    u32 n = magazine_count(cpu, class);

    if (n < magazine_capacity(cpu, class))
        return;
    cpu->n_refills[class] = 0;
    if (n == 0) {
        large_begin(cpu, class);
        return;
    }
    if (cpu->n_flushes[class] >= flushes_in_a_row(class) && n < most_capacity(class) && capacity_grow(cpu, class, n))
        return;
    if (cpu->n_flushes[class] < flushes_in_a_row(class))
        cpu->n_flushes[class]++;
    if (class >= CHOOSY_FIRST && !class_is_blocks(class))
        rounds_choose(cpu->magazine[class].round, n, class);
    magazine_give(cpu, class, n - n / 4);
}

void magazine_put(struct mm_cpu *cpu, unsigned class, struct round round)
{
    u32 n;

    if (cpu->in_use)
        make_room(cpu, class);
    n = magazine_count(cpu, class);
    cpu->magazine[class].round[n] = round;
    magazine_set_count(cpu, class, n + 1);
    if (n >= magazine_capacity(cpu, class))
        magazine_drain(cpu, class);
    if (UNLIKELY(cpu->collect_is_due)) { /* not earlier: while this CPU waits, others may have it empty its caches */
        cpu->collect_is_due = false;
        platform_synchronize(slab_collect);
    }
}

/* How many rounds a magazine that is empty is to get.  Sets its capacity. */
static u32 want(struct mm_cpu *cpu, unsigned class)
{
    u32 basic = basic_capacity(class), most = most_capacity(class);
    u32 n = (basic + 1) / 2 << cpu->n_refills[class] / refills_in_a_row(class);

    if (n < most)
        cpu->n_refills[class]++;
    else
        n = most;
    cpu->n_flushes[class] = 0;
    if (!class_is_blocks(class)) {
        magazine_set_capacity(cpu, class, n > basic ? n : basic);
        return n;
    }
    if (n == 1 && class_bytes(class) > LARGE_BYTES)
        return 1;
    cpu->large_bytes -= magazine_capacity(cpu, class) * class_bytes(class);
    magazine_set_capacity(cpu, class, 0);
    if (!large_grow(cpu, class, n > basic ? n : basic, n > basic))
        return 1;
    return n < magazine_capacity(cpu, class) ? n : magazine_capacity(cpu, class);
}

bool magazine_refill(struct mm_cpu *cpu, unsigned class)
{
    struct round *round = cpu->magazine[class].round;
    u32 n = cpu->in_use ? want(cpu, class) : 1;

    n = class_is_blocks(class) ? blocks_take(cpu, class, round, n) : slab_take(cpu, class, round, n);
    cpu->n_taken[class] += n;
    magazine_set_count(cpu, class, n);
    if (UNLIKELY(n > 1 && n > magazine_capacity(cpu, class))) /* caches went out of use meanwhile (cpu.c) */
        magazine_give(cpu, class, n - 1);
    return n != 0;
}
