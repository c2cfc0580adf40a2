/* SPDX-License-Identifier: MIT */
/* A machine that is nearly full, to measure on. */
#ifndef KERNEL_BENCH_FILL_H
#define KERNEL_BENCH_FILL_H

#include <kernel/bench/hoard.h>

struct fill {
    struct hoard hoard;
};

/*
 * Takes memory until `percent` of what lies above ZONE_DMA is used (from that zone an ordinary allocation only borrows,
 * and a quarter of it never); half of what then is free lies scattered,
 * frame by frame, the other half in one piece.  0 takes nothing.  False, with nothing taken, when there is no
 * memory for the list, or Ctrl-C came.
 */
bool fill_memory(struct fill *fill, unsigned percent);

/* Gives it back. */
void fill_release(struct fill *fill);

#endif
