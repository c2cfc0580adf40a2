/* SPDX-License-Identifier: MIT */
/* mm_stat: its identities in every copy, and that it tells exactly what was taken. */
#include <kernel/selftest/hoard.h>
#include <kernel/selftest/suites.h>
#include <mm/debug.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/sanitize.h>

#define N_SLOTS 64

static void expect_identities(struct mm_stat_t s)
{
    EXPECT_EQUAL(s.used + s.free, s.total);
    EXPECT_EQUAL(s.free + s.cache_free, s.available);
    EXPECT(s.cache_used + s.cache_free <= s.used);
    EXPECT(s.shared <= s.used);
}

static void total_is_the_firmwares_usable_memory(void)
{
    struct mm_stat_t s = mm_stat();

    EXPECT_EQUAL(s.total, memory_map_usable_bytes(mm_firmware_map()));
    expect_identities(s);
}

static void zones_add_up_to_total_and_free(void)
{
    struct mm_stat_t s = mm_stat();
    u64 managed = 0, free = 0;

    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        struct mm_zone_info zone;

        mm_zone_info(i, &zone);
        EXPECT_EQUAL(zone.used_bytes + zone.free_bytes, zone.managed_bytes);
        EXPECT(zone.low_water_bytes <= zone.free_bytes);
        managed += zone.managed_bytes;
        free += zone.free_bytes;
    }
    EXPECT_EQUAL(managed, s.total);
    EXPECT_EQUAL(free, s.free);
}

static void an_object_counts_with_the_size_of_its_class(void)
{
    struct mm_stat_t before = mm_stat(), with;
    void *object = kmalloc(100, 0);

    with = mm_stat();
    expect_identities(with);
    EXPECT_EQUAL(with.cache_used - before.cache_used, mm_debug_slot_bytes(100));
    EXPECT(mm_debug_features() != 0 || mm_debug_slot_bytes(100) == (sanitize_padded(100) == 100 ? 128 : 256));
    EXPECT_EQUAL(with.total, before.total);
    EXPECT_EQUAL(kfree(object), 0);
    EXPECT_EQUAL(mm_stat().cache_used, before.cache_used);
    expect_identities(mm_stat());
}

static void a_large_object_counts_once(void)
{
    struct mm_stat_t before = mm_stat(), with;
    void *object = kmalloc(300 * 1024, 0);

    with = mm_stat();
    EXPECT(object != NULL);
    EXPECT_EQUAL(with.cache_used - before.cache_used, mm_debug_slot_bytes(300 * 1024));
    EXPECT(with.used - before.used >= 512 * 1024);
    expect_identities(with);
    EXPECT_EQUAL(kfree(object), 0);
}

static void a_frame_is_used_until_it_is_freed(void)
{
    struct mm_stat_t before = mm_stat();
    phys_t frame = frame_alloc(ZONE_NORMAL, 0);

    EXPECT_EQUAL(mm_stat().used - before.used, PAGE_4K_SIZE);
    EXPECT_EQUAL(frame_free(frame, 0), 0);
    EXPECT_SAME_STAT(before); /* also before mm_shrink: a frame in a CPU's stack is free */
}

static void shared_pages_are_counted_while_they_are_allocated(void)
{
    struct mm_stat_t before = mm_stat();
    struct Page *shared, *other;

    if (!zone_has_pages(1, 2)) {
        test_skip("no two pages of NORMAL are free");
        return;
    }
    shared = alloc_pages(ZONE_NORMAL, 1, PAGE_SHARED);
    other = alloc_pages(ZONE_NORMAL, 1, PAGE_KERNEL);
    if (EXPECT(shared != NULL) && EXPECT(other != NULL)) {
        EXPECT_EQUAL(mm_stat().shared - before.shared, PAGE_2M_SIZE);
        EXPECT_EQUAL(mm_stat().used - before.used, 2 * PAGE_2M_SIZE);
        EXPECT_EQUAL(mm_stat().free, before.free - 2 * PAGE_2M_SIZE);
    }
    if (shared != NULL)
        free_pages(shared, 1);
    if (other != NULL)
        free_pages(other, 1);
    EXPECT_SAME_STAT(before);
}

static void identities_hold_after_every_one_of_5000_operations(void)
{
    static void *slots[N_SLOTS];
    struct mm_stat_t before = mm_stat();
    u64 random = 88172645463325252UL, live = 0;

    for (unsigned i = 0; i < 5000; i++) {
        u64 r = test_random(&random);
        void **slot = &slots[r % N_SLOTS];
        unsigned shift = 5 + (unsigned)(r >> 8) % 12;
        struct mm_what what;

        if (*slot != NULL) {
            mm_describe_virt(virt((u64)*slot), &what);
            live -= mm_debug_slot_bytes(what.class_bytes);
            EXPECT_EQUAL(kfree(*slot), 0);
            *slot = NULL;
        } else if ((*slot = kmalloc(1UL << shift, 0)) != NULL) {
            live += mm_debug_slot_bytes(1UL << shift);
        }
        expect_identities(mm_stat());
        EXPECT_EQUAL(mm_stat().cache_used - before.cache_used, live);
    }
    for (unsigned i = 0; i < N_SLOTS; i++, slots[i - 1] = NULL)
        EXPECT_EQUAL(kfree(slots[i]), 0);
}

static void shrink_tells_how_much_became_free(void)
{
    void *object = kmalloc(8192, 0); /* frames of its own: a slab may hold others' objects, too */
    ul free, given;

    EXPECT_EQUAL(kfree(object), 0);
    free = mm_stat().free;
    given = mm_shrink();
    EXPECT(given != 0);
    EXPECT_EQUAL(mm_stat().free - free, given);
    EXPECT_EQUAL(mm_shrink(), 0);
}

static const struct test tests[] = {
    TEST(total_is_the_firmwares_usable_memory),
    TEST(zones_add_up_to_total_and_free),
    TEST(an_object_counts_with_the_size_of_its_class),
    TEST(a_large_object_counts_once),
    TEST(a_frame_is_used_until_it_is_freed),
    TEST(shared_pages_are_counted_while_they_are_allocated),
    TEST(identities_hold_after_every_one_of_5000_operations),
    TEST(shrink_tells_how_much_became_free),
    TEST_END,
};

const struct test_suite selftest_stat = {"stat", "mm_stat is exact, and its identities always hold", tests};
