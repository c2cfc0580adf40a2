/* SPDX-License-Identifier: MIT */
/*
 * All CPUs take and free while one of them has every cache emptied, again and again.  A cache may so be
 * emptied between any two steps of its owner's, also where its owner has just found it full.
 *
 * With one CPU that is the one that empties, and little remains.
 */
#include <kernel/selftest/suites.h>
#include <kernel/smp/smp.h>
#include <kernel/time/time.h>
#include <lib/bits.h>

#define N_SHRINKS 20
#define N_TAKEN                                                                                              \
    200 /* more than a magazine has room for at first, so each run meets an empty and a full one */

#define MAX_NS (2 * 1000000000UL) /* a shrink takes long where CPUs that are emulated wait for each other */

static ul object_bytes;
static bool shrinking;
static u32 n_failed;

static void take_and_free(void)
{
    void *object[N_TAKEN];

    for (u32 i = 0; i < N_TAKEN; i++)
        object[i] = kmalloc(object_bytes, 0);
    for (u32 i = 0; i < N_TAKEN; i++)
        if (object[i] == NULL || kfree(object[i]) != 0)
            __atomic_fetch_add(&n_failed, 1, __ATOMIC_RELAXED);
}

static void take_part(u32 number, void *argument)
{
    (void)argument;
    if (number != 0) {
        while (__atomic_load_n(&shrinking, __ATOMIC_RELAXED))
            take_and_free();
        return;
    }
    for (u64 end = time_ns() + MAX_NS, i = 0; i < N_SHRINKS && (i == 0 || time_ns() < end); i++) {
        take_and_free();
        mm_shrink();
    }
    __atomic_store_n(&shrinking, false, __ATOMIC_RELAXED);
}

static void caches_are_emptied_while_all_cpus_use_them(void)
{
    static const ul bytes[] = {32, 128};

    for (u32 i = 0; i < ARRAY_LENGTH(bytes); i++) {
        object_bytes = bytes[i];
        n_failed = 0;
        shrinking = true;
        smp_run_on_all(take_part, NULL);
        EXPECT_EQUAL(n_failed, 0);
    }
}

static const struct test tests[] = {TEST(caches_are_emptied_while_all_cpus_use_them), TEST_END};

const struct test_suite selftest_crowd = {"crowd", "all CPUs use the caches that one of them empties", tests};
