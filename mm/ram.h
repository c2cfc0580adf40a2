/* SPDX-License-Identifier: MIT */
/* RAM as mm uses it: the firmware's usable frames, cut by mem=, and the frames taken before allocators exist. */
#ifndef MM_RAM_H
#define MM_RAM_H

#include <mm/boot.h>
#include <mm/types.h>

/* Frames taken by early_alloc: at most two intervals of RAM, reserved ranges inside them left out. */
struct early_state {
    u64 start[2], end[2];
    u64 limit; /* addresses below it are reachable */
};

/* The next maximal run of RAM frames at or after `from`: [out->start, out->end), below 32 TiB, within the CPU's reach and mem=.
 * Cost: a binary search in the firmware's map; linear in its entries while it is not sorted. */
bool ram_next(u64 from, struct memory_range *out);

/* The next run at or after `from` that is RAM and in no reserved range. */
bool ram_next_unreserved(u64 from, struct memory_range *out);

/* All of RAM, in bytes. */
u64 ram_bytes_total(void);

/* The address below which RAM has `bytes` bytes (all of RAM: its end). */
u64 ram_address_of_byte(u64 bytes);

/* Chooses where early_alloc takes from.  Nothing may have been taken before. */
void early_start(u64 reachable_limit);

/* A cleared frame taken from RAM before allocators exist.  PHYS_NONE when there is none. */
MUST_USE phys_t early_alloc_frame(void);

/* Up to n_frames cleared frames in a row: the first, and how many in *n_got (>= 1).  PHYS_NONE when there is none. */
MUST_USE phys_t early_alloc_frames(u64 n_frames, u64 *n_got);

/* True when early_alloc took this frame. */
bool early_owns(phys_t frame);

/* The next run at or after `from` that is neither reserved nor taken early: what the frame allocator starts with. */
bool ram_next_free(u64 from, struct memory_range *out);

#endif
