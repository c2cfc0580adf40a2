/* SPDX-License-Identifier: MIT */
/* mm_stat's shortcuts: sums in halves against plain ones, and numbers that do not fit together. */
#include <cmocka_all.h>
#include <check_tools.h>

#include <lib/bits.h>
#include <mm/magazine.h>
#include <mm/slab.h>
#include <mm/state.h>
#include <stdlib.h>

#define N_STEPS   3000
#define N_OBJECTS 400

static struct mm_cpu *cpu[2];

static int start(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(256), NULL));
    cpu[0] = mm_boot_cpu(MM_CONTEXT_CODE);
    return 0;
}

static int start_two(void **state)
{
    start(state);
    assert_non_null(cpu[1] = mm_cpu_create());
    return 0;
}

static int stop(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* What mm_stat says, computed in the plain way. */
static void assert_counted(void)
{
    struct mm_stat_t now = mm_stat();
    u64 cache = 0, in_slabs = 0;

    for (const struct mm_cpu *c = mm_first_cpu(); c != NULL; c = c->next) {
        cache += c->cache_bytes;
        in_slabs += c->slab_free_bytes;
        for (unsigned class = 0; class < MM_N_CLASSES; class++)
            in_slabs += magazine_count(c, class) * class_bytes(class);
    }
    assert_int_equal(now.cache_free, in_slabs);
    assert_int_equal(now.cache_used, cache - in_slabs);
    assert_int_equal(now.total, now.used + now.free);
    assert_int_equal(now.available, now.free + now.cache_free);
}

/* Objects of all classes, taken and given on whichever CPU. */
static void play(unsigned n_cpus)
{
    static void *object[N_OBJECTS];

    for (unsigned step = 0; step < N_STEPS; step++) {
        unsigned i = (unsigned)rand() % N_OBJECTS;

        host_cpu = cpu[(unsigned)rand() % n_cpus];
        if (object[i] == NULL)
            object[i] = kmalloc(32UL << rand() % MM_N_CLASSES, 0);
        else if (kfree(object[i]) == 0)
            object[i] = NULL;
        else
            fail();
        assert_counted();
    }
    for (unsigned i = 0; i < N_OBJECTS; i++) {
        assert_int_equal(kfree(object[i]), 0);
        object[i] = NULL;
    }
    host_cpu = cpu[0];
    assert_int_equal(mm_stat().cache_used, 0);
    assert_int_not_equal(mm_stat().cache_free, 0);
}

static void magazines_are_counted_as_if_one_by_one(void **state)
{
    (void)state;
    play(1);
    assert_sound();
}

static void so_are_those_of_two_cpus(void **state)
{
    (void)state;
    play(2);
    assert_sound();
}

/* A copy taken while others work may be of parts that are larger than their whole, but never says so. */
static void a_part_is_not_larger_than_its_whole(void **state)
{
    struct mm_stat_t now;
    u64 n_free = mm.zone[1].n_free_frames;
    struct mm_cpu *last = mm_first_cpu();

    (void)state;
    while (last->next != NULL)
        last = last->next;
    last->slab_free_bytes += GIB(2);
    now = mm_stat();
    assert_int_equal(now.cache_used, 0);
    assert_int_equal(now.cache_free, last->cache_bytes + cpu[0]->cache_bytes);
    last->cache_bytes += GIB(1);
    now = mm_stat();
    assert_int_equal(now.cache_used, 0);
    assert_int_equal(now.cache_free, now.used);
    assert_int_equal(now.available, now.total);
    last->slab_free_bytes -= GIB(2);
    now = mm_stat();
    assert_int_equal(now.cache_used, now.used - now.cache_free);
    mm.zone[1].n_free_frames += now.total;
    now = mm_stat();
    assert_int_equal(now.free, now.total);
    assert_int_equal(now.used + now.cache_used + now.cache_free, 0);
    mm.zone[1].n_free_frames = n_free;
    last->cache_bytes -= GIB(1);
    assert_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(magazines_are_counted_as_if_one_by_one, start, stop),
        cmocka_unit_test_setup_teardown(so_are_those_of_two_cpus, start_two, stop),
        cmocka_unit_test_setup_teardown(a_part_is_not_larger_than_its_whole, start, stop),
        cmocka_unit_test_setup_teardown(a_part_is_not_larger_than_its_whole, start_two, stop),
    };
    return cmocka_run_group_tests_name("stat", tests, NULL, NULL);
}
