/* SPDX-License-Identifier: MIT */
/* kmalloc, kzalloc and kfree: one object taken and given back at once, for every size that is compared. */
#include <kernel/bench/batch.h>
#include <kernel/bench/measure.h>
#include <mm/mm.h>

#define LARGE_BYTES      (64UL << 10) /* from here on a sample is 4 operations */
#define LARGE_OPERATIONS 4

static TIMED u64 time_kmalloc_pairs(u64 size, unsigned n)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        kfree(kmalloc(size, 0));
    return sample_end(begin);
}

static TIMED u64 time_kzalloc_pairs(u64 size, unsigned n)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        kfree(kzalloc(size, 0));
    return sample_end(begin);
}

static enum outcome measure_pair(struct bench *bench, const char *name, u64 size,
                                 u64 (*time)(u64 size, unsigned n))
{
    unsigned n = size < LARGE_BYTES ? OPERATIONS_PER_SAMPLE : LARGE_OPERATIONS;
    struct series series;
    void *first;

    if (!series_start(&series, SAMPLES))
        return OUTCOME_NO_ROOM;
    first = kmalloc(size, 0);
    if (first == NULL) {
        series_end(&series);
        return OUTCOME_NO_ROOM;
    }
    kfree(first);
    for (unsigned i = 0; i < SAMPLES + 1; i++)
        series_add(&series, time(size, n));
    bench_figure(bench, name, size, n, &series);
    return OUTCOME_DONE;
}

static enum outcome run_kmalloc_pair(struct bench *bench)
{
    static const u64 sizes[] = {32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 65536, 1048576};
    enum outcome outcome = OUTCOME_DONE;

    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0] && outcome == OUTCOME_DONE; i++)
        outcome = measure_pair(bench, "kmalloc_pair", sizes[i], time_kmalloc_pairs);
    return outcome;
}

static enum outcome run_kzalloc_pair(struct bench *bench)
{
    static const u64 sizes[] = {64, 1024, 8192};
    enum outcome outcome = OUTCOME_DONE;

    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0] && outcome == OUTCOME_DONE; i++)
        outcome = measure_pair(bench, "kzalloc_pair", sizes[i], time_kzalloc_pairs);
    return outcome;
}

/* ---- batches ---- */

static TIMED u64 time_allocs(u64 *item, unsigned n, u64 size)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        item[i] = (u64)kmalloc(size, 0);
    return sample_end(begin);
}

static TIMED u64 time_frees(const u64 *item, unsigned n, u64 size)
{
    u64 begin = sample_begin();

    (void)size;
    for (unsigned i = 0; i < n; i++)
        kfree((void *)item[i]);
    return sample_end(begin);
}

static enum outcome run_batch(struct bench *bench, enum batch_order order, u64 size, const char *alloc_name,
                              const char *free_name)
{
    const struct batch batch = {.alloc_name = alloc_name,
                                .free_name = free_name,
                                .param = size,
                                .n = 1024,
                                .order = order,
                                .nothing = 0,
                                .alloc = time_allocs,
                                .free = time_frees};
    return batch_run(bench, &batch);
}

static enum outcome run_batch_fifo(struct bench *bench)
{
    return run_batch(bench, BATCH_FIFO, 64, "batch_fifo_alloc", "batch_fifo_free");
}

static enum outcome run_batch_lifo(struct bench *bench)
{
    return run_batch(bench, BATCH_LIFO, 64, "batch_lifo_alloc", "batch_lifo_free");
}

static enum outcome run_batch_random(struct bench *bench)
{
    enum outcome outcome = run_batch(bench, BATCH_RANDOM, 64, "batch_random_alloc", "batch_random_free");

    if (outcome == OUTCOME_DONE)
        outcome = run_batch(bench, BATCH_RANDOM, 4096, "batch_random_alloc", "batch_random_free");
    return outcome;
}

const struct workload workloads_kmalloc[] = {
    {.name = "kmalloc_pair", .summary = "kmalloc and kfree, 32 bytes to 1 MiB", .run = run_kmalloc_pair},
    {.name = "kzalloc_pair", .summary = "the same with the object cleared", .run = run_kzalloc_pair},
    {.name = "batch_fifo",
     .figures = "batch_fifo_alloc batch_fifo_free",
     .summary = "1024 objects, freed oldest first",
     .run = run_batch_fifo},
    {.name = "batch_lifo",
     .figures = "batch_lifo_alloc batch_lifo_free",
     .summary = "1024 objects, freed newest first",
     .run = run_batch_lifo},
    {.name = "batch_random",
     .figures = "batch_random_alloc batch_random_free",
     .summary = "1024 objects, freed in a random order",
     .run = run_batch_random},
    {.name = NULL},
};
