/* SPDX-License-Identifier: MIT */
/* Views of mm for people: zones, classes, reserved ranges.  Copies; see inspect.h. */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame_bits.h>
#include <mm/page.h>
#include <mm/paging.h>
#include <mm/run.h>
#include <mm/slab.h>

/* Frames that lie in the CPUs' stacks and belong to a zone: NORMAL's only. */
static u64 zone_cached_frames(unsigned zone)
{
    u64 n = 0;

    if (zone != 1)
        return 0;
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        n += mm_cpu_free_frames(cpu);
    return n;
}

/* Counts the largest aligned blocks that a run of whole pages consists of. */
static void run_count_blocks(u32 index, u32 n_pages, struct mm_zone_info *out)
{
    out->n_whole_free_pages += n_pages;
    while (n_pages != 0) {
        unsigned order = (unsigned)min_u64(min_u64(count_trailing_zeros(index), log2_floor(n_pages)), RUN_ORDERS - 1);

        out->n_free_blocks[SPLIT_ORDERS + order]++;
        index += 1u << order;
        n_pages -= 1u << order;
    }
}

/* Counts the free blocks of a zone's lists. */
static void zone_count_blocks(const struct Zone *zone, struct mm_zone_info *out)
{
    for (unsigned list = 0; list < N_SPLIT_KINDS * SPLIT_ORDERS; list++)
        for (u32 i = zone->split[list / SPLIT_ORDERS].head[list % SPLIT_ORDERS]; i != PAGE_NOWHERE; i = page_at(i)->next)
            frame_bits_count(page_at(i)->free_frames, out->n_free_blocks);
    for (unsigned list = 0; list < N_RUN_KINDS * N_RUN_BINS; list++)
        for (u32 i = zone->run[list / N_RUN_BINS].head[list % N_RUN_BINS]; i != PAGE_NOWHERE; i = page_at(i)->next)
            run_count_blocks(i, run_length(page_at(i)), out);
}

void mm_zone_info(unsigned number, struct mm_zone_info *out)
{
    struct Zone *zone = &mm.zone[number];
    ul flags;

    memset(out, 0, sizeof *out);
    flags = platform_lock(&zone->lock);
    out->name = zone->name;
    out->start = zone->start;
    out->end = zone->end;
    out->managed_bytes = zone->managed_frames * FRAME_BYTES;
    out->low_water_bytes = zone->low_water_frames * FRAME_BYTES;
    out->cached_bytes = zone_cached_frames(number) * FRAME_BYTES;
    out->free_bytes = zone->n_free_frames * FRAME_BYTES + out->cached_bytes;
    out->used_bytes = out->managed_bytes - out->free_bytes;
    zone_count_blocks(zone, out);
    platform_unlock(&zone->lock, flags);
}

void mm_class_info(unsigned number, struct mm_class_info *out)
{
    u64 n_rounds = 0, n_free = 0;

    memset(out, 0, sizeof *out);
    out->size_bytes = 1UL << (number + CLASS_MIN_SHIFT);
    out->n_failures = mm.n_failures[number];
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next) {
        n_rounds += magazine_count(cpu, number);
        n_free += cpu->n_free[number];
        out->n_slabs += cpu->n_slabs[number];
        out->n_allocs += cpu->n_taken[number];
    }
    out->n_objects = out->n_slabs * class_n_objects(number);
    out->slab_bytes = out->n_slabs * class_slab_bytes(number);
    out->n_live = out->n_objects - n_free - n_rounds - mm.debug.n_waiting_of_class[number];
    out->n_frees = out->n_allocs - out->n_live;
}

bool mm_reserved_range(unsigned i, u64 *start, u64 *end, const char **name)
{
    if (i >= mm.n_reserved)
        return false;
    *start = mm.reserved[i].start;
    *end = mm.reserved[i].end;
    *name = mm.reserved[i].name;
    return true;
}

const struct memory_map *mm_firmware_map(void)
{
    return &mm.map;
}

u64 mm_ram_end(void)
{
    return mm.ram_end;
}

bool mm_is_direct(phys_t at)
{
    u64 frame = align_down(at.addr, FRAME_BYTES);

    return page_exists(at) && page_is_direct(page_of(at)) &&
           memory_map_is_usable(&mm.map, frame, frame + FRAME_BYTES);
}

void mm_start_info(struct mm_start_info *out)
{
    *out = mm.start;
    out->n_grown_pages = mm.n_grown_pages;
}
