/* SPDX-License-Identifier: MIT */
/* A machine whose firmware reports a given map, overlaps and nonsense included. */
#ifndef TESTS_HOST_MAP_MACHINE_H
#define TESTS_HOST_MAP_MACHINE_H

#include <machine.h>

#include <mm/memory_map.h>

/*
 * Starts a machine with this map, whose entries must stay, and mm on it.  Only whole usable frames are
 * backed, so that mm's use of any other ends in a fault.  The kernel image lies at 1 MiB if that is usable;
 * else there is none. `options` as for machine_start.  Returns what mm_start returned.
 */
const char *map_machine_start(const struct memory_map *map, const struct machine_options *options);

/* Fails the test unless all that must hold of a machine just started does: everything is sound; mm_stat's
 * identities; zones in address order at page borders, which are where they ought to be; all usable memory in
 * them. */
void assert_started(void);

/* Takes all memory there is, as single frames of all zones; frees it in a shuffled order; expects all as it
 * was. */
void assert_all_can_be_taken(void);

#endif
