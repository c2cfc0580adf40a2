/* SPDX-License-Identifier: MIT */
/* Frames: blocks of every order, all of them and back, and what is refused. */
#include <kernel/selftest/hoard.h>
#include <kernel/selftest/suites.h>
#include <lib/bits.h>
#include <mm/frame.h>
#include <mm/inspect.h>

#define N_FRAMES 600 /* more than a page has, and than a CPU's stack holds */

static phys_t frames[N_FRAMES];

static void a_block_of_each_order_is_aligned_and_marked_as_held(void)
{
    for (unsigned order = 0; order <= 10; order++) {
        phys_t block = frame_alloc(ZONE_NORMAL, order);
        struct mm_what what;

        if (phys_is_none(block))
            break;
        EXPECT(is_aligned(block.addr, PAGE_4K_SIZE << order));
        mm_describe_phys(phys_add(block, (PAGE_4K_SIZE << order) - 1), &what);
        EXPECT_EQUAL(what.kind, MM_HELD_FRAME);
        EXPECT_EQUAL(frame_free(block, order), 0);
        mm_describe_phys(block, &what);
        EXPECT(what.kind == MM_FREE_FRAME || what.kind == MM_CACHED_FRAME);
    }
}

/* Writes a number into each frame through the direct map, and reads them back at the end. */
static void frames_are_distinct_and_keep_their_content(void)
{
    struct mm_zone_info normal;
    unsigned n = 0;

    mm_zone_info(1, &normal);
    while (n < N_FRAMES && !phys_is_none(frames[n] = frame_alloc(ZONE_NORMAL, 0))) {
        *(u64 *)phys_pointer(frames[n]) = n;
        n++;
    }
    EXPECT(n >= min_u64(N_FRAMES, normal.free_bytes / PAGE_4K_SIZE));
    for (unsigned i = 0; i < n; i++) {
        EXPECT_EQUAL(*(u64 *)phys_pointer(frames[i]), i);
        EXPECT(frame_is_held(frames[i]));
        EXPECT_EQUAL(frame_free(frames[i], 0), 0);
        EXPECT(!frame_is_held(frames[i]));
    }
}

static void each_zone_gives_frames_of_its_own(void)
{
    for (unsigned zone = 0; zone < MM_N_ZONES; zone++) {
        phys_t frame = frame_alloc(1u << zone, 0);
        struct mm_zone_info info;
        struct mm_what what;

        mm_zone_info(zone, &info);
        if (phys_is_none(frame)) {
            EXPECT_EQUAL(info.free_bytes, 0);
            continue;
        }
        mm_describe_phys(frame, &what);
        if (info.start != info.end) { /* else NORMAL has only what it grew or borrows */
            EXPECT_EQUAL(what.zone, zone);
            EXPECT(frame.addr >= info.start && frame.addr < info.end);
        }
        EXPECT_EQUAL(frame_free(frame, 0), 0);
    }
}

static void wrong_zones_and_orders_give_nothing(void)
{
    const unsigned zones[] = {0, 3, 5, 6, 7, 8, ~0u};
    struct mm_stat_t before = mm_stat();

    for (unsigned i = 0; i < ARRAY_LENGTH(zones); i++)
        EXPECT(phys_is_none(frame_alloc(zones[i], 0)));
    EXPECT(phys_is_none(frame_alloc(ZONE_NORMAL, FRAME_MAX_ORDER + 1)));
    EXPECT(phys_is_none(frame_alloc(ZONE_NORMAL, ~0u)));
    EXPECT_SAME_STAT(before);
}

/* A block in eight parts, freed in an order that is not the one of addresses. */
static void a_block_may_be_freed_in_parts(void)
{
    const unsigned order[] = {3, 0, 7, 1, 6, 2, 5, 4};
    phys_t block = frame_alloc(ZONE_NORMAL, 3);

    if (!EXPECT(!phys_is_none(block)))
        return;
    for (unsigned i = 0; i < 8; i++)
        EXPECT_EQUAL(frame_free(phys_add(block, order[i] * PAGE_4K_SIZE), 0), 0);
}

static void a_block_of_pages_may_be_freed_in_parts(void)
{
    phys_t block = frame_alloc(ZONE_NORMAL, 10); /* two pages of 512 frames */

    if (phys_is_none(block)) {
        test_skip("no two whole pages in a row are free");
        return;
    }
    EXPECT_EQUAL(frame_free(phys_add(block, PAGE_2M_SIZE), 9), 0);
    EXPECT_EQUAL(frame_free(block, 9), 0);
}

static void expect_free_refused(phys_t first, unsigned order, const char *what)
{
    test_watch();
    EXPECT_EQUAL(frame_free(first, order), -EFAULT);
    EXPECT_REPORT("frame_free", first.addr, what);
}

static void wrong_frees_are_reported_and_change_nothing(void)
{
    phys_t block = frame_alloc(ZONE_NORMAL, 2), object;
    void *memory = kmalloc(4096, 0);

    if (EXPECT(!phys_is_none(block))) {
        expect_free_refused(phys_add(block, PAGE_4K_SIZE), 1, "never allocated"); /* not aligned so */
        expect_free_refused(phys_add(block, 8), 0, "never allocated");            /* no frame */
        EXPECT_EQUAL(frame_free(block, 2), 0);
        expect_free_refused(block, 2, "a free frame");
        expect_free_refused(block, 0, "a free frame");
    }
    if (EXPECT(memory != NULL)) {
        object = pointer_phys(memory);
        test_watch();
        EXPECT_EQUAL(frame_free(object, 0), -EFAULT);
        EXPECT_REPORT("frame_free", object.addr, "");
        EXPECT_EQUAL(kfree(memory), 0);
    }
    expect_free_refused(phys(0), 0, /* low memory, where firmware says that it is there */
                        memory_map_is_usable(mm_firmware_map(), 0, PAGE_4K_SIZE) ? "never allocated" : "no RAM there");
    expect_free_refused(phys(mm_ram_end() + PAGE_2M_SIZE), 0, "no RAM there");
    expect_free_refused(phys((ul)get_CR3()), 0, "a page table");
}

static void remember_free_blocks(struct mm_zone_info *zones)
{
    for (unsigned zone = 0; zone < MM_N_ZONES; zone++)
        mm_zone_info(zone, &zones[zone]);
}

static void expect_same_free_blocks(const struct mm_zone_info *before)
{
    for (unsigned zone = 0; zone < MM_N_ZONES; zone++) {
        struct mm_zone_info after;

        mm_zone_info(zone, &after);
        for (unsigned order = 0; order < MM_N_ORDERS; order++)
            if (!EXPECT_EQUAL(after.n_free_blocks[order], before[zone].n_free_blocks[order]))
                return;
    }
}

/* Swaps each with another one, so that they are freed in no particular order. */
static void shuffle_frames(unsigned n)
{
    u64 random = 362436069UL;

    for (unsigned i = 0; i < n; i++) {
        unsigned other = (unsigned)(test_random(&random) % n);
        phys_t frame = frames[i];

        frames[i] = frames[other];
        frames[other] = frame;
    }
}

static void free_lists_are_what_they_were_after_shuffled_frees(void)
{
    static struct mm_zone_info before[MM_N_ZONES];
    unsigned n = 0;

    remember_free_blocks(before);
    while (n < N_FRAMES && !phys_is_none(frames[n] = frame_alloc(ZONE_NORMAL, 0)))
        n++;
    shuffle_frames(n);
    for (unsigned i = 0; i < n; i++)
        EXPECT_EQUAL(frame_free(frames[i], 0), 0);
    mm_shrink();
    expect_same_free_blocks(before);
}

static void all_frames_can_be_taken_and_given_back(void)
{
    static struct mm_zone_info before[MM_N_ZONES];
    struct hoard hoard = {0};
    struct mm_zone_info zone;
    u64 quarter;

    remember_free_blocks(before);
    quarter = align_down(before[0].managed_bytes / 4, PAGE_4K_SIZE);
    hoard_fill(&hoard);
    mm_zone_info(1, &zone);
    EXPECT_EQUAL(zone.free_bytes, 0);
    mm_zone_info(2, &zone);
    EXPECT_EQUAL(zone.n_whole_free_pages, 0);
    mm_zone_info(0, &zone);
    EXPECT_EQUAL(zone.free_bytes, min_u64(quarter, before[0].free_bytes));
    EXPECT(phys_is_none(frame_alloc(ZONE_NORMAL, 0)));
    EXPECT(hoard_release_frame(&hoard));
    EXPECT_EQUAL(frame_free(frame_alloc(ZONE_NORMAL, 0), 0), 0);
    hoard_free(&hoard);
    mm_shrink();
    expect_same_free_blocks(before);
}

static const struct test tests[] = {
    TEST(a_block_of_each_order_is_aligned_and_marked_as_held),
    TEST(frames_are_distinct_and_keep_their_content),
    TEST(each_zone_gives_frames_of_its_own),
    TEST(wrong_zones_and_orders_give_nothing),
    TEST(a_block_may_be_freed_in_parts),
    TEST(a_block_of_pages_may_be_freed_in_parts),
    TEST(wrong_frees_are_reported_and_change_nothing),
    TEST(free_lists_are_what_they_were_after_shuffled_frees),
    TEST(all_frames_can_be_taken_and_given_back),
    TEST_END,
};

const struct test_suite selftest_frames = {"frames",
                                           "the frame allocator: blocks of every order, all and back", tests};
