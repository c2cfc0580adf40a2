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
 * An empty magazine is refilled, and a full one flushed, by halves: so a caller that goes back and forth over the border
 * does not come here each time.  What is flushed is what was freed longest ago; the warm rest moves down.
 *
 * How much.  A small class holds up to SMALL_BYTES, at most 63 rounds.  The large classes share one budget, large_budget:
 * mm.magazine_bytes / 2, 128 KiB from 512 MiB of RAM on.  It is given out as capacity, round by round, to the class that asks:
 * one that runs empty or full has its capacity doubled while there is budget; what others have and do not use is taken
 * back for it, and when all of it lies in rounds of other classes, those that hold most are flushed by halves.  One object
 * larger than the budget may be held as long as nothing else is: so a caller that takes and gives one and the same does
 * not go to the frames each time, and the next large object that comes here puts an end to it.
 *
 * Cost: some 8 instructions an object refilled or flushed, besides those of slabs and blocks.
 *
 * Invariants, checked by check_slabs.c:
 *   I313  A magazine holds objects of its class that are not live, and no more than its capacity.
 *   I317  large_bytes of a CPU's caches are its capacities for large objects, and not above large_budget, unless there is
 *         one such object only.
 *
 * Locking: none; magazines belong to the running context (cpu.h).
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/block.h>
#include <mm/magazine.h>
#include <mm/slab.h>
#include <mm/state.h>

#define SMALL_BYTES FRAME_BYTES            /* 64-byte objects and smaller: 64 of them; 2 KiB: 2 */
#define SMALL_BURST_BYTES (4 * FRAME_BYTES) /* 256 bytes: 64; 2 KiB: 8 */

void magazines_start(struct mm_cpu *cpu)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(cpu->top); i++)
        cpu->top[i] = magazine_bottom(0); /* empty for ever, where i is of no class */
    for (unsigned class = 0; class < MM_N_CLASSES; class++) {
        magazine_set_count(cpu, class, 0);
        magazine_set_capacity(cpu, class, 0);
    }
}

/* So many objects of a small class come to so many bytes, or to less on a small machine. */
static u32 small_rounds(unsigned class, u64 bytes)
{
    return (u32)min_u64(max_u64(min_u64(bytes, mm.magazine_bytes) >> (class + CLASS_MIN_SHIFT), 1), MAGAZINE_ROUNDS);
}

void magazines_cut(struct mm_cpu *cpu, bool in_use)
{
    for (unsigned class = 0; class < MM_N_CLASSES; class++)
        magazine_set_capacity(cpu, class, in_use && !class_is_blocks(class) ? small_rounds(class, SMALL_BYTES) : 0);
    cpu->large_bytes = 0;
    cpu->large_budget = in_use ? mm.magazine_bytes / 2 : 0;
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

static void magazine_give_half(struct mm_cpu *cpu, unsigned class)
{
    magazine_give(cpu, class, (magazine_count(cpu, class) + 1) / 2);
}

void magazine_drain(struct mm_cpu *cpu, unsigned class)
{
    if (magazine_count(cpu, class) != 0)
        magazine_give(cpu, class, magazine_count(cpu, class));
}

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
static bool large_grow(struct mm_cpu *cpu, unsigned class, u32 n)
{
    u64 bytes = class_bytes(class), room;
    u32 capacity;

    if (cpu->large_bytes + n * bytes > cpu->large_budget)
        large_trim(cpu);
    room = cpu->large_budget > cpu->large_bytes ? (cpu->large_budget - cpu->large_bytes) / bytes : 0;
    if (cpu->large_bytes == 0 && cpu->large_budget != 0 && room == 0)
        room = 1; /* larger than the budget, and alone */
    capacity = magazine_capacity(cpu, class);
    n = (u32)min_u64(min_u64(n, room), MAGAZINE_ROUNDS - capacity);
    magazine_set_capacity(cpu, class, capacity + n);
    cpu->large_bytes += n * bytes;
    return n != 0;
}

/* The large class whose rounds take most. */
static unsigned large_heaviest(const struct mm_cpu *cpu)
{
    unsigned heaviest = CLASS_FIRST_BLOCK;

    for (unsigned class = CLASS_FIRST_BLOCK + 1; class < MM_N_CLASSES; class++)
        if (magazine_count(cpu, class) * class_bytes(class) > magazine_count(cpu, heaviest) * class_bytes(heaviest))
            heaviest = class;
    return heaviest;
}

/* Room for one more round in a large class that is full. */
static void large_make_room(struct mm_cpu *cpu, unsigned class)
{
    u32 n = magazine_count(cpu, class);

    if (large_grow(cpu, class, (u32)max_u64(n, 1)))
        return;
    if (n != 0) {
        magazine_give_half(cpu, class);
        return;
    }
    while (cpu->large_budget != 0 && !large_grow(cpu, class, 1))
        magazine_give_half(cpu, large_heaviest(cpu));
}

/* Room for more rounds in a small class that is full. */
static void small_make_room(struct mm_cpu *cpu, unsigned class)
{
    u32 n = magazine_count(cpu, class), most = small_rounds(class, SMALL_BURST_BYTES);

    cpu->n_refills[class] = 0;
    if (n == 0)
        return;
    if (cpu->flushed[class] && n < most) {
        magazine_set_capacity(cpu, class, (u32)min_u64(2 * n, most));
        return;
    }
    cpu->flushed[class] = true;
    magazine_give(cpu, class, n - n / 4);
}

/* How many rounds a small class is to get that is empty: twice as many as last time, if it has not been full since. */
static u32 small_want(struct mm_cpu *cpu, unsigned class)
{
    u32 base = small_rounds(class, SMALL_BYTES), most = small_rounds(class, SMALL_BURST_BYTES), n;

    if (magazine_capacity(cpu, class) == 0)
        return 1;
    n = (base + 1) / 2 << cpu->n_refills[class];
    if (n < most)
        cpu->n_refills[class]++;
    n = n < most ? n : most;
    cpu->flushed[class] = false;
    magazine_set_capacity(cpu, class, n > base ? n : base);
    return n;
}

void magazine_put(struct mm_cpu *cpu, unsigned class, struct round round)
{
    u32 n;

    if (class_is_blocks(class))
        large_make_room(cpu, class);
    else
        small_make_room(cpu, class);
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

/* How many rounds a large class is to get that is empty. */
static u32 large_want(struct mm_cpu *cpu, unsigned class)
{
    large_grow(cpu, class, (u32)max_u64(magazine_capacity(cpu, class), 1));
    return (u32)max_u64(magazine_capacity(cpu, class) / 2, 1);
}

bool magazine_refill(struct mm_cpu *cpu, unsigned class)
{
    struct round *round = cpu->magazine[class].round;
    u32 n;

    if (class_is_blocks(class))
        n = blocks_take(cpu, class, round, large_want(cpu, class));
    else
        n = slab_take(cpu, class, round, small_want(cpu, class));
    cpu->n_taken[class] += n;
    magazine_set_count(cpu, class, n);
    if (UNLIKELY(n > 1 && n > magazine_capacity(cpu, class))) /* caches went out of use meanwhile (cpu.c) */
        magazine_give(cpu, class, n - 1);
    return n != 0;
}
