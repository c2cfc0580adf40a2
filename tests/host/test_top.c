/* SPDX-License-Identifier: MIT */
/* Top-level tables in memory of callers: what is known of them, and what becomes of it when that memory is freed. */
#include <check_tools.h>
#include <cmocka_all.h>

#include <lib/bits.h>
#include <mm/cpu.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/top.h>

#include <string.h>

#define USER_AT MIB(4)

static struct mm_stat_t at_start;
static struct mm_cpu *other;

static int start_machine(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(256), NULL));
    assert_non_null(other = mm_cpu_create());
    mm_shrink();
    at_start = mm_stat();
    return 0;
}

static int stop_machine(void **state)
{
    struct mm_stat_t now;

    (void)state;
    assert_int_equal(mm.tops.n_held, 0);
    mm_shrink();
    now = mm_stat();
    assert_memory_equal(&now, &at_start, sizeof now);
    assert_sound();
    machine_stop();
    return 0;
}

/* Makes a frame a table like the kernel's that a mapping call has met. */
static void make_top(phys_t top)
{
    memcpy(phys_pointer(top), phys_pointer(paging_kernel_top()), FRAME_BYTES);
    assert_int_equal(mm_map_proc_page_table(top.addr, true, USER_AT, MIB(32), FRAME_BYTES, PAGE_USER_4K_PAGE, true, true, true), 0);
    assert_int_equal(mm_unmap_range(top.addr, true, USER_AT, FRAME_BYTES), 0);
    assert_sound();
}

static phys_t frame_at(phys_t first, u64 n)
{
    return phys_add(first, n * FRAME_BYTES);
}

static phys_t take(unsigned order)
{
    phys_t first = frame_alloc(ZONE_NORMAL, order);

    assert_false(phys_is_none(first));
    return first;
}

static void expect_table(phys_t first, unsigned order)
{
    ul n = mm_misuse_count();

    assert_int_equal(frame_free(first, order), -EFAULT);
    assert_int_equal(mm_misuse_count(), n + 1);
    assert_non_null(strstr(host_last_report(), "a page table"));
    assert_sound();
}

static void expect_table_in_pages(struct Page *first, int n_pages)
{
    ul n = mm_misuse_count();

    free_pages(first, n_pages);
    assert_int_equal(mm_misuse_count(), n + 1);
    assert_non_null(strstr(host_last_report(), "a page table"));
    assert_sound();
}

static void a_held_frame_is_known_and_forgotten(void **state)
{
    phys_t top = take(0);

    (void)state;
    make_top(top);
    assert_true(top_is_held(top));
    assert_true(frame_is_held(top));
    other->loaded_top = top.addr; /* what it says when it is asked to flush */
    expect_table(top, 0);
    other->loaded_top = 0;
    assert_int_equal(frame_free(top, 0), 0);
    assert_false(top_is_held(top));
    assert_int_equal(frame_free(top, 0), -EFAULT);
}

static void a_known_frame_is_met_again(void **state)
{
    phys_t top = take(0);

    (void)state;
    make_top(top);
    make_top(top);
    assert_int_equal(mm.tops.n_held, 1);
    paging_load(top);
    assert_int_equal(mm.tops.n_held, 1);
    expect_table(top, 0);
    paging_load(paging_kernel_top());
    assert_int_equal(frame_free(top, 0), 0);
}

static void parts_of_a_block_are_freed_beside_a_table(void **state)
{
    phys_t block = take(7);

    (void)state;
    make_top(frame_at(block, 5));
    other->loaded_top = block.addr + 5 * FRAME_BYTES;
    expect_table(block, 7);
    expect_table(frame_at(block, 4), 1);
    assert_int_equal(frame_free(frame_at(block, 64), 6), 0);
    assert_int_equal(frame_free(frame_at(block, 4), 0), 0);
    other->loaded_top = 0;
    assert_int_equal(frame_free(block, 7), -EFAULT); /* a part is free: it stays known */
    assert_true(top_is_held(frame_at(block, 5)));
    assert_int_equal(frame_free(frame_at(block, 5), 0), 0);
    assert_int_equal(frame_free(block, 2), 0);
    for (unsigned order = 1; order < 6; order++)
        if (order != 2)
            assert_int_equal(frame_free(frame_at(block, order == 1 ? 6 : 1u << order), order), 0);
}

static void two_tables_in_one_block_are_both_looked_at(void **state)
{
    phys_t block = take(3);

    (void)state;
    make_top(block);
    make_top(frame_at(block, 7));
    other->loaded_top = block.addr + 7 * FRAME_BYTES;
    expect_table(block, 3);
    other->loaded_top = block.addr;
    expect_table(block, 3);
    other->loaded_top = 0;
    assert_int_equal(frame_free(block, 3), 0);
}

/* More than TOPS_HELD: the last ones are ordinary frames. */
static void so_many_frames_are_known_at_a_time(void **state)
{
    phys_t tops[TOPS_HELD + 4];

    (void)state;
    for (unsigned i = 0; i < TOPS_HELD + 4; i++) {
        tops[i] = take(0);
        make_top(tops[i]);
    }
    assert_int_equal(mm.tops.n_held, TOPS_HELD);
    assert_true(top_is_held(tops[0]));
    assert_false(top_is_held(tops[TOPS_HELD]));
    assert_int_equal(frame_free(tops[0], 0), 0);
    make_top(tops[TOPS_HELD]);
    assert_true(top_is_held(tops[TOPS_HELD]));
    for (unsigned i = 1; i < TOPS_HELD + 4; i++)
        assert_int_equal(frame_free(tops[i], 0), 0);
}

static void a_wrong_run_leaves_a_page_with_a_table_known(void **state)
{
    struct Page *pages = alloc_pages(ZONE_NORMAL, 3, PAGE_SHARED);
    ul n;

    (void)state;
    assert_non_null(pages);
    free_pages(pages + 2, 1);
    make_top(phys(pages[1].addr_phys + FRAME_BYTES));
    assert_int_equal(pages[0].state, PAGE_OWNED);
    assert_int_equal(pages[1].state, PAGE_OWNED_TOP);
    n = mm_misuse_count();
    free_pages(pages, 3);
    assert_int_equal(mm_misuse_count(), n + 1);
    assert_non_null(strstr(host_last_report(), "already free"));
    assert_int_equal(pages[1].state, PAGE_OWNED_TOP);
    other->loaded_top = pages[1].addr_phys + FRAME_BYTES;
    expect_table_in_pages(pages, 2);
    expect_table_in_pages(pages + 1, 1);
    free_pages(pages, 1);
    other->loaded_top = 0;
    free_pages(pages + 1, 1);
    assert_int_equal(mm_misuse_count(), n + 3);
}

/* A run with it, out of RAM; and no run at all. */
static void wrong_numbers_of_pages_with_a_table_are_wrong(void **state)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
    ul n = mm_misuse_count();

    (void)state;
    make_top(phys(page->addr_phys));
    free_pages(page, 0);
    free_pages(page, 63);
    free_pages(page, -1);
    assert_int_equal(mm_misuse_count(), n + 3);
    assert_int_equal(page->state, PAGE_OWNED_TOP);
    free_pages(page, 1);
    assert_int_equal(mm_misuse_count(), n + 3);
}

static void a_block_of_pages_is_known_page_by_page(void **state)
{
    phys_t block = take(11);

    (void)state;
    make_top(phys_add(block, PAGE_BYTES + 8 * FRAME_BYTES));
    assert_int_equal(page_of(block)->state, PAGE_BLOCK);
    assert_int_equal(page_of(block)[1].state, PAGE_BLOCK_TOP);
    other->loaded_top = block.addr + PAGE_BYTES + 8 * FRAME_BYTES;
    expect_table(block, 11);
    expect_table(block, 10);
    assert_int_equal(frame_free(phys_add(block, 2 * PAGE_BYTES), 10), 0);
    other->loaded_top = 0;
    assert_int_equal(frame_free(block, 11), -EFAULT);
    assert_int_equal(page_of(block)[1].state, PAGE_BLOCK_TOP);
    assert_int_equal(frame_free(block, 10), 0);
}

static void what_is_no_callers_is_not_known(void **state)
{
    static const u64 odd[] = {0, 8, GIB(100)};
    void *object = kmalloc(64, 0);

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(odd); i++)
        assert_false(top_may_be(phys(odd[i])));
    assert_false(top_may_be(phys(align_down(virt_2_phys(object), FRAME_BYTES))));
    assert_true(top_may_be(paging_kernel_top()));
    paging_load(paging_kernel_top());
    assert_int_equal(mm.tops.n_held, 0);
    assert_int_equal(kfree(object), 0);
}

static void i208_what_is_known_is_held(void **state)
{
    phys_t top = take(0), plain = take(0), far = frame_alloc(ZONE_UNMAPPED_IN_PGT, 0), gone = take(0);
    u64 *held = (u64 *)MM_HELD_ARRAY + top.addr / FRAME_BYTES / 64;

    (void)state;
    make_top(top);
    assert_int_equal(frame_free(gone, 0), 0);
    mm_shrink();
    assert_sound();
    BREAK(208, *held, *held | 1UL << top.addr / FRAME_BYTES % 64);
    BREAK(208, mm.tops.held[1], top);
    BREAK(208, mm.tops.held[1], plain);
    BREAK(208, mm.tops.held[1], gone);
    BREAK(208, mm.tops.held[1], far);
    BREAK(208, mm.tops.held[1], phys(GIB(100)));
    BREAK(208, mm.tops.held[1], phys(plain.addr + 8));
    BREAK(208, mm.tops.held[1], phys(page_at(mm.n_pages - 1)->addr_phys));
    BREAK(207, mm.tops.held[1], paging_kernel_top());
    BREAK(208, mm.tops.n_held, 2);
    BREAK(208, mm.tops.n_held, 0);
    assert_int_equal(frame_free(top, 0), 0);
    assert_int_equal(frame_free(plain, 0), 0);
    assert_int_equal(frame_free(far, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_held_frame_is_known_and_forgotten),
        TEST(a_known_frame_is_met_again),
        TEST(parts_of_a_block_are_freed_beside_a_table),
        TEST(two_tables_in_one_block_are_both_looked_at),
        TEST(so_many_frames_are_known_at_a_time),
        TEST(a_wrong_run_leaves_a_page_with_a_table_known),
        TEST(wrong_numbers_of_pages_with_a_table_are_wrong),
        TEST(a_block_of_pages_is_known_page_by_page),
        TEST(what_is_no_callers_is_not_known),
        TEST(i208_what_is_known_is_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
