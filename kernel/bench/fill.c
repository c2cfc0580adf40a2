/* SPDX-License-Identifier: MIT */
/* Filling: large blocks for what is more than 8 GiB, then frames, of which some at random places go back. */
#include <kernel/bench/fill.h>

#include <kernel/bench/generator.h>
#include <kernel/shell/out.h>
#include <lib/bits.h>
#include <mm/inspect.h>

#define POLL_FRAMES    4096 /* between two looks for Ctrl-C */
#define SURPLUS_BLOCKS 4096

/* Takes single frames; fewer when memory is exhausted.  False when Ctrl-C came. */
static bool take_frames(struct hoard *hoard, u64 n)
{
    for (u64 i = 0; i < n && hoard_take(hoard, 0); i++) {
        if (i % POLL_FRAMES == 0 && out_interrupted())
            return false;
    }
    return true;
}

/* Gives n blocks behind the first n_kept ones back, chosen at random. */
static void scatter(struct hoard *hoard, u64 n_kept, u64 n)
{
    u64 x = GENERATOR_SEED;

    for (; n > 0 && hoard->n > n_kept; n--)
        hoard_give(hoard, n_kept + generator_next(&x) % (hoard->n - n_kept));
}

/* Frames of the zones that ordinary allocations come from, NORMAL and UNMAPPED, and how many of them are
 * free. */
static u64 count_frames(u64 *n_free)
{
    struct mm_zone_info normal, unmapped;

    mm_zone_info(1, &normal);
    mm_zone_info(2, &unmapped);
    *n_free = (normal.free_bytes + unmapped.free_bytes) / FRAME_BYTES;
    return (normal.managed_bytes + unmapped.managed_bytes) / FRAME_BYTES;
}

bool fill_memory(struct fill *fill, unsigned percent)
{
    u64 n_free, n_taken, n_singly, n_large;
    u64 n_free_after = count_frames(&n_free) * (100 - percent) / 100;
    u64 n_scattered = min_u64(n_free_after, HOARD_MAX_FRAMES) / 2;

    fill->hoard = (struct hoard){0};
    if (percent == 0 || n_free <= n_free_after)
        return true;
    n_taken = n_free - n_free_after + n_scattered;
    n_singly = min_u64(n_taken, HOARD_MAX_FRAMES);
    if (!hoard_start(&fill->hoard, n_singly + SURPLUS_BLOCKS))
        return false;
    hoard_take_surplus(&fill->hoard, n_taken - n_singly);
    n_large = fill->hoard.n;
    if (!take_frames(&fill->hoard, n_singly)) {
        fill_release(fill);
        return false;
    }
    scatter(&fill->hoard, n_large, n_scattered);
    return true;
}

void fill_release(struct fill *fill)
{
    hoard_end(&fill->hoard);
}
