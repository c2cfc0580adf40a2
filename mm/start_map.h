/* SPDX-License-Identifier: MIT */
/* The firmware's map while mm starts.  Both are called once, by mm_start, and in this order. */
#ifndef MM_START_MAP_H
#define MM_START_MAP_H

#include <mm/boot.h>

/* Sorts mm.map, if there is room for that in RAM: in a place that is added to the reserved ranges.  All of mm.reserved
 * must be known.  Returns NULL, or what is wrong: no room, and too long a map to do without.  Cost: memory_map.h. */
MUST_USE const char *start_map_sort(const struct mm_boot *boot);

/* Takes a copy of the map that stays, in early frames, which nobody has taken from so far.  Returns NULL, or what is wrong. */
MUST_USE const char *start_map_keep(void);

#endif
