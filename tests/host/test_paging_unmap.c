/* SPDX-License-Identifier: MIT */
/* Unmapping: exactly the range, splits, tables freed after the flush, misuse without effect. */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <mm/inspect.h>
#include <mm/paging.h>
#include <mm/role.h>
#include <mm/state.h>

#include <string.h>

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

static void map(u64 start, u64 phys_start, u64 bytes, bool use4k)
{
    assert_int_equal(mm_map_phys_addr(start, phys_start, bytes, PAGE_R_W, use4k), 0);
}

static void unmap(u64 start, u64 bytes)
{
    assert_int_equal(mm_unmap_range(top, true, start, bytes), 0);
}

/* Maps `bytes` at 1 TiB as large as can be, takes [hole, + hole_bytes) out, and looks at what is left. */
static void punch(u64 bytes, u64 hole, u64 hole_bytes)
{
    u64 start = TIB(1);

    map(start, GIB(100), bytes, false);
    unmap(start + hole, hole_bytes);
    assert_sound();
    if (hole > 0)
        assert_maps(top, start, GIB(100), hole, 0);
    assert_unmapped(top, start + hole, hole_bytes);
    if (hole + hole_bytes < bytes)
        assert_maps(top, start + hole + hole_bytes, GIB(100) + hole + hole_bytes, bytes - hole - hole_bytes,
                    0);
    unmap(start, bytes);
    assert_nothing_leaked(used_before);
}

static void the_middle_of_a_2_mib_leaf_is_split_out(void **state)
{
    (void)state;
    punch(MIB(2), KIB(64), KIB(4));
    punch(MIB(2), 0, KIB(4));
    punch(MIB(2), MIB(2) - KIB(4), KIB(4));
    punch(MIB(2), KIB(4), MIB(2) - KIB(8));
    punch(MIB(4), MIB(2) - KIB(8), KIB(16));
}

static void the_middle_of_a_1_gib_leaf_is_split_out(void **state)
{
    (void)state;
    punch(GIB(1), MIB(512), KIB(4));
    punch(GIB(1), MIB(512) - KIB(4), MIB(2) + KIB(8));
    punch(GIB(1), MIB(512), MIB(2));
    punch(GIB(1), KIB(4), GIB(1) - KIB(8));
    punch(GIB(2), GIB(1) - KIB(4), KIB(8));
    punch(GIB(3), KIB(4), GIB(3) - KIB(8));
    assert_true(mm.paging.n_splits > 0);
}

static void split_leaves_keep_rights_and_cache_mode(void **state)
{
    static const ul cache[] = {0, PAGE_PWT, PAGE_PCD, PAGE_PWT | PAGE_PCD, PAGE_WC};
    struct host_translation before, after;

    (void)state;
    for (unsigned i = 0; i < 5 * 8; i++) {
        ul flags = cache[i % 5] | (i / 5 & 1 ? PAGE_R_W : 0) | (i / 5 & 2 ? PAGE_XD : 0) |
                   (i / 5 & 4 ? PAGE_U_S : 0);
        assert_int_equal(mm_map_phys_addr(TIB(1), GIB(100), GIB(1), flags, false), 0);
        assert_true(host_walk(top, TIB(1) + KIB(5), &before));
        unmap(TIB(1) + MIB(1), KIB(4));
        assert_true(host_walk(top, TIB(1) + KIB(5), &after));
        assert_int_equal(after.leaf_bytes, KIB(4));
        assert_int_equal(after.phys, before.phys);
        after.leaf_bytes = before.leaf_bytes;
        assert_memory_equal(&after, &before, sizeof(after));
        assert_true(host_walk(top, TIB(1) + MIB(3), &after));
        assert_int_equal(after.leaf_bytes, MIB(2));
        assert_int_equal(after.cache, before.cache);
        unmap(TIB(1), GIB(1));
    }
    assert_nothing_leaked(used_before);
}

static void holes_are_skipped(void **state)
{
    u64 hash = tables_hash(top), n_flushes = host_n_flushes();

    (void)state;
    unmap(MIB(4), KIB(4));
    unmap(MM_USER_START, PAGE_OFFSET - MM_USER_START); /* in a process, mm's windows lie above */
    unmap(MM_SPECIAL_START, MM_SPECIAL_END - MM_SPECIAL_START);
    assert_int_equal(tables_hash(top), hash);
    assert_int_equal(host_n_flushes(), n_flushes);
    map(MIB(4), GIB(100), KIB(4), false);
    map(GIB(700), GIB(100), KIB(4), false);
    map(MM_SPECIAL_START + GIB(600), GIB(100), MIB(2), false);
    unmap(MM_USER_START, PAGE_OFFSET - MM_USER_START); /* in a process, mm's windows lie above */
    unmap(MM_SPECIAL_START, MM_SPECIAL_END - MM_SPECIAL_START);
    assert_int_equal(tables_hash(top), hash);
    assert_nothing_leaked(used_before);
}

static void partial_frames_at_the_ends_are_whole_frames(void **state)
{
    (void)state;
    map(MIB(4), GIB(100), KIB(16), true);
    unmap(MIB(4) + KIB(8) - 1, 2);
    assert_maps(top, MIB(4), GIB(100), KIB(4), 0);
    assert_unmapped(top, MIB(4) + KIB(4), KIB(8));
    assert_maps(top, MIB(4) + KIB(12), GIB(100) + KIB(12), KIB(4), 0);
    unmap(MIB(4), KIB(16));
}

static void tables_are_freed_at_every_level_when_they_are_empty(void **state)
{
    u64 n = tables_count(top);

    (void)state;
    map(TIB(1), GIB(100), KIB(4), false);
    assert_int_equal(tables_count(top), n + 3);
    map(TIB(1) + MIB(2), GIB(100), KIB(4), false);
    assert_int_equal(tables_count(top), n + 4);
    unmap(TIB(1) + MIB(2), KIB(4));
    assert_int_equal(tables_count(top), n + 3);
    unmap(TIB(1), KIB(4));
    assert_int_equal(tables_count(top), n);
    map(MM_SPECIAL_START, GIB(100), KIB(4), false);
    assert_int_equal(tables_count(top), n + 2); /* its PDPT is there for good */
    unmap(MM_SPECIAL_START, KIB(4));
    assert_int_equal(tables_count(top), n);
    assert_nothing_leaked(used_before);
}

static void many_tables_at_once_are_freed_in_batches(void **state)
{
    u64 n = tables_count(top);

    (void)state;
    for (u64 i = 0; i < 200; i++)
        map(TIB(1) + i * MIB(4) + MIB(2), GIB(100), KIB(4),
            false); /* 200 PTs, none of them next to another */
    assert_int_equal(tables_count(top), n + 202);
    unmap(TIB(1) + KIB(4), MIB(800));
    assert_int_equal(tables_count(top), n);
    assert_nothing_leaked(used_before);
}

static void nothing_is_reached_after_the_call_returns(void **state)
{
    struct host_translation got;

    (void)state;
    map(TIB(1), GIB(100), GIB(1), false);
    map(TIB(1) + GIB(1), GIB(101), MIB(2) + KIB(64), true);
    for (u64 at = TIB(1); at < TIB(1) + GIB(1) + MIB(2); at += MIB(1))
        assert_true(host_translate(at, &got));
    unmap(TIB(1) + MIB(64), KIB(4));
    assert_false(host_translate(TIB(1) + MIB(64), &got));
    assert_true(host_translate(TIB(1) + MIB(64) + KIB(4), &got));
    unmap(TIB(1) + GIB(1), MIB(2) + KIB(64));
    for (u64 at = TIB(1) + GIB(1); at < TIB(1) + GIB(1) + MIB(2); at += MIB(1))
        assert_false(host_translate(at, &got));
    unmap(TIB(1), GIB(1));
    for (u64 at = TIB(1); at < TIB(1) + GIB(1); at += MIB(1))
        assert_false(host_translate(at, &got));
    assert_nothing_leaked(used_before);
}

/*
 * n page tables with a leaf each, between two that are only partly in the range, so that batches of tables
 * to be freed end anywhere; and a CPU that caches what it can reach as soon as a flush is over.
 */
static void nothing_is_cached_again_between_flush_and_free(void **state)
{
    u64 addresses[132];

    (void)state;
    for (unsigned n = 60; n <= 130; n++) {
        for (unsigned i = 0; i < n + 2; i++) {
            addresses[i] = TIB(1) + i * MIB(2) + (i == 0 ? MIB(2) - KIB(4) : 0);
            map(addresses[i], GIB(100), KIB(4), true);
        }
        for (unsigned i = 0; i < n + 2; i++) {
            struct host_translation got;
            assert_true(host_translate(addresses[i], &got));
        }
        host_mmu_watch(addresses, n + 2);
        unmap(addresses[0], addresses[n + 1] + KIB(4) - addresses[0]);
        host_mmu_compare();
        assert_int_equal(host_n_mmu_mistakes(), 0);
        host_mmu_watch(NULL, 0);
    }
    assert_nothing_leaked(used_before);
}

/* The same, when tables of all levels become empty one after the other. */
static void tables_above_are_flushed_before_they_are_freed(void **state)
{
    static const u64 at[] = {TIB(1), TIB(1) + KIB(4), TIB(1) + MIB(2), TIB(1) + GIB(1), TIB(2)};
    struct host_translation got;

    (void)state;
    for (unsigned first = 0; first < 5; first++) {
        for (unsigned i = 0; i < 5; i++) {
            map(at[i], GIB(100), KIB(4), true);
            assert_true(host_translate(at[i], &got));
        }
        host_mmu_watch(at, 5);
        for (unsigned i = 0; i < 5; i++) {
            unmap(at[(first + i) % 5], KIB(4));
            host_mmu_compare();
            assert_int_equal(host_n_mmu_mistakes(), 0);
        }
        host_mmu_watch(NULL, 0);
    }
    assert_nothing_leaked(used_before);
}

static void a_small_unmap_flushes_just_its_range(void **state)
{
    u64 n_flushes, bytes;

    (void)state;
    map(MIB(4), GIB(100), MIB(1), true);
    n_flushes = host_n_flushes();
    unmap(MIB(4) + KIB(64), KIB(64));
    assert_int_equal(host_n_flushes(), n_flushes + 1);
    assert_int_equal(host_last_flush(&bytes), MIB(4) + KIB(64));
    assert_int_equal(bytes, KIB(64));
    unmap(MIB(4), MIB(1));
}

static void a_split_flushes_the_whole_large_leaf(void **state)
{
    u64 bytes;

    (void)state;
    map(MIB(4), GIB(100), MIB(2), false);
    unmap(MIB(4) + KIB(64), KIB(4));
    assert_int_equal(host_last_flush(&bytes), MIB(4));
    assert_int_equal(bytes, MIB(2));
    unmap(MIB(4), MIB(2));
}

static void kernel_half_tables_right_below_the_top_stay(void **state)
{
    u64 *entries = phys_2_virt(top), before = entries[320];

    (void)state;
    map(MM_SPECIAL_START, GIB(100), GIB(512), false);
    unmap(MM_SPECIAL_START, GIB(512));
    assert_int_equal(entries[320], before);
    assert_nothing_leaked(used_before);
}

/* Memory is exhausted, and yet a large leaf can be split at both ends: the spares. */
static void spares_split_when_memory_is_exhausted(void **state)
{
    (void)state;
    map(TIB(1), GIB(100), GIB(2), false);
    hoard_take(0);
    unmap(TIB(1) + MIB(2) + KIB(4), GIB(2) - MIB(4) - KIB(8));
    assert_maps(top, TIB(1), GIB(100), MIB(2) + KIB(4), 0);
    assert_maps(top, TIB(1) + GIB(2) - MIB(2) - KIB(4), GIB(102) - MIB(2) - KIB(4), MIB(2) + KIB(4), 0);
    hoard_give();
    unmap(TIB(1), GIB(2));
    assert_nothing_leaked(used_before);
}

static void without_any_frame_nothing_is_unmapped_and_it_is_told(void **state)
{
    u64 hash = 0, at = TIB(1);
    int result = 0;

    (void)state;
    map(TIB(1), GIB(100), GIB(16), false);
    hoard_take(0);
    host_reports_forget();
    for (; result == 0 && at < TIB(1) + GIB(15); at += GIB(1)) {
        hash = tables_hash(top);
        result = mm_unmap_range(top, true, at + KIB(4), KIB(4)); /* a PD and a PT for good */
    }
    assert_int_equal(result, -EFAULT);
    assert_int_equal(tables_hash(top), hash);
    assert_int_equal(host_n_reports(MM_NOTE), 1);
    assert_true(host_reported("no frame"));
    assert_int_equal(mm.paging.n_refused_splits, 1);
    assert_int_equal(mm_misuse_count(), 0);
    unmap(at, GIB(1)); /* a whole leaf needs no frame */
    hoard_give();
    unmap(TIB(1) + GIB(14) + KIB(4), KIB(4));
    unmap(TIB(1), GIB(16));
    assert_nothing_leaked(used_before);
}

/* Mappings come and go in any order; whenever there are none, all is as at boot, frame by frame. */
static void frames_before_are_frames_after_in_any_order_of_calls(void **state)
{
    static const struct {
        u64 start, bytes;
    } parts[6] = {
        {TIB(1), KIB(4)},           {TIB(2), MIB(7)},          {MM_SPECIAL_START, KIB(64)},
        {TIB(1) + GIB(2), MIB(40)}, {TIB(3), GIB(1) + MIB(2)}, {MM_SPECIAL_START + GIB(600), MIB(2)}};
    u64 used, seed = 3;
    unsigned mapped = 0;

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        unsigned part = (unsigned)random_below(&seed, 6);
        if (mapped >> part & 1) {
            unmap(parts[part].start + KIB(16) % parts[part].bytes, KIB(4)); /* may split */
            unmap(parts[part].start, parts[part].bytes);
        } else {
            used = mm_stat().used;
            map(parts[part].start, GIB(100), parts[part].bytes, part % 2);
            unmap(parts[part].start, parts[part].bytes);
            assert_int_equal(mm_stat().used, used);
            map(parts[part].start, GIB(100), parts[part].bytes, part % 2);
        }
        mapped ^= 1u << part;
        if (mapped != 0)
            continue;
        assert_nothing_leaked(used_before);
        for (unsigned k = 0; k < PAGING_N_KEPT; k++)
            assert_int_equal(table_frame_level(mm.paging.kept[k]), 1);
        assert_int_equal(mm.paging.n_idle, PAGING_N_KEPT);
        assert_int_equal(mm.paging.n_substitutes, 0);
    }
}

/* A call that is misuse: one report that contains `words`, no entry changed, counted. */
static void assert_misuse(u64 table, bool is_phys, u64 start, u64 bytes, const char *words)
{
    u64 hash = tables_hash(top), used = mm_stat().used, n = mm_misuse_count(), n_flushes = host_n_flushes();

    host_reports_forget();
    assert_int_equal(mm_unmap_range(table, is_phys, start, bytes), -EFAULT);
    assert_int_equal(mm_misuse_count(), n + 1);
    assert_int_equal(host_n_reports(MM_MISUSE), 1);
    if (!host_reported("mm: bad mm_unmap_range(0x") || !host_reported(words))
        fail_msg("reported: %s", host_last_report());
    assert_int_equal(tables_hash(top), hash);
    assert_int_equal(mm_stat().used, used);
    assert_int_equal(host_n_flushes(), n_flushes);
    assert_sound();
}

static void addresses_that_callers_may_not_use_are_misuse(void **state)
{
    (void)state;
    assert_misuse(top, true, 0, KIB(4), "(0x0): ");
    assert_misuse(top, true, 1UL << 60, KIB(4), "not canonical");
    assert_misuse(top, true, MM_USER_END - KIB(4), KIB(8), "not canonical");
    assert_misuse(top, true, MM_IMAGE_START + MIB(1), KIB(4), "0xffffffff80100000");
    assert_misuse(top, true, MM_MMIO_START, KIB(4), "0xffffa10000000000");
    assert_misuse(top, true, MM_SPECIAL_END - KIB(4), KIB(8), "0xffffa1000000");
    assert_misuse(top, true, MM_SPECIAL_START, ~0UL, "bad");
}

static void tables_that_are_none_are_misuse(void **state)
{
    u64 space = space_new(), freed = space_new();

    (void)state;
    space_free(freed);
    assert_misuse(freed, true, MIB(4), KIB(4), "free");
    assert_misuse(GIB(200), true, MIB(4), KIB(4), "no RAM");
    assert_misuse(space + 64, true, MIB(4), KIB(4), "inside an object");
    assert_misuse((u64)phys_2_virt(freed), false, MIB(4), KIB(4), "free");
    assert_misuse(MM_SPECIAL_START, false, MIB(4), KIB(4), "not in the direct map");
    space_free(space);
}

static void an_entry_that_leads_to_no_table_is_misuse(void **state)
{
    u64 space = space_new(), *entries = phys_2_virt(space), object = virt_2_phys(kzalloc(4096, 0));

    (void)state;
    entries[2] = object | 7;
    host_reports_forget();
    assert_int_equal(mm_unmap_range(space, true, MIB(4), TIB(2)), -EFAULT);
    assert_int_equal(host_n_reports(MM_MISUSE), 1);
    assert_int_equal(entries[2], object | 7);
    entries[2] = 0;
    space_free(space);
    space_free(object);
    assert_nothing_leaked(used_before);
}

static void the_void_call_reports_under_its_own_name(void **state)
{
    (void)state;
    host_reports_forget();
    mm_unmap_proc_table(top, true, 1UL << 60, 1);
    assert_true(host_reported("mm: bad mm_unmap_proc_table(0x1000000000000000): not canonical"));
}

static void own_mappings_come_and_go(void **state)
{
    u64 frame = virt_2_phys(kmalloc(4096, 0)), hash = tables_hash(top);
    struct host_translation got;

    (void)state;
    assert_int_equal(
        paging_map_own(virt(MM_STACKS_START + KIB(64)), phys(frame), KIB(4), PAGE_R_W | PAGE_XD, true), 0);
    assert_true(host_walk(top, MM_STACKS_START + KIB(64), &got));
    assert_true(got.writable && !got.executable && got.global && !got.user);
    assert_sound();
    assert_int_equal(paging_unmap_own(virt(MM_STACKS_START + KIB(64)), KIB(4)), 0);
    assert_int_equal(tables_hash(top), hash);
    assert_int_equal(paging_map_own(virt(0xffffc00000000000), phys(frame), KIB(4), PAGE_R_W, true), -EFAULT);
    assert_int_equal(paging_map_own(virt(MM_STACKS_START), phys(frame), KIB(4), PAGE_U_S, true), -EFAULT);
    assert_int_equal(paging_map_own(virt(MM_STACKS_START), phys(frame), 0, 0, true), -EFAULT);
    assert_int_equal(paging_unmap_own(virt(0xfffffffffffff000), KIB(8)), -EFAULT);
    assert_int_equal(tables_hash(top), hash);
    space_free(frame);
    assert_nothing_leaked(used_before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_middle_of_a_2_mib_leaf_is_split_out),
        TEST(the_middle_of_a_1_gib_leaf_is_split_out),
        TEST(split_leaves_keep_rights_and_cache_mode),
        TEST(holes_are_skipped),
        TEST(partial_frames_at_the_ends_are_whole_frames),
        TEST(tables_are_freed_at_every_level_when_they_are_empty),
        TEST(many_tables_at_once_are_freed_in_batches),
        TEST(nothing_is_reached_after_the_call_returns),
        TEST(nothing_is_cached_again_between_flush_and_free),
        TEST(tables_above_are_flushed_before_they_are_freed),
        TEST(a_small_unmap_flushes_just_its_range),
        TEST(a_split_flushes_the_whole_large_leaf),
        TEST(kernel_half_tables_right_below_the_top_stay),
        TEST(spares_split_when_memory_is_exhausted),
        TEST(without_any_frame_nothing_is_unmapped_and_it_is_told),
        TEST(frames_before_are_frames_after_in_any_order_of_calls),
        TEST(addresses_that_callers_may_not_use_are_misuse),
        TEST(tables_that_are_none_are_misuse),
        TEST(an_entry_that_leads_to_no_table_is_misuse),
        TEST(the_void_call_reports_under_its_own_name),
        TEST(own_mappings_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
