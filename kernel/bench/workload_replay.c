/* SPDX-License-Identifier: MIT */
/*
 * replay: the trace in a boot module, played three times: without the calls, with them, and with them again.
 *
 * The module is reached through the MMIO window, since it may lie outside the direct map.  A word an id says
 * what is live: the object's address, or the block's with its order in the low bits.  A chunk of 1024 events
 * is a sample; events behind the last whole chunk are not played.
 */
#include <kernel/bench/trace.h>
#include <kernel/bench/whole.h>
#include <kernel/boot/boot_info.h>
#include <kernel/shell/out.h>
#include <kernel/shell/shell.h>
#include <mm/frame.h>
#include <mm/mmio.h>
#include <mm/types.h>

struct replay {
    struct trace trace;
    u64 *object, *block;        /* of an id: what is live; 0 when nothing is */
    void *window;               /* the module */
    const char *fault;          /* of a trace that cannot be played */
    u64 used_before, used_peak; /* bytes, as mm_stat has them; used_before 0: not yet known */
    u64 n_failures;
};

/* ---- the module ---- */

static const struct boot_module *module_at(u32 i)
{
    const struct boot_info *info = shell_boot_info();

    return info != NULL && i < info->n_modules ? &info->modules[i] : NULL;
}

/* Maps a module; true when it is a trace, though it may be one with a fault.  Otherwise the mapping is gone again. */
static bool window_open(struct replay *replay, const struct boot_module *module)
{
    u64 bytes = module->end - module->start;

    if (bytes == 0)
        return false;
    replay->window = mmio_map(phys(module->start), bytes, MMIO_WRITE_BACK);
    if (replay->window == NULL)
        return false;
    if (trace_begins(replay->window, bytes)) {
        replay->fault = trace_open(replay->window, bytes, &replay->trace);
        return true;
    }
    mmio_unmap(replay->window);
    replay->window = NULL;
    return false;
}

static bool window_find(struct replay *replay)
{
    const struct boot_module *module;

    for (u32 i = 0; (module = module_at(i)) != NULL; i++) {
        if (window_open(replay, module))
            return true;
    }
    return false;
}

bool replay_is_possible(void)
{
    struct replay replay = {0};

    if (!window_find(&replay))
        return false;
    mmio_unmap(replay.window);
    return true;
}

/* ---- playing ---- */

static TIMED u64 time_chunk(struct replay *replay, u32 first)
{
    const struct trace_event *event = &replay->trace.event[first], *end = event + TRACE_CHUNK;
    u64 begin = sample_begin();

    for (; event < end; event++) {
        u64 *object = &replay->object[trace_id(event->word)];
        u64 *block = &replay->block[trace_id(event->word)];
        phys_t taken;

        switch (trace_operation(event->word)) {
        case TRACE_ALLOC:
            *object = (u64)kmalloc(event->value, 0);
            replay->n_failures += *object == 0;
            break;
        case TRACE_FREE:
            kfree((void *)*object);
            *object = 0;
            break;
        case TRACE_TAKE_BLOCK:
            taken = frame_alloc(ZONE_NORMAL, event->value);
            *block = taken.addr | event->value;
            replay->n_failures += phys_is_none(taken);
            break;
        case TRACE_GIVE_BLOCK:
            frame_free(phys(*block & PAGE_4K_MASK), (unsigned)(*block & ~PAGE_4K_MASK));
            *block = 0;
            break;
        }
    }
    return sample_end(begin);
}

/* The same but for the four calls; each gives something that the compiler does not know. */
static TIMED u64 time_chunk_dry(struct replay *replay, u32 first)
{
    const struct trace_event *event = &replay->trace.event[first], *end = event + TRACE_CHUNK;
    u64 begin = sample_begin();

    for (; event < end; event++) {
        u64 *object = &replay->object[trace_id(event->word)];
        u64 *block = &replay->block[trace_id(event->word)];
        u64 given = event->value;

        switch (trace_operation(event->word)) {
        case TRACE_ALLOC:
            __asm__ volatile("" : "+r"(given));
            *object = given;
            replay->n_failures += given == ~0UL;
            break;
        case TRACE_FREE:
            __asm__ volatile("" : : "r"(*object));
            *object = 0;
            break;
        case TRACE_TAKE_BLOCK:
            __asm__ volatile("" : "+r"(given));
            *block = given | event->value;
            replay->n_failures += given == ~0UL;
            break;
        case TRACE_GIVE_BLOCK:
            __asm__ volatile("" : : "r"(*block & PAGE_4K_MASK), "r"(*block & ~PAGE_4K_MASK));
            *block = 0;
            break;
        }
    }
    return sample_end(begin);
}

/* Frees what is live. */
static void live_free(struct replay *replay)
{
    for (u32 i = 0; i < replay->trace.n_objects; i++) {
        kfree((void *)replay->object[i]);
        replay->object[i] = 0;
    }
    for (u32 i = 0; i < replay->trace.n_blocks; i++) {
        if (replay->block[i] != 0)
            frame_free(phys(replay->block[i] & PAGE_4K_MASK), (unsigned)(replay->block[i] & ~PAGE_4K_MASK));
        replay->block[i] = 0;
    }
}

/* Forgets what a dry pass left. */
static void live_forget(struct replay *replay)
{
    for (u32 i = 0; i < replay->trace.n_objects; i++)
        replay->object[i] = 0;
    for (u32 i = 0; i < replay->trace.n_blocks; i++)
        replay->block[i] = 0;
}

static void peak_sample(struct replay *replay)
{
    u64 used = mm_stat().used;

    if (used > replay->used_peak)
        replay->used_peak = used;
}

/* One pass.  What the trace takes is counted from what was used, caches emptied, before the first.  Stops at
 * the first chunk in which memory is exhausted: a block that was not had cannot be given.
 */
static enum outcome pass_play(struct bench *bench, struct replay *replay, const char *name,
                              u64 (*time)(struct replay *replay, u32 first))
{
    u32 n_chunks = replay->trace.n_events / TRACE_CHUNK;
    struct series series;

    if (!series_start(&series, n_chunks))
        return OUTCOME_NO_ROOM;
    if (replay->used_before == 0) {
        mm_shrink();
        replay->used_before = mm_stat().used;
    }
    replay->used_peak = replay->used_before;
    for (u32 i = 0; i < n_chunks && replay->n_failures == 0 && !out_interrupted(); i++) {
        series_add(&series, time(replay, i * TRACE_CHUNK));
        peak_sample(replay);
    }
    if (replay->n_failures == 0 && !out_interrupted())
        bench_figure(bench, name, TRACE_CHUNK, TRACE_CHUNK, &series);
    series_end(&series);
    if (replay->n_failures != 0)
        return OUTCOME_NO_ROOM;
    return out_interrupted() ? OUTCOME_STOPPED : OUTCOME_DONE;
}

static void peak_tell(struct bench *bench, const struct replay *replay, const char *name)
{
    bench_note(bench, "%s: %lu frames at the peak%s", name,
               (replay->used_peak - replay->used_before) / PAGE_4K_SIZE,
               trace_is_linux_boot(&replay->trace) ? " (target 14150; Linux 13717, floor 13907)" : "");
}

static enum outcome passes_play(struct bench *bench, struct replay *replay)
{
    enum outcome outcome = pass_play(bench, replay, "replay_dry", time_chunk_dry);

    live_forget(replay);
    if (outcome != OUTCOME_DONE)
        return outcome;
    replay->used_before = 0;
    outcome = pass_play(bench, replay, "replay", time_chunk);
    live_free(replay);
    if (outcome != OUTCOME_DONE)
        return outcome;
    peak_tell(bench, replay, "replay");
    outcome = pass_play(bench, replay, "replay_2nd", time_chunk);
    live_free(replay);
    if (outcome == OUTCOME_DONE)
        peak_tell(bench, replay, "replay_2nd");
    return outcome;
}

/* Plays a trace if it is sound.  Only the one that Linux was given, too, is shown beside Linux. */
static enum outcome sound_play(struct bench *bench, struct replay *replay)
{
    bool was_beside_linux = bench->beside_linux;
    enum outcome outcome;
    u32 event;

    replay->fault = trace_fault(&replay->trace, replay->object, replay->block, &event);
    if (replay->fault != NULL) {
        out_error("replay: event %u of the trace: %s", event, replay->fault);
        return OUTCOME_WRONG;
    }
    bench->beside_linux = was_beside_linux && trace_is_linux_boot(&replay->trace);
    outcome = passes_play(bench, replay);
    bench->beside_linux = was_beside_linux;
    return outcome;
}

static enum outcome trace_play(struct bench *bench, struct replay *replay)
{
    u64 object_bytes = replay->trace.n_objects * sizeof *replay->object;
    u64 block_bytes = replay->trace.n_blocks * sizeof *replay->block;
    enum outcome outcome = OUTCOME_NO_ROOM;

    replay->object = list_take(object_bytes);
    replay->block = list_take(block_bytes);
    if (replay->object != NULL && replay->block != NULL)
        outcome = sound_play(bench, replay);
    list_give(replay->object, object_bytes);
    list_give(replay->block, block_bytes);
    return outcome;
}

enum outcome run_replay(struct bench *bench)
{
    struct replay replay = {0};
    enum outcome outcome = OUTCOME_WRONG;

    if (!window_find(&replay)) {
        out_error("replay: no boot module begins with KTRC");
        return OUTCOME_WRONG;
    }
    if (replay.fault == NULL && replay.trace.n_events < 2 * TRACE_CHUNK)
        replay.fault = "it has fewer than 2048 events, two samples, of which the first does not count";
    if (replay.fault != NULL)
        out_error("replay: the trace cannot be played: %s", replay.fault);
    else
        outcome = trace_play(bench, &replay);
    mmio_unmap(replay.window);
    return outcome;
}
