/* SPDX-License-Identifier: MIT */
/*
 * Memory maps out of fuzzed bytes, and what such a map means by the rule as it is written down: slow, and without
 * anything of mm/memory_map.c but its types.
 */
#ifndef TESTS_FUZZ_MAP_INPUT_H
#define TESTS_FUZZ_MAP_INPUT_H

#include <fuzz.h>
#include <mm/memory_map.h>

#define MAP_INPUT_ENTRIES 160

struct map_input {
    u64 n;
    struct memory_map_entry entry[MAP_INPUT_ENTRIES];
};

/*
 * Takes entries until the bytes end.  An entry is a byte that says how the rest is written, then base, length, type:
 *
 *     bits 0-1  base    0: 8 bytes   1: 2 bytes, frames   2: the same and a byte, signed   3: the end of entry [byte]
 *     bits 2-3  length  0: 8 bytes   1: 2 bytes, frames   2: the same and a byte, signed   3: up to entry [byte]
 *     bits 4-6  type    0, 1: usable   2: reserved   3, 4, 5: as they say   6: persistent   7: 4 bytes
 *     bit 7             base above 4 GiB
 */
void map_input_take(struct fuzz_bytes *bytes, struct map_input *input);

/* The raw form: `stride` bytes an entry (at least 20), the gaps filled with 0xff; the caller frees the entries. */
struct memory_map map_input_raw(const struct map_input *input, u64 stride);

/* A map by the rule: maximal ranges of one type each, ascending. */
struct map_model {
    u64 n;
    struct memory_range range[2 * MAP_INPUT_ENTRIES];
};

void map_model_build(const struct map_input *input, struct map_model *model);

/* The i-th run of usable frames; false: there are no more. */
bool map_model_usable(const struct map_model *model, u64 i, struct memory_range *out);

/* Usable bytes below an address. */
u64 map_model_usable_below(const struct map_model *model, u64 end);

/* True when all of the frame at `frame` is usable. */
bool map_model_frame(const struct map_model *model, u64 frame);

#endif
