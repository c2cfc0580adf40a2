/* SPDX-License-Identifier: MIT */
/* The bitmap of a split page: 512 bits, 1 = free, and the aligned free blocks in it.  Pure functions of the words. */
#ifndef MM_FRAME_BITS_H
#define MM_FRAME_BITS_H

#include <lib/bits.h>
#include <mm/types.h>

#define FRAME_WORDS (PAGE_FRAMES / BITS_PER_WORD) /* 8 */

/* True when the aligned block of 2^order frames at `first` is free; order 0 .. 8. */
bool frame_bits_are_free(const ul *words, unsigned first, unsigned order);

/* Sets the bits of such a block, all of them clear; or clears them, all of them set. */
void frame_bits_flip(ul *words, unsigned first, unsigned order);

/* The first frame of a free block of 2^order frames, one that is maximal if there is; PAGE_FRAMES when there is none. */
unsigned frame_bits_find(const ul *words, unsigned order);

/* The order of the largest free block, known to be at most `at_most`; at least one bit must be set. */
unsigned frame_bits_largest(const ul *words, unsigned at_most);

/* The order, at least `order`, of the free block around a free frame, whose number modulo 512 counts.  Blocks up to
 * `order` are of no interest. */
unsigned frame_bits_around(const ul *words, u64 frame, unsigned order);

/* False when frame_bits_around is sure to give `order` (0 .. 8); `word` is the frame's: what is larger than a word has it
 * whole.  Cost: 7 instructions. */
static inline bool frame_bits_has_grown(u64 word, u64 frame, unsigned order)
{
    static const u64 ones[] = {0x3, 0xf, 0xff, 0xffff, 0xffffffff, ~0UL, ~0UL, ~0UL, ~0UL}; /* 2^(order + 1) up to a word */
    static const u8 first[] = {62, 60, 56, 48, 32, 0, 0, 0, 0}; /* of such a block: which bits to keep */

    return (~word & ones[order] << (frame & first[order])) == 0;
}

/* The same as frame_bits_around when frame_bits_has_grown is true: the next order is free then, unless it is of several words. */
static inline unsigned frame_bits_grown(const ul *words, u64 frame, unsigned order)
{
    return frame_bits_around(words, frame, order < 6 ? order + 1 : order);
}

/* Counts the maximal free blocks by order, 0 .. 8, adding to n_blocks. */
void frame_bits_count(const ul *words, u64 *n_blocks);

#endif
