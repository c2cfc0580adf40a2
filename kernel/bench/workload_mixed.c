/* SPDX-License-Identifier: MIT */
/*
 * mixed_server: 1000 samples of 100 steps of the list, then a look at what the live objects cost in frames;
 * and the same loop without the calls, mixed_dry.
 */
#include <kernel/bench/mixed_list.h>
#include <kernel/bench/whole.h>
#include <kernel/shell/out.h>
#include <mm/mm.h>

#define N_SAMPLES (MIXED_STEPS / MIXED_SAMPLE_STEPS)

struct mixed {
    u32 *steps;
    void **object; /* of a slot */
    u32 *size;     /* of a slot: what was asked for */
    struct mixed_sums sums;
    u64 used_before; /* bytes, as mm_stat has them */
};

static bool mixed_start(struct mixed *mixed)
{
    mixed->steps = list_take(MIXED_STEPS * sizeof *mixed->steps);
    mixed->object = list_take(MIXED_SLOTS * sizeof *mixed->object);
    mixed->size = list_take(MIXED_SLOTS * sizeof *mixed->size);
    return mixed->steps != NULL && mixed->object != NULL && mixed->size != NULL;
}

static void mixed_end(struct mixed *mixed)
{
    for (u32 i = 0; mixed->object != NULL && i < MIXED_SLOTS; i++)
        kfree(mixed->object[i]);
    list_give(mixed->steps, MIXED_STEPS * sizeof *mixed->steps);
    list_give(mixed->object, MIXED_SLOTS * sizeof *mixed->object);
    list_give(mixed->size, MIXED_SLOTS * sizeof *mixed->size);
}

static TIMED u64 time_steps(struct mixed *mixed, u32 first)
{
    u64 begin = sample_begin();

    for (u32 i = first; i < first + MIXED_SAMPLE_STEPS; i++) {
        u32 slot = mixed_slot(mixed->steps[i]), size = mixed_size(mixed->steps[i]);
        void *object = mixed->object[slot];

        if (object != NULL)
            kfree(object);
        object = kmalloc(size, 0);
        mixed->object[slot] = object;
        mixed->size[slot] = size;
        if (object != NULL)
            *(u64 *)object = i;
    }
    return sample_end(begin);
}

/* The same but for kmalloc and kfree: every slot gets the one object that slot 0 has. */
static TIMED u64 time_steps_dry(struct mixed *mixed, u32 first, void *given)
{
    u64 begin = sample_begin();

    for (u32 i = first; i < first + MIXED_SAMPLE_STEPS; i++) {
        u32 slot = mixed_slot(mixed->steps[i]), size = mixed_size(mixed->steps[i]);
        void *object = mixed->object[slot];

        if (object != NULL)
            __asm__ volatile("" : : "r"(object));
        object = given;
        __asm__ volatile("" : "+r"(object));
        mixed->object[slot] = object;
        mixed->size[slot] = size;
        if (object != NULL)
            *(u64 *)object = i;
    }
    return sample_end(begin);
}

static enum outcome wrong(const char *what, u64 found, u64 expected)
{
    out_error("mixed_server: %s is %lu, not %lu", what, found, expected);
    return OUTCOME_WRONG;
}

/* The three sums, of the list and of what is live after all its steps. */
static enum outcome sums_check(struct bench *bench, const struct mixed *mixed)
{
    u64 live_bytes = 0, n_live = 0;

    for (u32 i = 0; i < MIXED_SLOTS; i++) {
        live_bytes += mixed->object[i] != NULL ? mixed->size[i] : 0;
        n_live += mixed->object[i] != NULL;
    }
    if (n_live != MIXED_SLOTS)
        return OUTCOME_NO_ROOM;
    bench_note(bench, "mixed_server: sizes %lu, live %lu in %lu objects, h %lu", mixed->sums.bytes,
               live_bytes, n_live, mixed->sums.hash);
    if (mixed->sums.bytes != MIXED_SUM_BYTES)
        return wrong("the sum of sizes", mixed->sums.bytes, MIXED_SUM_BYTES);
    if (live_bytes != MIXED_LIVE_BYTES)
        return wrong("the sum of live sizes", live_bytes, MIXED_LIVE_BYTES);
    if (mixed->sums.hash != MIXED_HASH)
        return wrong("h", mixed->sums.hash, MIXED_HASH);
    return OUTCOME_DONE;
}

static u64 frames_since(const struct mixed *mixed)
{
    return (mm_stat().used - mixed->used_before) / PAGE_4K_SIZE;
}

static void frames_tell(struct bench *bench, const struct mixed *mixed)
{
    u64 n_frames = frames_since(mixed);

    mm_shrink();
    bench_note(bench,
               "mixed_server: %lu frames taken (target 910), %lu after shrink (target 870); Linux 884..904, "
               "floor 842",
               n_frames, frames_since(mixed));
}

static enum outcome run_steps(struct bench *bench, struct mixed *mixed)
{
    struct series series;
    enum outcome outcome;

    if (!series_start(&series, N_SAMPLES))
        return OUTCOME_NO_ROOM;
    mixed_make(mixed->steps, &mixed->sums);
    mm_shrink();
    mixed->used_before = mm_stat().used;
    for (u32 i = 0; i < N_SAMPLES; i++)
        series_add(&series, time_steps(mixed, i * MIXED_SAMPLE_STEPS));
    outcome = sums_check(bench, mixed);
    if (outcome != OUTCOME_DONE) {
        series_end(&series);
        return outcome;
    }
    frames_tell(bench, mixed);
    bench_figure(bench, "mixed_server", MIXED_SAMPLE_STEPS, MIXED_SAMPLE_STEPS, &series);
    return OUTCOME_DONE;
}

/* Once through the list, with all slots empty at first as before. */
static enum outcome run_dry(struct bench *bench, struct mixed *mixed)
{
    struct series series;
    void *given = kmalloc(sizeof(u64), 0);
    bool ok = series_start(&series, N_SAMPLES) && given != NULL;

    for (u32 i = 0; i < MIXED_SLOTS; i++) {
        kfree(mixed->object[i]);
        mixed->object[i] = NULL;
    }
    for (u32 i = 0; ok && i < N_SAMPLES; i++)
        series_add(&series, time_steps_dry(mixed, i * MIXED_SAMPLE_STEPS, given));
    for (u32 i = 0; i < MIXED_SLOTS; i++)
        mixed->object[i] = NULL;
    kfree(given);
    if (ok)
        bench_figure(bench, "mixed_dry", MIXED_SAMPLE_STEPS, MIXED_SAMPLE_STEPS, &series);
    series_end(&series);
    return ok ? OUTCOME_DONE : OUTCOME_NO_ROOM;
}

enum outcome run_mixed(struct bench *bench)
{
    struct mixed mixed = {0};
    enum outcome outcome = mixed_start(&mixed) ? run_steps(bench, &mixed) : OUTCOME_NO_ROOM;

    if (outcome == OUTCOME_DONE)
        outcome = run_dry(bench, &mixed);
    mixed_end(&mixed);
    return outcome;
}
