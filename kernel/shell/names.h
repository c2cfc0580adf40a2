/* SPDX-License-Identifier: MIT */
/* The words for zones, attributes and mapping flags: what commands accept, print, and TAB offers. */
#ifndef KERNEL_SHELL_NAMES_H
#define KERNEL_SHELL_NAMES_H

#include <kernel/shell/command.h>
#include <mm/mm.h>

extern const struct choice names_zones[];
extern const struct choice names_attributes[];
extern const struct choice names_map_flags[];
extern const struct choice names_sizes[];

/* ZONE_* of "dma", "normal", "unmapped", whatever the case. */
bool names_zone(const char *word, unsigned *zone);

/* PAGE_* attribute of "shared", "kernel", ... */
bool names_attribute(const char *word, ul *attribute);

/* What the words after `map` ask for. */
struct map_flags {
    ul flags; /* as mm_map_phys_addr takes them */
    bool user, use4k;
};

/* Begins as a writable, executable, write-back mapping of the largest pages. */
#define MAP_FLAGS_DEFAULT ((struct map_flags){PAGE_R_W | PAGE_PRESENT, false, false})

/* Applies one word; false when it is none.  A second cache mode adds up, so that wrong ones can be tried. */
bool names_map_flag(const char *word, struct map_flags *flags);

/* "rw nx user uc global" of the flags of a mapping (paging_path, paging_run). */
struct flags_text {
    char s[48];
};
struct flags_text names_mapping(ul flags);

/* 4K, 2M or 1G. */
const char *names_leaf(u64 leaf_bytes);

#endif
