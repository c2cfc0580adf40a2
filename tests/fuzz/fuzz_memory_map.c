/* SPDX-License-Identifier: MIT */
/*
 * The normaliser of the firmware's map against the rule (map_input.c).
 *
 * Input: the stride of the raw entries (a byte), a limit, an address (8 bytes each) and a length (2) to ask about, the
 * entries.
 */
#include <map_input.h>

#include <lib/bits.h>

#include <stdlib.h>
#include <string.h>

#define FRAME MEMORY_MAP_FRAME_BYTES

static void check_merged(const struct memory_map *map, const struct map_model *model)
{
    struct memory_range range = {0};

    for (u64 i = 0; i < model->n; i++) {
        expect(memory_map_next(map, range.end, &range));
        expect(range.start == model->range[i].start);
        expect(range.end == model->range[i].end);
        expect(range.type == model->range[i].type);
        expect(memory_map_type_name(range.type)[0] != '\0');
    }
    expect(!memory_map_next(map, range.end, &range));
}

/* All runs, and their end, of a map whose usable memory ends at `limit`. */
static void check_usable(const struct memory_map *map, const struct map_model *model, u64 limit)
{
    struct memory_range range = {0}, run;
    u64 n_bytes = 0, end = 0;

    for (u64 i = 0; map_model_usable(model, i, &run) && run.start < limit; i++) {
        run.end = min_u64(run.end, limit);
        expect(memory_map_next_usable(map, range.end, &range));
        expect(range.start == run.start && range.end == run.end && range.type == MEMORY_USABLE);
        n_bytes += run.end - run.start;
        end = run.end;
    }
    expect(!memory_map_next_usable(map, range.end, &range));
    expect(memory_map_usable_bytes(map) == n_bytes);
    expect(memory_map_usable_end(map) == end);
}

/* A walk that begins in the middle of something. */
static void check_from(const struct memory_map *map, const struct map_model *model, u64 from)
{
    struct memory_range range, expected;
    u64 i = 0;

    while (i < model->n && model->range[i].end <= from)
        i++;
    expect(memory_map_next(map, from, &range) == (i < model->n));
    if (i < model->n) {
        expected = model->range[i];
        expect(range.start == max_u64(expected.start, from) && range.end == expected.end);
        expect(range.type == expected.type);
    }
}

/* Questions about [start, end), which is a few frames long. */
static void check_questions(const struct memory_map *map, const struct map_model *model, u64 start, u64 n_bytes)
{
    u64 end = start + n_bytes;
    bool any = false, all = true;

    for (u64 frame = align_down(start, FRAME); start < end && frame < end; frame += FRAME) {
        any |= map_model_frame(model, frame);
        all &= map_model_frame(model, frame);
    }
    expect(memory_map_overlaps_usable(map, start, end) == any);
    expect(memory_map_is_usable(map, start, end) == all);
}

static void check_limit(struct memory_map *map, const struct map_model *model, u64 n_bytes)
{
    u64 whole = map_model_usable_below(model, MEMORY_MAP_END);
    u64 kept = n_bytes == 0 ? whole : min_u64(whole, align_down(n_bytes, FRAME));

    memory_map_limit(map, n_bytes);
    expect(memory_map_usable_bytes(map) == kept);
    expect(map_model_usable_below(model, memory_map_usable_end(map)) == kept);
    check_merged(map, model);
    memory_map_limit(map, 0);
    expect(memory_map_usable_bytes(map) == whole);
}

/* All questions; the limits at last, since they change the map. */
static void check_all(struct memory_map *map, const struct map_model *model, u64 limit, u64 start, u64 length)
{
    check_merged(map, model);
    check_usable(map, model, MEMORY_MAP_END);
    check_from(map, model, start);
    check_questions(map, model, start, length);
    check_questions(map, model, (start & 0xfffffff), length);
    check_limit(map, model, limit);
    check_limit(map, model, limit & 0xfffffff);
}

/* What is found is usable, and what has half as much again is found. */
static void check_find(const struct memory_map *map, const struct map_model *model, u64 from, u64 n_bytes)
{
    u64 at, whole = align_up(n_bytes, FRAME), enough = whole + align_up(whole / 2, FRAME);
    bool found = memory_map_find(map, from, MEMORY_MAP_END, n_bytes, &at);
    struct memory_range run;

    expect(!found || (at >= from && at % FRAME == 0 && memory_map_is_usable(map, at, at + whole)));
    for (u64 i = 0; !found && map_model_usable(model, i, &run); i++)
        expect(run.end <= from || run.end - max_u64(run.start, from) < enough);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    static struct map_input input;
    static struct map_model model;
    struct fuzz_bytes bytes = {data, n};
    u64 stride = 20 + fuzz_below(&bytes, 45), limit = fuzz_number(&bytes, 8);
    u64 start = fuzz_number(&bytes, 8) % MEMORY_MAP_END, length = fuzz_number(&bytes, 2);

    void *room;

    map_input_take(&bytes, &input);
    map_model_build(&input, &model);

    struct memory_map map = map_input_raw(&input, stride);

    for (u64 i = 0; i < input.n; i++) {
        struct memory_map_entry entry = memory_map_entry(&map, i);

        expect(memcmp(&entry, &input.entry[i], 20) == 0);
        expect(memory_map_defect_text(memory_map_defect(&map, i))[0] != '\0');
    }
    check_find(&map, &model, start & 0xfffffff, length + 1);
    check_all(&map, &model, limit, start, length);
    room = malloc(MEMORY_MAP_SORT_BYTES(map.n_entries) + 1); /* and no more than that is written */
    expect(room != NULL);
    memory_map_sort(&map, room);
    check_all(&map, &model, limit, start, length);
    free(room);
    free((void *)(uintptr_t)map.entries);
    return 0;
}
