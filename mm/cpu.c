/* SPDX-License-Identifier: MIT */
/*
 * The caches of CPUs: making them, and the list of all.
 *
 * Caches come in pairs, code's and interrupt handlers', each pointing to the other; all of them are in one list that only
 * grows, at its end, so it may be followed at any time without a lock.
 */
#include <lib/string.h>
#include <mm/frame.h>
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

void mm_cpu_start(struct mm_cpu pair[MM_N_CONTEXTS])
{
    struct mm_cpu *code = &pair[MM_CONTEXT_CODE], *interrupt = &pair[MM_CONTEXT_INTERRUPT];

    code->other = interrupt;
    code->next = interrupt;
    interrupt->context = MM_CONTEXT_INTERRUPT;
    interrupt->other = code;
    magazines_start(code);
    magazines_start(interrupt);
}

static void list_add(struct mm_cpu *pair)
{
    struct mm_cpu *last = mm_first_cpu();

    while (last->next != NULL)
        last = last->next;
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
    flags = platform_lock(&mm.reclaim_lock);
    list_add(pair);
    platform_unlock(&mm.reclaim_lock, flags);
    return pair;
}
