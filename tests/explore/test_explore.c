/* SPDX-License-Identifier: MIT */
/*
 * The worlds of the explorer, each to a depth that takes a second.  `build/host/explore` goes on from there.
 *
 * That it finds something is tested by worlds that are not as they should be: an operation that frees what it
 * is not to free, and a state that mm_check refuses.
 */
#include <cmocka_all.h>
#include <explore.h>

#include <mm/frame.h>
#include <mm/page.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STATES  100000
#define MAX_SECONDS 250 /* not reached, unless something is very wrong: then the depth is not either */

/* Sanitizers and counters make everything several times slower. */
#ifdef EXPLORE_SHALLOW
#define DEPTH(quick, full) ((full)-2)
#else
#define DEPTH(quick, full) (is_quick() ? (quick) : (full))
#endif

static __attribute__((unused)) bool is_quick(void)
{
    const char *mode = getenv("TESSERA_TESTS");

    return mode != NULL && strcmp(mode, "quick") == 0;
}

static void explore(const char *name, unsigned depth)
{
    const struct world *world = worlds;
    struct search_result result;

    while (world->name != NULL && strcmp(world->name, name) != 0)
        world++;
    assert_non_null(world->name);
    assert_true(search(world, depth, MAX_STATES, MAX_SECONDS, &result));
    printf("# %s: all sequences of %u operations%s, %lu states\n", name, result.depth,
           result.is_closed ? ", and all longer ones" : "", result.n_states);
    assert_true(result.depth == depth || result.is_closed);
}

static void every_sequence_of_frames_is_sound(void **state)
{
    (void)state;
    explore("frames", DEPTH(3, 5));
}

static void every_sequence_of_frames_is_sound_when_few_are_left(void **state)
{
    (void)state;
    explore("scarce_frames", DEPTH(4, 6));
}

static void every_sequence_of_frames_is_sound_when_dma_lends(void **state)
{
    (void)state;
    explore("dry_frames", DEPTH(5, 7));
}

static void every_sequence_of_pages_is_sound(void **state)
{
    (void)state;
    explore("pages", DEPTH(5, 8));
}

static void every_sequence_of_objects_is_sound(void **state)
{
    (void)state;
    explore("objects", DEPTH(4, 6));
}

static void every_sequence_of_objects_is_sound_when_few_frames_are_left(void **state)
{
    (void)state;
    explore("scarce_objects", DEPTH(4, 6));
}

static void every_sequence_of_all_kinds_is_sound_when_few_frames_are_left(void **state)
{
    (void)state;
    explore("scarce_mixture", DEPTH(3, 4));
}

/* ---- that it would find something ---- */

/* Frees a thing without saying so. */
static bool operation_steal(struct things *things, const struct operation *operation)
{
    (void)operation;
    return things->n == 3 && thing_free(&things->thing[1]);
}

/* Loses a frame of the zone's count. */
static bool operation_miscount(struct things *things, const struct operation *operation)
{
    (void)operation;
    if (things->n != 3)
        return false;
    mm.zone[1].n_free_frames--;
    return true;
}

/* Keeps a frame for itself. */
static bool operation_keep(struct things *things, const struct operation *operation)
{
    (void)operation;
    return things->n == 3 && !phys_is_none(frame_alloc(ZONE_NORMAL, 0));
}

static void expect_found(bool (*broken)(struct things *, const struct operation *))
{
    const struct operation operations[] = {
        {.name = "take", .run = operation_frames, .zone = ZONE_NORMAL, .size = 0},
        {.name = "break", .run = broken},
        {.name = "free", .run = operation_free, .which = 1},
        {.name = NULL},
    };
    const struct world world = {"broken", MIB(10), 3, NULL, operations};
    struct search_result result;

    search_is_silent = true;
    assert_false(search(&world, 5, MAX_STATES, MAX_SECONDS, &result));
    search_is_silent = false;
    assert_int_equal(result.depth, 3);
}

static void what_is_freed_by_another_is_found(void **state)
{
    (void)state;
    expect_found(operation_steal);
}

static void a_wrong_count_is_found(void **state)
{
    (void)state;
    expect_found(operation_miscount);
}

static void a_lost_frame_is_found(void **state)
{
    (void)state;
    expect_found(operation_keep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_frames_is_sound),
        cmocka_unit_test(every_sequence_of_frames_is_sound_when_few_are_left),
        cmocka_unit_test(every_sequence_of_frames_is_sound_when_dma_lends),
        cmocka_unit_test(every_sequence_of_pages_is_sound),
        cmocka_unit_test(every_sequence_of_objects_is_sound),
        cmocka_unit_test(every_sequence_of_objects_is_sound_when_few_frames_are_left),
        cmocka_unit_test(every_sequence_of_all_kinds_is_sound_when_few_frames_are_left),
        cmocka_unit_test(what_is_freed_by_another_is_found),
        cmocka_unit_test(a_wrong_count_is_found),
        cmocka_unit_test(a_lost_frame_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
