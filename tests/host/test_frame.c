/* SPDX-License-Identifier: MIT */
/* Frames and pages: what frame_alloc and alloc_pages promise, and a random model over all zones. */
#include <cmocka_all.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <machine.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/page.h>
#include <mm/split.h>

#define RANDOM_SEED 88172645463325252UL

static void assert_sound(void)
{
    struct mm_violation v;

    if (!mm_check(&v))
        fail_msg("I%u: %s at 0x%lx: expected 0x%lx, found 0x%lx", v.number, v.text, v.where, v.expected, v.found);
}

static int start_64m(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(64), NULL));
    assert_sound();
    return 0;
}

static int start_512m(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(512), NULL));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static void the_zones_divide_ram_at_page_borders(void **state)
{
    struct mm_zone_info zone[MM_N_ZONES];
    u64 total = 0;

    (void)state;
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        mm_zone_info(i, &zone[i]);
        total += zone[i].managed_bytes;
        assert_true(is_aligned(zone[i].start, PAGE_BYTES));
    }
    assert_int_equal(zone[0].end, MIB(16));
    assert_int_equal(zone[1].start, MIB(16));
    assert_int_equal(zone[1].end, zone[2].start);
    assert_true(zone[1].end >= MIB(384) && zone[1].end <= MIB(388));
    assert_int_equal(total, mm_stat().total);
}

static void a_block_of_frames_is_aligned_to_its_size(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= 14; order++) {
        phys_t first = frame_alloc(ZONE_NORMAL, order);

        assert_false(phys_is_none(first));
        assert_true(is_aligned(first.addr, FRAME_BYTES << order));
        assert_sound();
        assert_int_equal(frame_free(first, order), 0);
    }
    mm_shrink();
    assert_sound();
}

static void a_wrong_zone_or_order_gives_no_frame(void **state)
{
    (void)state;
    assert_true(phys_is_none(frame_alloc(0, 0)));
    assert_true(phys_is_none(frame_alloc(3, 0)));
    assert_true(phys_is_none(frame_alloc(ZONE_NORMAL, MM_N_ORDERS)));
    assert_true(phys_is_none(frame_alloc(ZONE_DMA, 13)));
}

static void every_wrong_frame_free_is_reported_and_changes_nothing(void **state)
{
    phys_t frame = frame_alloc(ZONE_NORMAL, 0), block = frame_alloc(ZONE_DMA, 3);
    struct mm_stat_t before, after;
    const phys_t wrong[] = {frame, phys(0), phys(MIB(1)), phys(~0UL), phys(frame.addr + 1), phys(GIB(5)), phys(MIB(640))};

    (void)state;
    assert_int_equal(frame_free(frame, 0), 0);
    before = mm_stat();
    for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ul count = mm_misuse_count();

        assert_int_not_equal(frame_free(wrong[i], 0), 0);
        assert_int_equal(mm_misuse_count(), count + 1);
    }
    assert_int_not_equal(frame_free(block, 4), 0);
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    assert_sound();
    assert_int_equal(frame_free(block, 2), 0);
    assert_int_equal(frame_free(phys_add(block, 4 * FRAME_BYTES), 2), 0);
    assert_sound();
}

/* The liveness law: allocate until empty, free in a shuffled order, and the free lists are what they were. */
/* Refused, reported once, and nothing is different. */
static void assert_refused(phys_t first, unsigned order)
{
    struct mm_stat_t before = mm_stat(), after;
    ul count = mm_misuse_count();

    assert_int_not_equal(frame_free(first, order), 0);
    assert_int_equal(mm_misuse_count(), count + 1);
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    assert_sound();
}

static void a_block_that_is_held_in_part_stays_held(void **state)
{
    (void)state;
    for (unsigned order = 1; order < SPLIT_ORDERS; order++) {
        phys_t first = frame_alloc(ZONE_DMA, order), half = phys_add(first, FRAME_BYTES << (order - 1));

        assert_false(phys_is_none(first));
        assert_int_equal(frame_free(half, order - 1), 0);
        assert_refused(first, order);
        assert_refused(half, order - 1);
        assert_int_equal(frame_free(first, order - 1), 0); /* whose other half is still there */
        assert_sound();
    }
}

static void a_block_of_pages_is_freed_only_as_such(void **state)
{
    phys_t block = frame_alloc(ZONE_NORMAL, SPLIT_ORDERS + 1), single = frame_alloc(ZONE_NORMAL, 0);
    struct Page *owned = alloc_pages(ZONE_NORMAL, 1, 0);
    phys_t last = phys(mm.ram_end - PAGE_BYTES);

    (void)state;
    assert_refused(phys(owned->addr_phys), SPLIT_ORDERS);
    assert_refused(phys(single.addr & PAGE_2M_MASK), SPLIT_ORDERS);
    assert_refused(block, 0);
    assert_refused(block, SPLIT_ORDERS - 1);
    assert_refused(phys(block.addr & ~(PAGE_BYTES * 4 - 1)), SPLIT_ORDERS + 2);
    assert_refused(phys(last.addr & ~(PAGE_BYTES * 2 - 1)), SPLIT_ORDERS + 1);
    assert_refused(block, MM_N_ORDERS);
    assert_int_equal(frame_free(phys_add(block, PAGE_BYTES), SPLIT_ORDERS), 0); /* a page of it */
    assert_refused(block, SPLIT_ORDERS + 1);
    assert_int_equal(frame_free(block, SPLIT_ORDERS), 0);
    assert_int_equal(frame_free(single, 0), 0);
    free_pages(owned, 1);
    assert_sound();
}

static void after_running_empty_everything_is_as_before(void **state)
{
    static phys_t frames[20000];
    struct mm_stat_t before, after;
    u64 n = 0, x = RANDOM_SEED;

    (void)state;
    mm_shrink();
    before = mm_stat();
    while (n < ARRAY_LENGTH(frames) && !phys_is_none(frames[n] = frame_alloc(ZONE_NORMAL, 0)))
        n++;
    assert_in_range(n, 11000, 16384);
    assert_sound();
    for (u64 i = n; i > 1; i--) {
        u64 j = random_next(&x) % i;
        phys_t swap = frames[i - 1];

        frames[i - 1] = frames[j];
        frames[j] = swap;
    }
    for (u64 i = 0; i < n; i++)
        assert_int_equal(frame_free(frames[i], 0), 0);
    assert_sound();
    mm_shrink();
    assert_sound();
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
}

static void normal_grows_into_unmapped_and_gives_back(void **state)
{
    static struct Page *pages[400];
    struct mm_stat_t before = mm_stat(), after;
    struct mm_zone_info zone;
    unsigned n = 0;

    (void)state;
    while ((pages[n] = alloc_pages(ZONE_NORMAL, 1, 0)) != NULL)
        n++;
    mm_zone_info(2, &zone);
    assert_int_equal(zone.n_whole_free_pages, 0);
    mm_zone_info(0, &zone);
    assert_true(zone.free_bytes >= zone.managed_bytes / 4);
    assert_sound();
    for (unsigned i = 0; i < n; i++)
        free_pages(pages[i], 1);
    assert_sound();
    assert_non_null(pages[0] = alloc_pages(ZONE_UNMAPPED_IN_PGT, 20, 0));
    free_pages(pages[0], 20);
    mm_shrink();
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    mm_zone_info(2, &zone);
    assert_int_equal(zone.used_bytes, 0);
    assert_sound();
}

/* What a stack asks for that was taken out of use at the wrong moment. */
static void a_batch_of_nothing_takes_nothing(void **state)
{
    u64 before = mm_stat().free;
    ul flags = platform_lock(&mm.zone[1].lock);
    phys_t frame;

    (void)state;
    mm_boot_cpu(MM_CONTEXT_CODE)->preferred[SPLIT_PLAIN] = 0;
    assert_int_equal(split_take_batch(&mm.zone[1], mm_boot_cpu(MM_CONTEXT_CODE), &frame, 0), 0);
    platform_unlock(&mm.zone[1].lock, flags);
    assert_int_equal(mm_stat().free, before);
    assert_sound();
}

static void alloc_pages_refuses_what_it_should(void **state)
{
    static const int bad[] = {0, 64, -1, 1000000};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_null(alloc_pages(ZONE_NORMAL, bad[i], 0));
    assert_null(alloc_pages(0, 1, 0));
    assert_null(alloc_pages(3, 1, 0));
    assert_null(alloc_pages(ZONE_DMA, 63, 0));
    assert_sound();
}

static void pages_carry_their_attributes_while_allocated(void **state)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 3, PAGE_SHARED);
    struct Page *far = alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, PAGE_SHARED | PAGE_PGT_MAPPED);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(page[i].attr, PAGE_SHARED | PAGE_PGT_MAPPED);
        assert_int_equal(page[i].ref_counts, 1);
        assert_ptr_equal(Phy_to_2M_Page(page[i].addr_phys + 12345), &page[i]);
    }
    assert_int_equal(far->attr, PAGE_SHARED);
    assert_int_equal(mm_stat().shared, 4 * PAGE_BYTES);
    free_pages(page + 1, 1);
    assert_int_equal(page[1].attr | page[1].ref_counts, 0);
    assert_int_equal(mm_stat().shared, 3 * PAGE_BYTES);
    free_pages(page, 1);
    free_pages(page + 2, 1);
    free_pages(far, 1);
    assert_int_equal(mm_misuse_count(), 0);
    assert_sound();
}

static void every_wrong_free_pages_is_reported_and_changes_nothing(void **state)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 2, 0);
    struct mm_stat_t before = mm_stat(), after;
    struct { struct Page *page; int number; } wrong[] = {
        {page, 0}, {page, 64}, {page, -1}, {page, 3}, {page - 1, 1}, {(struct Page *)((char *)page + 8), 1},
        {NULL, 1}, {(struct Page *)&before, 1}, {Phy_to_2M_Page(GIB(100)), 1}, {Phy_to_2M_Page(MIB(2)), 1},
        {Phy_to_2M_Page(0), 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ul count = mm_misuse_count();

        free_pages(wrong[i].page, wrong[i].number);
        assert_int_equal(mm_misuse_count(), count + 1);
        assert_sound();
    }
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    free_pages(page, 2);
    free_pages(page, 1);
    assert_true(host_reported("already free"));
}

static void a_run_is_found_where_no_aligned_block_is(void **state)
{
    struct Page *page[200];
    unsigned n = 0;
    struct Page *run;

    (void)state;
    while ((page[n] = alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0)) != NULL)
        n++;
    for (unsigned i = 0; i < n; i++) /* pages 1 .. 40 of every 64: no aligned block of 64, nor of 32 with 8 behind it */
        if (page_index(page[i]) % 64 >= 1 && page_index(page[i]) % 64 <= 40)
            free_pages(page[i], 1);
    run = alloc_pages(ZONE_UNMAPPED_IN_PGT, 40, 0);
    assert_non_null(run);
    assert_int_equal(page_index(run) % 64, 1);
    assert_sound();
}

#define N_SLOTS 300

struct slot {
    phys_t first;
    unsigned order; /* 100 + n: n pages of alloc_pages */
    bool used;
};

static void slot_fill(struct slot *slot, u64 *x)
{
    static const unsigned zones[] = {ZONE_DMA, ZONE_NORMAL, ZONE_NORMAL, ZONE_NORMAL, ZONE_UNMAPPED_IN_PGT};
    unsigned zone = zones[random_next(x) % 5];
    u64 kind = random_next(x) % 100;

    if (kind < 90) {
        slot->order = (unsigned)(kind < 60 ? 0 : random_next(x) % 11);
        slot->first = frame_alloc(zone, slot->order);
        slot->used = !phys_is_none(slot->first);
    } else {
        unsigned n = 1 + (unsigned)(random_next(x) % 5);
        struct Page *page = alloc_pages(zone, (int)n, random_next(x) % 2 ? PAGE_SHARED : 0);

        slot->order = 100 + n;
        slot->used = page != NULL;
        if (page != NULL)
            slot->first = phys(page->addr_phys);
    }
}

static void slot_empty(struct slot *slot)
{
    slot->used = false;
    if (slot->order < 100) {
        if (frame_free(slot->first, slot->order) != 0)
            fail_msg("order %u: %s", slot->order, host_last_report());
    } else {
        free_pages(Phy_to_2M_Page(slot->first.addr), (int)slot->order - 100);
    }
}

static u64 slot_bytes(const struct slot *slot)
{
    return !slot->used ? 0 : slot->order < 100 ? FRAME_BYTES << slot->order : (slot->order - 100) * PAGE_BYTES;
}

static void random_operations_keep_all_invariants(void **state)
{
    static struct slot slots[N_SLOTS];
    struct mm_stat_t before, after;
    u64 x = RANDOM_SEED;

    (void)state;
    memset(slots, 0, sizeof slots);
    mm_shrink();
    before = mm_stat();
    for (unsigned step = 0; step < 20000; step++) {
        struct slot *slot = &slots[random_next(&x) % N_SLOTS];

        if (slot->used)
            slot_empty(slot);
        else
            slot_fill(slot, &x);
        if (step % 97 == 0) {
            u64 taken = 0;

            for (unsigned i = 0; i < N_SLOTS; i++)
                taken += slot_bytes(&slots[i]);
            assert_int_equal(before.free - taken, mm_stat().free);
            assert_sound();
        }
        if (step % 1999 == 0)
            mm_shrink();
    }
    for (unsigned i = 0; i < N_SLOTS; i++)
        if (slots[i].used)
            slot_empty(&slots[i]);
    mm_shrink();
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(mm_misuse_count(), 0);
    assert_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_zones_divide_ram_at_page_borders, start_512m, stop),
        cmocka_unit_test_setup_teardown(a_block_of_frames_is_aligned_to_its_size, start_512m, stop),
        cmocka_unit_test_setup_teardown(a_wrong_zone_or_order_gives_no_frame, start_64m, stop),
        cmocka_unit_test_setup_teardown(every_wrong_frame_free_is_reported_and_changes_nothing, start_512m, stop),
        cmocka_unit_test_setup_teardown(a_block_that_is_held_in_part_stays_held, start_512m, stop),
        cmocka_unit_test_setup_teardown(a_block_of_pages_is_freed_only_as_such, start_512m, stop),
        cmocka_unit_test_setup_teardown(after_running_empty_everything_is_as_before, start_64m, stop),
        cmocka_unit_test_setup_teardown(normal_grows_into_unmapped_and_gives_back, start_512m, stop),
        cmocka_unit_test_setup_teardown(a_batch_of_nothing_takes_nothing, start_512m, stop),
        cmocka_unit_test_setup_teardown(alloc_pages_refuses_what_it_should, start_512m, stop),
        cmocka_unit_test_setup_teardown(pages_carry_their_attributes_while_allocated, start_512m, stop),
        cmocka_unit_test_setup_teardown(every_wrong_free_pages_is_reported_and_changes_nothing, start_512m, stop),
        cmocka_unit_test_setup_teardown(a_run_is_found_where_no_aligned_block_is, start_512m, stop),
        cmocka_unit_test_setup_teardown(random_operations_keep_all_invariants, start_64m, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
