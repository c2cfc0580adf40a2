/* SPDX-License-Identifier: MIT */
/*
 * When an unmap returns, no CPU reaches the range: one CPU, the shooter, unmaps what all others have just
 * looked at and go on looking at.
 *
 *     shooter      wait for all | fired, unmap .................. | gone = true | own look
 *     the others   look, ready  | look, look, ... (or deaf a while) | gone? look: no page of it is there
 *
 * A CPU that is deaf hears of the flush only when it turns its interrupts on.  So with deaf CPUs an unmap
 * that does not wait for answers returns too early every time, not once in a thousand.  Every page is looked
 * at by its address before and after, so a flush that forgets one is seen.
 *
 * With one CPU that is the shooter, and what remains is that its own translations are gone.
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <kernel/smp/smp.h>
#include <kernel/time/time.h>
#include <lib/bits.h>

#define N_LOOKS  66
#define N_PARTS  16        /* places of a large leaf that are looked at */
#define DEAF_NS  3000000UL /* longer than it takes to return without waiting */
#define N_ASLEEP 20

/* An address, and whether the unmap takes it away. */
struct look {
    ul at;
    bool cut;
};

static struct {
    struct look looks[N_LOOKS];
    u32 n_looks;
    ul start, bytes; /* to unmap */
    u32 shooter;
    bool deaf;

    /* changed while all CPUs are at it */
    u32 n_ready, n_heard, n_reached, n_lost;
    bool fired, gone;
    u32 n_heard_at_return;
    int result;
} shot;

static struct Page *page;

/* ---- one shot ---- */

static void count(u32 *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_ACQ_REL);
}

static u32 counted(const u32 *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

static void flag_set(bool *flag)
{
    __atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static bool flag_is_set(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

/* Reads and writes at each address; what must be there is there, what must not is not. */
static void look_at_all(bool after)
{
    for (u32 i = 0; i < shot.n_looks; i++) {
        bool is_there = !(after && shot.looks[i].cut);
        u64 word = 0;
        bool reads = probe_read(shot.looks[i].at, &word, 8), writes = probe_write(shot.looks[i].at, &word, 8);

        if (is_there && !(reads && writes))
            count(&shot.n_lost);
        if (!is_there && (reads || writes))
            count(&shot.n_reached);
    }
}

/* A deaf CPU begins to count the time when the unmap begins. */
static void look_on(void)
{
    u64 flags = interrupts_save(), deaf_until = 0, word;
    bool deaf = shot.deaf;

    if (!deaf)
        interrupts_restore(flags);
    count(&shot.n_ready);
    for (u32 i = 0; !flag_is_set(&shot.gone); i++) {
        (void)probe_read(shot.looks[i % shot.n_looks].at, &word, 8);
        cpu_pause();
        if (!deaf || !flag_is_set(&shot.fired))
            continue;
        if (deaf_until == 0)
            deaf_until = time_ns() + DEAF_NS;
        if (time_ns() < deaf_until)
            continue;
        deaf = false;
        count(&shot.n_heard);
        interrupts_restore(flags);
    }
    look_at_all(true);
    interrupts_restore(flags);
}

static void shoot(void)
{
    while (counted(&shot.n_ready) + 1 < smp_n_cpus()) {
        smp_serve();
        cpu_pause();
    }
    flag_set(&shot.fired);
    shot.result = mm_unmap_range(current_top().addr, true, shot.start, shot.bytes);
    shot.n_heard_at_return = counted(&shot.n_heard);
    flag_set(&shot.gone);
    look_at_all(true);
}

static void take_part(u32 number, void *argument)
{
    (void)argument;
    look_at_all(false);
    if (number == shot.shooter)
        shoot();
    else
        look_on();
}

/* Unmaps [start, start + bytes) under the looks that are set, by one CPU. */
static void fire(ul start, ul bytes, u32 shooter, bool deaf)
{
    shot.start = start;
    shot.bytes = bytes;
    shot.shooter = shooter;
    shot.deaf = deaf;
    shot.n_ready = shot.n_heard = shot.n_reached = shot.n_lost = 0;
    shot.fired = shot.gone = false;
    smp_run_on_all(take_part, NULL);
    EXPECT_EQUAL(shot.result, 0);
    EXPECT_EQUAL(shot.n_reached, 0);
    EXPECT_EQUAL(shot.n_lost, 0);
    if (deaf)
        EXPECT_EQUAL(shot.n_heard_at_return, smp_n_cpus() - 1);
}

static void look_add(ul at, bool cut)
{
    shot.looks[shot.n_looks++] = (struct look){at, cut};
}

/* One look in each page from `at` on. */
static void look_at_pages(ul at, u32 n, bool cut)
{
    for (u32 i = 0; i < n; i++)
        look_add(at + i * PAGE_4K_SIZE + 8 * i, cut);
}

static bool begin(void)
{
    shot.n_looks = 0;
    page = alloc_pages(ZONE_NORMAL, 1, 0);
    return EXPECT(page != NULL);
}

static void end(void)
{
    free_pages(page, 1);
}

static void map_page(ul at, ul bytes, ul flags, bool use4k)
{
    EXPECT_MAP(.virt = at, .phys = page->addr_phys, .bytes = bytes, .flags = flags, .use4k = use4k);
}

/* The boot CPU and the last one shoot in turns. */
static u32 shooter_of(u32 round)
{
    return round % 2 == 0 ? 0 : smp_n_cpus() - 1;
}

/* ---- tests ---- */

/* Leaves that are flushed one by one, as many as that at the most, and one more. */
static const u32 n_leaves[] = {1, 8, 32, 33, 64};

static void every_page_of_a_range_is_forgotten_by_every_cpu(void)
{
    for (u32 i = 0; i < ARRAY_LENGTH(n_leaves) && begin(); i++) {
        u32 n = n_leaves[i];

        map_page(SPECIAL_BORDER, (n + 2) * PAGE_4K_SIZE, PAGE_R_W | PAGE_XD, true);
        look_at_pages(SPECIAL_BORDER, 1, false);
        look_at_pages(SPECIAL_BORDER + PAGE_4K_SIZE, n, true);
        look_at_pages(SPECIAL_BORDER + (n + 1) * PAGE_4K_SIZE, 1, false);
        fire(SPECIAL_BORDER + PAGE_4K_SIZE, n * PAGE_4K_SIZE, shooter_of(i), false);
        EXPECT_UNMAP(SPECIAL_BORDER, (n + 2) * PAGE_4K_SIZE);
        end();
    }
}

/* Few pages and many, each shot by the first CPU and by the last. */
static void shoot_pages(ul flags, bool deaf)
{
    for (u32 i = 0; i < 4 && begin(); i++) {
        u32 n = i < 2 ? 2 : 64;

        map_page(SPECIAL_BORDER, n * PAGE_4K_SIZE, flags, true);
        look_at_pages(SPECIAL_BORDER, n, true);
        fire(SPECIAL_BORDER, n * PAGE_4K_SIZE, shooter_of(i), deaf);
        end();
    }
}

static void an_unmap_waits_for_cpus_that_do_not_hear(void)
{
    shoot_pages(PAGE_R_W | PAGE_XD, true);
}

/* Translations that outlive the load of another table. */
static void global_translations_are_forgotten_too(void)
{
    shoot_pages(PAGE_R_W | PAGE_XD | PAGE_GLOBAL, false);
}

/* A large leaf as a whole, and what is cut out of it, while the rest stays. */
static void what_is_cut_out_of_a_large_leaf_is_forgotten(void)
{
    static const ul cuts[] = {PAGE_4K_SIZE, PAGE_2M_SIZE / 2, PAGE_2M_SIZE};
    const ul sizes[] = {PAGE_2M_SIZE, cpu_features.gigabyte_pages ? PAGE_1G_SIZE : PAGE_2M_SIZE};

    for (u32 i = 0; i < 2 * ARRAY_LENGTH(cuts) && begin(); i++) {
        ul size = sizes[i % 2], cut = cuts[i / 2], phys = align_down(page->addr_phys, size);
        ul at = SPECIAL_BORDER + (page->addr_phys - phys);

        EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = phys, .bytes = size, .flags = PAGE_R_W | PAGE_XD);
        EXPECT_EQUAL(mapped_leaf_bytes(at), size);
        for (ul offset = 0; offset < PAGE_2M_SIZE; offset += PAGE_2M_SIZE / N_PARTS)
            look_add(at + offset, offset < cut);
        fire(at, cut, shooter_of(i), false);
        EXPECT_UNMAP(SPECIAL_BORDER, size);
        end();
    }
}

/* Where something was unmapped something else is mapped at once: all see that and nothing else. */
static void a_place_that_is_mapped_anew_shows_the_new_memory_to_all(void)
{
    for (u32 i = 0; i < 2 && begin(); i++) {
        map_page(SPECIAL_BORDER, PAGE_4K_SIZE, PAGE_R_W | PAGE_XD, true);
        look_at_pages(SPECIAL_BORDER, 1, true);
        fire(SPECIAL_BORDER, PAGE_4K_SIZE, shooter_of(i), false);
        *(u64 *)phys_2_virt(page->addr_phys) = 1;
        *(u64 *)phys_2_virt(page->addr_phys + MIB(1)) = 2;
        EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = page->addr_phys + MIB(1), .bytes = PAGE_4K_SIZE,
                   .flags = PAGE_R_W | PAGE_XD);
        EXPECT_EQUAL(*(volatile u64 *)SPECIAL_BORDER, 2);
        fire(SPECIAL_BORDER, PAGE_4K_SIZE, shooter_of(i), false);
        EXPECT_EQUAL(*(u64 *)phys_2_virt(page->addr_phys), 1);
        end();
    }
}

/* CPUs in HLT are woken by the interrupt; nobody waits for their next tick, which they do not have. */
static void sleeping_cpus_answer_at_once(void)
{
    u64 begin_ns, ns;

    if (!begin())
        return;
    for (u32 i = 1; i < smp_n_cpus(); i++)
        EXPECT(!smp_is_busy(i));
    begin_ns = time_ns();
    for (u32 i = 0; i < N_ASLEEP; i++) {
        map_page(SPECIAL_BORDER, PAGE_4K_SIZE, PAGE_R_W | PAGE_XD, true);
        EXPECT_UNMAP(SPECIAL_BORDER, PAGE_4K_SIZE);
    }
    ns = (time_ns() - begin_ns) / N_ASLEEP;
    test_note("%lu us to map and unmap a page with %u CPUs asleep", ns / 1000, smp_n_cpus() - 1);
    end();
}

static const struct test tests[] = {
    TEST(every_page_of_a_range_is_forgotten_by_every_cpu),
    TEST(an_unmap_waits_for_cpus_that_do_not_hear),
    TEST(global_translations_are_forgotten_too),
    TEST(what_is_cut_out_of_a_large_leaf_is_forgotten),
    TEST(a_place_that_is_mapped_anew_shows_the_new_memory_to_all),
    TEST(sleeping_cpus_answer_at_once),
    TEST_END,
};

const struct test_suite selftest_shootdown = {"shootdown", "no CPU reaches what was unmapped", tests};
