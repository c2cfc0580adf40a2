/* SPDX-License-Identifier: MIT */
/* A machine whose firmware reports a given map: see map_machine.h. */
#include <cmocka_all.h>
#include <map_machine.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <mm/frame.h>
#include <mm/inspect.h>

#include <stdlib.h>

#define SHUFFLE_SEED 0x9e3779b97f4a7c15UL

/* Backs the usable frames; what a machine may not have (above 32 TiB) is left out. */
static void add_memory(const struct memory_map *map)
{
    struct memory_range run;

    for (u64 from = 0; memory_map_next_usable(map, from, &run) && run.start < MM_RAM_LIMIT; from = run.end)
        host_memory_add(run.start, min_u64(run.end, MM_RAM_LIMIT) - run.start);
}

/* Takes the kernel image out of what machine_build made up. */
static void drop_image(struct mm_boot *boot)
{
    u32 n_kept = 0;

    boot->n_segments = 0;
    for (u32 i = 0; i < boot->n_reserved; i++)
        if (boot->reserved[i].start != MACHINE_TEXT_PHYS || boot->reserved[i].end != MACHINE_IMAGE_END)
            boot->reserved[n_kept++] = boot->reserved[i];
    boot->n_reserved = n_kept;
}

const char *map_machine_start(const struct memory_map *map, const struct machine_options *options)
{
    struct mm_boot *boot = machine_build(NULL, 0, options);

    boot->map = *map;
    if (!memory_map_is_usable(map, MACHINE_TEXT_PHYS, MACHINE_IMAGE_END))
        drop_image(boot);
    add_memory(map);
    return mm_start(boot);
}

/* RAM of a map below an address, and below what mm can use on this CPU. */
static u64 ram_below(const struct memory_map *map, u64 end)
{
    struct memory_range run;
    u64 bytes = 0;

    end = min_u64(end, min_u64(MM_RAM_LIMIT, 1UL << machine_boot()->features.phys_bits));
    for (u64 from = 0; memory_map_next_usable(map, from, &run) && run.start < end; from = run.end)
        bytes += min_u64(run.end, end) - run.start;
    return bytes;
}

/* The top of DMA: what was asked for, else a quarter of RAM, at most 16 MiB; a page at least, and to the
 * nearest. */
static void assert_dma_border(const struct mm_zone_info *dma, u64 ram_bytes)
{
    u64 asked = machine_boot()->dma_bytes, wanted = asked != 0 ? asked : min_u64(ram_bytes / 4, MIB(16));

    assert_int_equal(dma->start, 0);
    assert_true(dma->end % MIB(2) == 0 && dma->end >= MIB(2));
    if (wanted >= MIB(2))
        assert_in_range(dma->end, wanted - MIB(1), wanted + MIB(2) - 1);
    else
        assert_int_equal(dma->end, MIB(2));
}

/* The border of the direct map: RAM below it is as asked, else three quarters, to the nearest page. */
static void assert_direct_border(const struct memory_map *map, u64 dma_end, u64 direct_end, u64 ram_bytes)
{
    u64 asked = machine_boot()->direct_map_bytes;
    u64 wanted = min_u64(ram_bytes, asked != 0 ? asked : ram_bytes - ram_bytes / 4), got;

    assert_true(direct_end % MIB(2) == 0 && direct_end >= dma_end);
    if (direct_end == dma_end)
        return;
    got = ram_below(map, direct_end);
    assert_true(got + MIB(1) >= wanted && got <= wanted + MIB(1));
}

/* Fails the test unless a zone manages the RAM between its borders, but for pages that NORMAL grew by. */
static void assert_managed(const struct memory_map *map, unsigned i, const struct mm_zone_info *zone)
{
    u64 expected = ram_below(map, zone->end) - ram_below(map, zone->start);
    struct mm_start_info info;

    mm_start_info(&info);
    expected += i == 1 ? info.n_grown_pages * PAGE_BYTES : 0;
    expected -= i == 2 ? info.n_grown_pages * PAGE_BYTES : 0;
    if (zone->managed_bytes != expected)
        fail_msg("%s, 0x%lx .. 0x%lx, manages 0x%lx bytes, not 0x%lx", zone->name, zone->start, zone->end,
                 zone->managed_bytes, expected);
    assert_int_equal(zone->managed_bytes, zone->free_bytes + zone->used_bytes);
}

static void assert_zones(void)
{
    struct mm_zone_info zone[MM_N_ZONES];
    struct memory_map map = machine_boot()->map;
    struct mm_stat_t stat = mm_stat();
    u64 managed = 0, free = 0, ram_bytes;

    memory_map_limit(&map, machine_boot()->mem_bytes);
    ram_bytes = ram_below(&map, MEMORY_MAP_END);
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        mm_zone_info(i, &zone[i]);
        assert_managed(&map, i, &zone[i]);
        managed += zone[i].managed_bytes;
        free += zone[i].free_bytes;
    }
    assert_int_equal(zone[1].start, zone[0].end);
    assert_int_equal(zone[2].start, zone[1].end);
    assert_int_equal(managed, ram_bytes);
    assert_int_equal(stat.total, ram_bytes);
    assert_int_equal(stat.free, free);
    assert_dma_border(&zone[0], ram_bytes);
    assert_direct_border(&map, zone[0].end, zone[1].end, ram_bytes);
}

void assert_started(void)
{
    struct mm_stat_t stat = mm_stat();

    assert_sound();
    assert_int_equal(stat.total, stat.used + stat.free);
    assert_int_equal(stat.available, stat.free + stat.cache_free);
    assert_true(stat.cache_used + stat.cache_free <= stat.used);
    assert_int_equal(stat.shared + stat.cache_used + mm_misuse_count(), 0);
    assert_zones();
}

static void shuffle(phys_t *frames, u64 n)
{
    u64 random = SHUFFLE_SEED;

    for (; n > 1; n--) {
        u64 other = random_below(&random, n);
        phys_t swap = frames[n - 1];

        frames[n - 1] = frames[other];
        frames[other] = swap;
    }
}

void assert_all_can_be_taken(void)
{
    static const unsigned zones[] = {ZONE_UNMAPPED_IN_PGT, ZONE_NORMAL, ZONE_DMA};
    struct mm_stat_t before, after;
    phys_t *frames;
    u64 n = 0;

    mm_shrink();
    before = mm_stat();
    frames = malloc((before.free / FRAME_BYTES + MM_N_ZONES) * sizeof(*frames));
    assert_non_null(frames);
    for (unsigned i = 0; i < ARRAY_LENGTH(zones); i++)
        while (frames[n] = frame_alloc(zones[i], 0), !phys_is_none(frames[n]))
            n++;
    assert_int_equal(n, before.free / FRAME_BYTES);
    assert_int_equal(mm_stat().free, 0);
    assert_sound();
    shuffle(frames, n);
    while (n > 0)
        assert_int_equal(frame_free(frames[--n], 0), 0);
    free(frames);
    mm_shrink();
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof(before));
    assert_sound();
}
