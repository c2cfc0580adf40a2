/* SPDX-License-Identifier: MIT */
/*
 * The caches of CPUs: making them, and the list of all.
 *
 * Caches come in pairs, code's and interrupt handlers', each pointing to the other; all of them are in one list that only
 * grows, at its end, so it may be followed at any time without a lock.
 *
 * Out of use.  Caches with capacities of 0 are always empty and always full: whatever is asked of them goes past them, to
 * the slabs and zones, as that of interrupt handlers always does.  Only a CPU itself may empty its caches and change their
 * capacities, so mm_caches_off asks each (platform_synchronize).  The fast paths take "full" for "as many as the capacity":
 * so a cache is first emptied, then cut, and nothing may come back into it in between.  A refill that waits for memory may
 * be cut in its midst; it gives back at its end what is too much (magazine_refill).
 */
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/frame_stack.h>
#include <mm/magazine.h>
#include <mm/reclaim.h>
#include <mm/slab.h>
#include <mm/state.h>

/* The smallest block that holds a pair, and the frames of it that do. */
#define PAIR_ORDER 4
#define PAIR_FRAMES ((MM_N_CONTEXTS * sizeof(struct mm_cpu) + FRAME_BYTES - 1) / FRAME_BYTES)

_Static_assert(PAIR_FRAMES <= 1UL << PAIR_ORDER, "a pair fits its block");

struct mm_cpu *mm_boot_cpu(enum mm_context context)
{
    return &mm.boot_cpu[context];
}

struct mm_cpu *mm_first_cpu(void)
{
    return &mm.boot_cpu[0];
}

/* Gives a CPU's caches, which are empty, the capacities that they are to have now.  Interrupt handlers' have none. */
static void caches_cut(struct mm_cpu *code)
{
    bool in_use = __atomic_load_n(&mm.n_caches_off, __ATOMIC_RELAXED) == 0;

    magazines_cut(code, in_use);
    frame_stacks_cut(code, in_use);
}

void mm_cpu_start(struct mm_cpu pair[MM_N_CONTEXTS])
{
    struct mm_cpu *code = &pair[MM_CONTEXT_CODE], *interrupt = &pair[MM_CONTEXT_INTERRUPT];

    code->other = interrupt;
    code->next = interrupt;
    interrupt->context = MM_CONTEXT_INTERRUPT;
    interrupt->other = code;
    magazines_start(code);
    magazines_start(interrupt);
    home_start(&code->home, false);
    home_start(&interrupt->home, true);
    caches_cut(code);
}

/* On each CPU, as reclaim_own_caches. */
static void caches_empty_and_cut(void)
{
    struct mm_cpu *own = platform_cpu();

    reclaim_own_caches();
    caches_cut(own->context == MM_CONTEXT_CODE ? own : own->other);
}

/* Counts who wants caches out of use, and has every CPU see to it. */
static bool caches_want_off(u32 change)
{
    struct mm_cpu *own = platform_cpu();
    bool done;

    if (own->context != MM_CONTEXT_CODE)
        return false;
    mm_enter(own); /* another CPU's request to drain must not come in the middle of ours */
    __atomic_fetch_add(&mm.n_caches_off, change, __ATOMIC_SEQ_CST);
    caches_empty_and_cut();
    done = platform_synchronize(caches_empty_and_cut);
    if (!done) {
        __atomic_fetch_sub(&mm.n_caches_off, change, __ATOMIC_SEQ_CST);
        caches_empty_and_cut();
    }
    mm_leave(own);
    return done;
}

bool mm_caches_off(void)
{
    return caches_want_off(1);
}

bool mm_caches_on(void)
{
    return caches_want_off(-1u);
}

/* How many frames of the block lie in [start, end). */
static u64 count_in_block(phys_t first, unsigned order, u64 start, u64 end)
{
    u64 n = 0;

    for (u64 at = first.addr; at < first.addr + (FRAME_BYTES << order); at += FRAME_BYTES)
        n += at >= start && at < end;
    return n;
}

u64 mm_cpu_count_stacked(const struct mm_cpu *cpu, u64 start, u64 end)
{
    u64 n = 0;

    for (u32 i = 0; i < cpu->stacked.n_frames; i++)
        n += count_in_block(cpu->frame[i], 0, start, end);
    for (unsigned order = 1; order <= STACK_ORDERS; order++)
        for (u32 i = 0; i < cpu->stacked.n_blocks[2 * order]; i++)
            n += count_in_block(cpu->blocks[order - 1].block[i], order, start, end);
    return n;
}

static void list_add(struct mm_cpu *pair)
{
    struct mm_cpu *last = mm_first_cpu();

    while (last->next != NULL)
        last = last->next;
    pair[MM_CONTEXT_CODE].number = pair[MM_CONTEXT_INTERRUPT].number = last->number + 1;
    __atomic_store_n(&last->next, pair, __ATOMIC_RELEASE);
}

struct mm_cpu *mm_cpu_create(void)
{
    phys_t first = frame_alloc(ZONE_NORMAL, PAIR_ORDER);
    struct mm_cpu *pair;
    ul flags;

    if (phys_is_none(first))
        return NULL;
    for (u64 i = PAIR_FRAMES; i < 1UL << PAIR_ORDER; i++)
        frame_free(phys_add(first, i * FRAME_BYTES), 0);
    pair = phys_pointer(first);
    memset(pair, 0, MM_N_CONTEXTS * sizeof *pair);
    mm_cpu_start(pair);
    pair[MM_CONTEXT_CODE].ring = pair[MM_CONTEXT_INTERRUPT].ring = debug_ring_create();
    flags = platform_lock(&mm.cpus_lock);
    list_add(pair);
    platform_unlock(&mm.cpus_lock, flags);
    return pair;
}
