/* SPDX-License-Identifier: MIT */
/* What mm is told when it starts, and the start itself. */
#ifndef MM_BOOT_H
#define MM_BOOT_H

#include <mm/debug.h>
#include <mm/memory_map.h>
#include <mm/types.h>

#define MM_N_RESERVED 48

/* RAM that somebody uses already: [start, end) physical, any alignment. */
struct mm_reserved {
    u64 start, end;
    const char *name;
};

/* A piece of the kernel image: whole frames, mapped at `virt` with PAGE_R_W and PAGE_XD as given. */
struct mm_segment {
    u64 virt, phys, bytes;
    ul flags;
    const char *name;
};

/* A part of the kernel half that the platform maps for itself with paging_map_own, besides those of mm/layout.h. */
struct mm_window {
    u64 start, bytes;
};

/* What paging may use of this CPU. */
struct mm_features {
    bool no_execute;
    bool gigabyte_pages;
    bool global_pages;
    bool pat;      /* PA4 = write-combining, as mm/entry.h says */
    u8 phys_bits;  /* MAXPHYADDR */
};

struct mm_boot {
    struct memory_map map; /* readable during mm_start; mm keeps a copy */
    u64 mem_bytes;         /* use only the first so many bytes of RAM; 0 = all */
    u64 dma_bytes;         /* top of ZONE_DMA; 0 = min(16 MiB, RAM / 4) */
    u64 direct_map_bytes;  /* RAM in the direct map at boot; 0 = three quarters, ~0 = all */
    struct mm_features features;
    struct mm_debug_boot debug; /* all zero: off */
    u32 n_reserved;
    struct mm_reserved reserved[MM_N_RESERVED];
    u32 n_segments;
    struct mm_segment segments[8];
    u32 n_windows;
    struct mm_window windows[4];
    u64 early_limit;       /* physical addresses below it are in the direct map already while mm starts */
};

/*
 * Brings mm up (or afresh: all earlier state is forgotten).  Returns NULL, or what is wrong in words: no usable
 * memory, no room for the tables.  After it every call of mm.h works.
 */
MUST_USE const char *mm_start(const struct mm_boot *boot);

/* Gives the RAM of a reserved range back, once it has been read: the reserved entry of that name (all of them, if
 * there are several).  Returns the frames that became free. */
u64 mm_give_back(const char *name);

#endif
