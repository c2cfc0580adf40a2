/* SPDX-License-Identifier: MIT */
/*
 * The firmware's map while mm starts: sorted, limited, and copied to where it stays.
 *
 * Asking the raw map is quick for tens of entries and hopeless for tens of thousands, so it is sorted first of all
 * (memory_map_sort.c).  But that wants room, and room is what the map is to tell.  The way out: with few looks at the raw map
 * a place is found that is large enough, wherever it lies; later, when the borders of the zones are known, what is kept
 * moves to early frames, and the place becomes ordinary RAM.
 *
 *      place     [ ranges | other half of the sort  ]      lowest in RAM, unreserved
 *                [ ranges | raw ]                          raw entries copied behind: reserved, as long as it is in use
 *      early     [ ranges | raw ]                          NORMAL, for ever
 *
 * Where the first run of early frames is too short, all stays in its place, if the direct map shows that.  Where there is
 * no place, the map stays raw, if it is short enough to be asked so: then only the copy of the raw map is needed, as
 * the loader's memory need not outlive the start.
 *
 * Cost: that of memory_map_find and memory_map_sort.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/start_map.h>
#include <mm/state.h>

/* With a raw map of 4096 shuffled entries a start takes 10 s under emulation; with twice as many, four times that. */
#define RAW_ENTRIES_MAX 4096

#define PLACE_NAME "the firmware's map"

static u64 kept_bytes(void)
{
    return mm.map.n_ranges * sizeof(struct memory_range) + mm.map.n_entries * sizeof(struct memory_map_entry);
}

/* Copies what is kept: the ranges to `to`, the raw entries behind them.  mm.map then points there. */
static void map_move(u8 *to)
{
    struct memory_map_entry *entry = (void *)(to + mm.map.n_ranges * sizeof(struct memory_range));

    if (mm.map.ranges != NULL && (const void *)to != mm.map.ranges) {
        memcpy(to, mm.map.ranges, mm.map.n_ranges * sizeof(struct memory_range));
        mm.map.ranges = (void *)to;
    }
    for (u64 i = 0; i < mm.map.n_entries; i++)
        entry[i] = memory_map_entry(&mm.map, i);
    mm.map.entries = entry;
    mm.map.stride_bytes = sizeof *entry;
}

/* A reserved range that [start, end) touches; NULL when there is none. */
static const struct mm_reserved *reserved_in(u64 start, u64 end)
{
    for (u32 i = 0; i < mm.n_reserved; i++)
        if (mm.reserved[i].start < end && mm.reserved[i].end > start)
            return &mm.reserved[i];
    return NULL;
}

/* Room in RAM that nobody uses.  What lies below mem= bytes is surely in the first so many bytes of RAM. */
static bool find_place(const struct mm_boot *boot, u64 n_bytes, u64 *at)
{
    u64 from = 0, end = boot->mem_bytes != 0 ? min_u64(boot->early_limit, boot->mem_bytes) : boot->early_limit;

    while (memory_map_find(&mm.map, from, end, n_bytes, at)) {
        const struct mm_reserved *other = reserved_in(*at, *at + n_bytes);

        if (other == NULL)
            return true;
        from = other->end;
    }
    return false;
}

const char *start_map_sort(const struct mm_boot *boot)
{
    u64 at;

    mm.map.ranges = NULL;
    mm.map.n_ranges = 0;
    if (mm.map.n_entries == 0 || !find_place(boot, MEMORY_MAP_SORT_BYTES(mm.map.n_entries), &at))
        return mm.map.n_entries > RAW_ENTRIES_MAX ? "no room to sort the firmware's map" : NULL;
    memory_map_sort(&mm.map, phys_pointer(phys(at)));
    map_move(phys_pointer(phys(at)));
    mm.reserved[mm.n_reserved++] = (struct mm_reserved){at, at + kept_bytes(), PLACE_NAME};
    return NULL;
}

/* One run of early frames, however long; what is too short for it on the way is lost. */
static const char *keep_raw(u64 n_frames)
{
    phys_t first;
    u64 n_got;

    do {
        first = early_alloc_frames(n_frames, &n_got);
        if (phys_is_none(first))
            return "no room for a copy of the firmware's map";
    } while (n_got < n_frames);
    map_move(phys_pointer(first));
    return NULL;
}

const char *start_map_keep(void)
{
    u64 n_frames = align_up(kept_bytes(), FRAME_BYTES) / FRAME_BYTES, n_got = 0;
    phys_t first;

    if (mm.map.ranges == NULL)
        return keep_raw(n_frames);
    first = early_alloc_frames(n_frames, &n_got);
    if (!phys_is_none(first) && n_got == n_frames) {
        map_move(phys_pointer(first));
        mm.n_reserved--;
        return NULL;
    }
    early_start(mm.early.limit); /* nothing was taken, then */
    return mm.reserved[mm.n_reserved - 1].end <= mm.direct_end ? NULL : "no room for a copy of the firmware's map";
}
