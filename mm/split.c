/* SPDX-License-Identifier: MIT */
/*
 * Frames inside split pages: a bitmap of 512 bits a page, lists of pages by their largest free run.
 *
 * Terms.  A *split* page is handed out in frames.  Bit i of free_frames says that frame i is free.  A *free block of order
 * k* is 2^k free frames, aligned to 2^k, 0 <= k <= 8; it is *maximal* when it is not half of a free block of order k + 1.
 * The page's `order` is that of its largest free block, and the page is in split_head[order] of its zone:
 *
 *      free_frames[0]  ..00001111 00010011           (bit 0 on the right)
 *                          ^^^^      ^  ^^  orders:   2 (frames 8-11), 0 (frame 4), 1 (frames 0-1)
 *      page->order = 2  ->  split_head[2]
 *
 * Taking order k: of the pages with a free block of at least order k those with the smallest largest block come first
 * (one count of trailing zeros over split_mask), so what is fragmented is used up and whole pages stay whole; only when
 * no split page will do is a whole page split.  Inside the page a maximal block of just order k is preferred to breaking a
 * larger one: words are folded (w &= w >> 1, w &= w >> 2, ...) until bit i says "2^k free frames from i", and blocks
 * whose buddy is free too are put aside.
 *
 * Giving: the bits are set, and the block grows while its buddy is free: the page's order is the larger of that and what
 * it was.  There are no links to merge.  A page whose 512 frames are all free leaves the lists and becomes a run.
 *
 * Cost: taking looks at 8 words, and at up to 8 more for each order that the page's largest block shrinks by; giving
 * looks at one word an order merged.  No byte of a free frame is touched.
 *
 * Invariants, checked by check_zones.c:
 *   I201  n_free is the number of set bits of free_frames, below 512.
 *   I202  order is that of the largest free block; PAGE_NO_ORDER exactly when n_free is 0.
 *   I203  A page with an order is in that list of its zone, and in no other; split_mask tells which lists have pages.
 *   I204  A set bit lies in RAM and is not held (frame.c).
 *
 * Locking: the zone's lock is held by the caller.
 */
#include <lib/bitmap.h>
#include <lib/bits.h>
#include <mm/page.h>
#include <mm/run.h>
#include <mm/split.h>

#define WORD_ORDER 6 /* 2^6 = 64 frames a word */
#define N_WORDS 8
#define ALL_FREE (~(u64)0)

static const u64 aligned_bits[WORD_ORDER] = {
    0xffffffffffffffff, 0x5555555555555555, 0x1111111111111111,
    0x0101010101010101, 0x0001000100010001, 0x0000000100000001,
};

/* Of order 0..5: bit i of the result says that 2^order free frames start at i, a multiple of 2^order. */
static u64 block_starts(u64 word, unsigned order)
{
    for (unsigned k = 0; k < order; k++)
        word &= word >> (1u << k);
    return word & aligned_bits[order];
}

/* The same, only the blocks that are maximal (order 5: whose word is not free as a whole). */
static u64 maximal_block_starts(u64 word, unsigned order)
{
    u64 starts = block_starts(word, order);
    u64 larger;

    if (order == WORD_ORDER - 1)
        return word == ALL_FREE ? 0 : starts;
    larger = block_starts(word, order + 1);
    return starts & ~(larger | larger << (1u << order));
}

/* The order of the largest free block inside a word that is neither 0 nor ALL_FREE. */
static unsigned word_largest(u64 word)
{
    unsigned order = 0;

    for (u64 starts = word; order + 1 < WORD_ORDER; order++) {
        starts &= starts >> (1u << order) & aligned_bits[order + 1];
        if (starts == 0)
            break;
    }
    return order;
}

/* True when `n_words` words from `word` on are all free. */
static bool words_are_free(const ul *word, unsigned n_words)
{
    u64 all = ~(u64)0;

    for (unsigned i = 0; i < n_words; i++)
        all &= word[i];
    return all == ALL_FREE;
}

bool split_is_free(const struct Page *page, unsigned first, unsigned order)
{
    const ul *word = &page->free_frames[first / BITS_PER_WORD];
    u64 mask;

    if (order >= WORD_ORDER)
        return words_are_free(word, 1u << (order - WORD_ORDER));
    mask = bits_low_mask(1u << order) << (first % BITS_PER_WORD);
    return (*word & mask) == mask;
}

static void bits_change(struct Page *page, unsigned first, unsigned order, bool free)
{
    ul *word = &page->free_frames[first / BITS_PER_WORD];

    if (order < WORD_ORDER) {
        *word ^= bits_low_mask(1u << order) << (first % BITS_PER_WORD);
        return;
    }
    for (unsigned i = 0; i < 1u << (order - WORD_ORDER); i++)
        word[i] = free ? ~(ul)0 : 0;
}

/* The first frame of a free block of order 6..8; PAGE_FRAMES when there is none. */
static unsigned block_find_words(const struct Page *page, unsigned order)
{
    unsigned n_words = 1u << (order - WORD_ORDER);

    for (unsigned i = 0; i < N_WORDS; i += n_words)
        if (words_are_free(&page->free_frames[i], n_words))
            return i * BITS_PER_WORD;
    return PAGE_FRAMES;
}

/* The first frame of a free block of this order, 0..8, a maximal one if there is one; PAGE_FRAMES when there is none.
 * Most words are all free or all taken, and told at a glance. */
static unsigned block_find(const struct Page *page, unsigned order)
{
    unsigned found = PAGE_FRAMES;

    if (order >= WORD_ORDER)
        return block_find_words(page, order);
    for (unsigned i = 0; i < N_WORDS; i++) {
        u64 word = page->free_frames[i], starts;

        if (word == 0)
            continue;
        starts = word == ALL_FREE ? 0 : maximal_block_starts(word, order);
        if (starts != 0)
            return i * BITS_PER_WORD + count_trailing_zeros(starts);
        starts = word == ALL_FREE ? 1 : block_starts(word, order);
        if (starts != 0 && found == PAGE_FRAMES)
            found = i * BITS_PER_WORD + count_trailing_zeros(starts);
    }
    return found;
}

/* The largest order, 6..8, of which these words are free (a bit a word); `full` is not 0. */
static u8 words_largest(unsigned full)
{
    unsigned pairs = full & full >> 1 & 0x55;

    if ((pairs & pairs >> 2 & 0x11) != 0)
        return WORD_ORDER + 2;
    return pairs != 0 ? WORD_ORDER + 1 : WORD_ORDER;
}

u8 split_largest(const struct Page *page)
{
    unsigned full = 0, order = 0;

    if (page->n_free == 0)
        return PAGE_NO_ORDER;
    for (unsigned i = 0; i < N_WORDS; i++)
        full |= (unsigned)(page->free_frames[i] == ALL_FREE) << i;
    if (full != 0)
        return words_largest(full);
    for (unsigned i = 0; i < N_WORDS && order < WORD_ORDER - 1; i++)
        if (block_starts(page->free_frames[i], order + 1) != 0)
            order = word_largest(page->free_frames[i]);
    return (u8)order;
}

/* Puts a page into the list that its free blocks now call for. */
static void split_relist(struct Zone *zone, struct Page *page, u8 order)
{
    if (page->order == order)
        return;
    if (page->order != PAGE_NO_ORDER)
        page_list_remove(zone->split_head, &zone->split_mask, page->order, page);
    page->order = order;
    if (order != PAGE_NO_ORDER)
        page_list_add(zone->split_head, &zone->split_mask, order, page);
}

static phys_t split_take_block(struct Zone *zone, struct Page *page, unsigned first, unsigned order)
{
    bits_change(page, first, order, false);
    page->n_free = (u16)(page->n_free - (1u << order));
    split_relist(zone, page, split_largest(page));
    return phys(page->addr_phys + (u64)first * FRAME_BYTES);
}

/* A page with a free block of at least this order; NULL when the zone has none. */
static struct Page *split_choose(struct Zone *zone, unsigned order)
{
    u32 candidates = zone->split_mask >> order;
    struct Page *page;
    u32 index;

    if (candidates != 0)
        return page_at(zone->split_head[order + count_trailing_zeros(candidates)]);
    index = run_take(zone, 1);
    if (index == PAGE_NOWHERE)
        return NULL;
    page = page_at(index);
    for (unsigned i = 0; i < N_WORDS; i++)
        page->free_frames[i] = ~(ul)0;
    page->n_free = PAGE_FRAMES;
    page->state = PAGE_SPLIT;
    page->order = PAGE_NO_ORDER;
    split_relist(zone, page, SPLIT_ORDERS - 1);
    return page;
}

phys_t split_take(struct Zone *zone, unsigned order)
{
    struct Page *page = split_choose(zone, order);

    if (page == NULL)
        return PHYS_NONE;
    return split_take_block(zone, page, block_find(page, order), order);
}

u32 split_take_in(struct Zone *zone, struct Page *page, phys_t *frames, u32 n)
{
    u32 n_taken = 0;

    for (unsigned i = 0; i < N_WORDS && n_taken < n; i++) {
        u64 word = page->free_frames[i];
        u64 at = page->addr_phys + (u64)i * BITS_PER_WORD * FRAME_BYTES;

        for (; word != 0 && n_taken < n; word &= word - 1)
            frames[n_taken++] = phys(at + count_trailing_zeros(word) * FRAME_BYTES);
        page->free_frames[i] = word;
    }
    page->n_free = (u16)(page->n_free - n_taken);
    split_relist(zone, page, split_largest(page));
    return n_taken;
}

u32 split_take_batch(struct Zone *zone, phys_t *frames, u32 n)
{
    u32 n_taken = 0;

    while (n_taken < n) {
        struct Page *page = split_choose(zone, 0);

        if (page == NULL)
            break;
        n_taken += split_take_in(zone, page, frames + n_taken, n - n_taken);
    }
    return n_taken;
}

/* A page that is free as a whole becomes a run.  Its bitmap means nothing from then on. */
static void split_become_whole(struct Zone *zone, struct Page *page)
{
    split_relist(zone, page, PAGE_NO_ORDER);
    run_give(zone, page_index(page), 1);
}

void split_give(struct Zone *zone, phys_t at, unsigned order)
{
    struct Page *page = page_of(at);
    unsigned first = (unsigned)(at.addr / FRAME_BYTES % PAGE_FRAMES);

    bits_change(page, first, order, true);
    page->n_free = (u16)(page->n_free + (1u << order));
    if (page->n_free == PAGE_FRAMES) {
        split_become_whole(zone, page);
        return;
    }
    while (split_is_free(page, first ^ (1u << order), order)) {
        first &= ~(1u << order);
        order++;
    }
    if (page->order == PAGE_NO_ORDER || order > page->order)
        split_relist(zone, page, (u8)order);
}

void split_give_range(struct Zone *zone, struct Page *page, unsigned first, unsigned n)
{
    bitmap_set_range((u64 *)page->free_frames, first, n);
    page->n_free = (u16)(page->n_free + n);
    if (page->n_free == PAGE_FRAMES)
        split_become_whole(zone, page);
    else
        split_relist(zone, page, split_largest(page));
}

void split_count_blocks(const struct Page *page, u64 *n_blocks)
{
    for (unsigned i = 0; i < N_WORDS; i++)
        for (unsigned order = 0; order < WORD_ORDER; order++)
            n_blocks[order] += count_ones(maximal_block_starts(page->free_frames[i], order));
    for (unsigned order = WORD_ORDER; order < SPLIT_ORDERS; order++)
        for (unsigned i = 0; i < N_WORDS; i += 1u << (order - WORD_ORDER)) {
            unsigned first = i * BITS_PER_WORD;

            if (split_is_free(page, first, order) &&
                (order == SPLIT_ORDERS - 1 || !split_is_free(page, first ^ (1u << order), order)))
                n_blocks[order]++;
        }
}
