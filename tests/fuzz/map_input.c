/* SPDX-License-Identifier: MIT */
/*
 * Maps for the targets: see map_input.h.
 *
 * The model: the bases and ends of all entries cut the addresses into pieces, in each of which nothing changes.  What
 * a piece is, is asked of every entry.  Neighbouring pieces of one type are one range.
 */
#include <map_input.h>

#include <lib/bits.h>

#include <stdlib.h>
#include <string.h>

#define FRAME   MEMORY_MAP_FRAME_BYTES
#define N_EDGES (2 * MAP_INPUT_ENTRIES + 1)

static u64 take_near(struct fuzz_bytes *bytes, unsigned kind)
{
    if (kind == 0)
        return fuzz_number(bytes, 8);

    u64 value = fuzz_number(bytes, 2) * FRAME;

    return kind == 1 ? value : value + (u64)(s64)(s8)fuzz_number(bytes, 1);
}

static const struct memory_map_entry *take_other(struct fuzz_bytes *bytes, const struct map_input *input)
{
    static const struct memory_map_entry none;
    u64 i = fuzz_number(bytes, 1);

    return input->n == 0 ? &none : &input->entry[i % input->n];
}

void map_input_take(struct fuzz_bytes *bytes, struct map_input *input)
{
    static const u32 types[] = {1, 1, 2, 3, 4, 5, 7};

    for (input->n = 0; bytes->left > 0 && input->n < MAP_INPUT_ENTRIES; input->n++) {
        struct memory_map_entry *entry = &input->entry[input->n];
        unsigned how = (unsigned)fuzz_number(bytes, 1);
        unsigned base_kind = how & 3, length_kind = how >> 2 & 3, type = how >> 4 & 7;

        if (base_kind == 3) {
            const struct memory_map_entry *other = take_other(bytes, input);
            entry->base = other->base + other->length;
        } else {
            entry->base = take_near(bytes, base_kind) + (how & 0x80 ? (u64)1 << 32 : 0);
        }
        entry->length = length_kind == 3 ? take_other(bytes, input)->base - entry->base : take_near(bytes, length_kind);
        entry->type = type == 7 ? (u32)fuzz_number(bytes, 4) : types[type];
    }
}

struct memory_map map_input_raw(const struct map_input *input, u64 stride)
{
    u64 n_bytes = input->n == 0 ? 0 : (input->n - 1) * stride + 20; /* not a byte more than may be read */
    u8 *raw = malloc(n_bytes + 1);

    expect(raw != NULL);
    memset(raw, 0xff, n_bytes + 1);
    raw = realloc(raw, n_bytes != 0 ? n_bytes : 1);
    expect(raw != NULL);
    for (u64 i = 0; i < input->n; i++)
        memcpy(raw + i * stride, &input->entry[i], 20);
    return (struct memory_map){.entries = raw, .n_entries = input->n, .stride_bytes = stride};
}

/* ---- the model ---- */

/* How strict a type is among all: "bad, then reserved and the unknown by number, then 4, 3, 7, 1". */
static u64 strictness(u32 type)
{
    switch (type) {
    case 5:
        return ~(u64)0;
    case 4:
        return 4;
    case 3:
        return 3;
    case 7:
        return 2;
    case 1:
        return 1;
    default:
        return 1000 + (u64)type;
    }
}

/* The last byte of an entry that counts; false when it does not count at all. */
static bool last_of(const struct memory_map_entry *entry, u64 *last)
{
    if (entry->length == 0 || __builtin_add_overflow(entry->base, entry->length - 1, last))
        return false;
    *last = min_u64(*last, MEMORY_MAP_END - 1);
    return entry->base < MEMORY_MAP_END;
}

/* The strictest type that covers a byte; false when none does. */
static bool type_at(const struct map_input *input, u64 at, u32 *type)
{
    bool found = false;
    u64 last;

    for (u64 i = 0; i < input->n; i++) {
        const struct memory_map_entry *entry = &input->entry[i];

        if (!last_of(entry, &last) || at < entry->base || at > last)
            continue;
        if (!found || strictness(entry->type) > strictness(*type))
            *type = entry->type;
        found = true;
    }
    return found;
}

static int by_value(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;

    return x < y ? -1 : x > y;
}

/* Adds a piece to the last range, or as a new one. */
static void add_piece(struct map_model *model, u64 start, u64 end, u32 type)
{
    struct memory_range *last = model->n == 0 ? NULL : &model->range[model->n - 1];

    if (last != NULL && last->end == start && last->type == type)
        last->end = end;
    else
        model->range[model->n++] = (struct memory_range){start, end, type};
}

void map_model_build(const struct map_input *input, struct map_model *model)
{
    u64 edges[N_EDGES], n_edges = 0, last;
    u32 type = 0;

    for (u64 i = 0; i < input->n; i++) {
        if (!last_of(&input->entry[i], &last))
            continue;
        edges[n_edges++] = input->entry[i].base;
        edges[n_edges++] = last + 1;
    }
    qsort(edges, n_edges, sizeof(edges[0]), by_value);
    model->n = 0;
    for (u64 i = 0; i + 1 < n_edges; i++)
        if (edges[i] < edges[i + 1] && type_at(input, edges[i], &type))
            add_piece(model, edges[i], edges[i + 1], type);
}

bool map_model_usable(const struct map_model *model, u64 i, struct memory_range *out)
{
    for (u64 k = 0; k < model->n; k++) {
        struct memory_range run = model->range[k];

        run.start = align_up(run.start, FRAME);
        run.end = align_down(run.end, FRAME);
        if (run.type != MEMORY_USABLE || run.start >= run.end || i-- > 0)
            continue;
        *out = run;
        return true;
    }
    return false;
}

u64 map_model_usable_below(const struct map_model *model, u64 end)
{
    struct memory_range run;
    u64 n_bytes = 0;

    for (u64 i = 0; map_model_usable(model, i, &run); i++)
        if (run.start < end)
            n_bytes += min_u64(run.end, end) - run.start;
    return n_bytes;
}

bool map_model_frame(const struct map_model *model, u64 frame)
{
    struct memory_range run;

    for (u64 i = 0; map_model_usable(model, i, &run); i++)
        if (frame >= run.start && frame < run.end)
            return true;
    return false;
}
