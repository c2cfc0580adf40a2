/* SPDX-License-Identifier: MIT */
/* Mapping: every promise of mm_map_phys_addr and mm_map_proc_page_table. */
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

static void lapic_is_mapped_with_flags_in_the_low_bits_of_its_address(void **state)
{
    struct host_translation got;

    (void)state;
    assert_int_equal(mm_map_phys_addr(0xffffa000fee00000, 0xfee00900, MIB(2), DEVICE_FLAGS, false), 0);
    assert_maps(top, 0xffffa000fee00000, 0xfee00000, MIB(2), MIB(2));
    assert_true(host_walk(top, 0xffffa000fee00000, &got));
    assert_int_equal(got.cache, HOST_UC);
    assert_true(got.writable && !got.user && got.executable);
    unmap_all(0xffffa000fee00000, MIB(2));
}

static void framebuffer_gets_exactly_its_size_rounded_up_to_4k(void **state)
{
    u64 bytes = 1440 * 900 * 4, whole = PAGE_4K_ALIGN(bytes);

    (void)state;
    assert_int_equal(mm_map_phys_addr(0xffffa00003000000, 0xfd000000, bytes, DEVICE_FLAGS, false), 0);
    assert_maps(top, 0xffffa00003000000, 0xfd000000, MIB(4), 0);
    assert_maps(top, 0xffffa00003000000, 0xfd000000, bytes & ~(MIB(2) - 1), MIB(2));
    assert_maps(top, 0xffffa00003000000 + MIB(4), 0xfd000000 + MIB(4), whole - MIB(4), KIB(4));
    assert_unmapped(top, 0xffffa00003000000 + whole, MIB(2));
    unmap_all(0xffffa00003000000, bytes);
}

static void xhci_neighbours_survive_the_unmap_of_one(void **state)
{
    (void)state;
    for (u64 n = 0; n < 4; n++)
        assert_int_equal(mm_map_phys_addr(0xffffa00100000000 + n * KIB(64), 0xfebf0000 - n * KIB(64), KIB(64),
                                          DEVICE_FLAGS, true),
                         0);
    mm_unmap_addr(0xffffa00100000000 + KIB(64), KIB(64));
    for (u64 n = 0; n < 4; n++) {
        if (n == 1)
            assert_unmapped(top, 0xffffa00100000000 + n * KIB(64), KIB(64));
        else
            assert_maps(top, 0xffffa00100000000 + n * KIB(64), 0xfebf0000 - n * KIB(64), KIB(64), KIB(4));
    }
    assert_sound();
    unmap_all(0xffffa00100000000, KIB(256));
}

static void new_address_space_maps_a_user_page_and_leaks_nothing(void **state)
{
    u64 space = space_new();
    u64 n_tables = tables_count(space);
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
    struct host_translation got;

    (void)state;
    assert_non_null(page);
    assert_int_equal(mm_map_proc_page_table(space, true, MIB(2), page->addr_phys, MIB(2), PAGE_USER_PAGE,
                                            false, true, false),
                     0);
    platform_load_table(phys(space));
    assert_true(host_translate(MIB(2) + 17, &got));
    assert_int_equal(got.phys, page->addr_phys + 17);
    assert_true(got.user && got.writable && got.executable);
    assert_int_equal(got.leaf_bytes, MIB(2));
    platform_load_table(phys(top));
    assert_false(host_translate(MIB(2) + 17, &got));
    mm_unmap_proc_table((ul)phys_2_virt(space), false, MIB(2), MIB(2));
    assert_int_equal(tables_count(space), n_tables);
    space_free(space);
    free_pages(page, 1);
    assert_nothing_leaked(used_before);
}

static void brk_shrink_unmaps_the_end_through_a_virtual_table_address(void **state)
{
    u64 space = space_new();

    (void)state;
    assert_int_equal(mm_map_proc_page_table((ul)phys_2_virt(space), false, MIB(16), DEVICE_AT, MIB(6),
                                            PAGE_R_W, true, true, false),
                     0);
    mm_unmap_proc_table((ul)phys_2_virt(space), false, MIB(16) + KIB(3 * 1024), MIB(3));
    assert_maps(space, MIB(16), DEVICE_AT, MIB(3), 0);
    assert_unmapped(space, MIB(19), MIB(3));
    mm_unmap_proc_table((ul)phys_2_virt(space), false, MIB(16), MIB(3));
    space_free(space);
    assert_nothing_leaked(used_before);
}

static void low_bits_of_phys_are_those_of_virt(void **state)
{
    (void)state;
    assert_int_equal(mm_map_phys_addr(USER + 0x123, DEVICE_AT + 0xfff, 16, 0, true), 0);
    assert_maps(top, USER + 0x123, DEVICE_AT + 0x123, 16, KIB(4));
    assert_int_equal(mm_map_phys_addr(USER + 0x1ffe, DEVICE_AT + KIB(4), 4, 0, true), 0);
    assert_maps(top, USER + 0x1ffe, DEVICE_AT + 0x1ffe, 4, KIB(4));
    unmap_all(USER, KIB(16));
}

static void ranges_cross_every_border(void **state)
{
    static const u64 borders[] = {MIB(2), GIB(1), GIB(512)};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned use4k = 0; use4k < 2; use4k++) {
            u64 start = 4 * borders[i] - KIB(12);
            if (start < MIB(1))
                continue;
            assert_int_equal(mm_map_phys_addr(start, DEVICE_AT + KIB(8), KIB(32), PAGE_R_W, use4k), 0);
            assert_maps(top, start, DEVICE_AT + KIB(8), KIB(32), KIB(4));
            assert_unmapped(top, start - KIB(4), KIB(4));
            assert_unmapped(top, start + KIB(32), KIB(4));
            unmap_all(start, KIB(32));
        }
    }
}

static void special_mappings_cross_the_512_gib_border(void **state)
{
    u64 start = MM_SPECIAL_START + GIB(512) - MIB(3);

    (void)state;
    assert_int_equal(mm_map_phys_addr(start, DEVICE_AT + MIB(1), MIB(6), PAGE_R_W | PAGE_XD, false), 0);
    assert_maps(top, start, DEVICE_AT + MIB(1), MIB(6), 0);
    assert_maps(top, start + MIB(1), DEVICE_AT + MIB(2), MIB(4), MIB(2));
    unmap_all(start, MIB(6));
}

static void largest_leaves_are_used_with_small_ones_at_ragged_edges(void **state)
{
    u64 start = GIB(5) - MIB(2) - KIB(8);

    (void)state;
    assert_int_equal(
        mm_map_phys_addr(start, GIB(101) - MIB(2) - KIB(8), GIB(1) + MIB(4) + KIB(16), PAGE_R_W, false), 0);
    assert_maps(top, start, GIB(101) - MIB(2) - KIB(8), KIB(8), KIB(4));
    assert_maps(top, GIB(5) - MIB(2), GIB(101) - MIB(2), MIB(2), MIB(2));
    assert_maps(top, GIB(5), GIB(101), GIB(1), GIB(1));
    assert_maps(top, GIB(6), GIB(102), MIB(2), MIB(2));
    assert_maps(top, GIB(6) + MIB(2), GIB(102) + MIB(2), KIB(8), KIB(4));
    assert_unmapped(top, GIB(6) + MIB(2) + KIB(8), KIB(64));
    unmap_all(start, GIB(1) + MIB(4) + KIB(16));
}

static void differing_alignment_limits_the_leaves(void **state)
{
    (void)state;
    assert_int_equal(mm_map_phys_addr(GIB(8), GIB(100) + MIB(2), GIB(1), 0, false), 0);
    assert_maps(top, GIB(8), GIB(100) + MIB(2), GIB(1), MIB(2));
    assert_int_equal(mm_map_phys_addr(GIB(16), GIB(100) + KIB(4), MIB(4), 0, false), 0);
    assert_maps(top, GIB(16), GIB(100) + KIB(4), MIB(4), KIB(4));
    assert_int_equal(mm_unmap_range(top, true, GIB(8), GIB(1)), 0);
    unmap_all(GIB(16), MIB(4));
}

static void use4k_never_turns_bit_7_into_pat(void **state)
{
    struct host_translation got;

    (void)state;
    assert_int_equal(mm_map_phys_addr(MM_SPECIAL_START, DEVICE_AT, MIB(2), PAGE_KERNEL_PAGE, true), 0);
    assert_maps(top, MM_SPECIAL_START, DEVICE_AT, MIB(2), KIB(4));
    assert_true(host_walk(top, MM_SPECIAL_START, &got));
    assert_int_equal(got.cache, HOST_WB);
    unmap_all(MM_SPECIAL_START, MIB(2));
}

static void flags_mean_what_they_say(void **state)
{
    static const struct {
        ul flags;
        enum host_cache cache;
    } cases[] = {{0, HOST_WB},
                 {PAGE_PWT, HOST_WT},
                 {PAGE_PCD, HOST_UC_MINUS},
                 {PAGE_PCD | PAGE_PWT, HOST_UC},
                 {PAGE_WC, HOST_WC}};
    static const u64 sizes[] = {KIB(4), MIB(2), GIB(1)};

    (void)state;
    for (unsigned i = 0; i < 5 * 3 * 8; i++) {
        ul flags = cases[i % 5].flags | (i / 15 & 1 ? PAGE_R_W : 0) | (i / 15 & 2 ? PAGE_XD : 0) |
                   (i / 15 & 4 ? PAGE_U_S : 0);
        u64 bytes = sizes[i / 5 % 3];
        struct host_translation got;
        assert_int_equal(mm_map_phys_addr(GIB(4), GIB(100), bytes, flags, false), 0);
        assert_true(host_walk(top, GIB(4), &got));
        assert_int_equal(got.leaf_bytes, bytes);
        assert_int_equal(got.cache, cases[i % 5].cache);
        assert_int_equal(got.writable, (flags & PAGE_R_W) != 0);
        assert_int_equal(got.executable, (flags & PAGE_XD) == 0);
        assert_int_equal(got.user, (flags & PAGE_U_S) != 0);
        assert_int_equal(mm_unmap_range(top, true, GIB(4), bytes), 0);
    }
    assert_nothing_leaked(used_before);
}

static void global_is_for_the_kernel_half_only(void **state)
{
    struct host_translation got;

    (void)state;
    assert_int_equal(mm_map_phys_addr(USER, DEVICE_AT, KIB(4), PAGE_GLOBAL, true), 0);
    assert_int_equal(mm_map_phys_addr(MM_SPECIAL_START, DEVICE_AT, KIB(4), PAGE_GLOBAL, true), 0);
    assert_true(host_walk(top, USER, &got));
    assert_false(got.global);
    assert_true(host_walk(top, MM_SPECIAL_START, &got));
    assert_true(got.global);
    assert_int_equal(mm_unmap_range(top, true, USER, KIB(4)), 0);
    unmap_all(MM_SPECIAL_START, KIB(4));
}

static void special_mapping_is_seen_in_every_address_space(void **state)
{
    u64 a = space_new(), b = space_new();

    (void)state;
    assert_int_equal(
        mm_map_proc_page_table(a, true, MM_SPECIAL_START, DEVICE_AT, MIB(2), PAGE_R_W, false, true, false),
        0);
    assert_maps(b, MM_SPECIAL_START, DEVICE_AT, MIB(2), 0);
    assert_maps(top, MM_SPECIAL_START, DEVICE_AT, MIB(2), 0);
    assert_int_equal(mm_unmap_range(b, true, MM_SPECIAL_START, MIB(2)), 0);
    assert_unmapped(a, MM_SPECIAL_START, MIB(2));
    space_free(a);
    space_free(b);
    assert_nothing_leaked(used_before);
}

static void mapping_again_is_a_success_that_changes_nothing(void **state)
{
    u64 hash;

    (void)state;
    assert_int_equal(mm_map_phys_addr(GIB(4), GIB(100), MIB(4) + KIB(8), PAGE_R_W | PAGE_PCD, false), 0);
    hash = tables_hash(top);
    assert_int_equal(mm_map_phys_addr(GIB(4), GIB(100), MIB(4) + KIB(8), PAGE_R_W | PAGE_PCD, false), 0);
    assert_int_equal(mm_map_phys_addr(GIB(4), GIB(100), MIB(4) + KIB(8), PAGE_R_W | PAGE_PCD, true), 0);
    assert_int_equal(
        mm_map_phys_addr(GIB(4) + MIB(1), GIB(100) + MIB(1), 1, PAGE_R_W | PAGE_PCD | PAGE_PRESENT, false),
        0);
    assert_int_equal(tables_hash(top), hash);
    assert_sound();
    unmap_all(GIB(4), MIB(4) + KIB(8));
}

static void what_the_cpu_marked_accessed_is_still_the_same_mapping(void **state)
{
    struct paging_path path;

    (void)state;
    assert_int_equal(mm_map_phys_addr(GIB(4), GIB(100), MIB(2), PAGE_R_W, false), 0);
    paging_walk(phys(top), virt(GIB(4)), &path);
    for (unsigned i = 0; i < path.n_steps; i++)
        ((u64 *)phys_pointer(path.step[i].table))[path.step[i].index] |= 0x60;
    assert_int_equal(mm_map_phys_addr(GIB(4), GIB(100), MIB(4), PAGE_R_W, false), 0);
    unmap_all(GIB(4), MIB(4));
}

static void missing_parts_are_added_around_what_is_kept(void **state)
{
    (void)state;
    for (u64 n = 0; n < 5; n++)
        assert_int_equal(
            mm_map_phys_addr(GIB(4) + n * KIB(28), GIB(100) + n * KIB(28), KIB(8), PAGE_R_W, false), 0);
    assert_int_equal(mm_map_phys_addr(GIB(4) + MIB(4), GIB(100) + MIB(4), MIB(2), PAGE_R_W, false), 0);
    assert_int_equal(mm_map_phys_addr(GIB(4), GIB(100), MIB(8), PAGE_R_W, false), 0);
    assert_maps(top, GIB(4), GIB(100), MIB(8), 0);
    assert_maps(top, GIB(4), GIB(100), MIB(2), KIB(4));
    assert_maps(top, GIB(4) + MIB(2), GIB(100) + MIB(2), MIB(6), MIB(2));
    assert_sound();
    unmap_all(GIB(4), MIB(8));
}

static void a_mapping_call_never_needs_a_flush(void **state)
{
    u64 n_flushes = host_n_flushes();
    struct host_translation got;

    (void)state;
    assert_false(host_translate(USER, &got));
    assert_int_equal(mm_map_phys_addr(USER, DEVICE_AT, MIB(8), PAGE_R_W, false), 0);
    assert_true(host_translate(USER, &got));
    assert_int_equal(mm_map_phys_addr(USER + MIB(8), DEVICE_AT, KIB(8), PAGE_R_W, true), 0);
    assert_true(host_translate(USER + MIB(8), &got));
    assert_int_equal(host_n_flushes(), n_flushes);
    unmap_all(USER, MIB(16));
}

/* A CPU of 2006: no NX, no large leaves of 1 GiB, no PAT, 36 bits of address. */
static void an_old_cpu_gets_only_what_it_knows(void **state)
{
    static const struct machine_options old = {.old_cpu = true};
    struct host_translation got;

    (void)state;
    assert_null(machine_start_bytes(MIB(128), &old));
    top = (u64)get_CR3();
    assert_int_equal(mm_map_phys_addr(GIB(4), GIB(32), GIB(1), PAGE_R_W | PAGE_XD | PAGE_WC, false), 0);
    assert_maps(top, GIB(4), GIB(32), GIB(1), MIB(2));
    assert_true(host_walk(top, GIB(4), &got));
    assert_int_equal(got.cache, HOST_UC_MINUS);
    assert_int_equal(mm_map_phys_addr(GIB(4), GIB(32), GIB(1), PAGE_R_W | PAGE_XD | PAGE_WC, false), 0);
    assert_int_equal(mm_map_phys_addr(GIB(16), GIB(64), KIB(4), 0, false), -EFAULT);
    assert_sound();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lapic_is_mapped_with_flags_in_the_low_bits_of_its_address),
        TEST(framebuffer_gets_exactly_its_size_rounded_up_to_4k),
        TEST(xhci_neighbours_survive_the_unmap_of_one),
        TEST(new_address_space_maps_a_user_page_and_leaks_nothing),
        TEST(brk_shrink_unmaps_the_end_through_a_virtual_table_address),
        TEST(low_bits_of_phys_are_those_of_virt),
        TEST(ranges_cross_every_border),
        TEST(special_mappings_cross_the_512_gib_border),
        TEST(largest_leaves_are_used_with_small_ones_at_ragged_edges),
        TEST(differing_alignment_limits_the_leaves),
        TEST(use4k_never_turns_bit_7_into_pat),
        TEST(flags_mean_what_they_say),
        TEST(global_is_for_the_kernel_half_only),
        TEST(special_mapping_is_seen_in_every_address_space),
        TEST(mapping_again_is_a_success_that_changes_nothing),
        TEST(what_the_cpu_marked_accessed_is_still_the_same_mapping),
        TEST(missing_parts_are_added_around_what_is_kept),
        TEST(a_mapping_call_never_needs_a_flush),
        TEST(an_old_cpu_gets_only_what_it_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
