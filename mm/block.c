/* SPDX-License-Identifier: MIT */
/*
 * Blocks: objects of a frame and more.
 *
 * Such an object is a block of the frame allocator by itself: 2^0 .. 2^8 frames, aligned to its size.  It needs no descriptor:
 * its role word holds its live byte, and leads to it (role.c).  So a block has no home: whose magazine it leaves, gives it
 * back to the frames.
 *
 * Cost: a frame alone some 60 instructions, taken and given by the dozen; a larger block some 200.
 *
 * Locking: none here; what frame.c and role.c do for themselves.
 */
#include <mm/block.h>
#include <mm/role.h>
#include <mm/sanitize.h>
#include <mm/slab.h>
#include <mm/state.h>

static unsigned block_order(unsigned class)
{
    return class + CLASS_MIN_SHIFT - FRAME_SHIFT;
}

/* Fills in the role word of a block so that its byte 1 is live[0]; the round for it. */
static struct round block_round(phys_t first, unsigned class)
{
    u8 *live = (u8 *)role_word(first) + 1;

    role_set(first, (enum role)(class + CLASS_MIN_SHIFT), live);
    sanitize_objects_freed(phys_pointer(first), class_bytes(class));
    return (struct round){phys_pointer(first), live};
}

u32 blocks_take(struct mm_cpu *cpu, unsigned class, struct round *round, u32 n)
{
    phys_t first[MAGAZINE_ROUNDS];
    u32 n_taken = role_blocks_alloc(first, n, block_order(class));

    slab_count(cpu, class, n_taken);
    for (u32 i = 0; i < n_taken; i++)
        round[i] = block_round(first[i], class);
    return n_taken;
}

void blocks_give(struct mm_cpu *cpu, unsigned class, const struct round *round, u32 n)
{
    phys_t first[MAGAZINE_ROUNDS];

#pragma GCC unroll 4
    for (u32 i = 0; i < n; i++)
        first[i] = pointer_phys(round[i].object);
    role_frames_free(first, n, block_order(class));
    slab_count(cpu, class, -(s64)n);
}
