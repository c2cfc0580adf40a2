/* SPDX-License-Identifier: MIT */
/*
 * Tests of mm/memory_map.c: by hand, against a model that decides byte by byte, and on maps of machines.
 *
 * The model looks at a window of 16 frames of the address space, at 0 or around 2^52.  For each byte it keeps
 * how strict the strictest entry over it is; what a walk gives must be exactly the runs of equal bytes.
 */
#include "cmocka_all.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lib/bits.h>
#include <mm/memory_map.h>

#include "map_text.h"

#define FRAME               MEMORY_MAP_FRAME_BYTES
#define N_MODEL_FRAMES      16
#define WINDOW_BYTES        (N_MODEL_FRAMES * FRAME)
#define N_MODEL_ENTRIES_MAX 14
#define N_MODEL_ROUNDS      1500

#ifndef HOST_SLOWNESS
#define HOST_SLOWNESS 1 /* how many times as long anything may take: more where each step is counted */
#endif

#define MAP_OF(array)                                                                                        \
    {                                                                                                        \
        .entries = (array), .n_entries = ARRAY_LENGTH(array), .stride_bytes = sizeof((array)[0])             \
    }

static void assert_range(const struct memory_map *map, u64 from, u64 start, u64 end, u32 type)
{
    struct memory_range range;

    assert_true(memory_map_next(map, from, &range));
    assert_int_equal(range.start, start);
    assert_int_equal(range.end, end);
    assert_int_equal(range.type, type);
}

static void assert_usable(const struct memory_map *map, u64 from, u64 start, u64 end)
{
    struct memory_range range;

    assert_true(memory_map_next_usable(map, from, &range));
    assert_int_equal(range.start, start);
    assert_int_equal(range.end, end);
    assert_int_equal(range.type, MEMORY_USABLE);
}

static void assert_usable_end(const struct memory_map *map, u64 from)
{
    struct memory_range range;

    assert_false(memory_map_next_usable(map, from, &range));
}

static void an_empty_map_has_nothing(void **unused)
{
    struct memory_map map = {.stride_bytes = 24};
    struct memory_range range;

    (void)unused;
    assert_false(memory_map_next(&map, 0, &range));
    assert_usable_end(&map, 0);
    assert_int_equal(memory_map_usable_bytes(&map), 0);
    assert_int_equal(memory_map_usable_end(&map), 0);
    assert_false(memory_map_overlaps_usable(&map, 0, ~(u64)0));
}

/*
 *      1 |=====================|
 *      2         |=====|
 */
static void the_stricter_type_cuts_a_hole(void **unused)
{
    const struct memory_map_entry entries[] = {{0x1000, 0x9000, 1}, {0x4000, 0x2000, 2}};
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    assert_range(&map, 0, 0x1000, 0x4000, 1);
    assert_range(&map, 0x4000, 0x4000, 0x6000, 2);
    assert_range(&map, 0x6000, 0x6000, 0xa000, 1);
    assert_usable(&map, 0, 0x1000, 0x4000);
    assert_usable(&map, 0x4000, 0x6000, 0xa000);
    assert_usable_end(&map, 0xa000);
    assert_int_equal(memory_map_usable_bytes(&map), 0x7000);
    assert_int_equal(memory_map_usable_end(&map), 0xa000);
}

/* Every type lies over all weaker ones, each beginning 0x1000 before the next stricter. */
static void types_are_ranked_as_documented(void **unused)
{
    static const u32 ascending[] = {1, 7, 3, 4, 0, 2, 6, 20, 0xffffffff, 5};
    struct memory_map_entry entries[ARRAY_LENGTH(ascending)];
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    for (u64 i = 0; i < ARRAY_LENGTH(ascending); i++)
        entries[(i * 3) % ARRAY_LENGTH(ascending)] =
            (struct memory_map_entry){i * 0x1000, 0x20000 - i * 0x1000, ascending[i]};
    for (u64 i = 0; i + 1 < ARRAY_LENGTH(ascending); i++)
        assert_range(&map, i * 0x1000, i * 0x1000, (i + 1) * 0x1000, ascending[i]);
}

static void neighbours_of_one_type_merge_in_any_order(void **unused)
{
    const struct memory_map_entry entries[] = {
        {0x3000, 0x1000, 1}, {0x1000, 0x1000, 1}, {0x2000, 0x1000, 1}, {0x0, 0x1000, 1}, {0x3800, 0x1800, 1},
    };
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    assert_range(&map, 0, 0, 0x5000, 1);
    assert_usable(&map, 0, 0, 0x5000);
    assert_usable(&map, 0x1800, 0x2000, 0x5000);
}

static void usable_memory_is_rounded_inward_to_frames(void **unused)
{
    const struct memory_map_entry entries[] = {{0x800, 0x2000, 1}, {0x3000, 0xfff, 1}, {0x5000, 0x9fc00, 1}};
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    assert_usable(&map, 0, 0x1000, 0x2000);
    assert_usable(&map, 0x2000, 0x5000, 0xa4000);
    assert_usable_end(&map, 0xa4000);
}

static void one_byte_of_another_type_spoils_its_frame(void **unused)
{
    const struct memory_map_entry entries[] = {{0, 0x4000, 1}, {0x1fff, 1, 7}};
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    assert_usable(&map, 0, 0, 0x1000);
    assert_usable(&map, 0x1000, 0x2000, 0x4000);
}

static void empty_and_wrapping_entries_are_defects_and_count_for_nothing(void **unused)
{
    const struct memory_map_entry entries[] = {
        {0x0, 0x10000, 1}, {0x2000, 0, 2},        {0x3000, ~(u64)0 - 0x3000 + 2, 2}, /* one byte past 2^64 */
        {0, 0, 2},         {~(u64)0, ~(u64)0, 5}, {~(u64)0, 0, 1},
    };
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    assert_int_equal(memory_map_defect(&map, 0), MEMORY_MAP_SOUND);
    assert_int_equal(memory_map_defect(&map, 1), MEMORY_MAP_EMPTY);
    assert_int_equal(memory_map_defect(&map, 2), MEMORY_MAP_WRAPS);
    assert_int_equal(memory_map_defect(&map, 3), MEMORY_MAP_EMPTY);
    assert_int_equal(memory_map_defect(&map, 4), MEMORY_MAP_WRAPS);
    assert_int_equal(memory_map_defect(&map, 5), MEMORY_MAP_EMPTY);
    assert_range(&map, 0, 0, 0x10000, 1);
    assert_int_equal(memory_map_usable_bytes(&map), 0x10000);
}

static void an_entry_that_ends_exactly_at_2_to_the_64_counts(void **unused)
{
    const struct memory_map_entry entries[] = {{0, 0x10000, 1}, {0x4000, ~(u64)0 - 0x4000 + 1, 2}};
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    assert_int_equal(memory_map_defect(&map, 1), MEMORY_MAP_TOO_HIGH);
    assert_int_equal(memory_map_usable_bytes(&map), 0x4000);
    assert_range(&map, 0x4000, 0x4000, MEMORY_MAP_END, 2);
}

static void the_whole_address_space_may_be_one_entry(void **unused)
{
    const struct memory_map_entry entries[] = {{0, ~(u64)0, 1}};
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    assert_int_equal(memory_map_usable_bytes(&map), MEMORY_MAP_END);
    assert_usable(&map, MEMORY_MAP_END - 1 - FRAME, MEMORY_MAP_END - FRAME, MEMORY_MAP_END);
    assert_usable_end(&map, MEMORY_MAP_END - 1);
}

static void addresses_from_2_to_the_52_do_not_count(void **unused)
{
    const struct memory_map_entry entries[] = {
        {MEMORY_MAP_END - 0x2000, 0x4000, 1},
        {MEMORY_MAP_END, 0x1000, 1},
        {MEMORY_MAP_END - 0x1000, 0x10000, 3},
    };
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    assert_int_equal(memory_map_defect(&map, 0), MEMORY_MAP_TOO_HIGH);
    assert_int_equal(memory_map_defect(&map, 1), MEMORY_MAP_TOO_HIGH);
    assert_usable(&map, 0, MEMORY_MAP_END - 0x2000, MEMORY_MAP_END - 0x1000);
    assert_range(&map, MEMORY_MAP_END - 1, MEMORY_MAP_END - 1, MEMORY_MAP_END, 3);
    assert_usable_end(&map, ~(u64)0);
    assert_int_equal(memory_map_usable_bytes(&map), 0x1000);
}

static void entries_may_lie_at_any_stride_and_alignment(void **unused)
{
    u8 raw[3 * 41 + 1];
    struct memory_map map = {.entries = raw + 1, .n_entries = 3, .stride_bytes = 41};

    (void)unused;
    memset(raw, 0xff, sizeof(raw));
    for (u64 i = 0; i < 3; i++) {
        struct memory_map_entry entry = {i * 0x2000, 0x1000, 1};

        memcpy(raw + 1 + i * 41, &entry, 20);
    }
    assert_int_equal(memory_map_entry(&map, 2).base, 0x4000);
    assert_int_equal(memory_map_entry(&map, 2).type, 1);
    assert_int_equal(memory_map_usable_bytes(&map), 0x3000);
}

static void questions_about_ranges_look_at_whole_frames(void **unused)
{
    const struct memory_map_entry entries[] = {{0x1000, 0x3000, 1}, {0x5000, 0x1800, 1}};
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    assert_true(memory_map_overlaps_usable(&map, 0, 0x1001));
    assert_false(memory_map_overlaps_usable(&map, 0, 0x1000));
    assert_true(memory_map_overlaps_usable(&map, 0x3fff, 0x4000));
    assert_false(memory_map_overlaps_usable(&map, 0x4000, 0x5000));
    assert_false(memory_map_overlaps_usable(&map, 0x6000, ~(u64)0));
    assert_false(memory_map_overlaps_usable(&map, 0x2000, 0x2000));

    assert_true(memory_map_is_usable(&map, 0x1000, 0x4000));
    assert_true(memory_map_is_usable(&map, 0x1234, 0x1235));
    assert_false(memory_map_is_usable(&map, 0x0fff, 0x2000));
    assert_false(memory_map_is_usable(&map, 0x3000, 0x5001));
    assert_false(memory_map_is_usable(&map, 0x6000, 0x6001));
    assert_true(memory_map_is_usable(&map, 0x6000, 0x6000));
    map.usable_limit = 0x3800; /* the last frame below it is no whole one */
    assert_true(memory_map_is_usable(&map, 0x1000, 0x3000));
    assert_false(memory_map_is_usable(&map, 0x1000, 0x3001));
    assert_false(memory_map_is_usable(&map, 0x1000, 0x4000));
}

static void a_limit_keeps_the_first_bytes_of_memory(void **unused)
{
    const struct memory_map_entry entries[] = {{0x10000, 0x4000, 1}, {0x1000, 0x2000, 1}};
    struct memory_map map = MAP_OF(entries);

    (void)unused;
    memory_map_limit(&map, 0x3fff);
    assert_int_equal(memory_map_usable_bytes(&map), 0x3000);
    assert_usable(&map, 0x3000, 0x10000, 0x11000);
    assert_usable_end(&map, 0x11000);
    assert_true(memory_map_overlaps_usable(&map, 0x10fff, 0x12000));
    assert_false(memory_map_overlaps_usable(&map, 0x11000, 0x12000));
    assert_range(&map, 0x3000, 0x10000, 0x14000, 1);

    memory_map_limit(&map, 0x2000);
    assert_int_equal(memory_map_usable_end(&map), 0x3000);
    memory_map_limit(&map, 100);
    assert_int_equal(memory_map_usable_bytes(&map), 0);
    memory_map_limit(&map, 0x100000);
    assert_int_equal(memory_map_usable_bytes(&map), 0x6000);
    memory_map_limit(&map, 0);
    assert_int_equal(memory_map_usable_bytes(&map), 0x6000);
}

/* The model: how strict is the strictest entry over each byte of the window; 0 where there is none. */
struct model {
    u64 origin;
    u8 rank[WINDOW_BYTES];
    struct memory_map_entry entries[N_MODEL_ENTRIES_MAX];
    struct memory_map map;
};

/* Types from the weakest to the strictest; the rank of a byte is the index here plus one. */
static const u32 model_types[] = {1, 7, 3, 4, 0, 2, 6, 0x80000000, 5};

static void model_cover(struct model *model, struct memory_map_entry entry, u8 rank)
{
    if (entry.length == 0 || entry.base + (entry.length - 1) < entry.base)
        return;
    for (u64 i = 0; i < WINDOW_BYTES; i++) {
        u64 address = model->origin + i;

        if (address < MEMORY_MAP_END && address >= entry.base && address - entry.base < entry.length)
            model->rank[i] = (u8)max_u64(model->rank[i], rank);
    }
}

/* An address in or near the window, mostly near a frame border. */
static u64 random_address(const struct model *model, u64 *state)
{
    u64 address = model->origin + random_below(state, N_MODEL_FRAMES) * FRAME;

    switch (random_below(state, 4)) {
    case 0:
        return address + random_below(state, FRAME);
    case 1:
        return address + random_below(state, 3) - 1;
    default:
        return address;
    }
}

static void model_fill(struct model *model, u64 *state)
{
    u64 n_types = 1 + random_below(state, ARRAY_LENGTH(model_types));

    model->origin = random_below(state, 3) == 0 ? MEMORY_MAP_END - WINDOW_BYTES / 2 : 0;
    memset(model->rank, 0, sizeof(model->rank));
    model->map = (struct memory_map){.entries = model->entries, .stride_bytes = sizeof(model->entries[0])};
    model->map.n_entries = random_below(state, N_MODEL_ENTRIES_MAX + 1);
    for (u64 i = 0; i < model->map.n_entries; i++) {
        u64 a = random_address(model, state), b = random_address(model, state);
        u8 kind = random_below(state, 2) == 0 ? 0 : (u8)random_below(state, n_types);

        /* Length b - a: half of them wrap past 2^64; most of those are turned round. */
        if (b < a && random_below(state, 8) != 0) {
            u64 swap = a;

            a = b;
            b = swap;
        }
        model->entries[i] = (struct memory_map_entry){a, b - a, model_types[kind]};
        model_cover(model, model->entries[i], (u8)(kind + 1));
    }
}

static void model_check_merged(struct model *model)
{
    struct memory_range range = {0};
    u64 at = 0;

    while (memory_map_next(&model->map, model->origin + at, &range)) {
        u64 start = range.start - model->origin, end = min_u64(range.end - model->origin, WINDOW_BYTES);

        if (start >= WINDOW_BYTES)
            break;
        for (; at < start; at++)
            assert_int_equal(model->rank[at], 0);
        for (; at < end; at++) {
            assert_int_not_equal(model->rank[at], 0);
            assert_int_equal(model_types[model->rank[at] - 1], range.type);
        }
        if (end < WINDOW_BYTES)
            assert_int_not_equal(model->rank[end], model->rank[end - 1]);
    }
    for (; at < WINDOW_BYTES; at++)
        assert_int_equal(model->rank[at], 0);
}

static bool model_frame_is_usable(const struct model *model, u64 frame)
{
    for (u64 i = 0; i < FRAME; i++)
        if (model->rank[frame * FRAME + i] != 1)
            return false;
    return true;
}

static void model_check_usable(struct model *model)
{
    struct memory_range range = {.end = model->origin};
    bool usable[N_MODEL_FRAMES + 1] = {false};
    u64 last_end = 0, n_usable = 0, n_in_runs = 0;

    for (u64 i = 0; i < N_MODEL_FRAMES; i++) {
        usable[i] = model_frame_is_usable(model, i);
        n_usable += usable[i];
    }
    while (memory_map_next_usable(&model->map, range.end, &range) &&
           range.start < model->origin + WINDOW_BYTES) {
        assert_true(is_aligned(range.start, FRAME) && is_aligned(range.end, FRAME) &&
                    range.start < range.end);
        assert_true(last_end == 0 || range.start > last_end);
        last_end = range.end;
        for (u64 at = range.start; at < min_u64(range.end, model->origin + WINDOW_BYTES);
             at += FRAME, n_in_runs++)
            assert_true(usable[(at - model->origin) / FRAME]);
    }
    assert_int_equal(n_in_runs, n_usable);
}

static void model_check_limit(struct model *model, u64 *state)
{
    u64 whole = memory_map_usable_bytes(&model->map);
    u64 n_bytes = 1 + random_below(state, WINDOW_BYTES);

    memory_map_limit(&model->map, n_bytes);
    assert_int_equal(memory_map_usable_bytes(&model->map), min_u64(whole, align_down(n_bytes, FRAME)));
    memory_map_limit(&model->map, 0);
    assert_int_equal(memory_map_usable_bytes(&model->map), whole);
}

/* Sorts the model's map; what is asked next is answered by the ranges. */
static void model_sort(struct model *model)
{
    static u8 room[MEMORY_MAP_SORT_BYTES(N_MODEL_ENTRIES_MAX)] __attribute__((aligned(8)));

    memory_map_sort(&model->map, room);
    assert_ptr_equal(model->map.ranges, room);
}

static void random_maps_agree_with_a_model_byte_by_byte(void **unused)
{
    struct model *model = test_malloc(sizeof(*model));
    u64 state = 2024;

    (void)unused;
    for (int i = 0; i < N_MODEL_ROUNDS; i++) {
        model_fill(model, &state);
        model_check_merged(model);
        model_check_usable(model);
        model_check_limit(model, &state);
        model_sort(model);
        model_check_merged(model);
        model_check_usable(model);
        model_check_limit(model, &state);
    }
    test_free(model);
}

static void the_order_of_the_entries_does_not_matter(void **unused)
{
    struct model *model = test_malloc(sizeof(*model));
    u64 state = 99;

    (void)unused;
    for (int i = 0; i < N_MODEL_ROUNDS; i++) {
        model_fill(model, &state);
        for (u64 k = model->map.n_entries; k > 1; k--) {
            u64 other = random_below(&state, k);
            struct memory_map_entry entry = model->entries[k - 1];

            model->entries[k - 1] = model->entries[other];
            model->entries[other] = entry;
        }
        model_check_merged(model);
        model_sort(model);
        model_check_merged(model);
    }
    test_free(model);
}

/* n disjoint frames of alternating types, shuffled: the worst case for a walk. */
static void thousands_of_shuffled_entries_take_less_than_seconds(void **unused)
{
    enum { N = 3000 };
    struct memory_map_entry *entries = test_malloc(N * sizeof(*entries));
    struct memory_map map = {.entries = entries, .n_entries = N, .stride_bytes = sizeof(*entries)};
    struct memory_range range = {0};
    u64 state = 5, n_ranges = 0;
    clock_t start = clock();

    (void)unused;
    for (u64 i = 0; i < N; i++) {
        u64 other = random_below(&state, i + 1);

        entries[i] = entries[other];
        entries[other] = (struct memory_map_entry){i * FRAME, FRAME, i % 2 == 0 ? 1 : 2};
    }
    while (memory_map_next(&map, range.end, &range))
        n_ranges++;
    assert_int_equal(n_ranges, N);
    assert_int_equal(memory_map_usable_bytes(&map), N / 2 * FRAME);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2.0 * HOST_SLOWNESS);
    test_free(entries);
}

/* Ranges, and what is asked of them, in a time that hardly grows faster than their number. */
static void a_hundred_thousand_entries_are_sorted_in_less_than_seconds(void **unused)
{
    enum { N = 100000 };
    struct memory_map_entry *entries = test_malloc(N * sizeof(*entries));
    struct memory_map map = {.entries = entries, .n_entries = N, .stride_bytes = sizeof(*entries)};
    void *room = test_malloc(MEMORY_MAP_SORT_BYTES(N));
    struct memory_range range = {0};
    u64 state = 7, n_usable = 0;
    clock_t start = clock();

    (void)unused;
    for (u64 i = 0; i < N; i++)
        entries[(i * 7919) % N] = (struct memory_map_entry){i * 2 * FRAME, FRAME + random_below(&state, FRAME), 1 + i % 2};
    memory_map_sort(&map, room);
    assert_int_equal(map.n_ranges, N);
    while (memory_map_next_usable(&map, range.end, &range))
        n_usable++;
    assert_int_equal(n_usable, N / 2);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2.0 * HOST_SLOWNESS);
    test_free(room);
    test_free(entries);
}

/*
 *      1 |==| |===| |=======================| |=====|
 *      2                  |=|
 */
static void room_is_found_where_it_is(void **unused)
{
    const struct memory_map_entry entries[] = {
        {0x0, 0x3800, 1}, {0x5000, 0x4000, 1}, {0x10000, 0x20000, 1}, {0x18000, 1, 2}, {0x40000, 0x8000, 1}};
    struct memory_map map = MAP_OF(entries);
    u64 at;

    (void)unused;
    assert_true(memory_map_find(&map, 0, 0x100000, 1, &at));
    assert_int_equal(at, 0);
    assert_true(memory_map_find(&map, 0x2001, 0x100000, 0x1000, &at)); /* 0x3000 is less than a frame */
    assert_int_equal(at, 0x5000);
    assert_true(memory_map_find(&map, 0x10000, 0x100000, 0x9000, &at)); /* behind the byte of type 2 */
    assert_in_range(at, 0x19000, 0x30000 - 0x9000);
    assert_false(memory_map_find(&map, 0, 0x100000, 0x18000, &at));
    assert_false(memory_map_find(&map, 0x41000, 0x44000, 0x4000, &at)); /* there is more, but behind the end */
    assert_false(memory_map_find(&map, 0, 0x100000, (u64)1 << 60, &at));
}

/* Frames one by one, the last one first: each look sees one more of them, and after 2048 looks it is given up. */
static void a_search_in_small_pieces_comes_to_its_end(void **unused)
{
    enum { N = 3000 };
    struct memory_map_entry *entries = test_calloc(N, sizeof *entries);
    struct memory_map map = {.entries = entries, .n_entries = N, .stride_bytes = sizeof *entries};
    u64 at;

    (void)unused;
    for (u64 i = 0; i < N; i++)
        entries[i] = (struct memory_map_entry){0x10000000 + (N - 1 - i) * 0x1000, 0x1000, 1};
    assert_true(memory_map_find(&map, 0x10000000, (u64)1 << 32, 0x1000 * 2000, &at));
    assert_int_equal(at, 0x10000000);
    assert_false(memory_map_find(&map, 0x10000000, (u64)1 << 32, 0x1000 * 2500, &at));
    for (u64 i = 0; i < N; i++)
        entries[i].base = 0x10000000 + i * 0x2000; /* with holes: as many looks as frames */
    assert_false(memory_map_find(&map, 0, (u64)1 << 32, 0x2000, &at));
    test_free(entries);
}

/* The bytes "in whole frames" of the "# usable:" line; false when there is no such line. */
static bool read_expected(FILE *file, u64 *bytes)
{
    char line[512];

    while (fgets(line, sizeof(line), file) != NULL && line[0] == '#') {
        char *whole = strstr(line, "in whole frames");

        if (strncmp(line, "# usable:", 9) != 0 || whole == NULL)
            continue;
        *whole = '\0';

        char *comma = strrchr(line, ',');

        *bytes = strtoull(comma == NULL ? line + 9 : comma + 1, NULL, 10);
        return true;
    }
    return false;
}

/* 1 when the file is a map with an expectation, which then must hold. */
static int check_map_file(const char *path)
{
    char error[MAP_TEXT_ERROR_BYTES];
    struct map_text text;
    u64 expected;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    bool has_expectation = read_expected(file, &expected);

    rewind(file);
    if (!map_text_read(&text, file, path, error))
        fail_msg("%s", error);
    fclose(file);
    if (has_expectation && memory_map_usable_bytes(&text.map) != expected)
        fail_msg("%s: %llu usable bytes, expected %llu", path,
                 (unsigned long long)memory_map_usable_bytes(&text.map), (unsigned long long)expected);
    map_text_free(&text);
    return has_expectation;
}

/* How many maps of a folder were checked; -1 when there is no such folder. */
static int check_map_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *item;
    char path[1024];
    int n_checked = 0;

    if (dir == NULL)
        return -1;
    while ((item = readdir(dir)) != NULL) {
        size_t length = strlen(item->d_name);

        if (length < 4 || strcmp(item->d_name + length - 4, ".map") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, item->d_name);
        n_checked += check_map_file(path);
    }
    closedir(dir);
    return n_checked;
}

static void every_map_of_the_project_has_the_usable_bytes_it_says(void **unused)
{
    (void)unused;
    assert_true(check_map_folder("tests/maps") >= 11);
}

static void maps_beside_the_project_agree_where_they_are_there(void **unused)
{
    (void)unused;
    assert_int_not_equal(check_map_folder("../shared/maps/own"), 0);
    assert_int_not_equal(check_map_folder("../shared/maps/field"), 0);
}

/* Reads text as a map and returns the message, or "" when it is good. */
static const char *error_of(const char *content, size_t n_bytes)
{
    static char error[MAP_TEXT_ERROR_BYTES];
    struct map_text text;
    FILE *file = fmemopen((void *)(uintptr_t)content, n_bytes, "r");

    assert_non_null(file);
    if (map_text_read(&text, file, "m", error)) {
        map_text_free(&text);
        error[0] = '\0';
    }
    fclose(file);
    return error;
}

static void a_malformed_line_is_named_with_its_file_and_number(void **unused)
{
    static const struct {
        const char *content, *error;
    } cases[] = {
        {"# c\n\n0x0 0x1000 1\n", ""},
        {"  0X0\t0xAbC 4294967295 \r\n0x1 0xffffffffffffffff 0", ""},
        {"0x0 0x1000 1\n0x1000 0x1000\n", "m:2: type is missing"},
        {"0x0\n", "m:1: length is missing"},
        {"1000 0x1000 1\n", "m:1: base does not begin with 0x"},
        {"0x 0x1000 1\n", "m:1: base is not a number"},
        {"0x0 0x10g0 1\n", "m:1: length is not a number"},
        {"0x0 0x1000 0x1\n", "m:1: type is not a number"},
        {"0x0 0x1000 -1\n", "m:1: type is not a number"},
        {"0x0 0x1000 4294967296\n", "m:1: type is too large"},
        {"0x10000000000000000 0x1 1\n", "m:1: base is too large"},
        {"0x0 0x1000 1 2\n", "m:1: end of the line is not where it should be: more than three numbers"},
        {"hello\n", "m:1: base does not begin with 0x"},
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_string_equal(error_of(cases[i].content, strlen(cases[i].content)), cases[i].error);
    assert_string_equal(error_of("0x0 0x1\0 1\n", 11), "m:1: line contains a zero byte");
}

static void types_and_defects_have_names(void **unused)
{
    static const struct {
        u32 type;
        const char *name;
    } types[] = {
        {MEMORY_USABLE, "usable"}, {MEMORY_ACPI_RECLAIMABLE, "ACPI reclaimable"}, {MEMORY_ACPI_NVS, "ACPI NVS"},
        {MEMORY_BAD, "bad"},       {MEMORY_PERSISTENT, "persistent"},             {2, "reserved"},
        {0, "reserved"},           {6, "reserved"},                               {~0u, "reserved"},
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        assert_string_equal(memory_map_type_name(types[i].type), types[i].name);
    assert_string_equal(memory_map_defect_text(MEMORY_MAP_SOUND), "sound");
    assert_string_equal(memory_map_defect_text(MEMORY_MAP_EMPTY), "length is zero: ignored");
    assert_string_equal(memory_map_defect_text(MEMORY_MAP_WRAPS), "ends past 2^64: ignored");
    assert_string_equal(memory_map_defect_text(MEMORY_MAP_TOO_HIGH), "reaches beyond 2^52: that part does not count");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_defects_have_names),
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(the_stricter_type_cuts_a_hole),
        cmocka_unit_test(types_are_ranked_as_documented),
        cmocka_unit_test(neighbours_of_one_type_merge_in_any_order),
        cmocka_unit_test(usable_memory_is_rounded_inward_to_frames),
        cmocka_unit_test(one_byte_of_another_type_spoils_its_frame),
        cmocka_unit_test(empty_and_wrapping_entries_are_defects_and_count_for_nothing),
        cmocka_unit_test(an_entry_that_ends_exactly_at_2_to_the_64_counts),
        cmocka_unit_test(the_whole_address_space_may_be_one_entry),
        cmocka_unit_test(addresses_from_2_to_the_52_do_not_count),
        cmocka_unit_test(entries_may_lie_at_any_stride_and_alignment),
        cmocka_unit_test(questions_about_ranges_look_at_whole_frames),
        cmocka_unit_test(a_limit_keeps_the_first_bytes_of_memory),
        cmocka_unit_test(random_maps_agree_with_a_model_byte_by_byte),
        cmocka_unit_test(the_order_of_the_entries_does_not_matter),
        cmocka_unit_test(thousands_of_shuffled_entries_take_less_than_seconds),
        cmocka_unit_test(a_hundred_thousand_entries_are_sorted_in_less_than_seconds),
        cmocka_unit_test(room_is_found_where_it_is),
        cmocka_unit_test(a_search_in_small_pieces_comes_to_its_end),
        cmocka_unit_test(every_map_of_the_project_has_the_usable_bytes_it_says),
        cmocka_unit_test(maps_beside_the_project_agree_where_they_are_there),
        cmocka_unit_test(a_malformed_line_is_named_with_its_file_and_number),
    };
    return cmocka_run_group_tests_name("memory_map", tests, NULL, NULL);
}
