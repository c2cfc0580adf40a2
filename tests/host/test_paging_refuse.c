/* SPDX-License-Identifier: MIT */
/* Mapping: what must be refused, with nothing changed at all; and what only looks as if. */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <mm/paging.h>

#define USER MIB(4)

static u64 top; /* the current table */
static u64 used_before;

static int start_machine(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(128), NULL));
    top = (u64)get_CR3();
    mm_shrink();
    used_before = mm_stat().used;
    return 0;
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* Maps and unmaps again: a success that leaves nothing behind. */
static void unmap_all(u64 start, u64 bytes)
{
    assert_int_equal(mm_unmap_range(top, true, start, bytes), 0);
    assert_unmapped(top, start, bytes < MIB(8) ? bytes : MIB(8));
    assert_nothing_leaked(used_before);
}

/* A call that must be refused, with no entry of any table changed and no frame taken. */
static void assert_refused(u64 table, u64 start, u64 phys_start, u64 bytes, ul flags, bool user)
{
    u64 hash = tables_hash(top), used = mm_stat().used;

    assert_int_equal(mm_map_proc_page_table(table, true, start, phys_start, bytes, flags, user, true, false),
                     -EFAULT);
    assert_int_equal(tables_hash(top), hash);
    assert_int_equal(mm_stat().used, used);
    assert_sound();
}

static void length_0_is_a_success_whatever_the_rest(void **state)
{
    u64 hash = tables_hash(top);

    (void)state;
    assert_int_equal(mm_map_phys_addr(0, 0, 0, PAGE_WC | PAGE_PCD, false), 0);
    assert_int_equal(mm_map_proc_page_table(7, true, 1UL << 60, 0, 0, 0, true, true, true), 0);
    assert_int_equal(mm_unmap_range(7, true, 1UL << 60, 0), 0);
    assert_int_equal(tables_hash(top), hash);
    assert_int_equal(mm_misuse_count(), 0);
}

static void anything_mapped_differently_in_the_range_refuses_all_of_it(void **state)
{
    (void)state;
    assert_int_equal(mm_map_phys_addr(GIB(5) - KIB(4), GIB(100), KIB(4), PAGE_R_W, false), 0);
    assert_int_equal(mm_map_phys_addr(GIB(5) + MIB(64), GIB(101), MIB(2), PAGE_R_W, false), 0);
    assert_refused(top, GIB(5) - KIB(8), GIB(99), KIB(8), PAGE_R_W, false); /* other memory */
    assert_refused(top, GIB(4), GIB(99), GIB(1), PAGE_R_W, false);          /* at the very end */
    assert_refused(top, GIB(5) - KIB(4), GIB(100), MIB(4), 0, false);       /* other rights */
    assert_refused(top, GIB(5) - KIB(4), GIB(100), MIB(4), PAGE_R_W | PAGE_XD, false);
    assert_refused(top, GIB(5) - KIB(4), GIB(100), MIB(4), PAGE_R_W, true);
    assert_refused(top, GIB(5) - KIB(4), GIB(100), MIB(4), PAGE_R_W | PAGE_PCD, false); /* other cache mode */
    assert_refused(top, GIB(5) + MIB(64) + KIB(4), GIB(101), KIB(4), PAGE_R_W,
                   false); /* inside a large leaf */
    assert_refused(top, GIB(5), GIB(101) - MIB(62), MIB(128), PAGE_R_W, false);
    assert_int_equal(mm_unmap_range(top, true, GIB(5) - KIB(4), KIB(4)), 0);
    unmap_all(GIB(5) + MIB(64), MIB(2));
}

static void bad_ranges_are_refused(void **state)
{
    static const struct {
        u64 start, bytes;
    } cases[] = {
        {0, KIB(4)},
        {0xfff, 1},
        {0, MIB(4)}, /* page 0 */
        {MM_USER_END - KIB(4), KIB(8)},
        {MM_USER_END, KIB(4)}, /* the end of the lower half */
        {1UL << 60, KIB(4)},
        {MM_KERNEL_HALF - 1, 1}, /* not canonical */
        {MM_KERNEL_HALF, KIB(4)},
        {MM_IMAGE_START, KIB(4)}, /* the kernel's */
        {MM_SPECIAL_START - KIB(4), KIB(8)},
        {MM_SPECIAL_END - KIB(4), KIB(8)},
        {MM_SPECIAL_END, KIB(4)},
        {MM_MMIO_START, 1},
        {MM_STACKS_START, KIB(4)},
        {0xfffffffffffff000, KIB(8)},
        {MM_SPECIAL_START, ~0UL},
        {USER, ~0UL},             /* wrapping */
        {USER, MM_SPECIAL_START}, /* through the hole */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(top, cases[i].start, DEVICE_AT, cases[i].bytes, PAGE_R_W, false);
    assert_int_equal(mm_misuse_count(), 0);
}

static void the_ends_of_what_callers_may_use_can_be_used(void **state)
{
    static const u64 starts[] = {MM_USER_START, MM_USER_END - KIB(4), MM_SPECIAL_START,
                                 MM_SPECIAL_END - KIB(4)};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(mm_map_phys_addr(starts[i], DEVICE_AT, KIB(4), PAGE_R_W, false), 0);
        assert_maps(top, starts[i], DEVICE_AT, KIB(4), 0);
        assert_sound();
        unmap_all(starts[i], KIB(4));
    }
}

static void user_access_in_the_kernel_half_is_refused(void **state)
{
    (void)state;
    assert_refused(top, MM_SPECIAL_START, DEVICE_AT, KIB(4), PAGE_USER_PAGE, false);
    assert_refused(top, MM_SPECIAL_START, DEVICE_AT, KIB(4), PAGE_R_W, true);
}

static void write_combining_goes_with_no_other_mode(void **state)
{
    (void)state;
    assert_refused(top, USER, DEVICE_AT, KIB(4), PAGE_WC | PAGE_PCD, false);
    assert_refused(top, USER, DEVICE_AT, KIB(4), PAGE_WC | PAGE_PWT, false);
}

static void ram_is_mapped_write_back_or_not_at_all(void **state)
{
    (void)state;
    assert_refused(top, USER, MIB(32), KIB(4), PAGE_PCD, false);
    assert_refused(top, USER, MIB(32), KIB(4), PAGE_WC, false);
    assert_refused(top, USER, MIB(128) - KIB(4), KIB(8), PAGE_PWT, false); /* its last frame */
    assert_refused(top, USER, KIB(640) - KIB(4), KIB(8), PAGE_PCD, false);
    assert_int_equal(mm_map_phys_addr(USER, KIB(640), KIB(384), DEVICE_FLAGS, false), 0); /* the hole */
    assert_int_equal(mm_map_phys_addr(USER + MIB(2), MIB(128), KIB(4), PAGE_WC, false),
                     0); /* just behind it */
    assert_int_equal(mm_map_phys_addr(USER + MIB(4), MIB(32), MIB(2), PAGE_R_W, false), 0);
    unmap_all(USER, MIB(6));
}

static void physical_addresses_past_the_width_are_refused(void **state)
{
    (void)state;
    assert_refused(top, USER, 1UL << 46, KIB(4), 0, false);
    assert_refused(top, USER, (1UL << 46) - KIB(4), KIB(8), 0, false);
    assert_refused(top, USER, ~0UL, KIB(4), 0, false);
    assert_refused(top, USER, 1UL << 52, KIB(4), 0, false);
    assert_int_equal(mm_map_phys_addr(USER, (1UL << 46) - KIB(4), KIB(4), 0, false), 0);
    unmap_all(USER, KIB(4));
}

static void a_table_that_is_none_is_refused(void **state)
{
    u64 space = space_new(), half = virt_2_phys(kmalloc(64, 0)) & ~0xfffUL, freed = space_new();
    struct paging_path path;

    (void)state;
    space_free(freed);
    paging_walk(phys(top), virt(MM_IMAGE_START + MACHINE_TEXT_PHYS), &path);
    assert_refused(freed, USER, DEVICE_AT, KIB(4), 0, false);    /* a free object */
    assert_refused(MIB(128), USER, DEVICE_AT, KIB(4), 0, false); /* no RAM */
    assert_refused(GIB(200), USER, DEVICE_AT, KIB(4), 0, false);
    assert_refused(~0UL, USER, DEVICE_AT, KIB(4), 0, false);
    assert_refused(MIB(127), USER, DEVICE_AT, KIB(4), 0, false);  /* UNMAPPED */
    assert_refused(space + 8, USER, DEVICE_AT, KIB(4), 0, false); /* not aligned */
    assert_refused(0, USER, DEVICE_AT, KIB(4), 0, false); /* reserved: a table that somebody forgot to make */
    assert_refused(MACHINE_DATA_PHYS, USER, DEVICE_AT, KIB(4), 0, false);
    assert_refused(half, USER, DEVICE_AT, KIB(4), 0, false); /* small objects share the frame */
    for (unsigned i = 1; i < path.n_steps; i++)
        assert_refused(path.step[i].table.addr, USER, DEVICE_AT, KIB(4), 0,
                       false); /* a table, but no top level */
    assert_int_equal(mm_map_proc_page_table(half, false, USER, DEVICE_AT, KIB(4), 0, false, true, true),
                     -EFAULT);
    assert_int_equal(
        mm_map_proc_page_table(MM_SPECIAL_START, false, USER, DEVICE_AT, KIB(4), 0, false, true, true),
        -EFAULT);
    space_free(space);
}

static void entries_that_lead_to_no_table_are_refused(void **state)
{
    u64 space = space_new(), other = virt_2_phys(kzalloc(4096, 0));
    u64 *entries = phys_2_virt(space);

    (void)state;
    entries[0] = other | 7;
    assert_refused(space, USER, DEVICE_AT, KIB(4), 0, false); /* somebody's object */
    entries[0] = top | 7;
    assert_refused(space, USER, DEVICE_AT, KIB(4), 0, false); /* a table of another level */
    entries[0] = 0;
    entries[320] = 0;
    assert_refused(space, MM_SPECIAL_START, DEVICE_AT, KIB(4), 0, false); /* not the kernel's half */
    entries[320] = other | 3;
    assert_refused(space, MM_SPECIAL_START, DEVICE_AT, KIB(4), 0, false);
    space_free(space);
    space_free(other);
}

/* With k frames left for every k until it works: nothing happens, or all of it. */
static void no_memory_for_tables_undoes_everything(void **state)
{
    u64 start = GIB(512) - GIB(1) - MIB(2) - KIB(4), bytes = GIB(2) + MIB(6), used;
    int result = -EFAULT;

    (void)state;
    mm_shrink();
    used = mm_stat().used;
    for (u64 k = 0; result != 0 && k < 40; k++) {
        u64 hash = tables_hash(top), held;
        hoard_take(k);
        held = mm_stat().used;
        result = mm_map_phys_addr(start, GIB(100) - GIB(1) - MIB(2) - KIB(4), bytes, PAGE_R_W, false);
        if (result != 0) {
            assert_int_equal(tables_hash(top), hash);
            assert_int_equal(mm_stat().used, held);
        }
        hoard_give();
        assert_sound();
    }
    assert_int_equal(result, 0);
    assert_maps(top, start, GIB(100) - GIB(1) - MIB(2) - KIB(4), bytes, 0);
    assert_int_equal(mm_unmap_range(top, true, start, bytes), 0);
    assert_nothing_leaked(used);
}

static void sixty_four_gib_of_small_leaves_fit_at_once_or_not_at_all(void **state)
{
    u64 hash = tables_hash(top);

    (void)state;
    assert_int_equal(mm_map_phys_addr(GIB(64), GIB(100), GIB(64), PAGE_R_W, true),
                     -EFAULT); /* 128 MiB of tables */
    assert_int_equal(tables_hash(top), hash);
    assert_int_equal(mm_map_phys_addr(GIB(64), GIB(100), GIB(8), PAGE_R_W, true), 0);
    assert_maps(top, GIB(64), GIB(100), GIB(8), KIB(4));
    unmap_all(GIB(64), GIB(8));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(length_0_is_a_success_whatever_the_rest),
        TEST(anything_mapped_differently_in_the_range_refuses_all_of_it),
        TEST(bad_ranges_are_refused),
        TEST(the_ends_of_what_callers_may_use_can_be_used),
        TEST(user_access_in_the_kernel_half_is_refused),
        TEST(write_combining_goes_with_no_other_mode),
        TEST(ram_is_mapped_write_back_or_not_at_all),
        TEST(physical_addresses_past_the_width_are_refused),
        TEST(a_table_that_is_none_is_refused),
        TEST(entries_that_lead_to_no_table_are_refused),
        TEST(no_memory_for_tables_undoes_everything),
        TEST(sixty_four_gib_of_small_leaves_fit_at_once_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
