/* SPDX-License-Identifier: MIT */
/*
 * mixed_server: a list of 100000 steps over 4096 slots, each "free what is in this slot, take so much
 * instead", sizes as a server asks for them.  Pure C: also measured on the host.
 */
#ifndef KERNEL_BENCH_MIXED_LIST_H
#define KERNEL_BENCH_MIXED_LIST_H

#include <lib/types.h>

#define MIXED_STEPS        100000
#define MIXED_SLOTS        4096
#define MIXED_SAMPLE_STEPS 100
#define MIXED_SLOT_BITS    12 /* 2^12 slots */

/* What the list must come to: the sum of all sizes; what is live at the end; FNV-1a over slot | size << 16.
 */
#define MIXED_SUM_BYTES  66971919UL
#define MIXED_LIVE_BYTES 2578215UL
#define MIXED_HASH       10731487546418258532UL

struct mixed_sums {
    u64 bytes, hash;
};

/* A step is one word: size << 12 | slot. */
static inline u32 mixed_slot(u32 step)
{
    return step & (MIXED_SLOTS - 1);
}

static inline u32 mixed_size(u32 step)
{
    return step >> MIXED_SLOT_BITS;
}

/* Writes all MIXED_STEPS steps, and what they come to. */
void mixed_make(u32 *steps, struct mixed_sums *sums);

#endif
