/* SPDX-License-Identifier: MIT */
/*
 * Arrays of bits over 64-bit words: bit i is bit i % 64 of words[i / 64].  The caller owns the words and
 * keeps the count; nothing here checks bounds, locks, or is atomic.  Ranges are a first bit and a number of
 * bits, and may be empty.  Ranges and searches cost one step per word, not per bit.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include <lib/bits.h>
#include <lib/types.h>

/* Number of words that hold n_bits bits. */
#define BITMAP_WORDS(n_bits) (((n_bits) + BITS_PER_WORD - 1) / BITS_PER_WORD)

static inline bool bitmap_test(const u64 *words, u64 bit)
{
    return (words[bit / BITS_PER_WORD] >> (bit % BITS_PER_WORD)) & 1;
}

static inline void bitmap_set(u64 *words, u64 bit)
{
    words[bit / BITS_PER_WORD] |= (u64)1 << (bit % BITS_PER_WORD);
}

static inline void bitmap_clear(u64 *words, u64 bit)
{
    words[bit / BITS_PER_WORD] &= ~((u64)1 << (bit % BITS_PER_WORD));
}

/* Sets, or clears, the n_bits bits from `first` on. */
void bitmap_set_range(u64 *words, u64 first, u64 n_bits);
void bitmap_clear_range(u64 *words, u64 first, u64 n_bits);

/* True when every bit of the range is set, or clear; true for an empty range. */
bool bitmap_is_set_range(const u64 *words, u64 first, u64 n_bits);
bool bitmap_is_clear_range(const u64 *words, u64 first, u64 n_bits);

/* Number of set bits in the range. */
u64 bitmap_count_range(const u64 *words, u64 first, u64 n_bits);

/* The lowest set, or clear, bit b with from <= b < n_bits; n_bits when there is none. */
u64 bitmap_find_set(const u64 *words, u64 n_bits, u64 from);
u64 bitmap_find_clear(const u64 *words, u64 n_bits, u64 from);

/* The lowest b >= from such that n_run bits from b on are clear and lie below n_bits; n_bits when none. */
u64 bitmap_find_clear_run(const u64 *words, u64 n_bits, u64 from, u64 n_run);

#endif
