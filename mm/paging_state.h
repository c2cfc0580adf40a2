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
#define PAGING_N_SPLIT 4

/* Frames kept beyond that for callers' tables: 64 KiB in a new place takes a PD and a PT, a new address space
 * a PDPT more.  12 * 4 KiB = 48 KiB in all. */
#define PAGING_N_KEPT (PAGING_N_SPLIT + 8)

struct paging_state {
    /* configuration, set by paging_start */
    phys_t kernel_top;                     /* the kernel's own top-level table */
    u64 phys_limit;                        /* 2^MAXPHYADDR: no physical address from here on */
    u64 largest_leaf_level;                /* 3: leaves of 1 GiB; 2: of 2 MiB only */
    u64 shared_slots[PAGING_N_SLOTS / 64]; /* top-level entries that all address spaces have in common */
    phys_t kept[PAGING_N_KEPT];            /* the frames that paging_tables.c keeps */
    u64 kept_low, kept_high;               /* the lowest and the highest of them */
    ul odd_length;                         /* calls about no more bytes go the long way: 0; in the debug mode all */
    u64 *peek_entry;                       /* the entry behind MM_PEEK */

    /* state */
    struct mm_lock lock;        /* all tables but the direct map's, and what follows */
    struct mm_lock direct_lock; /* the direct map's entries and their counts, once it stands */
    bool adopted;               /* table frames are marked and counted (paging_adopt_tables) */
    u64 n_idle, n_substitutes;
    phys_t idle[PAGING_N_KEPT];        /* kept frames that are no tables now */
    phys_t substitute[PAGING_N_SPLIT]; /* frames in place of kept ones that are needed for splitting */

    /* statistics */
    u64 n_splits;         /* large leaves split by unmap */
    u64 n_refused_splits; /* unmaps refused because no frame was left to split with */
};

#endif
