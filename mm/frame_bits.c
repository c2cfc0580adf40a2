/* SPDX-License-Identifier: MIT */
/*
 * The bitmap of a split page, and the free blocks in it.
 *
 * Terms.  A *free block of order k* is 2^k free frames, aligned to 2^k, 0 <= k <= 8; it is *maximal* when it is not half of
 * a free block of order k + 1:
 *
 *      words[0]  ..00001111 00010011           (bit 0 on the right)
 *                      ^^^^    ^  ^^  orders:   2 (frames 8-11), 0 (frame 4), 1 (frames 0-1)
 *
 * Words are folded: w & w >> 1 says at its even bits where two free frames start, that & itself >> 2 at each fourth bit
 * where four start, and so on.  Blocks of 64 frames and more are whole words.
 *
 * Cost: a look at 8 words, and a fold of a word or two where they are neither full nor empty.
 */
#include <mm/frame_bits.h>

#define WORD_ORDER 6 /* 2^6 = 64 frames a word */
#define ALL_FREE (~(u64)0)

static const u64 aligned_bits[WORD_ORDER + 1] = {
    0xffffffffffffffff, 0x5555555555555555, 0x1111111111111111, 0x0101010101010101,
    0x0001000100010001, 0x0000000100000001, 0x0000000000000001,
};

/* Of order 0..6: bit i of the result says that 2^order free frames start at i, aligned or not. */
static inline u64 fold(u64 word, unsigned order)
{
    for (unsigned n = 1; n < 1u << order; n *= 2)
        word &= word >> n;
    return word;
}

/* Of order 0..5 and a word folded to it: the blocks that are maximal (order 5: whose word is not free as a whole). */
static inline u64 maximal_block_starts(u64 folded, unsigned order)
{
    u64 larger = folded & folded >> (1u << order) & aligned_bits[order + 1];

    return folded & aligned_bits[order] & ~(larger | larger << (1u << order));
}

/* True when `n_words` words from `word` on are all free. */
static bool words_are_free(const ul *word, unsigned n_words)
{
    u64 all = ~(u64)0;

    for (unsigned i = 0; i < n_words; i++)
        all &= word[i];
    return all == ALL_FREE;
}

bool frame_bits_are_free(const ul *words, unsigned first, unsigned order)
{
    const ul *word = &words[first / BITS_PER_WORD];
    u64 mask;

    if (order >= WORD_ORDER)
        return words_are_free(word, 1u << (order - WORD_ORDER));
    mask = bits_low_mask(1u << order) << (first % BITS_PER_WORD);
    return (*word & mask) == mask;
}

void frame_bits_flip(ul *words, unsigned first, unsigned order)
{
    ul *word = &words[first / BITS_PER_WORD];

    if (order < WORD_ORDER) {
        *word ^= bits_low_mask(1u << order) << (first % BITS_PER_WORD);
        return;
    }
    for (unsigned i = 0; i < 1u << (order - WORD_ORDER); i++)
        word[i] = ~word[i];
}

/* frame_bits_find for an order of 6..8. */
static unsigned find_words(const ul *words, unsigned order)
{
    unsigned n_words = 1u << (order - WORD_ORDER), found = PAGE_FRAMES;

    for (unsigned i = 0; i < FRAME_WORDS; i += n_words) {
        if (!words_are_free(&words[i], n_words))
            continue;
        if (n_words == FRAME_WORDS || !words_are_free(&words[i ^ n_words], n_words))
            return i * BITS_PER_WORD;
        if (found == PAGE_FRAMES)
            found = i * BITS_PER_WORD;
    }
    return found;
}

/* Most words are all free or all taken, and told at a glance. */
unsigned frame_bits_find(const ul *words, unsigned order)
{
    unsigned found = PAGE_FRAMES;

    if (order >= WORD_ORDER)
        return find_words(words, order);
    for (unsigned i = 0; i < FRAME_WORDS; i++) {
        u64 folded = words[i] + 1 <= 1 ? words[i] : fold(words[i], order); /* 0 and ALL_FREE stay as they are */
        u64 maximal = maximal_block_starts(folded, order), starts = folded & aligned_bits[order];

        if (maximal != 0)
            return i * BITS_PER_WORD + count_trailing_zeros(maximal);
        if (starts != 0 && found == PAGE_FRAMES)
            found = i * BITS_PER_WORD + count_trailing_zeros(starts);
    }
    return found;
}

/* The largest order, 6..8, of which these words are free (a bit a word); `full` is not 0. */
static unsigned words_largest(unsigned full)
{
    unsigned pairs = full & full >> 1 & 0x55;

    if ((pairs & pairs >> 2 & 0x11) != 0)
        return WORD_ORDER + 2;
    return pairs != 0 ? WORD_ORDER + 1 : WORD_ORDER;
}

/* All words are folded side by side, up to the order at which nothing is left. */
unsigned frame_bits_largest(const ul *words, unsigned at_most)
{
    u64 starts[FRAME_WORDS];
    unsigned full = 0, order = 0;

#pragma GCC unroll 8
    for (unsigned i = 0; i < FRAME_WORDS; i++)
        full |= (unsigned)(words[i] == ALL_FREE) << i;
    if (full != 0)
        return words_largest(full);
    for (unsigned i = 0; i < FRAME_WORDS; i++)
        starts[i] = words[i];
    for (; order < at_most && order + 1 < WORD_ORDER; order++) {
        u64 any = 0;

#pragma GCC unroll 8
        for (unsigned i = 0; i < FRAME_WORDS; i++) {
            starts[i] &= starts[i] >> (1u << order) & aligned_bits[order + 1];
            any |= starts[i];
        }
        if (any == 0)
            break;
    }
    return order;
}

unsigned frame_bits_around(const ul *words, u64 frame, unsigned order)
{
    unsigned first = (unsigned)(frame % PAGE_FRAMES);

    while (order < WORD_ORDER + 2 && frame_bits_are_free(words, first & (~1u << order), order + 1))
        order++;
    return order;
}

void frame_bits_count(const ul *words, u64 *n_blocks)
{
    for (unsigned i = 0; i < FRAME_WORDS; i++)
        for (unsigned order = 0; order < WORD_ORDER; order++)
            n_blocks[order] += count_ones(maximal_block_starts(fold(words[i], order), order));
    for (unsigned order = WORD_ORDER; order <= WORD_ORDER + 2; order++)
        for (unsigned i = 0; i < FRAME_WORDS; i += 1u << (order - WORD_ORDER)) {
            unsigned first = i * BITS_PER_WORD;

            if (frame_bits_are_free(words, first, order) &&
                (order == WORD_ORDER + 2 || !frame_bits_are_free(words, first ^ (1u << order), order)))
                n_blocks[order]++;
        }
}
