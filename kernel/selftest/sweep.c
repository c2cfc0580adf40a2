/* SPDX-License-Identifier: MIT */
/*
 * The sweep.
 *
 *     reference    prepare, shrink, look (mm_stat), clean
 *     n = 1, 2 ..  prepare, look (mappings), make request n fail, call,
 *                  refused: look (mappings) | succeeded: undo
 *                  check, shrink, look (mm_stat, mappings), clean
 *     until no request failed: then the call had no more than n - 1
 *
 * Each round begins with a shrink, so that the same requests come in the same order.
 *
 * What a state takes is noted in itself: objects in a list through their first words, frames as well.  Besides what the
 * picture shows, each round compares the live objects of each class, sums up the zones' lists, and reads what the state holds.
 */
#include <kernel/selftest/hoard.h>
#include <kernel/selftest/sweep.h>
#include <kernel/selftest/tables.h>
#include <kernel/selftest/world.h>
#include <lib/list.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/debug.h>
#include <mm/fail.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/paging_core.h>
#include <mm/role.h>
#include <mm/slab.h>

#define MAX_REQUESTS 400 /* more than any call of a sweep makes */
#define N_SCATTERED  12

struct sweep_round {
    bool succeeded;
    u64 n_failed;
};

static struct {
    const struct sweep *now;
    struct mm_stat_t stat; /* with what was prepared */
    u64 n_role_tables;
    u64 n_live[MM_N_CLASSES];
    u64 mappings;
    u64 n_requests, n_refused, n_survived;
} sweep;

/* Since sweep_tell. */
static struct {
    u64 n_cases, n_tried, n_requests, n_refused, n_survived;
} total;

static bool held_is_whole(void);

static bool prepare(void)
{
    mm_shrink();
    return sweep.now->prepare == NULL || sweep.now->prepare(sweep.now->argument);
}

static void clean(void)
{
    if (sweep.now->clean != NULL)
        sweep.now->clean(sweep.now->argument);
}

static void fail_at(u64 n, const char *what)
{
    char name[80];

    ksnprintf(name, sizeof name, sweep.now->name, sweep.now->argument);
    test_fail(TEST_HERE, "%s, request %lu: %s", name, n, what);
}

static u64 n_role_tables(void)
{
    u64 n = 0;

    for (u32 i = 0; i < mm.n_pages; i++)
        n += page_at(i)->roles != NULL;
    return n;
}

/* What mm_stat is to say after a shrink. */
static struct mm_stat_t expected_stat(void)
{
    struct mm_stat_t stat = sweep.stat;
    u64 more = (sweep.now->flags & SWEEP_MOVES) ? (n_role_tables() - sweep.n_role_tables) * PAGE_4K_SIZE : 0;

    stat.used += more;
    stat.free -= more;
    stat.available -= more;
    return stat;
}

/* The live objects of each class. */
static void count_live(u64 n_live[MM_N_CLASSES])
{
    for (unsigned class = 0; class < MM_N_CLASSES; class++) {
        struct mm_class_info info;

        mm_class_info(class, &info);
        n_live[class] = info.n_live;
    }
}

/* Whether as many objects of each class live, all of a zone's free memory lies in its lists or in CPUs' stacks, and what the
 * state holds has kept its content. */
static void expect_no_other_change(u64 n)
{
    u64 n_live[MM_N_CLASSES];
    struct mm_zone_info zone;

    count_live(n_live);
    if (memcmp(n_live, sweep.n_live, sizeof n_live) != 0)
        fail_at(n, "other objects live");
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        u64 bytes = 0;

        mm_zone_info(i, &zone);
        for (unsigned order = 0; order < MM_N_ORDERS; order++)
            bytes += zone.n_free_blocks[order] * FRAME_BYTES << order;
        if (bytes + zone.cached_bytes != zone.free_bytes || zone.free_bytes + zone.used_bytes != zone.managed_bytes)
            fail_at(n, "a zone's lists are not what it counts");
    }
    if (!held_is_whole())
        fail_at(n, "what is held was written to");
}

/* All is as it was before the call, but for what is cached.  Where a check takes long, only the last round
 * has one. */
static void expect_as_before(u64 n, bool is_last)
{
    struct mm_violation found;

    if (mappings_hash(current_top()) != sweep.mappings)
        fail_at(n, "mappings have changed");
    if ((is_last || world_has_time() || mm_ram_end() <= MIB(64)) && !mm_check(&found))
        test_fail(TEST_HERE, "request %lu: I%u is broken: %s, at 0x%lx", n, found.number, found.text,
                  found.where);
    mm_shrink();
    if (!EXPECT_SAME_STAT(expected_stat()))
        fail_at(n, "memory is not as it was");
    expect_no_other_change(n);
}

/* One round: request n fails, or all from n on. */
static struct sweep_round run_round(enum fail_mode mode, bool with_caches, u64 n)
{
    struct fail_info info;
    struct sweep_round round;
    u64 n_notes, words = table_words_hash(current_top().addr, true);

    sweep.mappings = mappings_hash(current_top());
    EXPECT(fail_arm(mode, n, with_caches));
    n_notes = world_n_notes();
    round.succeeded = sweep.now->call(sweep.now->argument);
    n_notes = world_n_notes() - n_notes;
    fail_info(&info);
    EXPECT(fail_disarm());
    round.n_failed = info.n_failed;
    if (n_notes > !round.succeeded || ((sweep.now->flags & SWEEP_TELLS) && n_notes != !round.succeeded))
        fail_at(n, "the number of log lines is wrong");
    if (!round.succeeded && round.n_failed == 0 && !(sweep.now->flags & SWEEP_MAY_LACK))
        fail_at(n, "it is refused, but no request failed");
    sweep.n_requests = info.n_requests > sweep.n_requests ? info.n_requests : sweep.n_requests;
    if (!round.succeeded && table_words_hash(current_top().addr, true) != words)
        fail_at(n, "it was refused, but a word of a table has changed");
    if (round.succeeded && sweep.now->undo != NULL)
        sweep.now->undo(sweep.now->argument);
    expect_as_before(n, round.n_failed == 0);
    return round;
}

/* Makes the requests fail one after the other; false when the state cannot be had here. */
static bool sweep_rounds(enum fail_mode mode, bool with_caches)
{
    for (u64 n = 1; n <= MAX_REQUESTS; n++) {
        struct sweep_round round;

        if (!prepare()) {
            clean();
            return false;
        }
        round = run_round(mode, with_caches, n);
        clean();
        if (round.n_failed == 0)
            return true;
        sweep.n_refused += !round.succeeded;
        sweep.n_survived += round.succeeded;
    }
    fail_at(MAX_REQUESTS, "it makes requests without end");
    return true;
}

/* What memory is like with the state prepared, and nothing cached. */
static bool take_reference(void)
{
    if (!prepare()) {
        clean();
        return false;
    }
    mm_shrink();
    sweep.stat = mm_stat();
    sweep.n_role_tables = n_role_tables();
    count_live(sweep.n_live);
    clean();
    return true;
}

static void tell_impossible(const char *name)
{
    if (sweep.now->flags & SWEEP_MAY_MISS)
        test_note("%s: not on this machine", name);
    else
        test_fail(TEST_HERE, "%s: could not be prepared", name);
}

static void sweep_case(const struct sweep *now)
{
    char name[80];
    bool possible;

    sweep.now = now;
    sweep.n_requests = sweep.n_refused = sweep.n_survived = 0;
    ksnprintf(name, sizeof name, now->name, now->argument);
    total.n_cases++;
    possible = take_reference();
    for (unsigned i = 0; i < 4 && possible; i++) {
        bool with_caches = i / 2 != 0;
        u64 n_before = sweep.n_refused + sweep.n_survived;

        possible = sweep_rounds(i % 2 == 0 ? FAIL_NTH : FAIL_FROM, with_caches);
        if (possible && (now->flags & SWEEP_ASKS) && !with_caches &&
            sweep.n_refused + sweep.n_survived == n_before)
            test_fail(TEST_HERE, "%s: no request was there to fail", name);
    }
    if (!possible) {
        tell_impossible(name);
        return;
    }
    total.n_tried++;
    total.n_requests += sweep.n_requests;
    total.n_refused += sweep.n_refused;
    total.n_survived += sweep.n_survived;
    if ((now->flags & SWEEP_NEVER_ASKS) && mm_debug_features() == 0 && sweep.n_requests != 0) /* red zones need room */
        test_fail(TEST_HERE, "%s: makes requests, and should not", name);
}

void sweep_all(const struct sweep *cases, unsigned n)
{
    world_hush_notes(true);
    for (unsigned i = 0; i < n; i++)
        sweep_case(&cases[i]);
    world_hush_notes(false);
}

void sweep_tell(void)
{
    test_note("cases: %lu of %lu; requests that were made to fail: %lu; calls refused: %lu; calls that got on without: %lu",
              total.n_tried, total.n_cases, total.n_requests, total.n_refused, total.n_survived);
    memset(&total, 0, sizeof total);
}

/* ---- states ---- */

static struct {
    void *objects; /* each begins with the address of the next */
    u64 frames;    /* the same, physical; 0: none */
    struct hoard hoard;
} taken;

static unsigned class_of_bytes(ul bytes)
{
    unsigned class = 0;

    bytes = mm_debug_slot_bytes(bytes);
    while ((32UL << class) < bytes)
        class ++;
    return class;
}

/* The first word of an object leads to the next, the second is its size; each of these, but for the two, is its own address. */
static ul n_marked(ul bytes)
{
    return bytes / sizeof(void *) < 64 ? bytes / sizeof(void *) : 64;
}

static bool take_object(ul bytes)
{
    void **object = kmalloc(bytes, 0);

    if (!EXPECT(object != NULL))
        return false;
    object[0] = taken.objects;
    object[1] = (void *)bytes;
    for (ul i = 2; i < n_marked(bytes); i++)
        object[i] = object + i;
    taken.objects = object;
    return true;
}

static bool held_is_whole(void)
{
    for (void **object = taken.objects; object != NULL; object = object[0])
        for (ul i = 2; i < n_marked((ul)object[1]); i++)
            if (object[i] != object + i)
                return false;
    return true;
}

bool sweep_fill_slabs(ul bytes)
{
    struct mm_class_info info;

    mm_class_info(class_of_bytes(bytes), &info);
    while (info.n_live < info.n_objects) {
        if (!take_object(bytes))
            return false;
        mm_class_info(class_of_bytes(bytes), &info);
    }
    return true;
}

/* A slab of 2 KiB objects has 2 of them, and the smallest descriptor; with red zones they are smaller. */
bool sweep_fill_descriptors(ul bytes)
{
    ul two_kib = 2048 * 2048 / mm_debug_slot_bytes(2048);

    while (!list_is_empty(&mm.descriptors.partial))
        if (!sweep_fill_slabs(two_kib) || !take_object(two_kib))
            return false;
    return sweep_fill_slabs(two_kib) && sweep_fill_slabs(bytes);
}

/* What is taken serves as page tables, of which nobody knows: a page that had no role before is not wanted. */
bool sweep_fill_role_pages(ul bytes)
{
    if (!sweep_fill_descriptors(bytes))
        return false;
    while (mm.zone[1].split[SPLIT_ROLES].mask != 0) {
        phys_t frame = table_frame_alloc(1);

        if (phys_is_none(frame))
            return false;
        if (page_of(frame)->n_roles == 1) {
            table_frame_free(frame);
            return true;
        }
        *(u64 *)phys_pointer(frame) = taken.frames; /* bit 0 is clear: no entry that leads anywhere */
        taken.frames = frame.addr;
    }
    return true;
}

bool sweep_scatter(ul bytes)
{
    if (!sweep_fill_slabs(bytes))
        return false;
    hoard_fill(&taken.hoard);
    return hoard_release_scattered(&taken.hoard, N_SCATTERED) > 1;
}

void sweep_release(ul argument)
{
    (void)argument;
    objects_free(taken.objects);
    taken.objects = NULL;
    while (taken.frames != 0) {
        u64 frame = taken.frames;

        taken.frames = *(u64 *)phys_pointer(phys(frame));
        *(u64 *)phys_pointer(phys(frame)) = 0;
        table_frame_free(phys(frame));
    }
    hoard_free(&taken.hoard);
}
