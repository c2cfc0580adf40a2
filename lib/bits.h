/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on the bits of one word.  No function here needs an instruction that a plain x86-64 lacks:
 * counting zeros compiles to BSF/BSR (or to TZCNT in its BSF-compatible encoding), counting ones is done by
 * hand, because POPCNT is newer than the oldest CPU we run on and the compiler's fallback is a library call.
 */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include <lib/types.h>

#define BITS_PER_WORD 64

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* True when exactly one bit of x is set. */
static inline bool is_pow2(u64 x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

/* The largest multiple of `alignment` (a power of two) that is not above x. */
static inline u64 align_down(u64 x, u64 alignment)
{
    return x & ~(alignment - 1);
}

/* The smallest multiple of `alignment` (a power of two) not below x; wraps to 0 when that is 2^64. */
static inline u64 align_up(u64 x, u64 alignment)
{
    return (x + (alignment - 1)) & ~(alignment - 1);
}

/* True when x is a multiple of `alignment` (a power of two). */
static inline bool is_aligned(u64 x, u64 alignment)
{
    return (x & (alignment - 1)) == 0;
}

static inline u64 min_u64(u64 a, u64 b)
{
    return a < b ? a : b;
}

static inline u64 max_u64(u64 a, u64 b)
{
    return a > b ? a : b;
}

/* The position of the highest set bit of x, which is not 0: 0..63.  By hand, since the compiler's way from the builtin's int
 * back to 64 bits takes an instruction more. */
static inline u64 highest_bit(u64 x)
{
    u64 position;

    __asm__("bsrq %1, %0" : "=r"(position) : "rm"(x) : "cc");
    return position;
}

/* Number of zero bits below the lowest set bit: 0..63, and 64 for x = 0. */
static inline unsigned count_trailing_zeros(u64 x)
{
    return x == 0 ? BITS_PER_WORD : (unsigned)__builtin_ctzll(x);
}

/* Number of zero bits above the highest set bit: 0..63, and 64 for x = 0. */
static inline unsigned count_leading_zeros(u64 x)
{
    return x == 0 ? BITS_PER_WORD : (unsigned)__builtin_clzll(x);
}

/* The largest k with 2^k <= x.  x must not be 0. */
static inline unsigned log2_floor(u64 x)
{
    return BITS_PER_WORD - 1 - (unsigned)__builtin_clzll(x);
}

/* The smallest k with 2^k >= x (64 above 2^63); 0 for x = 0 and x = 1. */
static inline unsigned log2_ceil(u64 x)
{
    return x <= 1 ? 0 : log2_floor(x - 1) + 1;
}

/* A word whose n lowest bits are set, 0 <= n <= 64. */
static inline u64 bits_low_mask(unsigned n)
{
    return n >= BITS_PER_WORD ? ~(u64)0 : ((u64)1 << n) - 1;
}

/*
 * Number of set bits: sums of two bits, of four, of eight, side by side in one word; the multiplication adds
 * the eight byte sums into the top byte.
 */
static inline unsigned count_ones(u64 x)
{
    x -= (x >> 1) & 0x5555555555555555;
    x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return (unsigned)((x * 0x0101010101010101) >> 56);
}

#endif
