/* SPDX-License-Identifier: MIT */
/* paging_check is seen to fail: each test breaks one thing and expects that invariant's number. */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <mm/inspect.h>
#include <mm/paging.h>
#include <mm/role.h>
#include <mm/state.h>

#define BROKEN_AT TIB(1)

static u64 top;

static int start_machine(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(64), NULL));
    top = (u64)get_CR3();
    assert_int_equal(mm_map_phys_addr(BROKEN_AT, DEVICE_AT, KIB(8), PAGE_R_W, true), 0);
    assert_int_equal(mm_map_phys_addr(MM_SPECIAL_START, DEVICE_AT, MIB(2), PAGE_R_W, false), 0);
    assert_sound();
    return 0;
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* The entry of `level` that translates an address. */
static u64 *entry_of(u64 at, unsigned level)
{
    struct paging_path path;

    paging_walk(phys(top), virt(at), &path);
    assert_true(path.n_steps >= 5 - level);
    return (u64 *)phys_pointer(path.step[4 - level].table) + path.step[4 - level].index;
}

static phys_t table_of(u64 at, unsigned level)
{
    return phys(*entry_of(at, level + 1) & 0xffffffffff000);
}

/* The check says `number` (and again, so it left no marks behind); `undo` what was done and it says nothing.
 */
static void assert_broken(unsigned number, u64 *word, u64 undo)
{
    struct mm_violation found = {.number = 0};

    for (unsigned i = 0; i < 2; i++) {
        assert_false(paging_check(&found));
        if (found.number != number)
            fail_msg("I%u: %s, at 0x%lx", found.number, found.text, found.where);
        assert_non_null(found.text);
    }
    *word = undo;
    if (!paging_check(&found))
        fail_msg("still I%u: %s, at 0x%lx", found.number, found.text, found.where);
}

/* Changes an entry and expects to be told. */
static void break_entry(unsigned number, u64 *entry, u64 value)
{
    u64 before = *entry;

    *entry = value;
    assert_broken(number, entry, before);
}

static void i400_top_level_is_marked(void **state)
{
    struct mm_violation found;

    (void)state;
    mm.paging.kernel_top = table_of(BROKEN_AT, 3);
    assert_false(paging_check(&found));
    assert_int_equal(found.number, 400);
}

static void i401_an_entry_points_to_no_table_of_its_level(void **state)
{
    u64 object = virt_2_phys(kzalloc(4096, 0));

    (void)state;
    break_entry(401, entry_of(BROKEN_AT, 4), object | 7);
    break_entry(401, entry_of(BROKEN_AT, 3), top | 7);
    break_entry(401, entry_of(BROKEN_AT, 2), GIB(500) | 7);
    break_entry(401, entry_of(BROKEN_AT, 3), table_of(BROKEN_AT, 1).addr | 7);
}

static void i402_a_used_count_is_wrong(void **state)
{
    (void)state;
    break_entry(402, entry_of(BROKEN_AT, 1), 0);
    break_entry(402, entry_of(BROKEN_AT, 1) + 5, DEVICE_AT | 3);
    break_entry(402, (u64 *)phys_2_virt(top) + 7, table_of(BROKEN_AT, 3).addr | 7); /* the top level's */
}

static void i403_a_table_is_reached_twice(void **state)
{
    phys_t directory = table_of(BROKEN_AT, 2);
    u64 *entry = entry_of(BROKEN_AT, 2) + 9;
    struct mm_violation found;

    (void)state;
    *entry = table_of(BROKEN_AT, 1).addr | 7;
    table_frame_use(directory, 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(paging_check(&found));
        assert_int_equal(found.number, 403);
    }
    *entry = 0;
    table_frame_use(directory, -1);
    assert_sound();
}

static void i404_an_upper_entry_has_the_wrong_rights(void **state)
{
    (void)state;
    break_entry(404, entry_of(BROKEN_AT, 3), *entry_of(BROKEN_AT, 3) & ~PAGE_U_S);
    break_entry(404, entry_of(BROKEN_AT, 2), *entry_of(BROKEN_AT, 2) & ~PAGE_R_W);
    break_entry(404, entry_of(BROKEN_AT, 2), *entry_of(BROKEN_AT, 2) | PAGE_XD);
    break_entry(404, entry_of(MM_SPECIAL_START, 3), *entry_of(MM_SPECIAL_START, 3) | PAGE_U_S);
}

static void i405_the_kernel_half_allows_user_access(void **state)
{
    (void)state;
    break_entry(405, entry_of(MM_SPECIAL_START, 2), *entry_of(MM_SPECIAL_START, 2) | PAGE_U_S);
    break_entry(405, entry_of(PAGE_OFFSET + MIB(32), 2), *entry_of(PAGE_OFFSET + MIB(32), 2) | PAGE_U_S);
}

static void i406_own_code_is_writable(void **state)
{
    u64 *entry = entry_of(MM_IMAGE_START + MACHINE_TEXT_PHYS, 1);

    (void)state;
    break_entry(406, entry, *entry | PAGE_R_W);
}

static void i407_a_leaf_has_an_impossible_address(void **state)
{
    (void)state;
    break_entry(407, entry_of(BROKEN_AT, 1), *entry_of(BROKEN_AT, 1) | 1UL << 46);
    break_entry(407, entry_of(MM_SPECIAL_START, 2), *entry_of(MM_SPECIAL_START, 2) | 1UL << 14);
}

static void i408_the_direct_map_shows_something_else(void **state)
{
    u64 *entry = entry_of(PAGE_OFFSET + MIB(32), 2);

    (void)state;
    break_entry(408, entry, *entry + MIB(2));
    break_entry(408, entry_of(PAGE_OFFSET, 1), (*entry_of(PAGE_OFFSET, 1) & ~0xff000UL) | 0xa0000);
}

static void i408_a_page_of_unmapped_is_in_the_direct_map(void **state)
{
    u64 at = mm.direct_end, *entry = entry_of(PAGE_OFFSET + at, 2);
    phys_t directory = table_of(PAGE_OFFSET + MIB(32), 2);

    struct mm_violation found;

    (void)state;
    *entry = at | PAGE_PS | PAGE_R_W | PAGE_PRESENT | PAGE_XD;
    table_frame_use(directory, 1);
    assert_false(paging_check(&found));
    assert_int_equal(found.number, 408);
}

static void i408_no_ram_is_in_the_direct_map(void **state)
{
    struct mm_violation found;

    (void)state;
    *entry_of(PAGE_OFFSET + 0xa0000, 1) = 0xa0000 | PAGE_R_W | PAGE_PRESENT | PAGE_XD;
    table_frame_use(table_of(PAGE_OFFSET, 1), 1);
    assert_false(paging_check(&found));
    assert_int_equal(found.number, 408);
    assert_string_equal(found.text, "the direct map shows what is no RAM");
}

static void i409_a_part_of_the_direct_map_is_missing(void **state)
{
    u64 *entry = entry_of(PAGE_OFFSET + MIB(32), 2);
    struct mm_violation found;

    (void)state;
    *entry = 0;
    table_frame_use(table_of(PAGE_OFFSET + MIB(32), 2), -1);
    assert_false(paging_check(&found));
    assert_int_equal(found.number, 409);
}

static void i410_the_direct_map_gives_rights_it_should_not(void **state)
{
    u64 *entry = entry_of(PAGE_OFFSET + MACHINE_TEXT_PHYS, 1);

    (void)state;
    break_entry(410, entry, *entry | PAGE_R_W);
    entry = entry_of(PAGE_OFFSET + MACHINE_RODATA_PHYS, 1);
    break_entry(410, entry, *entry | PAGE_R_W);
    entry = entry_of(PAGE_OFFSET + MACHINE_TEXT_PHYS, 1);
    break_entry(410, entry, *entry & ~PAGE_XD);
}

static void i411_page_0_is_mapped(void **state)
{
    struct mm_violation found;
    u64 *entry;

    (void)state;
    assert_int_equal(mm_map_phys_addr(KIB(4), DEVICE_AT, KIB(4), 0, true), 0);
    entry = entry_of(KIB(4), 1);
    entry[-1] = DEVICE_AT | 1;
    table_frame_use(table_of(KIB(4), 1), 1);
    assert_false(paging_check(&found));
    assert_int_equal(found.number, 411);
}

static void i412_a_slot_of_the_kernel_half_came_or_went(void **state)
{
    u64 *entries = phys_2_virt(top);
    struct mm_violation found;

    (void)state;
    entries[321] = 0;
    table_frame_use(phys(top), -1);
    assert_false(paging_check(&found));
    assert_int_equal(found.number, 412);
    entries[400] = entries[320];
    table_frame_use(phys(top), 1);
    assert_false(paging_check(&found));
    assert_int_equal(found.number, 412);
}

static void i413_an_empty_table_stayed(void **state)
{
    u64 *entries = entry_of(BROKEN_AT, 1);
    struct mm_violation found;

    (void)state;
    entries[0] = entries[1] = 0;
    table_frame_use(table_of(BROKEN_AT, 1), -2);
    assert_false(paging_check(&found));
    assert_int_equal(found.number, 413);
}

static void i414_a_table_kept_for_later_is_not_clean(void **state)
{
    struct mm_violation found;

    (void)state;
    break_entry(414, (u64 *)phys_pointer(mm.paging.idle[1]) + 100, 4);
    table_frame_use(mm.paging.idle[0], 1);
    assert_false(paging_check(&found));
    assert_int_equal(found.number, 414);
}

static void i415_an_idle_table_is_none_of_those_kept(void **state)
{
    u64 second = mm.paging.idle[1].addr;

    (void)state;
    break_entry(415, &mm.paging.idle[0].addr, second);
    break_entry(415, &mm.paging.kept[5].addr, MIB(8));
}

static void mm_check_asks_paging(void **state)
{
    struct mm_violation found;

    (void)state;
    *entry_of(BROKEN_AT, 1) = 0;
    assert_false(mm_check(&found));
    assert_int_equal(found.number, 402);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(i400_top_level_is_marked),
        TEST(i401_an_entry_points_to_no_table_of_its_level),
        TEST(i402_a_used_count_is_wrong),
        TEST(i403_a_table_is_reached_twice),
        TEST(i404_an_upper_entry_has_the_wrong_rights),
        TEST(i405_the_kernel_half_allows_user_access),
        TEST(i406_own_code_is_writable),
        TEST(i407_a_leaf_has_an_impossible_address),
        TEST(i408_the_direct_map_shows_something_else),
        TEST(i408_a_page_of_unmapped_is_in_the_direct_map),
        TEST(i408_no_ram_is_in_the_direct_map),
        TEST(i409_a_part_of_the_direct_map_is_missing),
        TEST(i410_the_direct_map_gives_rights_it_should_not),
        TEST(i411_page_0_is_mapped),
        TEST(i412_a_slot_of_the_kernel_half_came_or_went),
        TEST(i413_an_empty_table_stayed),
        TEST(i414_a_table_kept_for_later_is_not_clean),
        TEST(i415_an_idle_table_is_none_of_those_kept),
        TEST(mm_check_asks_paging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
