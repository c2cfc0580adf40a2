/* SPDX-License-Identifier: MIT */
/*
 * Memory maps as text: one entry a line, `0xBASE 0xLENGTH TYPE`, in the order in which they were reported.
 * BASE and LENGTH are hexadecimal with 64 bits, TYPE is decimal with 32.  Blank lines and lines that begin
 * with # do not count.
 */
#ifndef TESTS_HOST_MAP_TEXT_H
#define TESTS_HOST_MAP_TEXT_H

#include <stdio.h>

#include <mm/memory_map.h>

/* Room for what is wrong with a map: a name, a line number and some words. */
#define MAP_TEXT_ERROR_BYTES 512

/* A map in memory; map.entries points to `entries`. */
struct map_text {
    struct memory_map map;
    struct memory_map_entry *entries;
    u64 n_room;
    unsigned *lines; /* the line that entry i stood in */
};

/*
 * Reads a map to the end of the file; `name` is for messages.  True, or false with `error` filled
 * ("NAME:LINE: what is wrong") and nothing to free.  The caller frees with map_text_free.
 */
bool map_text_read(struct map_text *text, FILE *file, const char *name, char error[MAP_TEXT_ERROR_BYTES]);

void map_text_free(struct map_text *text);

#endif
