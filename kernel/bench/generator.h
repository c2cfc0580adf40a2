/* SPDX-License-Identifier: MIT */
/* The random numbers of every workload: xorshift with the shifts 13, 7, 17 (Marsaglia, "Xorshift RNGs",
 * 2003). */
#ifndef KERNEL_BENCH_GENERATOR_H
#define KERNEL_BENCH_GENERATOR_H

#include <lib/types.h>

#define GENERATOR_SEED 88172645463325252UL

/* Steps *x, which is not 0, and returns it. */
static inline u64 generator_next(u64 *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* Fills order[0 .. n) with 0 .. n-1, shuffled from the seed: the same for every n each time. */
static inline void generator_shuffle(u32 *order, u32 n)
{
    u64 x = GENERATOR_SEED;

    for (u32 i = 0; i < n; i++)
        order[i] = i;
    for (u32 i = n - 1; i > 0; i--) {
        u32 j = (u32)(generator_next(&x) % (i + 1));
        u32 swapped = order[i];

        order[i] = order[j];
        order[j] = swapped;
    }
}

#endif
