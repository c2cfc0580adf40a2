/* SPDX-License-Identifier: MIT */
/*
 * Mapping and unmapping physical space in which there is nothing, and mm_stat.
 *
 * The mapping is never touched: only its tables are made and unmade.  It lies in the first gigabyte of the
 * special mappings that is empty, and shows the first gigabyte above RAM of which the firmware's map says
 * nothing.
 */
#include <kernel/bench/measure.h>
#include <kernel/cpu/features.h>
#include <lib/bits.h>
#include <mm/inspect.h>
#include <mm/paging.h>

#define MAP_SAMPLES     15
#define STAT_OPERATIONS 16
#define FOUR_GIB        (4UL << 30)
#define DEVICE_FLAGS    (PAGE_KERNEL_PAGE | PAGE_PWT | PAGE_PCD)

struct map_case {
    const char *map_name, *unmap_name;
    u64 bytes;
    bool use4k;
    u64 n_operations; /* leaves, or 1 for the call as a whole */
};

/* True when an entry of the firmware's map has a byte in the gigabyte at `start`. */
static bool firmware_knows(u64 start)
{
    const struct memory_map *map = mm_firmware_map();

    for (u64 i = 0; i < map->n_entries; i++) {
        struct memory_map_entry entry = memory_map_entry(map, i);

        if (entry.base < start + PAGE_1G_SIZE && entry.length != 0 &&
            entry.base + (entry.length - 1) >= start)
            return true;
    }
    return false;
}

/* Physical space that is nobody's; 0 when there is none. */
static u64 unused_physical(void)
{
    u64 end = 1UL << cpu_features.phys_bits;

    for (u64 at = align_up(max_u64(mm_ram_end(), FOUR_GIB), PAGE_1G_SIZE); at < end; at += PAGE_1G_SIZE) {
        if (!firmware_knows(at))
            return at;
    }
    return 0;
}

/* Virtual space for special mappings where nothing is mapped; 0 when there is none. */
static u64 unused_virtual(void)
{
    struct paging_run run;

    for (u64 at = MM_SPECIAL_START; at < MM_SPECIAL_END; at += PAGE_1G_SIZE) {
        if (!paging_next_run(phys((u64)get_CR3() & PAGE_4K_MASK), virt(at), virt(at + PAGE_1G_SIZE), &run))
            return at;
    }
    return 0;
}

static TIMED u64 time_map(u64 at, u64 shown, const struct map_case *c, int *result)
{
    u64 begin = sample_begin();

    *result = mm_map_phys_addr(at, shown, c->bytes, DEVICE_FLAGS, c->use4k);
    return sample_end(begin);
}

static TIMED u64 time_unmap(u64 at, const struct map_case *c)
{
    u64 begin = sample_begin();

    mm_unmap_addr(at, c->bytes);
    return sample_end(begin);
}

static enum outcome measure_case(struct bench *bench, const struct map_case *c)
{
    u64 at = unused_virtual(), shown = unused_physical();
    bool has_map, has_unmap;
    struct series map, unmap;
    int result = -EFAULT;

    has_map = series_start(&map, MAP_SAMPLES);
    has_unmap = series_start(&unmap, MAP_SAMPLES);
    for (unsigned i = 0; has_map && has_unmap && at != 0 && shown != 0 && i < MAP_SAMPLES + 1; i++) {
        series_add(&map, time_map(at, shown, c, &result));
        if (result != 0)
            break;
        series_add(&unmap, time_unmap(at, c));
    }
    if (result == 0) {
        bench_figure(bench, c->map_name, c->bytes, c->n_operations, &map);
        bench_figure(bench, c->unmap_name, c->bytes, c->n_operations, &unmap);
    }
    series_end(&map);
    series_end(&unmap);
    return result == 0 ? OUTCOME_DONE : OUTCOME_NO_ROOM;
}

static enum outcome run_map4k(struct bench *bench)
{
    static const struct map_case whole = {"map4k_map", "map4k_unmap", 64 << 20, true,
                                          (64 << 20) / FRAME_BYTES};
    static const struct map_case little = {"map4k_map", "map4k_unmap", 64 << 10, true, 1};
    enum outcome outcome = measure_case(bench, &whole);

    return outcome == OUTCOME_DONE ? measure_case(bench, &little) : outcome;
}

static enum outcome run_map2m(struct bench *bench)
{
    static const struct map_case whole = {"map2m_map", "map2m_unmap", 64 << 20, false,
                                          (64 << 20) / PAGE_BYTES};

    return measure_case(bench, &whole);
}

/* ---- mm_stat, and what measuring takes ---- */

static TIMED u64 time_stats(unsigned n)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        mm_stat();
    return sample_end(begin);
}

static TIMED u64 time_loop(unsigned n)
{
    u64 begin = sample_begin();

    for (unsigned i = 0; i < n; i++)
        __asm__ volatile("");
    return sample_end(begin);
}

static TIMED u64 time_nothing(unsigned n)
{
    (void)n;
    return sample_end(sample_begin());
}

static enum outcome measure_simply(struct bench *bench, const char *name, u64 param, unsigned n,
                                   u64 (*time)(unsigned n))
{
    struct series series;

    if (!series_start(&series, SAMPLES))
        return OUTCOME_NO_ROOM;
    for (unsigned i = 0; i < SAMPLES + 1; i++)
        series_add(&series, time(n));
    bench_figure(bench, name, param, n, &series);
    return OUTCOME_DONE;
}

static enum outcome run_mm_stat(struct bench *bench)
{
    return measure_simply(bench, "mm_stat", 0, STAT_OPERATIONS, time_stats);
}

static enum outcome run_tsc_overhead(struct bench *bench)
{
    return measure_simply(bench, "tsc_overhead", 0, 1, time_nothing);
}

static enum outcome run_loop_overhead(struct bench *bench)
{
    return measure_simply(bench, "loop_overhead", OPERATIONS_PER_SAMPLE, OPERATIONS_PER_SAMPLE, time_loop);
}

const struct workload workloads_mapping[] = {
    {.name = "map4k",
     .figures = "map4k_map map4k_unmap",
     .summary = "4 KiB leaves, 64 MiB and 64 KiB of them",
     .run = run_map4k},
    {.name = "map2m",
     .figures = "map2m_map map2m_unmap",
     .summary = "2 MiB leaves, 64 MiB of them",
     .run = run_map2m},
    {.name = "mm_stat", .summary = "the seven numbers", .run = run_mm_stat},
    {.name = "tsc_overhead", .summary = "reading the counter twice", .run = run_tsc_overhead},
    {.name = "loop_overhead", .summary = "an empty loop", .run = run_loop_overhead},
    {.name = NULL},
};
