/* SPDX-License-Identifier: MIT */
/* The MMIO window. */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <mm/inspect.h>
#include <mm/mmio.h>
#include <mm/paging.h>
#include <mm/state.h>

#define N_MAPPINGS 64

static u64 top, used_before;

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

static u64 map(u64 at, u64 bytes, enum mmio_cache cache)
{
    void *pointer = mmio_map(phys(at), bytes, cache);

    assert_non_null(pointer);
    assert_true((u64)pointer >= MM_MMIO_START && (u64)pointer + bytes < MM_MMIO_END);
    return (u64)pointer;
}

static void unmap(u64 pointer)
{
    assert_true(mmio_unmap((void *)pointer));
}

static void registers_are_uncached_and_never_executed(void **state)
{
    struct host_translation got;
    u64 at = map(0xfee00000, KIB(4), MMIO_UNCACHED);

    (void)state;
    assert_maps(top, at, 0xfee00000, KIB(4), 0);
    assert_true(host_walk(top, at, &got));
    assert_true(got.cache == HOST_UC && got.writable && !got.executable && !got.user && got.global);
    unmap(at);
    assert_unmapped(top, at, KIB(4));
    assert_nothing_leaked(used_before);
}

static void the_pointer_is_to_the_very_byte(void **state)
{
    u64 at = map(0xfed00ffe, 4, MMIO_UNCACHED);

    (void)state;
    assert_int_equal(at % KIB(4), 0xffe);
    assert_maps(top, at, 0xfed00ffe, 4, 0);
    assert_false(mmio_unmap((void *)(at & ~0xfffUL)));
    unmap(at);
    assert_nothing_leaked(used_before);
}

static void a_framebuffer_is_write_combining_in_large_leaves(void **state)
{
    struct host_translation got;
    u64 guard = map(0xfee00000, KIB(4), MMIO_UNCACHED); /* so that the next hole is not aligned by chance */
    u64 at = map(0xfd000000, MIB(8), MMIO_WRITE_COMBINING), huge = map(GIB(100), GIB(2), MMIO_UNCACHED);

    (void)state;
    assert_maps(top, at, 0xfd000000, MIB(8), MIB(2));
    assert_true(host_walk(top, at, &got));
    assert_int_equal(got.cache, HOST_WC);
    assert_maps(top, huge, GIB(100), GIB(2), GIB(1));
    unmap(huge);
    unmap(at);
    unmap(guard);
    assert_nothing_leaked(used_before);
}

static void ram_is_write_back_whatever_is_asked(void **state)
{
    struct host_translation got;
    u64 at = map(MIB(128) - KIB(8), KIB(16), MMIO_UNCACHED); /* the end of RAM, and behind it */

    (void)state;
    assert_true(host_walk(top, at + KIB(4), &got));
    assert_int_equal(got.cache, HOST_WB);
    assert_true(host_walk(top, at + KIB(8), &got));
    assert_int_equal(got.cache, HOST_UC);
    assert_maps(top, at, MIB(128) - KIB(8), KIB(16), KIB(4));
    assert_sound();
    unmap(at);
    at = map(KIB(600), KIB(512), MMIO_WRITE_COMBINING); /* RAM, a hole, RAM */
    assert_maps(top, at, KIB(600), KIB(512), 0);
    assert_true(host_walk(top, at, &got) && got.cache == HOST_WB);
    assert_true(host_walk(top, at + KIB(100), &got) && got.cache == HOST_WC);
    assert_true(host_walk(top, at + KIB(500), &got) && got.cache == HOST_WB);
    unmap(at);
    assert_nothing_leaked(used_before);
}

static void behind_every_mapping_lies_a_guard_page(void **state)
{
    u64 a = map(DEVICE_AT, KIB(8), MMIO_UNCACHED), b = map(DEVICE_AT + KIB(8), KIB(4), MMIO_UNCACHED);

    (void)state;
    assert_int_equal(b, a + KIB(12));
    assert_unmapped(top, a + KIB(8), KIB(4));
    assert_unmapped(top, b + KIB(4), KIB(4));
    unmap(a);
    a = map(DEVICE_AT, KIB(4), MMIO_UNCACHED); /* the first hole that is large enough */
    assert_true(a < b);
    unmap(b);
    unmap(a);
    assert_nothing_leaked(used_before);
}

static void wrong_pointers_are_refused(void **state)
{
    u64 at = map(DEVICE_AT, KIB(8), MMIO_WRITE_BACK);

    (void)state;
    assert_false(mmio_unmap(NULL));
    assert_false(mmio_unmap((void *)(at + KIB(4))));
    assert_false(mmio_unmap((void *)(at + 1)));
    assert_false(mmio_unmap(&at));
    unmap(at);
    assert_false(mmio_unmap((void *)at));
    assert_nothing_leaked(used_before);
}

static void bad_ranges_are_refused(void **state)
{
    (void)state;
    assert_null(mmio_map(phys(DEVICE_AT), 0, MMIO_UNCACHED));
    assert_null(mmio_map(phys(1UL << 46), KIB(4), MMIO_UNCACHED));
    assert_null(mmio_map(phys((1UL << 46) - KIB(4)), KIB(8), MMIO_UNCACHED));
    assert_null(mmio_map(phys(~0UL), 1, MMIO_UNCACHED));
    assert_null(mmio_map(phys(0), ~0UL, MMIO_UNCACHED));
    assert_null(mmio_map(phys(0), TIB(1), MMIO_UNCACHED)); /* no room for the guard page */
    assert_nothing_leaked(used_before);
}

static void no_memory_leaves_nothing_behind(void **state)
{
    void *pointer = NULL;

    (void)state;
    for (u64 k = 0; pointer == NULL && k < 40; k++) {
        u64 hash = tables_hash(top);
        hoard_take(k);
        pointer = mmio_map(phys(MIB(127)), MIB(2), MMIO_UNCACHED); /* RAM and not */
        if (pointer == NULL)
            assert_int_equal(tables_hash(top), hash);
        hoard_give();
        assert_sound();
    }
    assert_true(mmio_unmap(pointer));
    assert_nothing_leaked(used_before);
}

static void random_mappings_never_overlap(void **state)
{
    struct {
        u64 at, phys, bytes;
    } mappings[N_MAPPINGS] = {{0, 0, 0}};
    u64 seed = 5;

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        unsigned n = (unsigned)random_below(&seed, N_MAPPINGS);
        if (mappings[n].at != 0) {
            assert_maps(top, mappings[n].at, mappings[n].phys, mappings[n].bytes, 0);
            unmap(mappings[n].at);
            mappings[n].at = 0;
        } else {
            mappings[n].phys = GIB(100) + random_below(&seed, MIB(16));
            mappings[n].bytes = 1 + random_below(&seed, 1UL << random_below(&seed, 24));
            mappings[n].at = map(mappings[n].phys, mappings[n].bytes, MMIO_UNCACHED);
        }
        if (i % 100 == 0)
            assert_sound();
    }
    for (unsigned n = 0; n < N_MAPPINGS; n++) {
        if (mappings[n].at != 0)
            unmap(mappings[n].at);
    }
    assert_nothing_leaked(used_before);
}

static void mmio_check_is_seen_to_fail(void **state)
{
    struct mm_violation found;

    (void)state;
    map(DEVICE_AT, KIB(8), MMIO_UNCACHED);
    map(DEVICE_AT, KIB(8), MMIO_UNCACHED);
    mm.mmio.n_ranges++;
    assert_false(mmio_check(&found));
    assert_int_equal(found.number, 420);
    mm.mmio.n_ranges--;
    assert_int_equal(paging_unmap_own(virt(MM_MMIO_START), KIB(4)), 0);
    assert_false(mm_check(&found));
    assert_int_equal(found.number, 421);
    assert_int_equal(paging_map_own(virt(MM_MMIO_START), phys(DEVICE_AT), KIB(4), PAGE_XD, true), 0);
    assert_true(mm_check(&found));
    assert_int_equal(paging_map_own(virt(MM_MMIO_START + KIB(8)), phys(DEVICE_AT), KIB(4), PAGE_XD, true), 0);
    assert_false(mmio_check(&found));
    assert_int_equal(found.number, 421);
}

/* One thing wrong with the list of ranges, seen and mended. */
#define BREAK_LIST(number_, place, value)                                                                    \
    do {                                                                                                     \
        __typeof__(place) before_ = (place);                                                                 \
        (place) = (value);                                                                                   \
        assert_false(mmio_check(&found));                                                                    \
        assert_int_equal(found.number, number_);                                                             \
        (place) = before_;                                                                                   \
        assert_true(mmio_check(&found));                                                                     \
    } while (0)

static void every_wrong_list_of_ranges_is_seen(void **state)
{
    struct mmio_range *first, *second;
    struct mm_violation found;

    (void)state;
    map(DEVICE_AT, KIB(8), MMIO_UNCACHED);
    map(DEVICE_AT, KIB(8), MMIO_UNCACHED);
    first = mm.mmio.first;
    second = first->next;
    BREAK_LIST(420, second->start, first->start);
    BREAK_LIST(420, second->end, second->start + KIB(4));
    BREAK_LIST(420, second->end, MM_MMIO_END + KIB(4));
    BREAK_LIST(421, first->end, first->end - KIB(4));   /* the guard is where something is mapped */
    BREAK_LIST(421, first->end, first->end + KIB(4));   /* what is listed is not mapped */
    BREAK_LIST(421, first->start, first->start + KIB(4)); /* something is mapped before it */
    assert_int_equal(paging_map_own(virt(second->end + MIB(1)), phys(DEVICE_AT), KIB(4), PAGE_XD, true), 0);
    assert_false(mmio_check(&found)); /* something is mapped behind the last */
    assert_int_equal(found.number, 421);
    assert_int_equal(paging_unmap_own(virt(second->end + MIB(1)), KIB(4)), 0);
    assert_true(mmio_check(&found));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_are_uncached_and_never_executed),
        TEST(the_pointer_is_to_the_very_byte),
        TEST(a_framebuffer_is_write_combining_in_large_leaves),
        TEST(ram_is_write_back_whatever_is_asked),
        TEST(behind_every_mapping_lies_a_guard_page),
        TEST(wrong_pointers_are_refused),
        TEST(bad_ranges_are_refused),
        TEST(no_memory_leaves_nothing_behind),
        TEST(random_mappings_never_overlap),
        TEST(mmio_check_is_seen_to_fail),
        TEST(every_wrong_list_of_ranges_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
