/* SPDX-License-Identifier: MIT */
/*
 * Misuse: every kind of wrong free is refused, reported in exactly one line that says what the address is,
 * counted, and without any effect.
 */
#include <kernel/selftest/hoard.h>
#include <kernel/selftest/misuse.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <kernel/selftest/world.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/debug.h>
#include <mm/frame.h>
#include <mm/inspect.h>

/* ---- wrong frees: the table, in three ways ---- */

static struct {
    const struct misuse *misuse;
    struct subject subject;
    bool made;
} trial;

static void make_trial(void *unused)
{
    (void)unused;
    trial.made = trial.misuse->make(trial.misuse, &trial.subject);
}

static void call_trial(void *unused)
{
    const struct subject *subject = &trial.subject;

    (void)unused;
    switch (trial.misuse->call) {
    case BY_KFREE:
        EXPECT(kfree((void *)subject->address) != 0);
        break;
    case BY_FREE_PAGES:
        free_pages((struct Page *)subject->address, subject->number);
        break;
    case BY_FRAME_FREE:
        EXPECT_EQUAL(frame_free(phys(subject->address), (unsigned)subject->number), -EFAULT);
    }
}

static void fill(const struct subject *subject, u8 byte)
{
    if (subject->content != NULL)
        memset(subject->content, byte, subject->content_bytes);
}

static bool is_filled(const struct subject *subject, u8 byte)
{
    const u8 *bytes = subject->content;

    for (ul i = 0; bytes != NULL && i < subject->content_bytes; i++)
        if (bytes[i] != byte)
            return false;
    return true;
}

/* Runs it on this CPU or on another; false when there is none. */
static bool run_on(bool elsewhere, void (*fn)(void *))
{
    if (elsewhere)
        return world_run_elsewhere(fn, NULL);
    fn(NULL);
    return true;
}

/* One report with the right words, and nothing has changed. */
static bool trial_is_refused(bool called_elsewhere)
{
    static const char *const calls[] = {"kfree", "free_pages", "frame_free"};
    struct mm_violation found;
    bool right;

    fill(&trial.subject, 0xa5);
    test_watch();
    right = EXPECT(run_on(called_elsewhere, call_trial));
    right = EXPECT_REPORT(calls[trial.misuse->call], trial.subject.reported, trial.subject.words) && right;
    right = EXPECT(is_filled(&trial.subject, 0xa5)) && right;
    return EXPECT(mm_check(&found)) && right;
}

/* Is it no surprise that it could not be made? */
static bool may_lack(const struct misuse *misuse)
{
    bool has_pages = zone_has_pages(0, 1) && zone_has_pages(1, 4);

    return misuse->need == MAY_LACK || (misuse->need == WITH_PAGES && !has_pages);
}

static void unload_trial(void *unused)
{
    (void)unused;
    paging_load(paging_kernel_top());
}

/* True when it could be made. */
static bool try_misuse(const struct misuse *misuse, bool made_elsewhere, bool called_elsewhere)
{
    trial.misuse = misuse;
    trial.subject = (struct subject){.block = PHYS_NONE};
    str_copy(trial.subject.words, sizeof trial.subject.words, misuse->words);
    EXPECT(run_on(made_elsewhere, make_trial));
    if (trial.made && !trial_is_refused(called_elsewhere))
        test_note("that was: %s, by call %u, made on CPU %u, called on CPU %u", misuse->name, misuse->call,
                  made_elsewhere, called_elsewhere);
    if (!trial.made && may_lack(misuse))
        test_note("%s: not on this machine", misuse->name);
    else if (!trial.made)
        test_fail(TEST_HERE, "%s, by call %u: could not be made", misuse->name, misuse->call);
    if (trial.subject.loaded.addr != 0)
        EXPECT(run_on(made_elsewhere, unload_trial));
    subject_drop(&trial.subject);
    return trial.made;
}

static void try_all(bool made_elsewhere, bool called_elsewhere)
{
    static const struct misuse *const tables[] = {misuses, misuses_of_tops};
    unsigned n_tried = 0, n = 0;

    for (unsigned i = 0; i < ARRAY_LENGTH(tables); i++)
        for (const struct misuse *misuse = tables[i]; misuse->name != NULL; misuse++) {
            if (misuse->need == IN_DEBUG_MODE && mm_debug_features() == 0)
                continue;
            n_tried += try_misuse(misuse, made_elsewhere, called_elsewhere);
            n++;
        }
    test_note("%u of %u rows tried", n_tried, n);
}

static void wrong_frees_are_refused(void)
{
    try_all(false, false);
}

static void nothing(void *unused)
{
    (void)unused;
}

static void wrong_frees_of_what_another_cpu_took_are_refused(void)
{
    if (!world_run_elsewhere(nothing, NULL)) {
        test_skip("there is one CPU");
        return;
    }
    try_all(true, false);
}

static void wrong_frees_on_another_cpu_are_refused(void)
{
    if (!world_run_elsewhere(nothing, NULL)) {
        test_skip("there is one CPU");
        return;
    }
    try_all(false, true);
}

/* ---- two CPUs free the same thing ---- */

#define N_DUELS (world_has_time() ? 300u : 100u)

static struct {
    enum misuse_call call;
    ul at;
    int number;
    u32 n_won;
} duel;

static void free_it(void *unused)
{
    bool won = false;

    (void)unused;
    if (duel.call == BY_KFREE)
        won = kfree((void *)duel.at) == 0;
    else if (duel.call == BY_FRAME_FREE)
        won = frame_free(phys(duel.at), (unsigned)duel.number) == 0;
    else
        free_pages((struct Page *)duel.at, duel.number); /* it does not tell: the reports are counted */
    __atomic_fetch_add(&duel.n_won, won, __ATOMIC_RELAXED);
}

/* Something to fight about: number is a size, a number of pages, or an order. */
static ul prize(enum misuse_call call, int number)
{
    if (call == BY_KFREE)
        return (ul)kmalloc((ul)number, 0);
    if (call == BY_FREE_PAGES)
        return (ul)alloc_pages(ZONE_NORMAL, number, 0);
    return frame_alloc(ZONE_NORMAL, (unsigned)number).addr;
}

static void fight(enum misuse_call call, int number)
{
    ul n_misuses = mm_misuse_count();

    for (unsigned i = 0; i < N_DUELS; i++) {
        duel.call = call;
        duel.number = number;
        duel.at = prize(call, number);
        duel.n_won = 0;
        if (!EXPECT(duel.at != 0 && duel.at != PHYS_NONE.addr))
            break;
        world_run_on_two(free_it, NULL);
        if (call != BY_FREE_PAGES)
            EXPECT_EQUAL(duel.n_won, 1);
        EXPECT_EQUAL(mm_misuse_count() - n_misuses, i + 1);
    }
    test_announce_reports(mm_misuse_count() - n_misuses);
}

static void of_two_frees_at_the_same_moment_one_succeeds(void)
{
    static const int sizes[] = {32, 2048, 4096, 32768, 1 << 20}, orders[] = {0, 1, 3, 4, 8, 9},
                     numbers[] = {1, 2, 3};

    if (!world_run_elsewhere(nothing, NULL)) {
        test_skip("there is one CPU");
        return;
    }
    world_hush_misuses(true);
    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++)
        fight(BY_KFREE, sizes[i]);
    for (unsigned i = 0; i < ARRAY_LENGTH(orders); i++)
        fight(BY_FRAME_FREE, orders[i]);
    for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++)
        fight(BY_FREE_PAGES, numbers[i]);
    world_hush_misuses(false);
}

static void expect_bad_kfree(ul address)
{
    test_watch();
    EXPECT(kfree((void *)address) != 0);
    EXPECT_REPORT("kfree", address, "");
}

static void kfree_of_random_numbers(void)
{
    u64 random = 0x9e3779b97f4a7c15UL;

    for (unsigned i = 0; i < 30; i++) {
        expect_bad_kfree(test_random(&random) | 1); /* odd: never the start of an object */
        expect_bad_kfree((PAGE_OFFSET + test_random(&random) % mm_ram_end()) | 1);
    }
}

static const struct test tests[] = {
    TEST(wrong_frees_are_refused),
    TEST(wrong_frees_of_what_another_cpu_took_are_refused),
    TEST(wrong_frees_on_another_cpu_are_refused),
    TEST(of_two_frees_at_the_same_moment_one_succeeds),
    TEST(kfree_of_random_numbers),
    TEST_END,
};

const struct test_suite selftest_misuse = {"misuse", "wrong frees: one report each, and no effect", tests};
