/* SPDX-License-Identifier: MIT */
/* Frames and whole pages: pairs, and batches freed in a random order. */
#include <kernel/bench/batch.h>
#include <kernel/bench/measure.h>
#include <mm/frame.h>
#include <mm/types.h>

#define PAGE_OPERATIONS 4 /* a sample of whole pages */

static TIMED u64 time_frame_pairs(unsigned order, unsigned n)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        frame_free(frame_alloc(ZONE_NORMAL, order), order);
    return sample_end(begin);
}

static TIMED u64 time_page_pairs(unsigned n_pages, unsigned n)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        free_pages(alloc_pages(ZONE_NORMAL, (int)n_pages, 0), (int)n_pages);
    return sample_end(begin);
}

static enum outcome measure_pair(struct bench *bench, const char *name, unsigned param, unsigned n,
                                 u64 (*time)(unsigned param, unsigned n))
{
    struct series series;

    if (!series_start(&series, SAMPLES))
        return OUTCOME_NO_ROOM;
    for (unsigned i = 0; i < SAMPLES + 1; i++)
        series_add(&series, time(param, n));
    bench_figure(bench, name, param, n, &series);
    return OUTCOME_DONE;
}

/* Whether such a block is to be had now, so that no pair has to do without. */
static bool frame_is_there(unsigned order)
{
    phys_t first = frame_alloc(ZONE_NORMAL, order);

    return !phys_is_none(first) && frame_free(first, order) == 0;
}

static bool pages_are_there(unsigned n_pages)
{
    struct Page *pages = alloc_pages(ZONE_NORMAL, (int)n_pages, 0);

    if (pages == NULL)
        return false;
    free_pages(pages, (int)n_pages);
    return true;
}

static enum outcome run_frame_pair(struct bench *bench)
{
    static const unsigned orders[] = {0, 3};
    enum outcome outcome = OUTCOME_DONE;

    for (unsigned i = 0; i < sizeof orders / sizeof orders[0] && outcome == OUTCOME_DONE; i++)
        outcome = frame_is_there(orders[i])
                      ? measure_pair(bench, "frame_pair", orders[i], OPERATIONS_PER_SAMPLE, time_frame_pairs)
                      : OUTCOME_NO_ROOM;
    return outcome;
}

static enum outcome run_page_pair(struct bench *bench)
{
    static const unsigned numbers[] = {1, 2, 63};
    enum outcome outcome = OUTCOME_DONE;

    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0] && outcome == OUTCOME_DONE; i++)
        outcome = pages_are_there(numbers[i])
                      ? measure_pair(bench, "page_pair", numbers[i], PAGE_OPERATIONS, time_page_pairs)
                      : OUTCOME_NO_ROOM;
    return outcome;
}

/* ---- batches ---- */

static TIMED u64 time_frame_allocs(u64 *item, unsigned n, u64 order)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        item[i] = frame_alloc(ZONE_NORMAL, (unsigned)order).addr;
    return sample_end(begin);
}

static TIMED u64 time_frame_frees(const u64 *item, unsigned n, u64 order)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        frame_free(phys(item[i]), (unsigned)order);
    return sample_end(begin);
}

static TIMED u64 time_page_allocs(u64 *item, unsigned n, u64 n_pages)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        item[i] = (u64)alloc_pages(ZONE_NORMAL, (int)n_pages, 0);
    return sample_end(begin);
}

static TIMED u64 time_page_frees(const u64 *item, unsigned n, u64 n_pages)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        free_pages((struct Page *)item[i], (int)n_pages);
    return sample_end(begin);
}

static enum outcome run_frame_batch512(struct bench *bench)
{
    static const struct batch batch = {
        "frame_batch512_alloc", "frame_batch512_free", 0, 512, BATCH_RANDOM, ~0UL,
        time_frame_allocs,      time_frame_frees};
    return batch_run(bench, &batch);
}

static enum outcome run_frame_batch4096(struct bench *bench)
{
    static const struct batch batch = {
        "frame_batch4096_alloc", "frame_batch4096_free", 0, 4096, BATCH_RANDOM, ~0UL,
        time_frame_allocs,       time_frame_frees};
    return batch_run(bench, &batch);
}

static enum outcome run_page_batch32(struct bench *bench)
{
    static const struct batch batch = {"page_batch32_alloc", "page_batch32_free", 1, 32, BATCH_RANDOM, 0,
                                       time_page_allocs,     time_page_frees};
    return batch_run(bench, &batch);
}

const struct workload workloads_frames[] = {
    {.name = "frame_pair", .summary = "frame_alloc and frame_free, 1 and 8 frames", .run = run_frame_pair},
    {.name = "page_pair", .summary = "alloc_pages and free_pages, 1, 2 and 63 pages", .run = run_page_pair},
    {.name = "frame_batch512",
     .figures = "frame_batch512_alloc frame_batch512_free",
     .summary = "512 frames, freed in a random order",
     .run = run_frame_batch512},
    {.name = "frame_batch4096",
     .figures = "frame_batch4096_alloc frame_batch4096_free",
     .summary = "4096 frames, freed in a random order",
     .run = run_frame_batch4096},
    {.name = "page_batch32",
     .figures = "page_batch32_alloc page_batch32_free",
     .summary = "32 pages, freed in a random order",
     .run = run_page_batch32},
    {.name = NULL},
};
