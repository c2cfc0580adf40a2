/* SPDX-License-Identifier: MIT */
/*
 * The way from the top level down to the lowest table that translates all of a range: where mapping and
 * unmapping begin. What they change above it, if anything, are the entries on the way.
 */
#ifndef MM_PAGING_DESCENT_H
#define MM_PAGING_DESCENT_H

#include <mm/paging_core.h>

/*
 * By level: the entry that translates the start of the range, and where the entries of its table are
 * counted.
 */
struct paging_descent {
    unsigned top;   /* the highest level of it: the table there is a top level, or stays for good */
    unsigned level; /* the lowest */
    bool single;    /* one entry of the lowest translates all of the range */
    u64 *entry[ENTRY_TOP_LEVEL + 1];
    ul *counter[ENTRY_TOP_LEVEL + 1];
};

/* The table of a level of it. */
static inline u64 *paging_entries_on(const struct paging_descent *way, unsigned level)
{
    return (u64 *)align_down((u64)way->entry[level], FRAME_BYTES);
}

/*
 * Where the way begins.  Tables right below the kernel's shared slots were made at boot and stay: if it is
 * one of those, there.
 */
static inline phys_t paging_descend_from(phys_t top, u64 start, u64 differing, struct paging_descent *way)
{
    if (top.addr == mm.paging.kernel_top.addr && paging_slot_is_shared(start) && mm.paging.adopted &&
        differing >> entry_shift(ENTRY_TOP_LEVEL) == 0) {
        phys_t below = entry_table(paging_entries(top)[entry_index(start, ENTRY_TOP_LEVEL)]);

        way->top = ENTRY_TOP_LEVEL - 1;
        way->counter[ENTRY_TOP_LEVEL - 1] = paging_word(below);
        return below;
    }
    way->top = ENTRY_TOP_LEVEL;
    way->counter[ENTRY_TOP_LEVEL] = paging_counter(top, ENTRY_TOP_LEVEL);
    return top;
}

/*
 * Goes down.  Not below an entry that translates the range and no more, and not below what is no table: the
 * caller meets it there.  Until tables are marked, not at all.  Cost: 35 instructions a level.
 */
static inline void paging_descend(phys_t top, u64 start, u64 end, struct paging_descent *way)
{
    u64 differing = start ^ (end - 1), least = LIKELY(mm.paging.adopted) ? differing + 1 : ENTRY_LINEAR_END;
    phys_t table = paging_descend_from(top, start, differing, way);
    unsigned level = way->top, shift = entry_shift(level);

    for (;; shift -= 9) {
        u64 *entry = paging_entries(table) + (start >> shift) % ENTRIES_PER_TABLE;

        way->entry[level] = entry;
        if (least >> shift != 0 || (*entry & ENTRY_KIND) != ENTRY_P)
            break;
        table = entry_table(*entry);
        ul *counter = paging_find_word(table, level - 1);
        if (counter == NULL)
            break;
        way->counter[--level] = counter;
    }
    way->level = level;
    way->single = differing >> shift == 0;
}

#endif
