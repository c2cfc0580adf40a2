/* SPDX-License-Identifier: MIT */
/*
 * RAM before there is an allocator.
 *
 * Purpose.  Everything in mm that asks "where is RAM?" asks here.  The answer is computed from the firmware's map each
 * time (memory_map.c), less what is reserved, less what early_alloc took:
 *
 *     firmware's map   ....[=====================]......[=================]....   ram_next
 *     reserved         [====]      [==]                                           low memory, image, modules
 *     unreserved       ....[=======]..[==========]......[=================]....   ram_next_unreserved
 *     taken early      ...........[E]..[EEEE]..................................   page tables, page array
 *     free             ....[=====]..........[====]......[=================]....   ram_next_free
 *
 * Algorithm.  early_alloc is a cursor that walks upward through unreserved RAM, so all it ever took lies in
 * [start, end) of one interval, and two numbers remember it.  It starts above the DMA zone, to keep that whole; if
 * nothing that is reachable lies there, a second interval starts at the bottom of RAM.  Frames are never given back:
 * what is taken early lives as long as the kernel.
 *
 * Cost.  A step is a binary search in the sorted map and a look at all reserved ranges; some steps a run of RAM.
 *
 * Limits.  RAM from 32 TiB on does not exist here, since the direct map could not hold it, nor what lies beyond the CPU's
 * physical width: the map's limit (start.c) ends before.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/state.h>

bool ram_next(u64 from, struct memory_range *out)
{
    return memory_map_next_usable(&mm.map, from, out);
}

/* Cuts `run` at the first of [start, end) that it meets: moves its start behind it, or its end before it.
 * Returns false when nothing of the run is left before the next look. */
static bool run_avoid(struct memory_range *run, u64 start, u64 end)
{
    start = align_down(start, FRAME_BYTES);
    end = align_up(end, FRAME_BYTES);
    if (end <= run->start || start >= run->end)
        return true;
    if (start > run->start) {
        run->end = start;
        return true;
    }
    run->start = end;
    return false;
}

/* One look at all reserved ranges; false: the run's start moved, look again. */
static bool run_avoid_reserved(struct memory_range *run)
{
    for (u32 i = 0; i < mm.n_reserved; i++)
        if (!run_avoid(run, mm.reserved[i].start, mm.reserved[i].end))
            return false;
    return true;
}

static bool run_avoid_early(struct memory_range *run)
{
    for (unsigned i = 0; i < 2; i++)
        if (mm.early.start[i] < mm.early.end[i] && !run_avoid(run, mm.early.start[i], mm.early.end[i]))
            return false;
    return true;
}

static bool ram_next_avoiding(u64 from, struct memory_range *out, bool avoid_early)
{
    while (ram_next(from, out)) {
        if (run_avoid_reserved(out) && (!avoid_early || run_avoid_early(out)))
            return true;
        from = out->start;
    }
    return false;
}

bool ram_next_unreserved(u64 from, struct memory_range *out)
{
    return ram_next_avoiding(from, out, false);
}

bool ram_next_free(u64 from, struct memory_range *out)
{
    return ram_next_avoiding(from, out, true);
}

u64 ram_bytes_total(void)
{
    struct memory_range run;
    u64 bytes = 0;

    for (u64 from = 0; ram_next(from, &run); from = run.end)
        bytes += run.end - run.start;
    return bytes;
}

u64 ram_address_of_byte(u64 bytes)
{
    struct memory_range run;
    u64 from = 0;

    while (ram_next(from, &run)) {
        if (bytes <= run.end - run.start)
            return run.start + bytes;
        bytes -= run.end - run.start;
        from = run.end;
    }
    return from;
}

void early_start(u64 reachable_limit)
{
    mm.early = (struct early_state){.limit = reachable_limit};
    mm.early.start[0] = mm.early.end[0] = mm.dma_end;
}

/* Takes up to n_frames at the cursor of interval i. */
static phys_t early_take(unsigned i, u64 n_frames, u64 *n_got)
{
    u64 top = i == 0 ? mm.direct_end : mm.dma_end;
    struct memory_range run;

    top = min_u64(top, mm.early.limit);
    if (!ram_next_unreserved(mm.early.end[i], &run) || run.start >= top)
        return PHYS_NONE;
    *n_got = min_u64(n_frames, (min_u64(run.end, top) - run.start) / FRAME_BYTES);
    if (mm.early.start[i] == mm.early.end[i])
        mm.early.start[i] = run.start;
    mm.early.end[i] = run.start + *n_got * FRAME_BYTES;
    memset(phys_pointer(phys(run.start)), 0, *n_got * FRAME_BYTES);
    return phys(run.start);
}

phys_t early_alloc_frames(u64 n_frames, u64 *n_got)
{
    for (unsigned i = 0; i < 2; i++) {
        phys_t first = early_take(i, n_frames, n_got);

        if (!phys_is_none(first))
            return first;
    }
    return PHYS_NONE;
}

phys_t early_alloc_frame(void)
{
    u64 n_got;

    return early_alloc_frames(1, &n_got);
}

bool early_owns(phys_t frame)
{
    struct memory_range run = {frame.addr, frame.addr + FRAME_BYTES, MEMORY_USABLE};
    bool in_interval = false;

    for (unsigned i = 0; i < 2; i++)
        in_interval |= frame.addr >= mm.early.start[i] && frame.addr < mm.early.end[i];
    return in_interval && run_avoid_reserved(&run) && memory_map_is_usable(&mm.map, run.start, run.end);
}
