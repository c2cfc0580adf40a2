/* SPDX-License-Identifier: MIT */
/* Looking at tables: the walk, runs, the peek window. */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <mm/inspect.h>
#include <mm/paging.h>
#include <mm/role.h>

static u64 top;

static int start_machine(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(64), NULL));
    top = (u64)get_CR3();
    return 0;
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static void map(u64 start, u64 phys_start, u64 bytes, ul flags, bool use4k)
{
    assert_int_equal(mm_map_phys_addr(start, phys_start, bytes, flags, use4k), 0);
}

static void a_walk_tells_every_entry_down_to_the_leaf(void **state)
{
    struct paging_path path;

    (void)state;
    map(TIB(1) + GIB(3) + MIB(10) + KIB(20), GIB(100), KIB(4), PAGE_R_W | PAGE_PCD, true);
    paging_walk(phys(top), virt(TIB(1) + GIB(3) + MIB(10) + KIB(20) + 0x345), &path);
    assert_true(path.mapped && !path.bad_table);
    assert_int_equal(path.n_steps, 4);
    assert_int_equal(path.step[0].table.addr, top);
    assert_int_equal(path.step[0].index, 2);
    assert_int_equal(path.step[1].index, 3);
    assert_int_equal(path.step[2].index, 5);
    assert_int_equal(path.step[3].index, 5);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(path.step[i].level, 4 - i);
        if (i > 0)
            assert_int_equal(path.step[i].table.addr, path.step[i - 1].entry & 0xffffffffff000);
    }
    assert_int_equal(path.phys.addr, GIB(100) + 0x345);
    assert_int_equal(path.leaf_bytes, KIB(4));
    assert_int_equal(path.flags, PAGE_PRESENT | PAGE_R_W | PAGE_PCD);
}

static void a_walk_gives_the_very_byte_inside_large_leaves(void **state)
{
    struct paging_path path;

    (void)state;
    map(TIB(1), GIB(100), GIB(1) + MIB(2), PAGE_XD | PAGE_U_S | PAGE_WC, false);
    paging_walk(phys(top), virt(TIB(1) + GIB(1) - 1), &path);
    assert_true(path.mapped);
    assert_int_equal(path.n_steps, 2);
    assert_int_equal(path.leaf_bytes, GIB(1));
    assert_int_equal(path.phys.addr, GIB(101) - 1);
    assert_int_equal(path.flags, PAGE_PRESENT | PAGE_XD | PAGE_U_S | PAGE_WC);
    paging_walk(phys(top), virt(TIB(1) + GIB(1) + 7), &path);
    assert_int_equal(path.n_steps, 3);
    assert_int_equal(path.phys.addr, GIB(101) + 7);
    assert_int_equal(path.flags, PAGE_PRESENT | PAGE_XD | PAGE_U_S | PAGE_WC);
}

static void a_walk_of_nothing_ends_at_the_absent_entry(void **state)
{
    static const u64 addresses[] = {
        0, 1, MM_USER_END - 1, MM_USER_END, MM_KERNEL_HALF - 1, 1UL << 63, 0xfff8000000000000};
    struct paging_path path;

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        paging_walk(phys(top), virt(addresses[i]), &path);
        assert_false(path.mapped || path.bad_table);
    }
    paging_walk(phys(top), virt(0), &path);
    assert_int_equal(path.n_steps, 1);
    paging_walk(phys(top), virt(1UL << 60), &path);
    assert_int_equal(path.n_steps, 0);
    paging_walk(phys(top), virt(~0UL), &path);
    assert_false(path.mapped);
    assert_int_equal(path.n_steps, 2);
    map(TIB(1), GIB(100), KIB(4), 0, true);
    paging_walk(phys(top), virt(TIB(1) + KIB(4)), &path);
    assert_int_equal(path.n_steps, 4);
}

static void a_walk_stops_before_what_is_no_table(void **state)
{
    u64 *entries = phys_2_virt(top);
    struct paging_path path;

    (void)state;
    entries[2] = MIB(32) | 7;
    paging_walk(phys(top), virt(TIB(1)), &path);
    assert_true(path.bad_table && !path.mapped);
    assert_int_equal(path.n_steps, 1);
    entries[2] = GIB(700) | 7;
    paging_walk(phys(top), virt(TIB(1)), &path);
    assert_true(path.bad_table);
    entries[2] = top | 7; /* itself */
    paging_walk(phys(top), virt(TIB(1)), &path);
    assert_true(path.bad_table);
    entries[2] = 0;
    paging_walk(phys(GIB(700)), virt(TIB(1)), &path);
    assert_true(path.bad_table);
    assert_int_equal(path.n_steps, 0);
    paging_walk(phys(~0UL), virt(TIB(1)), &path);
    assert_true(path.bad_table);
}

static void rights_are_what_all_levels_allow(void **state)
{
    struct paging_path path;
    struct paging_run run;
    u64 *entry;

    (void)state;
    map(TIB(1), GIB(100), KIB(4), PAGE_R_W | PAGE_U_S, true);
    paging_walk(phys(top), virt(TIB(1)), &path);
    entry = (u64 *)phys_pointer(path.step[1].table) + path.step[1].index;
    *entry &= ~PAGE_R_W;
    *entry |= PAGE_XD;
    paging_walk(phys(top), virt(TIB(1)), &path);
    assert_int_equal(path.flags, PAGE_PRESENT | PAGE_U_S | PAGE_XD);
    assert_true(paging_next_run(phys(top), virt(TIB(1)), virt(TIB(2)), &run));
    assert_int_equal(run.flags, PAGE_PRESENT | PAGE_U_S | PAGE_XD);
}

/* Fails unless the next run at or after `from` is this one. */
static void assert_run(u64 from, u64 end, u64 start, u64 bytes, u64 phys_start, u64 leaf_bytes)
{
    struct paging_run run;

    assert_true(paging_next_run(phys(top), virt(from), virt(end), &run));
    assert_int_equal(run.start.addr, start);
    assert_int_equal(run.bytes, bytes);
    assert_int_equal(run.phys.addr, phys_start);
    assert_int_equal(run.leaf_bytes, leaf_bytes);
}

static void runs_merge_what_continues(void **state)
{
    u64 start = TIB(2) - MIB(8), end = TIB(3);

    (void)state;
    map(start, GIB(100), MIB(16), PAGE_R_W, true); /* through three borders */
    assert_run(0, end, start, MIB(16), GIB(100), KIB(4));
    assert_run(start + KIB(4), end, start + KIB(4), MIB(16) - KIB(4), GIB(100) + KIB(4), KIB(4));
    assert_run(start, start + MIB(1), start, MIB(1), GIB(100), KIB(4));
    map(start + MIB(16), GIB(100) + MIB(16), MIB(4), PAGE_R_W, false); /* another size of leaf */
    assert_run(0, end, start, MIB(16), GIB(100), KIB(4));
    assert_run(start + MIB(16), end, start + MIB(16), MIB(4), GIB(100) + MIB(16), MIB(2));
    map(start + MIB(20), GIB(200), MIB(2), PAGE_R_W, false); /* other memory */
    assert_run(start + MIB(20), end, start + MIB(20), MIB(2), GIB(200), MIB(2));
    map(start + MIB(22), GIB(200) + MIB(2), MIB(2), 0, false); /* other rights */
    assert_run(start + MIB(20), end, start + MIB(20), MIB(2), GIB(200), MIB(2));
    assert_run(start + MIB(22), end, start + MIB(22), MIB(2), GIB(200) + MIB(2), MIB(2));
    map(start + MIB(26), GIB(200) + MIB(6), MIB(2), 0, false); /* behind a hole */
    assert_run(start + MIB(24), end, start + MIB(26), MIB(2), GIB(200) + MIB(6), MIB(2));
    assert_run(start + MIB(23) + 5, end, start + MIB(23), MIB(1), GIB(200) + MIB(3), MIB(2));
}

static void runs_end_where_there_is_nothing_more(void **state)
{
    struct paging_run run;
    u64 last = MM_IMAGE_START + MACHINE_DATA_PHYS;

    (void)state;
    assert_false(paging_next_run(phys(top), virt(0), virt(TIB(8)), &run));
    assert_false(paging_next_run(phys(top), virt(TIB(8)), virt(TIB(8)), &run));
    assert_false(paging_next_run(phys(top), virt(TIB(8)), virt(TIB(7)), &run));
    assert_true(paging_next_run(phys(top), virt(last), virt(0), &run));
    assert_int_equal(run.start.addr + run.bytes, MM_IMAGE_START + MACHINE_IMAGE_END);
    assert_false(paging_next_run(phys(top), virt(MM_IMAGE_START + MACHINE_IMAGE_END), virt(0), &run));
    assert_false(paging_next_run(phys(top), virt(~0UL), virt(0), &run));
    assert_false(paging_next_run(phys(GIB(700)), virt(0), virt(0), &run));
}

static void runs_step_over_the_hole_that_is_not_canonical(void **state)
{
    struct paging_run run;

    (void)state;
    map(MM_USER_END - KIB(4), GIB(100), KIB(4), PAGE_R_W, true);
    assert_run(MM_USER_END - KIB(4), 0, MM_USER_END - KIB(4), KIB(4), GIB(100), KIB(4));
    assert_true(paging_next_run(phys(top), virt(1UL << 60), virt(0), &run));
    assert_true(run.start.addr >= MM_SPECIAL_START);
    assert_false(paging_next_run(phys(top), virt(MM_USER_END), virt(1UL << 60), &run));
}

static void all_runs_together_are_all_that_is_mapped(void **state)
{
    struct mm_zone_info dma, normal;
    struct paging_run run;
    u64 bytes = 0;
    virt_t from = virt(PAGE_OFFSET);

    (void)state;
    while (paging_next_run(phys(top), from, virt(PAGE_OFFSET + TIB(32)), &run)) {
        assert_maps(top, run.start.addr, run.phys.addr, run.bytes, run.leaf_bytes);
        bytes += run.bytes;
        from = virt_add(run.start, run.bytes);
    }
    mm_zone_info(0, &dma);
    mm_zone_info(1, &normal);
    assert_int_equal(bytes, dma.managed_bytes + normal.managed_bytes);
}

static void tables_are_counted(void **state)
{
    u64 n = paging_count_tables();

    (void)state;
    assert_int_equal(n,
                     tables_count(top) + 1 + 3); /* the top level; a PDPT, a PD and a PT of the direct map */
    map(TIB(1), GIB(100), KIB(4), 0, true);
    assert_int_equal(paging_count_tables(), n + 3);
}

static void peek_shows_any_frame_and_takes_none(void **state)
{
    u64 used = mm_stat().used;
    struct host_translation got;

    (void)state;
    assert_ptr_equal(paging_peek(phys(MIB(63)), false), (void *)MM_PEEK); /* UNMAPPED */
    assert_true(host_translate(MM_PEEK + 5, &got));
    assert_int_equal(got.phys, MIB(63) + 5);
    assert_true(!got.writable && !got.executable && !got.user && got.cache == HOST_WB);
    assert_non_null(paging_peek(phys(0xfee00000), true)); /* no RAM */
    assert_true(host_translate(MM_PEEK, &got));
    assert_int_equal(got.phys, 0xfee00000);
    assert_true(got.writable && got.cache == HOST_UC);
    assert_null(paging_peek(phys(1UL << 46), false));
    assert_int_equal(mm_stat().used, used);
    assert_sound();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_walk_tells_every_entry_down_to_the_leaf),
        TEST(a_walk_gives_the_very_byte_inside_large_leaves),
        TEST(a_walk_of_nothing_ends_at_the_absent_entry),
        TEST(a_walk_stops_before_what_is_no_table),
        TEST(rights_are_what_all_levels_allow),
        TEST(runs_merge_what_continues),
        TEST(runs_end_where_there_is_nothing_more),
        TEST(runs_step_over_the_hole_that_is_not_canonical),
        TEST(all_runs_together_are_all_that_is_mapped),
        TEST(tables_are_counted),
        TEST(peek_shows_any_frame_and_takes_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
