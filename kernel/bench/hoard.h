/* SPDX-License-Identifier: MIT */
/* A list of blocks of frames, so long that it takes memory itself: what churn and fill hold. */
#ifndef KERNEL_BENCH_HOARD_H
#define KERNEL_BENCH_HOARD_H

#include <mm/types.h>

#define HOARD_SEGMENT_BLOCKS (1UL << 17) /* 1 MiB of words */
#define HOARD_SEGMENTS       17

/* At most so many single frames are held (8 GiB), and some larger blocks. */
#define HOARD_MAX_FRAMES (16 * HOARD_SEGMENT_BLOCKS)

struct hoard {
    u64 *segment[HOARD_SEGMENTS]; /* each word: a block's address, and its order in the low bits */
    u64 n, n_max;
};

/* Takes the list for up to n_max blocks.  False, with nothing taken, when memory is exhausted or that is too
 * many. */
bool hoard_start(struct hoard *hoard, u64 n_max);

/* Takes a block of frames of NORMAL and notes it.  False when there is none, or no place to note it. */
bool hoard_take(struct hoard *hoard, unsigned order);

/* Frees block i; the last one takes its place. */
void hoard_give(struct hoard *hoard, u64 i);

/* Frees all that it holds, and the list. */
void hoard_end(struct hoard *hoard);

/*
 * Takes memory in the largest blocks that there are until at most HOARD_MAX_FRAMES of it are left, or
 * `n_frames` are taken; fewer where blocks do not come out even.  Returns the frames taken.
 */
u64 hoard_take_surplus(struct hoard *hoard, u64 n_frames);

#endif
