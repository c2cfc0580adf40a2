/* SPDX-License-Identifier: MIT */
/*
 * Ranges and searches in bitmaps.
 *
 * A range is taken apart into words:
 *
 *      word    0        1        2        3
 *              |....####|########|########|##......|
 *                   ^first        whole words  ^first + n_bits
 *
 * `next_piece` yields, for one word after the other, the mask of the bits that belong to the range; the range
 * functions differ only in what they do with word and mask.  Searches go through the words and mask off what
 * lies below `from` in the first one; a clear bit is searched as a set bit of the complement.
 */
#include <lib/bitmap.h>

/* What is left of a range: `bit` up to `end`. */
struct bit_range {
    u64 bit, end;
};

/* Takes the part of the range that lies in its first word: index and mask.  False when the range is empty. */
static bool next_piece(struct bit_range *range, u64 *index, u64 *mask)
{
    if (range->bit >= range->end)
        return false;
    unsigned low = (unsigned)(range->bit % BITS_PER_WORD);
    u64 n_bits = min_u64(range->end - range->bit, BITS_PER_WORD - low);
    *index = range->bit / BITS_PER_WORD;
    *mask = bits_low_mask((unsigned)n_bits) << low;
    range->bit += n_bits;
    return true;
}

void bitmap_set_range(u64 *words, u64 first, u64 n_bits)
{
    struct bit_range range = {first, first + n_bits};
    u64 index, mask;

    while (next_piece(&range, &index, &mask))
        words[index] |= mask;
}

void bitmap_clear_range(u64 *words, u64 first, u64 n_bits)
{
    struct bit_range range = {first, first + n_bits};
    u64 index, mask;

    while (next_piece(&range, &index, &mask))
        words[index] &= ~mask;
}

bool bitmap_is_set_range(const u64 *words, u64 first, u64 n_bits)
{
    struct bit_range range = {first, first + n_bits};
    u64 index, mask;

    while (next_piece(&range, &index, &mask))
        if ((words[index] & mask) != mask)
            return false;
    return true;
}

bool bitmap_is_clear_range(const u64 *words, u64 first, u64 n_bits)
{
    struct bit_range range = {first, first + n_bits};
    u64 index, mask;

    while (next_piece(&range, &index, &mask))
        if ((words[index] & mask) != 0)
            return false;
    return true;
}

u64 bitmap_count_range(const u64 *words, u64 first, u64 n_bits)
{
    struct bit_range range = {first, first + n_bits};
    u64 index, mask, n_ones = 0;

    while (next_piece(&range, &index, &mask))
        n_ones += count_ones(words[index] & mask);
    return n_ones;
}

/* The search behind both directions: `flip` is 0 to look for ones and all ones to look for zeros. */
static u64 find_bit(const u64 *words, u64 n_bits, u64 from, u64 flip)
{
    struct bit_range range = {from, n_bits};
    u64 index, mask;

    while (next_piece(&range, &index, &mask)) {
        u64 hits = (words[index] ^ flip) & mask;

        if (hits != 0)
            return index * BITS_PER_WORD + count_trailing_zeros(hits);
    }
    return n_bits;
}

u64 bitmap_find_set(const u64 *words, u64 n_bits, u64 from)
{
    return find_bit(words, n_bits, from, 0);
}

u64 bitmap_find_clear(const u64 *words, u64 n_bits, u64 from)
{
    return find_bit(words, n_bits, from, ~(u64)0);
}

u64 bitmap_find_clear_run(const u64 *words, u64 n_bits, u64 from, u64 n_run)
{
    u64 start = bitmap_find_clear(words, n_bits, from);

    while (start < n_bits && n_bits - start >= n_run) {
        u64 stop = bitmap_find_set(words, start + n_run, start);

        if (stop == start + n_run)
            return start;
        start = bitmap_find_clear(words, n_bits, stop);
    }
    return n_bits;
}
