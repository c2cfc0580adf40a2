/* SPDX-License-Identifier: MIT */
/* Runs of whole pages: what is free is found, however it is scattered, and nothing else is. */
#include <cmocka_all.h>
#include <machine.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/run.h>
#include <stdlib.h>

#define N_STEPS 6000
#define N_TAKEN 512

static struct Zone *zone;

/* UNMAPPED, 400 pages of it: no CPU caches them, and nothing else takes them. */
static int start_machine(void **state)
{
    static const struct machine_options options = {.direct_map_bytes = MIB(224)};

    (void)state;
    assert_null(machine_start_bytes(GIB(1), &options));
    zone = &mm.zone[2];
    return 0;
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static bool all_free(u32 index, u32 n)
{
    for (u32 i = 0; i < n; i++)
        if (index + i >= mm.n_pages || page_at(index + i)->zone != zone || !page_is_free(page_at(index + i)))
            return false;
    return true;
}

/* Whether there are n free pages in a row, at a multiple of `step`; by looking everywhere. */
static bool there_are(u32 n, u32 step)
{
    for (u32 index = 0; index < mm.n_pages; index += step)
        if (all_free(index, n))
            return true;
    return false;
}

struct taken {
    struct Page *pages;
    u32 n;
    bool is_block;
};

static struct taken taken[N_TAKEN];
static u32 n_taken;

static void take_pages(u32 n)
{
    bool expected = there_are(n, 1);
    struct Page *pages = alloc_pages(ZONE_UNMAPPED_IN_PGT, (int)n, 0);

    assert_int_equal(pages != NULL, expected);
    if (pages != NULL)
        taken[n_taken++] = (struct taken){pages, n, false};
}

static void take_block(unsigned order)
{
    bool expected = there_are(1u << order, 1u << order);
    phys_t first = frame_alloc(ZONE_UNMAPPED_IN_PGT, order + SPLIT_ORDERS);

    assert_int_equal(!phys_is_none(first), expected);
    if (!expected)
        return;
    assert_true(is_aligned(first.addr, PAGE_BYTES << order));
    taken[n_taken++] = (struct taken){page_of(first), 1u << order, true};
}

/* Gives back one of what is taken: a block whole, of pages perhaps only a part. */
static void give(u32 which)
{
    struct taken *t = &taken[which];
    u32 n = t->is_block ? t->n : 1 + (u32)rand() % t->n;

    if (t->is_block)
        assert_int_equal(frame_free(phys(t->pages->addr_phys), log2_floor(n) + SPLIT_ORDERS), 0);
    else
        free_pages(t->pages, (int)n);
    t->pages += n;
    t->n -= n;
    if (t->n == 0)
        *t = taken[--n_taken];
}

static void what_is_free_is_found_and_nothing_else(void **state)
{
    u64 before = mm_stat().free;

    (void)state;
    for (unsigned step = 0; step < N_STEPS; step++) {
        unsigned full = step / 500 % 2 ? 70 : 45;

        if (n_taken == 0 || (n_taken < N_TAKEN && (unsigned)rand() % 100 < full)) {
            if (rand() % 4 == 0)
                take_block((unsigned)rand() % 6);
            else
                take_pages(rand() % 3 == 0 ? 1 + (u32)rand() % 63 : 1 + (u32)rand() % 4);
        } else {
            give((u32)rand() % n_taken);
        }
        if (step % 50 == 0)
            assert_sound();
    }
    while (n_taken > 0)
        give(n_taken - 1);
    assert_sound();
    assert_int_equal(mm_stat().free, before);
}

/* Free pages 1 and 2 of each four: a run of two everywhere, and no aligned one anywhere. */
static void two_in_a_row_are_found_where_no_aligned_two_are(void **state)
{
    struct Page *pages;

    (void)state;
    while ((pages = alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0)) != NULL)
        continue;
    for (u32 i = 0; i < mm.n_pages; i++)
        if (page_at(i)->zone == zone && page_at(i)->state == PAGE_OWNED && (i % 4 == 1 || i % 4 == 2))
            free_pages(page_at(i), 1);
    assert_sound();
    assert_true(phys_is_none(frame_alloc(ZONE_UNMAPPED_IN_PGT, SPLIT_ORDERS + 1)));
    assert_null(alloc_pages(ZONE_UNMAPPED_IN_PGT, 3, 0));
    assert_non_null(alloc_pages(ZONE_UNMAPPED_IN_PGT, 2, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_free_is_found_and_nothing_else),
        TEST(two_in_a_row_are_found_where_no_aligned_two_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
