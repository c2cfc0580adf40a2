/* SPDX-License-Identifier: MIT */
/*
 * Stacks of frames: what makes frame_alloc and frame_free cheap.
 *
 * Each context of a CPU (cpu.h) has a stack of single frames, refilled and drained by halves under one lock, and a stack of
 * blocks for each order up to STACK_ORDERS, which are only kept as they come back.  What lies in a stack is free: it is
 * counted so, but it is in no list of its zone, its bits are clear in the page's bitmap and in the held array.  Only
 * NORMAL's frames lie in stacks.
 *
 * A drain gives back what was freed longest ago; the warm rest stays.
 *
 * Cost: refilling 10 instructions a frame; draining some 45 a frame (split.c).
 * Invariants: I206 (frame.c).
 * Locking: NORMAL's lock while frames move; the stacks belong to the running context.
 */
#include <lib/bits.h>
#include <mm/fail.h>
#include <mm/frame_stack.h>
#include <mm/page.h>
#include <mm/split.h>

void frame_stacks_cut(struct mm_cpu *cpu, bool in_use)
{
    cpu->frame_capacity = in_use ? mm.stack_frames : 0;
    cpu->page_capacity = in_use ? mm.stack_pages : 0;
    for (unsigned order = 1; order <= STACK_ORDERS; order++) {
        u64 fit = mm.magazine_bytes >> (FRAME_SHIFT + order);

        cpu->blocks[order - 1].capacity = in_use ? (u32)max_u64(min_u64(fit, STACK_BLOCKS), 1) : 0;
    }
}

phys_t frame_stack_refill(void)
{
    struct mm_cpu *cpu = platform_cpu();
    struct Zone *zone = &mm.zone[1];
    phys_t frame = PHYS_NONE;
    ul flags;

    mm_enter(cpu); /* from here on nobody takes the stack out of use */
    if (cpu->frame_capacity != 0 && !fail_wanted(zone, cpu->frame_capacity / 2)) {
        flags = platform_lock(&zone->lock);
        if (zone->n_free_frames != 0)
            cpu->stacked.n_frames = (u8)split_take_batch(zone, cpu, cpu->frame, cpu->frame_capacity / 2);
        zone_count_taken(zone, cpu->stacked.n_frames);
        platform_unlock(&zone->lock, flags);
    }
    if (cpu->stacked.n_frames != 0)
        frame = cpu->frame[--cpu->stacked.n_frames];
    mm_leave(cpu);
    return frame;
}

/* Gives list[0 .. n) of *count blocks back to the zone, and moves the others down. */
static void stack_drain(phys_t *list, u8 *count, u32 n, unsigned order)
{
    struct Zone *zone = &mm.zone[1];
    u32 left = *count - n;
    ul flags = platform_lock(&zone->lock);

    split_give_batch(zone, list, n, order);
    zone_count_given(zone, (u64)n << order);
    platform_unlock(&zone->lock, flags);
    *count = (u8)left;
#pragma GCC unroll 8
    for (u32 i = 0; i < left; i++)
        list[i] = list[i + n];
}

void frame_stack_push(phys_t first, unsigned order)
{
    struct mm_cpu *cpu = platform_cpu();

    mm_enter(cpu);
    if (cpu->frame_capacity == 0) {
        u8 n = 1;

        stack_drain(&first, &n, 1, order);
    } else if (order == 0) {
        if (cpu->stacked.n_frames == cpu->frame_capacity)
            stack_drain(cpu->frame, &cpu->stacked.n_frames, cpu->frame_capacity / 2, 0);
        cpu->frame[cpu->stacked.n_frames++] = first;
    } else {
        struct block_stack *blocks = &cpu->blocks[order - 1];
        u8 *n = mm_cpu_n_blocks(cpu, order);

        if (*n == blocks->capacity)
            stack_drain(blocks->block, n, (blocks->capacity + 1) / 2, order);
        blocks->block[(*n)++] = first;
    }
    mm_leave(cpu);
}

void frame_stack_drain(struct mm_cpu *cpu)
{
    if (cpu->stacked.n_frames != 0)
        stack_drain(cpu->frame, &cpu->stacked.n_frames, cpu->stacked.n_frames, 0);
    for (unsigned order = 1; order <= STACK_ORDERS; order++) {
        u8 *n = mm_cpu_n_blocks(cpu, order);

        if (*n != 0)
            stack_drain(cpu->blocks[order - 1].block, n, *n, order);
    }
}
