/* SPDX-License-Identifier: MIT */
/*
 * The caches of CPUs: making them, and the list of all.
 *
 * Caches come in pairs, code's and interrupt handlers', each pointing to the other; all of them are in one list that only
 * grows, at its end, so it may be followed at any time without a lock.
 */
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/frame_stack.h>
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
    for (unsigned context = 0; context < MM_N_CONTEXTS; context++) {
        magazines_start(&pair[context]);
        frame_stacks_start(&pair[context]);
    }
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

    for (u32 i = 0; i < cpu->n_frames; i++)
        n += count_in_block(cpu->frame[i], 0, start, end);
    for (unsigned order = 1; order <= STACK_ORDERS; order++)
        for (u32 i = 0; i < cpu->blocks[order - 1].n; i++)
            n += count_in_block(cpu->blocks[order - 1].block[i], order, start, end);
    return n;
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
    flags = platform_lock(&mm.cpus_lock);
    list_add(pair);
    platform_unlock(&mm.cpus_lock, flags);
    return pair;
}
