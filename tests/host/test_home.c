/* SPDX-License-Identifier: MIT */
/* Homes of slabs: several CPUs, as threads or one after the other, and objects that are freed elsewhere. */
#include <cmocka_all.h>
#include <check_tools.h>

#include <lib/bits.h>
#include <mm/fail.h>
#include <mm/frame.h>
#include <mm/magazine.h>
#include <mm/role.h>
#include <mm/slab.h>
#include <mm/state.h>
#include <pthread.h>
#include <unistd.h>

#define N_OBJECTS 1000
#define N_CPUS    4
#define N_STEPS   1000000
#define DEADLOCK_SECONDS 20

static struct mm_cpu *cpu[N_CPUS];
static struct mm_stat_t at_start;

/* The running thread is this CPU's code from now on. */
static void run_on(unsigned i)
{
    host_cpu = cpu[i];
}

static int start(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(64), NULL));
    cpu[0] = mm_boot_cpu(MM_CONTEXT_CODE);
    for (unsigned i = 1; i < N_CPUS; i++)
        assert_non_null(cpu[i] = mm_cpu_create());
    mm_shrink();
    at_start = mm_stat();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* What mm_shrink does where CPUs are asked by interrupt: first all magazines, then all homes. */
static void shrink_all(void)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < N_CPUS; i++) {
            run_on(i);
            mm_shrink();
        }
    run_on(0);
}

static void assert_all_is_back(void)
{
    struct mm_stat_t now;

    assert_sound();
    shrink_all();
    now = mm_stat();
    assert_memory_equal(&now, &at_start, sizeof now);
    assert_sound();
}

static void take(void **objects, unsigned n, ul size)
{
    for (unsigned i = 0; i < n; i++)
        assert_non_null(objects[i] = kmalloc(size, 0));
}

static void give(void **objects, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(kfree(objects[i]), 0);
}

static u64 n_slabs(unsigned class)
{
    struct mm_class_info info;

    mm_class_info(class, &info);
    return info.n_slabs;
}

/* Every lock there is, taken by nobody: who wants one waits until the alarm ends this test. */
static void locks_take(u32 taken)
{
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        mm.zone[i].lock.taken = taken;
    for (struct mm_cpu *other = mm_first_cpu(); other != NULL; other = other->next)
        other->home.lock.taken = taken;
    mm.orphans.lock.taken = mm.role_lock.taken = mm.descriptors.lock.taken = mm.limbo.lock.taken = taken;
}

static void what_is_freed_where_it_came_from_takes_no_lock(void **state)
{
    void *objects[N_OBJECTS];

    (void)state;
    for (unsigned class = 0; class < N_SLAB_CLASSES; class ++) {
        unsigned n = mm.home_keeps_empty[class] * class_n_objects(class);

        n = n < N_OBJECTS ? n : N_OBJECTS;
        take(objects, n, class_bytes(class));
        give(objects, n);
        alarm(DEADLOCK_SECONDS);
        locks_take(~0u);
        for (unsigned round = 0; round < 3; round++) {
            take(objects, n / 2, class_bytes(class));
            give(objects, n / 2);
        }
        locks_take(0);
        alarm(0);
        mm_shrink();
    }
    assert_all_is_back();
}

static void another_cpu_s_caches_are_not_touched(void **state)
{
    static struct mm_cpu before;
    void *objects[N_OBJECTS];

    (void)state;
    run_on(1);
    take(objects, N_OBJECTS, 64);
    give(objects, N_OBJECTS);
    before = *cpu[1];
    run_on(0);
    take(objects, N_OBJECTS, 64);
    give(objects, N_OBJECTS);
    assert_memory_equal(cpu[1], &before, sizeof before);
    assert_all_is_back();
}

static void what_is_freed_elsewhere_goes_home(void **state)
{
    void *objects[N_OBJECTS];

    (void)state;
    for (unsigned class = 0; class < N_SLAB_CLASSES; class ++) {
        u64 n;

        run_on(0);
        take(objects, N_OBJECTS, class_bytes(class));
        n = n_slabs(class);
        run_on(1);
        give(objects, N_OBJECTS);
        magazine_drain(cpu[1], class);
        assert_int_equal(cpu[1]->n_slabs[class], 0);
        assert_sound();
        run_on(0);
        take(objects, N_OBJECTS, class_bytes(class));
        assert_in_range(n_slabs(class), n, n + 1); /* what a magazine held back */
        give(objects, N_OBJECTS);
        assert_sound();
    }
    assert_all_is_back();
}

#define N_GATHERED 1100 /* groups: more than are left to lie */

/* A CPU that takes no more collects nothing by itself: the one that brings the 1024th group has it done. */
static void what_gathers_at_an_idle_cpu_is_collected(void **state)
{
    static void *objects[2 * N_GATHERED];
    u64 n_free;

    (void)state;
    run_on(1);
    take(objects, 2 * N_GATHERED, 2048); /* two are a frame, and a group */
    run_on(0);
    n_free = mm_stat().free;
    give(objects, 2 * N_GATHERED);
    assert_in_range(cpu[1]->home.n_returned, 0, N_GATHERED - 1024 + 64);
    assert_true(mm_stat().free - n_free > MIB(3)); /* empty slabs went back to the frames, without mm_shrink */
    assert_false(cpu[0]->collect_is_due);
    assert_all_is_back();
}

/* A slab that becomes empty at the moment when an object is wanted serves it, where homes keep no empty ones. */
static void what_comes_back_serves_when_memory_is_exhausted(void **state)
{
    void *objects[12];
    phys_t first = PHYS_NONE, frame;

    (void)state;
    run_on(1);
    take(objects, 12, 2048);
    magazine_drain(cpu[1], 6);
    while (!phys_is_none(frame = frame_alloc(ZONE_NORMAL, 0))) {
        *(phys_t *)phys_pointer(frame) = first;
        first = frame;
    }
    run_on(0);
    give(objects, 12);
    magazine_drain(cpu[0], 6);
    run_on(1);
    take(objects, 12, 2048);
    give(objects, 12);
    for (; !phys_is_none(first); first = frame) {
        frame = *(phys_t *)phys_pointer(first);
        frame_free(first, 0);
    }
    assert_all_is_back();
}

/* What goes to a home with a lock is taken in by who brings it: no other CPU is asked, however much it is. */
static void what_gathers_in_a_shared_home_is_collected_from_here(void **state)
{
    static void *objects[4 * N_GATHERED];
    unsigned n_asked;

    (void)state;
    host_cpu = cpu[2]->other;
    take(objects + 2 * N_GATHERED, 2 * N_GATHERED, 2048);
    run_on(1);
    take(objects, 2 * N_GATHERED, 2048);
    for (unsigned i = 0; i < 2 * N_GATHERED; i += 2)
        assert_int_equal(kfree(objects[i]), 0);
    mm_shrink(); /* nobody's now */
    run_on(0);
    n_asked = host_n_synchronizations();
    for (unsigned i = 1; i < 2 * N_GATHERED; i += 2)
        assert_int_equal(kfree(objects[i]), 0);
    give(objects + 2 * N_GATHERED, 2 * N_GATHERED);
    assert_in_range(mm.orphans.n_returned, 0, N_GATHERED - 1024 + 64);
    assert_in_range(cpu[2]->other->home.n_returned, 0, N_GATHERED - 1024 + 64);
    assert_int_equal(host_n_synchronizations(), n_asked);
    assert_all_is_back();
}

static void an_object_back_from_elsewhere_is_still_free_only_once(void **state)
{
    void *objects[2];

    (void)state;
    take(objects, 2, 256);
    run_on(1);
    assert_int_equal(kfree(objects[0]), 0);
    magazine_drain(cpu[1], 3);
    assert_int_not_equal(kfree(objects[0]), 0);
    run_on(0);
    assert_int_not_equal(kfree(objects[0]), 0);
    assert_int_equal(kfree(objects[1]), 0);
    assert_int_equal(mm_misuse_count(), 2);
    assert_all_is_back();
}

/* A CPU fills slabs, empties them by half, and has its slabs taken away: the other one goes on with them. */
static void slabs_of_an_idle_cpu_are_there_for_all(void **state)
{
    void *objects[N_OBJECTS], *others[N_OBJECTS / 2];
    u64 n;

    (void)state;
    run_on(1);
    take(objects, N_OBJECTS, 512);
    for (unsigned i = 0; i < N_OBJECTS; i += 2)
        assert_int_equal(kfree(objects[i]), 0);
    mm_shrink();
    assert_sound();
    n = n_slabs(4);
    run_on(2);
    take(others, N_OBJECTS / 2, 512);
    assert_in_range(n_slabs(4), n, n + 1);
    assert_sound();
    for (unsigned i = 1; i < N_OBJECTS; i += 2)
        assert_int_equal(kfree(objects[i]), 0);
    give(others, N_OBJECTS / 2);
    assert_all_is_back();
}

/* A group that waits with one home, while its slab has gone to another, is sent on. */
static void a_group_follows_its_slab(void **state)
{
    struct slab_group *group;
    void *objects[8];
    struct slab *slab;

    (void)state;
    take(objects, 8, 512);
    slab = slab_of_live(live_of_word(*role_word(pointer_phys(objects[0]))), 4);
    group = slab->group;
    assert_int_equal(kfree(objects[0]), 0);
    mm_shrink(); /* nobody's now */
    run_on(1);
    assert_non_null(objects[0] = kmalloc(512, 0));
    assert_ptr_equal(slab_home(slab), &cpu[1]->home);
    run_on(2);
    assert_int_equal(kfree(objects[0]), 0);
    magazine_drain(cpu[2], 4);
    assert_ptr_equal(cpu[1]->home.returned[4], group);
    cpu[1]->home.returned[4] = NULL; /* as if it had been pushed before the slab moved */
    cpu[0]->home.returned[4] = group;
    assert_sound();
    run_on(0);
    slab_collect();
    assert_ptr_equal(cpu[1]->home.returned[4], group);
    run_on(1);
    slab_collect();
    assert_int_equal(group->returned, 0);
    for (unsigned i = 1; i < 8; i++)
        assert_int_equal(kfree(objects[i]), 0);
    assert_all_is_back();
}

/* The same just before a shrink: the home that the group is sent on to has been through by then. */
static void one_shrink_brings_back_what_is_sent_on(void **state)
{
    struct mm_stat_t now;
    void *objects[8];

    (void)state;
    take(objects, 8, 512);
    run_on(2);
    give(objects, 8);
    magazine_drain(cpu[2], 4);
    assert_null(mm.orphans.returned[4]);
    assert_non_null(cpu[0]->home.returned[4]);
    mm.orphans.returned[4] = cpu[0]->home.returned[4];
    mm.orphans.n_returned = cpu[0]->home.n_returned;
    cpu[0]->home.returned[4] = NULL;
    cpu[0]->home.n_returned = 0;
    run_on(0);
    mm_shrink();
    now = mm_stat();
    assert_memory_equal(&now, &at_start, sizeof now);
    assert_sound();
}

/* Where nobody can wait for other CPUs, descriptors gather in limbo; who can, settles them soon, not when they have doubled. */
static void limbo_is_settled_by_the_first_who_can_wait(void **state)
{
    static void *objects[2 * N_GATHERED];

    (void)state;
    host_cpu = cpu[0]->other;
    take(objects, 2 * N_GATHERED, 2048);
    give(objects, 2 * N_GATHERED);
    assert_in_range(mm.limbo.n_slabs, N_GATHERED / 2, N_GATHERED);
    assert_in_range(mm.limbo.n_slabs_due, 0, mm.limbo.n_slabs + LIMBO_SLABS);
    assert_sound();
    run_on(0);
    take(objects, N_GATHERED, 2048);
    give(objects, N_GATHERED);
    assert_in_range(mm.limbo.n_slabs, 0, LIMBO_SLABS);
    assert_all_is_back();
}

/* mm_shrink leaves nothing in limbo because another CPU says that it is about it. */
static void a_shrink_does_not_rely_on_who_settles_already(void **state)
{
    struct mm_stat_t now;
    void *objects[N_OBJECTS];

    (void)state;
    mm.limbo.n_settling = 1;
    take(objects, N_OBJECTS, 512);
    give(objects, N_OBJECTS);
    mm_shrink();
    assert_int_equal(mm.limbo.n_slabs + mm.limbo.n_tables, 0);
    assert_int_equal(mm.limbo.n_settling, 1);
    mm.limbo.n_settling = 0;
    now = mm_stat();
    assert_memory_equal(&now, &at_start, sizeof now);
    assert_sound();
}

/* ---- threads ---- */

/* Where CPUs leave objects for each other. */
static void *exchange[64];

static pthread_barrier_t begin;

static void *work(void *argument)
{
    unsigned self = (unsigned)(unsigned long)argument;
    u64 x = 88172645463325252UL + self;
    void *own[200] = {0};

    run_on(self);
    pthread_barrier_wait(&begin);
    for (unsigned step = 0; step < N_STEPS; step++) {
        u64 r = random_next(&x);
        void **slot = &own[r % ARRAY_LENGTH(own)];

        if (r >> 62 == 0) {
            *slot = __atomic_exchange_n(&exchange[(r >> 32) % ARRAY_LENGTH(exchange)], *slot, __ATOMIC_ACQ_REL);
        } else if (*slot != NULL) {
            assert_int_equal(*(u64 *)*slot, (u64)*slot);
            assert_int_equal(kfree(*slot), 0);
            *slot = NULL;
        } else if ((*slot = kmalloc(64UL << (r >> 40) % 2 * 3, 0)) != NULL) {
            *(u64 *)*slot = (u64)*slot;
        }
        if (step % 5003 == 0)
            slab_release(cpu[self], &cpu[self]->home);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(own); i++)
        assert_int_equal(kfree(own[i]), 0);
    return NULL;
}

#define N_DESCRIPTORS 128 /* more than two descriptor frames have units */
#define UNIT_CLASS    3   /* its descriptors take one */

static unsigned n_locks_before;
static struct slab *descriptor_between;

/* Before one of the locks that CPU 0 takes, CPU 1 takes a descriptor, too; there is memory for that. */
static void descriptor_alloc_between(void)
{
    bool armed = mm.fail.mode != FAIL_OFF;

    if (n_locks_before-- != 0)
        return;
    assert_true(!armed || fail_disarm());
    run_on(1);
    assert_non_null(descriptor_between = descriptor_alloc(UNIT_CLASS));
    run_on(0);
    assert_true(!armed || fail_arm(FAIL_EVERY, 1, true));
}

/* CPU 0 needs a descriptor frame, and before its lock number `when` CPU 1 gets one: one frame is enough for both. */
static void assert_one_frame_serves_both(unsigned when, bool only_one_can)
{
    struct slab *slab[N_DESCRIPTORS];
    unsigned n = 0;

    do
        assert_non_null(slab[n++] = descriptor_alloc(UNIT_CLASS));
    while (!list_is_empty(&mm.descriptors.partial));
    n_locks_before = when;
    descriptor_between = NULL;
    assert_true(!only_one_can || fail_arm(FAIL_EVERY, 1, true));
    host_before_locks(descriptor_alloc_between);
    slab[n++] = descriptor_alloc(UNIT_CLASS);
    host_before_locks(NULL);
    assert_true(!only_one_can || fail_disarm());
    assert_non_null(slab[n - 1]);
    assert_non_null(slab[n++] = descriptor_between);
    assert_ptr_equal(mm.descriptors.partial.next, mm.descriptors.partial.prev);
    while (n > 0)
        descriptor_free(slab[--n]);
    assert_all_is_back();
}

static void no_descriptor_frame_stays_when_two_want_one_at_once(void **state)
{
    (void)state;
    for (unsigned when = 0; when < 3; when++) {
        assert_one_frame_serves_both(when, false);
        assert_one_frame_serves_both(when, true);
    }
}

static void cpus_at_once_lose_nothing(void **state)
{
    pthread_t thread[N_CPUS];

    (void)state;
    pthread_barrier_init(&begin, NULL, N_CPUS);
    for (unsigned long i = 0; i < N_CPUS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, work, (void *)i), 0);
    for (unsigned i = 0; i < N_CPUS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    pthread_barrier_destroy(&begin);
    run_on(0);
    for (unsigned i = 0; i < ARRAY_LENGTH(exchange); i++) {
        assert_int_equal(kfree(exchange[i]), 0);
        exchange[i] = NULL;
    }
    assert_int_equal(mm_misuse_count(), 0);
    assert_all_is_back();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_freed_where_it_came_from_takes_no_lock),
        TEST(another_cpu_s_caches_are_not_touched),
        TEST(what_is_freed_elsewhere_goes_home),
        TEST(what_gathers_at_an_idle_cpu_is_collected),
        TEST(what_comes_back_serves_when_memory_is_exhausted),
        TEST(what_gathers_in_a_shared_home_is_collected_from_here),
        TEST(an_object_back_from_elsewhere_is_still_free_only_once),
        TEST(slabs_of_an_idle_cpu_are_there_for_all),
        TEST(a_group_follows_its_slab),
        TEST(one_shrink_brings_back_what_is_sent_on),
        TEST(limbo_is_settled_by_the_first_who_can_wait),
        TEST(a_shrink_does_not_rely_on_who_settles_already),
        TEST(no_descriptor_frame_stays_when_two_want_one_at_once),
        TEST(cpus_at_once_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
