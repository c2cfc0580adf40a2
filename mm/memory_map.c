/* SPDX-License-Identifier: MIT */
/*
 * The firmware's memory map, normalised.
 *
 * Purpose.  Firmware reports memory as a list of entries (base, length, type) in no order, with overlaps,
 * repetitions, pieces of frames and plain nonsense.  This file answers what counts: which ranges are of which
 * type, and which whole frames are usable.
 *
 * Terms.  A byte's *effective type* is the strictest of the types of the entries that cover it.  A *stretch*
 * is a range that one scan proves to be of one effective type; a *range* is the longest such range.  A frame
 * is usable when each of its bytes is usable: covered by an entry of type 1 and by no entry of another type.
 *
 * Strictness.  What may not be touched at all comes before what may be reused later, and usable memory comes
 * last:
 *
 *      bad (5)  >  reserved (2) and all unknown numbers, the larger number first  >  ACPI NVS (4)
 *               >  ACPI reclaimable (3)  >  persistent (7)  >  usable (1)  >  nothing said
 *
 *      entries     1 |=====================================|          |=======|
 *                  2        |====|       |===========|
 *                  3                 |=======|
 *                            frames:  ^   ^   ^   ^   ^   ^   ^   ^   ^   ^   ^
 *      ranges        |  1   | 2  | 1 | 3 |     2     |   1 |  hole    |   1   |
 *
 * Algorithm.  Here nothing is stored, so there is no table to overflow: a walk is a position p, and one scan
 * over all raw entries finds the stretch that begins at p.  Among the entries that cover p the
 * strictest type wins; the stretch lasts until the coverage of that type ends or a stricter entry begins,
 * whichever is first.  Entries of the same type that begin where the coverage so far ends lengthen it within
 * the same scan, if they come later in the list: a sorted map needs one scan a range.  Stretches of one type
 * that follow each other are joined by further scans.
 *
 * Cost.  A scan is some ten instructions an entry.  For n sorted entries that make r ranges a whole walk
 * takes about 2 r scans: 5 thousand instructions for the 10 entries of a BIOS machine, 63 thousand for the
 * 128 of a UEFI machine (measured).  The worst case, a shuffled map of n ranges that do not merge, is 2 n
 * scans of n entries: 0.6 ms for 600 entries, 15 ms for 3000, seconds for 40 thousand.  So mm asks in this way
 * only until it has found room to sort the map (start_map.c); then memory_map_sort.c answers.  Firmware has
 * never been seen to report more than hundreds.
 *
 * Invariants.
 *   I1  Ranges given by a walk are not empty, ascend, do not overlap and end at or below MEMORY_MAP_END.
 *   I2  Neither neighbour of a range has the range's effective type: ranges are as long as they can be.
 *   I3  Usable runs begin and end at frame borders, and between two of them lies at least one frame.
 *   I4  An entry that is empty or wraps past 2^64 changes no answer.
 *
 * Locking: none; the map is only read.
 * Limits: addresses from 2^52 on do not count; an entry is cut there.
 */
#include <lib/bits.h>
#include <mm/memory_map.h>

#define RAW_LENGTH_OFFSET 8
#define RAW_TYPE_OFFSET   16

/* Strictness as numbers, a larger one is stricter: from "no entry covers this" to the strictest of all. */
#define RANK_NONE             ((u64)0)
#define RANK_USABLE           ((u64)1)
#define RANK_PERSISTENT       ((u64)2)
#define RANK_ACPI_RECLAIMABLE ((u64)3)
#define RANK_ACPI_NVS         ((u64)4)
#define RANK_RESERVED(t)      (((u64)1 << 32) | (t))
#define RANK_BAD              (~(u64)0)

/* From the position that was asked for up to `end`: the effective type. */
struct stretch {
    u64 end;
    u64 rank;
    u32 type; /* undefined for RANK_NONE */
};

/* Whether a scan tells all types apart, or takes all but the usable one for the same. */
enum detail { EVERY_TYPE, USABLE_OR_NOT };

struct memory_map_entry memory_map_entry(const struct memory_map *map, u64 i)
{
    const u8 *raw = (const u8 *)map->entries + i * map->stride_bytes;
    struct memory_map_entry entry;

    __builtin_memcpy(&entry.base, raw, sizeof(entry.base));
    __builtin_memcpy(&entry.length, raw + RAW_LENGTH_OFFSET, sizeof(entry.length));
    __builtin_memcpy(&entry.type, raw + RAW_TYPE_OFFSET, sizeof(entry.type));
    return entry;
}

/* The address of an entry's last byte; wraps below its base for an entry that does not count. */
static inline u64 last_byte(struct memory_map_entry entry)
{
    return entry.base + (entry.length - 1);
}

/* Whether any part of an entry counts. */
static inline bool entry_counts(struct memory_map_entry entry)
{
    return entry.length != 0 && last_byte(entry) >= entry.base && entry.base < MEMORY_MAP_END;
}

bool memory_map_entry_range(const struct memory_map *map, u64 i, struct memory_range *out)
{
    struct memory_map_entry entry = memory_map_entry(map, i);

    if (!entry_counts(entry))
        return false;
    *out = (struct memory_range){entry.base, min_u64(last_byte(entry), MEMORY_MAP_END - 1) + 1, entry.type};
    return true;
}

enum memory_map_defect memory_map_defect(const struct memory_map *map, u64 i)
{
    struct memory_map_entry entry = memory_map_entry(map, i);

    if (entry.length == 0)
        return MEMORY_MAP_EMPTY;
    if (last_byte(entry) < entry.base)
        return MEMORY_MAP_WRAPS;
    if (last_byte(entry) >= MEMORY_MAP_END)
        return MEMORY_MAP_TOO_HIGH;
    return MEMORY_MAP_SOUND;
}

const char *memory_map_defect_text(enum memory_map_defect defect)
{
    switch (defect) {
    case MEMORY_MAP_EMPTY:
        return "length is zero: ignored";
    case MEMORY_MAP_WRAPS:
        return "ends past 2^64: ignored";
    case MEMORY_MAP_TOO_HIGH:
        return "reaches beyond 2^52: that part does not count";
    default:
        return "sound";
    }
}

const char *memory_map_type_name(u32 type)
{
    switch (type) {
    case MEMORY_USABLE:
        return "usable";
    case MEMORY_ACPI_RECLAIMABLE:
        return "ACPI reclaimable";
    case MEMORY_ACPI_NVS:
        return "ACPI NVS";
    case MEMORY_BAD:
        return "bad";
    case MEMORY_PERSISTENT:
        return "persistent";
    default:
        return "reserved";
    }
}

/* How strict a type is; with USABLE_OR_NOT there are only two answers. */
static inline u64 rank_of(u32 type, enum detail detail)
{
    if (type == MEMORY_USABLE)
        return RANK_USABLE;
    if (detail == USABLE_OR_NOT)
        return RANK_BAD;
    switch (type) {
    case MEMORY_PERSISTENT:
        return RANK_PERSISTENT;
    case MEMORY_ACPI_RECLAIMABLE:
        return RANK_ACPI_RECLAIMABLE;
    case MEMORY_ACPI_NVS:
        return RANK_ACPI_NVS;
    case MEMORY_BAD:
        return RANK_BAD;
    default:
        return RANK_RESERVED(type);
    }
}

u64 memory_map_strictness(u32 type)
{
    return rank_of(type, EVERY_TYPE);
}

/*
 * One scan: the stretch at `position` < MEMORY_MAP_END.
 *
 * While the scan goes on, `rank` is the strictest seen so far to cover the position and `covered` how far
 * entries of that rank are known to reach without a gap; finding a stricter one starts `covered` afresh.
 * `ahead` is the first place after the position where something may begin that matters: an entry that was
 * stricter than `rank` when it was met, or one that lay beyond `covered`, whose type is not even looked at.
 * Since `rank` only rises, and `covered` is never believed beyond `ahead`, no change of type is missed; one
 * place too many only makes the stretch shorter.
 */
static inline struct stretch scan(const struct memory_map *map, u64 position, enum detail detail)
{
    u64 rank = RANK_NONE, covered = position, ahead = MEMORY_MAP_END;
    u32 type = 0;

    for (u64 i = 0; i < map->n_entries; i++) {
        struct memory_map_entry entry = memory_map_entry(map, i);

        if (last_byte(entry) < position || !entry_counts(entry))
            continue;
        if (entry.base > covered) {
            ahead = min_u64(ahead, entry.base);
            continue;
        }

        u64 end = min_u64(last_byte(entry), MEMORY_MAP_END - 1) + 1;
        u64 entry_rank = rank_of(entry.type, detail);

        if (entry_rank == rank) {
            covered = max_u64(covered, end);
        } else if (entry_rank > rank && entry.base > position) {
            ahead = min_u64(ahead, entry.base);
        } else if (entry_rank > rank) {
            rank = entry_rank;
            type = entry.type;
            covered = end;
        }
    }
    return (struct stretch){rank == RANK_NONE ? ahead : min_u64(covered, ahead), rank, type};
}

/*
 * Makes a stretch as long as it can be, or so long that it reaches `enough`, by the stretches that follow it with the
 * same type.  Always inlined, so that `detail` is a constant in the loop of the scan.
 */
static inline __attribute__((always_inline)) struct stretch
extend(const struct memory_map *map, struct stretch stretch, u64 enough, enum detail detail)
{
    while (stretch.end < enough) {
        struct stretch next = scan(map, stretch.end, detail);

        if (next.rank != stretch.rank)
            break;
        stretch.end = next.end;
    }
    return stretch;
}

static bool raw_next(const struct memory_map *map, u64 from, struct memory_range *out)
{
    while (from < MEMORY_MAP_END) {
        struct stretch stretch = scan(map, from, EVERY_TYPE);

        if (stretch.rank != RANK_NONE) {
            stretch = extend(map, stretch, MEMORY_MAP_END, EVERY_TYPE);
            *out = (struct memory_range){from, stretch.end, stretch.type};
            return true;
        }
        from = stretch.end;
    }
    return false;
}

/* The usable bytes that come next, not yet rounded to frames. */
static bool raw_next_usable(const struct memory_map *map, u64 from, struct memory_range *out)
{
    while (from < MEMORY_MAP_END) {
        struct stretch stretch = scan(map, from, USABLE_OR_NOT);

        if (stretch.rank == RANK_USABLE) {
            stretch = extend(map, stretch, MEMORY_MAP_END, USABLE_OR_NOT);
            *out = (struct memory_range){from, stretch.end, MEMORY_USABLE};
            return true;
        }
        from = stretch.end;
    }
    return false;
}

bool memory_map_next(const struct memory_map *map, u64 from, struct memory_range *out)
{
    return map->ranges != NULL ? memory_map_next_sorted(map, from, false, out) : raw_next(map, from, out);
}

static u64 limit_of(const struct memory_map *map)
{
    return map->usable_limit == 0 ? MEMORY_MAP_END : min_u64(map->usable_limit, MEMORY_MAP_END);
}

bool memory_map_next_usable(const struct memory_map *map, u64 from, struct memory_range *out)
{
    u64 limit = limit_of(map);
    struct memory_range bytes;

    while (from < limit && (map->ranges != NULL ? memory_map_next_sorted(map, from, true, &bytes)
                                                : raw_next_usable(map, from, &bytes))) {
        u64 start = align_up(bytes.start, MEMORY_MAP_FRAME_BYTES);
        u64 end = align_down(min_u64(bytes.end, limit), MEMORY_MAP_FRAME_BYTES);

        if (start < end) {
            *out = (struct memory_range){start, end, MEMORY_USABLE};
            return true;
        }
        from = bytes.end;
    }
    return false;
}

u64 memory_map_usable_bytes(const struct memory_map *map)
{
    struct memory_range range = {0};
    u64 n_bytes = 0;

    while (memory_map_next_usable(map, range.end, &range))
        n_bytes += range.end - range.start;
    return n_bytes;
}

u64 memory_map_usable_end(const struct memory_map *map)
{
    struct memory_range range = {0};

    while (memory_map_next_usable(map, range.end, &range))
        continue;
    return range.end;
}

bool memory_map_overlaps_usable(const struct memory_map *map, u64 start, u64 end)
{
    struct memory_range range;

    return start < end && memory_map_next_usable(map, align_down(start, MEMORY_MAP_FRAME_BYTES), &range) &&
           range.start < end;
}

bool memory_map_is_usable(const struct memory_map *map, u64 start, u64 end)
{
    struct memory_range range;

    if (start >= end)
        return true;
    if (end > limit_of(map))
        return false;
    start = align_down(start, MEMORY_MAP_FRAME_BYTES);
    end = align_up(end, MEMORY_MAP_FRAME_BYTES);
    if (end > limit_of(map))
        return false;
    if (map->ranges != NULL)
        return memory_map_next_sorted(map, start, false, &range) && range.type == MEMORY_USABLE &&
               range.start == start && end <= range.end;

    struct stretch stretch = scan(map, start, USABLE_OR_NOT);

    return stretch.rank == RANK_USABLE && extend(map, stretch, end, USABLE_OR_NOT).end >= end;
}

/* How many times memory_map_find looks at all entries. */
#define FIND_SCANS_MAX 2048

/*
 * What is too short is left behind in steps of half of what is wanted, at least: so there are few looks, and what has
 * half as much again is not jumped over.
 */
bool memory_map_find(const struct memory_map *map, u64 from, u64 end, u64 n_bytes, u64 *at)
{
    end = min_u64(end, MEMORY_MAP_END);
    n_bytes = align_up(n_bytes, MEMORY_MAP_FRAME_BYTES);
    *at = align_up(from, MEMORY_MAP_FRAME_BYTES);
    for (unsigned n_scans = 0; n_scans < FIND_SCANS_MAX && n_bytes <= end && *at <= end - n_bytes; n_scans++) {
        struct stretch stretch = scan(map, *at, USABLE_OR_NOT), next;

        while (stretch.rank == RANK_USABLE && stretch.end < *at + n_bytes && n_scans++ < FIND_SCANS_MAX) {
            next = scan(map, stretch.end, USABLE_OR_NOT);
            if (next.rank != RANK_USABLE)
                break;
            stretch.end = next.end;
        }
        if (stretch.rank == RANK_USABLE && stretch.end >= *at + n_bytes)
            return true;
        *at = align_up(max_u64(stretch.end, *at + n_bytes / 2), MEMORY_MAP_FRAME_BYTES);
    }
    return false;
}

void memory_map_limit(struct memory_map *map, u64 n_bytes)
{
    struct memory_range range = {0};
    u64 left = align_down(n_bytes, MEMORY_MAP_FRAME_BYTES);

    map->usable_limit = 0;
    if (n_bytes == 0)
        return;
    while (memory_map_next_usable(map, range.end, &range)) {
        if (range.end - range.start >= left) {
            /* No whole frame is left: 1 is below the end of every frame, while 0 would be no limit. */
            map->usable_limit = left == 0 ? 1 : range.start + left;
            return;
        }
        left -= range.end - range.start;
    }
}
