/* SPDX-License-Identifier: MIT */
/*
 * The firmware's memory map, normalised: overlaps resolved, neighbours merged, usable memory in whole frames.
 *
 * Every question is answered from the raw entries, or, much faster, from the ranges that memory_map_sort made
 * of them; both must stay readable and unchanged meanwhile.  The answers are the same.  No limit on the number
 * of entries.  Pure functions: any context, no locks.  memory_map.c explains the rule and the cost.
 */
#ifndef MM_MEMORY_MAP_H
#define MM_MEMORY_MAP_H

#include <lib/types.h>

/* Types of memory as firmware numbers them (ACPI, "Address Range Types"); any other number is reserved. */
#define MEMORY_USABLE           1u
#define MEMORY_RESERVED         2u
#define MEMORY_ACPI_RECLAIMABLE 3u
#define MEMORY_ACPI_NVS         4u
#define MEMORY_BAD              5u
#define MEMORY_PERSISTENT       7u

/* Addresses from here on do not exist: x86-64 has at most 52 physical address bits (Intel SDM volume 3A,
 * "4-Level Paging and 5-Level Paging", MAXPHYADDR). */
#define MEMORY_MAP_END ((u64)1 << 52)

#define MEMORY_MAP_FRAME_BYTES ((u64)4096)

/* One raw entry.  In memory it has 20 bytes at least, in this order and without padding. */
struct memory_map_entry {
    u64 base;
    u64 length;
    u32 type;
};

/* [start, end) of one type; start < end <= MEMORY_MAP_END. */
struct memory_range {
    u64 start, end;
    u32 type;
};

/*
 * A raw map: n_entries of them, stride_bytes (at least 20) apart, at any alignment.  usable_limit is 0, or
 * the address at which usable memory ends (memory_map_limit).  ranges is NULL, or the merged map.
 */
struct memory_map {
    const void *entries;
    u64 n_entries;
    u64 stride_bytes;
    u64 usable_limit;
    const struct memory_range *ranges;
    u64 n_ranges;
};

/* What can be wrong with an entry.  Entries with the first two are ignored as a whole. */
enum memory_map_defect {
    MEMORY_MAP_SOUND,
    MEMORY_MAP_EMPTY,    /* length 0 */
    MEMORY_MAP_WRAPS,    /* ends past 2^64 (exactly at 2^64 is sound) */
    MEMORY_MAP_TOO_HIGH, /* lies, or reaches, beyond MEMORY_MAP_END; what lies below counts */
};

/* Entry i < n_entries, as it stands. */
struct memory_map_entry memory_map_entry(const struct memory_map *map, u64 i);

/* What is wrong with entry i < n_entries, and the words for it ("length is zero: ignored", "sound"). */
enum memory_map_defect memory_map_defect(const struct memory_map *map, u64 i);
const char *memory_map_defect_text(enum memory_map_defect defect);

/* The part of entry i < n_entries that counts; false when none of it does. */
bool memory_map_entry_range(const struct memory_map *map, u64 i, struct memory_range *out);

/* How strict a type is: of two types over one byte the one with the larger number wins. */
u64 memory_map_strictness(u32 type);

/* A name for a type: "usable", "reserved", "ACPI reclaimable"..., "reserved" also for unknown numbers. */
const char *memory_map_type_name(u32 type);

/*
 * The merged map: the longest range of one effective type that begins at or after `from` (a range that
 * contains `from` is given from `from` on).  Holes are skipped.  To go on: from = out->end.  False: no more.
 */
bool memory_map_next(const struct memory_map *map, u64 from, struct memory_range *out);

/*
 * Usable memory: the longest run of whole usable frames at or after `from` (rounded up to a frame), below the
 * limit.  Same use as memory_map_next; out->type is MEMORY_USABLE.
 */
bool memory_map_next_usable(const struct memory_map *map, u64 from, struct memory_range *out);

/* The sum of all usable frames below the limit, in bytes. */
u64 memory_map_usable_bytes(const struct memory_map *map);

/* The end of the highest usable frame below the limit; 0 when there is none. */
u64 memory_map_usable_end(const struct memory_map *map);

/* True when [start, end) touches a usable frame; true when all of it is usable memory (also when empty). */
bool memory_map_overlaps_usable(const struct memory_map *map, u64 start, u64 end);
bool memory_map_is_usable(const struct memory_map *map, u64 start, u64 end);

/*
 * Looks for n_bytes > 0 (rounded up to frames) of usable frames in a row, at or after `from` and below `end`; the
 * limit does not count.  True: *at is the first that was found.  Found is what has half as much again; of less, or in
 * a map of thousands of pieces, it may miss some.  For a map that is not sorted: looks at all entries 2048 times at
 * most.
 */
bool memory_map_find(const struct memory_map *map, u64 from, u64 end, u64 n_bytes, u64 *at);

/*
 * Merges the map once and for all: afterwards a question takes some 10 * log2(n_ranges) instructions.  `room` has
 * MEMORY_MAP_SORT_BYTES(n_entries), aligned to 8; the ranges are at its start, what lies behind them is free again.
 * Cost: about 100 instructions an entry for each doubling of their number (memory_map_sort.c).
 */
void memory_map_sort(struct memory_map *map, void *room);

/* memory_map_next in a sorted map, or the same of usable memory alone, in bytes: for memory_map.c. */
bool memory_map_next_sorted(const struct memory_map *map, u64 from, bool usable, struct memory_range *out);

/* n entries make at most 2 n - 1 ranges; two lists of as many, and one range that ends each. */
#define MEMORY_MAP_SORT_BYTES(n_entries) (4 * (n_entries) * sizeof(struct memory_range))

/*
 * Makes usable memory end where its first n_bytes (rounded down to frames), in address order, end; 0 lifts
 * the limit.  Afterwards memory_map_usable_bytes is the smaller of n_bytes and what there was without a
 * limit.  The merged map (memory_map_next) does not change.
 */
void memory_map_limit(struct memory_map *map, u64 n_bytes);

#endif
