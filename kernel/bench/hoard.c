/* SPDX-License-Identifier: MIT */
/* Blocks of frames in segments of kmalloc's largest objects. */
#include <kernel/bench/hoard.h>

#include <lib/bits.h>
#include <mm/frame.h>

#define SEGMENT_BYTES (HOARD_SEGMENT_BLOCKS * sizeof(u64))
#define ORDER_MASK    (FRAME_BYTES - 1)

static u64 *entry(struct hoard *hoard, u64 i)
{
    return &hoard->segment[i / HOARD_SEGMENT_BLOCKS][i % HOARD_SEGMENT_BLOCKS];
}

bool hoard_start(struct hoard *hoard, u64 n_max)
{
    *hoard = (struct hoard){.n_max = n_max};
    if (n_max > HOARD_SEGMENTS * HOARD_SEGMENT_BLOCKS)
        return false;
    for (u64 i = 0; i * HOARD_SEGMENT_BLOCKS < n_max; i++) {
        u64 n = min_u64(n_max - i * HOARD_SEGMENT_BLOCKS, HOARD_SEGMENT_BLOCKS);

        hoard->segment[i] = kmalloc(n * sizeof(u64), 0);
        if (hoard->segment[i] == NULL) {
            hoard_end(hoard);
            return false;
        }
    }
    return true;
}

bool hoard_take(struct hoard *hoard, unsigned order)
{
    phys_t first;

    if (hoard->n == hoard->n_max)
        return false;
    first = frame_alloc(ZONE_NORMAL, order);
    if (phys_is_none(first))
        return false;
    *entry(hoard, hoard->n++) = first.addr | order;
    return true;
}

void hoard_give(struct hoard *hoard, u64 i)
{
    u64 block = *entry(hoard, i);

    *entry(hoard, i) = *entry(hoard, --hoard->n);
    frame_free(phys(block & ~ORDER_MASK), (unsigned)(block & ORDER_MASK));
}

void hoard_end(struct hoard *hoard)
{
    while (hoard->n > 0)
        hoard_give(hoard, hoard->n - 1);
    for (unsigned i = 0; i < HOARD_SEGMENTS; i++)
        kfree(hoard->segment[i]);
}

u64 hoard_take_surplus(struct hoard *hoard, u64 n_frames)
{
    u64 n_taken = 0;

    for (unsigned order = FRAME_MAX_ORDER; order >= PAGE_SHIFT - FRAME_SHIFT; order--) {
        while (n_taken + (1UL << order) <= n_frames && hoard_take(hoard, order))
            n_taken += 1UL << order;
    }
    return n_taken;
}
