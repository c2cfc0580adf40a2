/* SPDX-License-Identifier: MIT */
/*
 * Memory exhausted: every call fails as a whole, uses what is cached before it fails, and works again
 * afterwards.
 *
 * The hoard takes all frames; then single ones are given back, so that a call which needs several runs out
 * half way, at every possible place.
 */
#include <kernel/selftest/hoard.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <kernel/selftest/world.h>
#include <lib/bits.h>
#include <mm/debug.h>
#include <mm/inspect.h>
#include <mm/mmio.h>

#define MAX_RELEASED 100 /* more frames than any call here needs */
#define N_OBJECTS    64

static struct hoard hoard;

static void kmalloc_fails_with_one_log_line_and_takes_nothing(void)
{
    hoard_fill(&hoard);
    for (ul bytes = 32; bytes <= MIB(1); bytes *= 2) {
        void *others = objects_take_all(bytes);

        test_watch();
        EXPECT(kmalloc(bytes, 0) == NULL);
        EXPECT_ONE_LOG_LINE();
        objects_free(others);
    }
    EXPECT(hoard_release_frame(&hoard));
    hoard_free(&hoard);
}

static void failures_are_counted_by_class(void)
{
    struct mm_class_info before, after;
    void *others;

    hoard_fill(&hoard);
    others = objects_take_all(256);
    mm_class_info(3, &before);
    EXPECT(kmalloc(256, 0) == NULL);
    EXPECT(kzalloc(200, 0) == NULL);
    mm_class_info(3, &after);
    EXPECT_EQUAL(after.n_failures - before.n_failures, 2);
    objects_free(others);
    hoard_free(&hoard);
}

/* A frame for the object, one for what describes it, one for the roles of its page: a few are enough. */
static void kmalloc_works_again_with_a_few_frames(void)
{
    void *object = NULL, *others;
    unsigned n_released = 0;

    hoard_fill(&hoard);
    others = objects_take_all(64);
    while (object == NULL && n_released < 6) {
        EXPECT(hoard_release_frame(&hoard));
        n_released++;
        object = kmalloc(64, 0);
    }
    EXPECT(object != NULL);
    EXPECT_EQUAL(kfree(object), 0);
    objects_free(others);
    hoard_free(&hoard);
}

/* Frames that wait in the cache of one class serve another one before that fails. */
static void what_is_cached_is_used_before_an_allocation_fails(void)
{
    static void *objects[N_OBJECTS];
    ul bytes = PAGE_4K_SIZE;
    unsigned n = 0;
    void *object, *others;

    while (mm_debug_slot_bytes(bytes) > PAGE_4K_SIZE)
        bytes /= 2;

    hoard_fill(&hoard);
    others = objects_take_all(32);
    for (unsigned i = 0; i < 16; i++)
        EXPECT(hoard_release_frame(&hoard));
    while (n < N_OBJECTS && (objects[n] = kmalloc(bytes, 0)) != NULL)
        n++;
    EXPECT(n >= 8);
    EXPECT(kmalloc(32, 0) == NULL);
    for (unsigned i = 0; i < n; i++)
        EXPECT_EQUAL(kfree(objects[i]), 0);
    object = kmalloc(32, 0);
    EXPECT(object != NULL);
    EXPECT_EQUAL(kfree(object), 0);
    objects_free(others);
    hoard_free(&hoard);
}

#define N_GIVEN 24

static void *given[N_GIVEN];

/* Of two neighbours in the first half one, of the second half all: slabs that are part free, and free ones. */
static void give_some(void *n_given)
{
    for (unsigned i = 0; i < N_GIVEN; i += i < N_GIVEN / 2 ? 2 : 1) {
        EXPECT_EQUAL(kfree(given[i]), 0);
        given[i] = NULL;
        ++*(u64 *)n_given;
    }
}

/* What another CPU has freed lies in its caches, or waits in a home: as many objects must be had here. */
static void objects_that_another_cpu_freed_serve_before_an_allocation_fails(void)
{
    for (ul bytes = 32; bytes <= 2048; bytes *= 2) {
        void *others;
        u64 n_given = 0;

        for (unsigned i = 0; i < N_GIVEN; i++)
            EXPECT((given[i] = kmalloc(bytes, 0)) != NULL);
        hoard_fill(&hoard);
        others = objects_take_all(bytes);
        if (!world_run_elsewhere(give_some, &n_given))
            give_some(&n_given);
        for (unsigned i = 0; i < N_GIVEN; i++)
            if (given[i] == NULL)
                EXPECT((given[i] = kmalloc(bytes, 0)) != NULL);
        for (unsigned i = 0; i < N_GIVEN; i++)
            EXPECT_EQUAL(kfree(given[i]), 0);
        objects_free(others);
        hoard_free(&hoard);
    }
}

static void alloc_pages_fails_with_one_log_line_and_takes_nothing(void)
{
    hoard_fill(&hoard);
    test_watch();
    EXPECT(alloc_pages(ZONE_NORMAL, 1, 0) == NULL);
    EXPECT_ONE_LOG_LINE();
    test_watch();
    EXPECT(alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0) == NULL); /* all of it has become NORMAL's */
    EXPECT_ONE_LOG_LINE();
    hoard_free(&hoard);
}

/*
 * Makes the call.  True when it succeeded; else it must have changed nothing.  What described the tables that
 * were given back may wait until every CPU has been seen outside of mm, so shrinking comes before each look.
 */
static bool map_or_nothing(const struct map_call *call)
{
    u64 hash = mappings_hash(current_top()), n_tables = paging_count_tables();
    struct mm_stat_t stat;
    int result;

    mm_shrink();
    stat = mm_stat();
    result = mm_map_proc_page_table(current_top().addr, true, call->virt, call->phys, call->bytes,
                                    call->flags, false, true, call->use4k);
    if (result == 0)
        return true;
    mm_shrink();
    EXPECT_EQUAL(result, -EFAULT);
    EXPECT_EQUAL(mappings_hash(current_top()), hash);
    EXPECT_EQUAL(paging_count_tables(), n_tables);
    EXPECT_SAME_STAT(stat);
    return false;
}

/* The call is tried with 0, 1, 2, ... free frames until it succeeds. */
static void try_map_with_few_frames(const struct map_call *call, unsigned n_tables)
{
    unsigned n_refused = 0;
    u64 n_before = paging_count_tables();

    hoard_fill(&hoard);
    while (!map_or_nothing(call) && n_refused < MAX_RELEASED && EXPECT(hoard_release_frame(&hoard)))
        n_refused++;
    EXPECT(n_refused > 0 && n_refused < MAX_RELEASED);
    EXPECT_EQUAL(paging_count_tables(), n_before + n_tables);
    EXPECT_MAPPED(.virt = call->virt, .phys = call->phys, .bytes = call->bytes, .flags = call->flags);
    EXPECT_UNMAP(call->virt, call->bytes);
    hoard_free(&hoard);
}

/* More tables than any reserve of paging's has. */
static void a_mapping_without_memory_for_its_tables_is_undone(void)
{
    struct map_call call = {.bytes = MIB(64), .flags = DEVICE_FLAGS, .use4k = true};

    call.phys = space_without_ram(GIB(1), GIB(1));
    if (call.phys == 0) {
        test_skip("no GiB of physical space is free of RAM");
        return;
    }
    call.virt = LOWER_BORDER - MIB(32);
    try_map_with_few_frames(&call, 2 + 2 + 32); /* PDPTs, PDs, PTs */
    call.virt = SPECIAL_BORDER - MIB(32) - PAGE_4K_SIZE;
    try_map_with_few_frames(&call, 0 + 2 + 33); /* the PDPTs are there for good */
}

/* It notes each mapping in an object of 32 bytes. */
static void mmio_map_fails_as_a_whole(void)
{
    ul device = space_without_ram(GIB(1), GIB(1));
    struct mm_stat_t before;
    void *others;

    if (device == 0) {
        test_skip("no GiB of physical space is free of RAM");
        return;
    }
    hoard_fill(&hoard);
    others = objects_take_all(32);
    before = mm_stat();
    EXPECT(mmio_map(phys(device), MIB(4), MMIO_UNCACHED) == NULL);
    EXPECT_SAME_STAT(before);
    objects_free(others);
    hoard_free(&hoard);
}

/* Takes a frame out of the i-th 2 MiB leaf of the next test. */
static int unmap_middle(unsigned i)
{
    return mm_unmap_range(current_top().addr, true, LOWER_BORDER + i * MIB(2) + MIB(1), PAGE_4K_SIZE);
}

/* Splitting takes tables from a reserve.  With that used up, nothing is unmapped, and it is reported. */
static void unmapping_splits_from_a_reserve_and_then_refuses(void)
{
    const unsigned n_leaves = 100;
    ul device = space_without_ram(GIB(1), GIB(1));
    unsigned n_split = 0;

    if (device == 0) {
        test_skip("no GiB of physical space is free of RAM");
        return;
    }
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(2) * n_leaves, .flags = DEVICE_FLAGS);
    hoard_fill(&hoard);
    test_watch();
    while (n_split < n_leaves && unmap_middle(n_split) == 0) {
        EXPECT_UNMAPPED(LOWER_BORDER + n_split * MIB(2) + MIB(1), PAGE_4K_SIZE);
        test_watch();
        n_split++;
    }
    EXPECT(n_split > 0 && n_split < n_leaves);
    EXPECT_ONE_LOG_LINE();
    EXPECT_MAPPED(.virt = LOWER_BORDER + n_split * MIB(2), .phys = device + n_split * MIB(2),
                  .bytes = (n_leaves - n_split) * MIB(2), .flags = DEVICE_FLAGS, .leaf_bytes = MIB(2));
    hoard_free(&hoard);
    EXPECT_EQUAL(unmap_middle(n_split), 0);
    EXPECT_UNMAP(LOWER_BORDER, MIB(2) * n_leaves);
    EXPECT_UNMAPPED(LOWER_BORDER, MIB(2) * n_leaves);
}

static void unmapping_what_needs_no_split_works_without_a_frame(void)
{
    ul device = space_without_ram(GIB(1), GIB(1));
    u64 n_tables = paging_count_tables();

    if (device == 0) {
        test_skip("no GiB of physical space is free of RAM");
        return;
    }
    EXPECT_MAP(.virt = LOWER_BORDER, .phys = device, .bytes = MIB(4), .flags = DEVICE_FLAGS, .use4k = true);
    hoard_fill(&hoard);
    EXPECT_UNMAP(LOWER_BORDER + PAGE_4K_SIZE, MIB(3));
    EXPECT_UNMAP(LOWER_BORDER, MIB(4));
    EXPECT_EQUAL(paging_count_tables(), n_tables);
    hoard_free(&hoard);
}

static const struct test tests[] = {
    TEST(kmalloc_fails_with_one_log_line_and_takes_nothing),
    TEST(failures_are_counted_by_class),
    TEST(kmalloc_works_again_with_a_few_frames),
    TEST(what_is_cached_is_used_before_an_allocation_fails),
    TEST(objects_that_another_cpu_freed_serve_before_an_allocation_fails),
    TEST(alloc_pages_fails_with_one_log_line_and_takes_nothing),
    TEST(a_mapping_without_memory_for_its_tables_is_undone),
    TEST(mmio_map_fails_as_a_whole),
    TEST(unmapping_splits_from_a_reserve_and_then_refuses),
    TEST(unmapping_what_needs_no_split_works_without_a_frame),
    TEST_END,
};

const struct test_suite selftest_exhaustion = {"exhaustion", "no memory left: all or nothing, and back",
                                               tests};
