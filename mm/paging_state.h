/* SPDX-License-Identifier: MIT */
/* State of paging (mm.paging): see the theories on top of paging.c and paging_tables.c. */
#ifndef MM_PAGING_STATE_H
#define MM_PAGING_STATE_H

#include <mm/platform.h>
#include <mm/types.h>

#define PAGING_N_SLOTS 512 /* entries of a top-level table */

/*
 * Splitting for one unmap takes at most two page directories and two page tables: the leaf at either end of
 * the range may be of 1 GiB and have to become leaves of 4 KiB around the border.
 */
#define PAGING_N_SPARE 2

/* Cleared frames that stand in for the first tables of callers: 64 KiB in a new place takes a PD and a PT, an
 * address space with one page a PDPT more. */
#define PAGING_N_STORED 8

/* Cleared table frames of one level that are kept for splitting. */
struct paging_spares {
    u32 n;
    phys_t frame[PAGING_N_SPARE];
};

struct paging_state {
    /* configuration, set by paging_start */
    phys_t kernel_top;                     /* the kernel's own top-level table */
    u64 phys_limit;                        /* 2^MAXPHYADDR: no physical address from here on */
    u64 largest_leaf_level;                /* 3: leaves of 1 GiB; 2: of 2 MiB only */
    u64 shared_slots[PAGING_N_SLOTS / 64]; /* top-level entries that all address spaces have in common */
    u64 *peek_entry;                       /* the entry behind MM_PEEK */

    /* state */
    struct mm_lock lock;            /* all tables but the direct map's, and the spares */
    struct mm_lock direct_lock;     /* the direct map's entries and their counts, once it stands */
    bool adopted;                   /* table frames are marked and counted (paging_adopt_tables) */
    struct paging_spares spares[2]; /* of level 1, of level 2 */
    u64 n_callers_tables;           /* in use, below top levels, in private slots and in SPECIAL */
    u64 n_stored;                   /* paging_tables.c: 8 - n_callers_tables, or 0 */
    phys_t stored[PAGING_N_STORED];

    /* statistics */
    u64 n_splits;         /* large leaves split by unmap */
    u64 n_refused_splits; /* unmaps refused because no frame was left to split with */
};

#endif
