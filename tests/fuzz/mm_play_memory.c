/* SPDX-License-Identifier: MIT */
/*
 * Objects, frames and pages.  The model is a list of owners: what each got, where it lies.  No two overlap, each is
 * aligned as promised and in the zone that was asked for, and what was written there is still there when it is given
 * back.  A call that gets nothing is believed only if the model has no whole pages free that would do.
 */
#include <mm_play.h>

#include <lib/bits.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <paging_tools.h>

#include <string.h>

#define N_OBJECTS 48u
#define N_BLOCKS  24u
#define N_PAGES   128u /* of 2 MiB: all that the largest machine has */
#define MARK      0x6d61726b00000000UL

struct owned {
    u64 start, end; /* physical; start 0: nothing */
    unsigned order;
    bool seen;      /* in the direct map when it was got: it carries marks */
};

static struct owned objects[N_OBJECTS], blocks[N_BLOCKS];
static bool pages[N_PAGES];
static bool was_free[N_PAGES]; /* whole, in the beginning */

/* Nothing but the image, the first MiB and what start took is in use. */
static void note_free_pages(void)
{
    for (u64 i = 0; i < N_PAGES; i++) {
        struct mm_what what;

        mm_describe_phys(phys(i * PAGE_BYTES), &what);
        was_free[i] = what.kind == MM_FREE_FRAME && what.block_bytes >= PAGE_BYTES;
    }
}

void play_memory_start(void)
{
    note_free_pages();
    memset(objects, 0, sizeof(objects));
    memset(blocks, 0, sizeof(blocks));
    memset(pages, 0, sizeof(pages));
}

static bool overlaps(const struct owned *list, unsigned n, u64 start, u64 end)
{
    for (unsigned i = 0; i < n; i++)
        if (list[i].start != 0 && start < list[i].end && list[i].start < end)
            return true;
    return false;
}

bool play_memory_owns(u64 start, u64 end)
{
    for (u64 page = start / PAGE_BYTES; page < N_PAGES && page * PAGE_BYTES < end; page++)
        if (pages[page])
            return true;
    return overlaps(objects, N_OBJECTS, start, end) || overlaps(blocks, N_BLOCKS, start, end);
}

/* Writes or compares the first and the last word. */
static u64 *first_word(const struct owned *owned)
{
    return (u64 *)phys_2_virt(owned->start);
}

static u64 *last_word(const struct owned *owned)
{
    return (u64 *)phys_2_virt(owned->end - sizeof(u64));
}

/* ---- zones ---- */

/* The first and the last byte: NORMAL may be anywhere, if the direct map shows it. */
static void expect_in_zone(u64 start, u64 end, unsigned zone)
{
    struct host_translation got;
    u64 top = (u64)get_CR3();
    bool shown = host_walk(top, PAGE_OFFSET + start, &got) && got.phys == start &&
                 host_walk(top, PAGE_OFFSET + end - 1, &got) && got.phys == end - 1;

    if (zone == ZONE_UNMAPPED_IN_PGT)
        expect(start >= mm.direct_end && !host_walk(top, PAGE_OFFSET + start, &got) &&
               !host_walk(top, PAGE_OFFSET + end - 1, &got));
    else
        expect(shown && (zone != ZONE_DMA || end <= mm.dma_end));
}

static bool page_is_unused(u64 page)
{
    return page < N_PAGES && was_free[page] && page_at((u32)page)->roles == NULL &&
           !play_memory_owns(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
}

static bool has_run(u64 start, u64 end, u64 n_pages, u64 alignment)
{
    u64 n = 0;

    for (u64 page = start / PAGE_BYTES; page < N_PAGES && (page + 1) * PAGE_BYTES <= end; page++) {
        n = (n != 0 || page % alignment == 0) && page_is_unused(page) ? n + 1 : 0;
        if (n == n_pages)
            return true;
    }
    return false;
}

/* NORMAL may grow by pages of UNMAPPED; what it may borrow of DMA does not count here. */
bool play_memory_has_room(unsigned zone, u64 n_pages, u64 alignment)
{
    if (zone == ZONE_DMA)
        return has_run(0, mm.dma_end, n_pages, alignment);
    return (zone == ZONE_NORMAL && has_run(mm.dma_end, mm.direct_end, n_pages, alignment)) ||
           has_run(mm.direct_end, ~0UL, n_pages, alignment);
}

/* A call that is in order got nothing.  An interrupt handler has no means to make room. */
static void expect_no_room(const struct mm_play *play, unsigned zone, u64 n_pages, u64 alignment)
{
    expect(play->failing || play->in_interrupt || !play_memory_has_room(zone, n_pages, alignment));
}

/* ---- owners ---- */

static void take(struct mm_play *play, struct owned *owned, u64 start, u64 bytes, unsigned zone)
{
    bool seen = zone != ZONE_UNMAPPED_IN_PGT;

    expect(is_aligned(start, bytes) && start != 0 && start + bytes <= play->ram_bytes);
    expect(!play_memory_owns(start, start + bytes));
    expect_in_zone(start, start + bytes, zone);
    *owned = (struct owned){.start = start, .end = start + bytes, .seen = seen};
    if (!seen)
        return;
    *first_word(owned) = MARK ^ start;
    *last_word(owned) = MARK ^ start;
}

static void give(struct owned *owned)
{
    if (owned->seen)
        expect(*first_word(owned) == (MARK ^ owned->start) && *last_word(owned) == (MARK ^ owned->start));
    owned->start = 0;
}

/* ---- objects ---- */

/* A size around a power of two, or any. */
static ul take_size(struct mm_play *play)
{
    unsigned kind = (unsigned)fuzz_number(&play->bytes, 1);

    if (kind >= 0xf0)
        return fuzz_number(&play->bytes, kind == 0xff ? 8 : 3);
    return (1UL << kind % 22) + (ul)(s64)(s8)(kind / 22 - 3);
}

static void expect_zero(const void *object, u64 bytes)
{
    const u64 *word = object;

    for (u64 i = 0; i < bytes / sizeof(*word); i++)
        expect(word[i] == 0);
}

void play_kmalloc(struct mm_play *play)
{
    unsigned slot = (unsigned)fuzz_below(&play->bytes, 2 * N_OBJECTS);
    struct owned *object = &objects[slot % N_OBJECTS];
    bool zero = slot >= N_OBJECTS;
    ul size = take_size(play);
    u64 class_bytes = size <= 32 ? 32 : 1UL << log2_ceil(min_u64(size, KMALLOC_MAX_BYTES));
    bool possible = size <= KMALLOC_MAX_BYTES, may_fail = mm_play_may_fail(play);

    if (object->start != 0)
        return;

    void *got = zero ? kzalloc(size, 0) : kmalloc(size, 0);

    expect(got == NULL || possible);
    expect(got != NULL || !possible || may_fail);
    if (got == NULL)
        return;
    if (zero)
        expect_zero(got, class_bytes);
    take(play, object, virt_2_phys(got), class_bytes, ZONE_NORMAL);
}

static void object_free(struct owned *object)
{
    u64 start = object->start;

    if (start == 0)
        return;
    give(object);
    expect(kfree(phys_2_virt(start)) == 0);
}

void play_kfree(struct mm_play *play)
{
    object_free(&objects[fuzz_below(&play->bytes, N_OBJECTS)]);
}

/* An address that is near something: an object, a page, the image, RAM; or any. */
static ul take_address(struct mm_play *play)
{
    unsigned kind = (unsigned)fuzz_below(&play->bytes, 5);
    u64 number = fuzz_number(&play->bytes, kind == 4 ? 8 : 3);

    switch (kind) {
    case 0:
        return PAGE_OFFSET + objects[number % N_OBJECTS].start + (number / N_OBJECTS) * (1 + number % 3);
    case 1:
        return PAGE_OFFSET + number * KIB(4);
    case 2:
        return PAGE_OFFSET + blocks[number % N_BLOCKS].start;
    case 3:
        return MM_IMAGE_START + number;
    default:
        return number;
    }
}

static bool is_object(ul address)
{
    for (unsigned i = 0; i < N_OBJECTS; i++)
        if (objects[i].start != 0 && PAGE_OFFSET + objects[i].start == address)
            return true;
    return address == PAGE_OFFSET + play_mapping_space() && play_mapping_space() != 0;
}

void play_kfree_wrong(struct mm_play *play)
{
    ul address = take_address(play);
    struct mm_stat_t before = mm_play_before();

    if (address == 0 || is_object(address))
        return;
    expect(kfree((void *)address) != 0);
    mm_play_misused(play, &before);
}

/* ---- frames ---- */

/* One of the three zones, or any number. */
static unsigned take_zone(struct mm_play *play)
{
    unsigned zone = (unsigned)fuzz_number(&play->bytes, 1);

    return zone < 0xe0 ? 1U << zone % 3 : zone;
}

static bool is_zone(unsigned zone)
{
    return zone == ZONE_DMA || zone == ZONE_NORMAL || zone == ZONE_UNMAPPED_IN_PGT;
}

void play_frame_alloc(struct mm_play *play)
{
    struct owned *block = &blocks[fuzz_below(&play->bytes, N_BLOCKS)];
    unsigned zone = take_zone(play), order = (unsigned)fuzz_number(&play->bytes, 1);
    bool sound, must;

    order = order < 0xf0 ? order % 14 : order;
    sound = is_zone(zone) && order <= FRAME_MAX_ORDER;
    must = zone == ZONE_NORMAL && order <= 6 && !mm_play_may_fail(play);
    if (block->start != 0)
        return;

    phys_t first = frame_alloc(zone, order);

    expect(sound || phys_is_none(first));
    expect(!must || !phys_is_none(first));
    if (phys_is_none(first)) {
        if (sound)
            expect_no_room(play, zone, order <= 9 ? 1 : 1UL << (order - 9), order <= 9 ? 1 : 1UL << (order - 9));
        return;
    }
    take(play, block, first.addr, FRAME_BYTES << order, zone);
    block->order = order;
}

static void block_free(struct owned *block)
{
    u64 start = block->start;

    if (start == 0)
        return;
    give(block);
    expect(frame_free(phys(start), block->order) == 0);
}

void play_frame_free(struct mm_play *play)
{
    block_free(&blocks[fuzz_below(&play->bytes, N_BLOCKS)]);
}

/* Anywhere but inside what a block owns: a part of that may be given back. */
void play_frame_free_wrong(struct mm_play *play)
{
    u64 at = take_address(play) - PAGE_OFFSET;
    unsigned order = (unsigned)fuzz_number(&play->bytes, 1) % 40;
    struct mm_stat_t before = mm_play_before();

    if (overlaps(blocks, N_BLOCKS, at, at + 1))
        return;
    expect(frame_free(phys(at), order) != 0);
    mm_play_misused(play, &before);
}

/* ---- pages ---- */

static void pages_taken(struct mm_play *play, const struct Page *first, int n, unsigned zone, ul flags)
{
    ul attributes = zone == ZONE_UNMAPPED_IN_PGT ? flags & ~(ul)PAGE_PGT_MAPPED : flags | PAGE_PGT_MAPPED;

    for (int i = 0; i < n; i++) {
        const struct Page *page = &first[i];
        u64 start = page->addr_phys;

        expect(start == first->addr_phys + (u64)i * PAGE_BYTES && is_aligned(start, PAGE_BYTES));
        expect(start + PAGE_BYTES <= play->ram_bytes && !play_memory_owns(start, start + PAGE_BYTES));
        expect_in_zone(start, start + PAGE_BYTES, zone);
        expect(page->ref_counts == 1 && page->attr == attributes && Phy_to_2M_Page(start) == page);
    }
    for (int i = 0; i < n; i++)
        pages[first->addr_phys / PAGE_BYTES + (u64)i] = true;
}

void play_alloc_pages(struct mm_play *play)
{
    unsigned zone = take_zone(play);
    int num = (s8)fuzz_number(&play->bytes, 1);
    ul flags = fuzz_number(&play->bytes, 1);
    bool sound = is_zone(zone) && num >= 1 && num <= 63;
    struct Page *first = alloc_pages(zone, num, flags);

    expect(sound || first == NULL);
    if (first != NULL)
        pages_taken(play, first, num, zone, flags);
    else if (sound)
        expect_no_room(play, zone, (u64)num, 1);
}

void play_memory_take_most(struct mm_play *play)
{
    for (unsigned i = 0; i < 3; i++) {
        int n = 63;

        while (n > 0 && !play_memory_has_room(1U << i, (u64)n, 1))
            n--;
        if (n == 0)
            continue;

        struct Page *first = alloc_pages(1U << i, n, 0);

        expect(first != NULL);
        pages_taken(play, first, n, 1U << i, 0);
        free_pages(first, n);
        memset(&pages[first->addr_phys / PAGE_BYTES], 0, (u64)n);
    }
}

static bool all_are_pages(u64 first, int n)
{
    for (u64 i = first; i < first + (u64)n; i++)
        if (i >= N_PAGES || !pages[i])
            return false;
    return true;
}

void play_free_pages(struct mm_play *play)
{
    u64 first = fuzz_number(&play->bytes, 1), skew = fuzz_number(&play->bytes, 1);
    int number = (s8)fuzz_number(&play->bytes, 1);
    struct mm_stat_t before = mm_play_before();
    char *page = (char *)Phy_to_2M_Page(first * PAGE_BYTES);

    skew = skew < 0xe0 ? 0 : skew;
    bool sound = skew == 0 && number >= 1 && number <= 63 && all_are_pages(first, number);

    free_pages((struct Page *)(void *)(page + skew), number);
    if (!sound) {
        mm_play_misused(play, &before);
        return;
    }
    for (u64 i = first; i < first + (u64)number; i++) {
        expect(Phy_to_2M_Page(i * PAGE_BYTES)->ref_counts == 0 && Phy_to_2M_Page(i * PAGE_BYTES)->attr == 0);
        pages[i] = false;
    }
}

void play_memory_end(void)
{
    for (unsigned i = 0; i < N_OBJECTS; i++)
        object_free(&objects[i]);
    for (unsigned i = 0; i < N_BLOCKS; i++)
        block_free(&blocks[i]);
    for (u64 i = 0; i < N_PAGES; i++)
        if (pages[i])
            free_pages(Phy_to_2M_Page(i * PAGE_BYTES), 1);
    memset(pages, 0, sizeof(pages));
}
