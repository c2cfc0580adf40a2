/* SPDX-License-Identifier: MIT */
/* Zones: RAM of one kind, with the free lists of its frames and pages. */
#ifndef MM_ZONE_H
#define MM_ZONE_H

#include <mm/inspect.h>
#include <mm/platform.h>
#include <mm/types.h>

#define SPLIT_ORDERS 9                                 /* 2^0 .. 2^8 frames: inside one page */
#define RUN_ORDERS (MM_N_ORDERS - SPLIT_ORDERS)        /* 2^0 .. 2^15 whole pages */
#define PAGE_NOWHERE (~(u32)0)                         /* an index that is no page: the end of a list */

/* Split pages by the order of their largest free block.  A set bit in the mask says that the list has pages. */
struct split_lists {
    u32 mask;
    u32 head[SPLIT_ORDERS];
};

/* Split pages are of two kinds: with a role table or not (split.c). */
#define N_SPLIT_KINDS 2
enum split_kind { SPLIT_PLAIN, SPLIT_ROLES };

/* Free runs of whole pages, by length (run.c). */
#define RUN_EXACT 64                 /* shorter ones have a list for each length */
#define N_RUN_BINS (RUN_EXACT + 19)  /* 2^6 .. 2^24 pages and what lies between, by powers of two */
struct run_lists {
    u64 mask[2];
    u32 head[N_RUN_BINS];
};
#define N_RUN_KINDS 2
enum run_kind { RUN_OTHER, RUN_GOOD };

/* One of a zone's lists of runs. */
struct run_bin {
    u8 kind, number;
};

struct Zone {
    /* configuration */
    const char *name;
    unsigned selector; /* ZONE_* */
    u64 start, end;    /* physical, at boot */

    struct mm_lock lock; /* over all that follows, and over the state, bitmap and links of the zone's pages */

    /* free memory: list heads are indexes into the page array; a set bit in a mask says that the list has pages */
    struct split_lists split[N_SPLIT_KINDS];
    struct run_lists run[N_RUN_KINDS];
    u64 n_free_frames;        /* in those lists */
    bool dry;                 /* NORMAL: nothing came back since all that is cached was given back, in vain (find.c) */

    /* statistics */
    u64 managed_frames;
    u64 low_water_frames;
};

/* The zone that exactly one selector bit names; NULL for anything else. */
struct Zone *zone_of_selector(unsigned selector);

/* The zone that an address belongs to by the borders of boot. */
struct Zone *zone_of_address(u64 addr);

/* Chooses the borders, and empties the lists. */
void zone_start_all(u64 dma_bytes, u64 direct_map_bytes);

/* Counts what an allocation took, and what a free gave.  With the zone's lock. */
static inline void zone_count_taken(struct Zone *zone, u64 n_frames)
{
    zone->n_free_frames -= n_frames;
    if (zone->n_free_frames < zone->low_water_frames)
        zone->low_water_frames = zone->n_free_frames;
}

static inline void zone_count_given(struct Zone *zone, u64 n_frames)
{
    zone->n_free_frames += n_frames;
    zone->dry = false;
}

/* Moves n contiguous pages from UNMAPPED to NORMAL, mapping them: 1 .. 64, or unless `anywhere` a power of two aligned to
 * itself.  False when UNMAPPED has no such run. */
MUST_USE bool zone_grow(u32 n_pages, bool anywhere);

/* Moves all wholly free grown pages back.  Interrupts on, no lock held.  Returns how many. */
u64 zone_give_back_grown(void);

/* Makes RAM [start, end) free.  It was reserved, or never seen. */
void zone_add_free(u64 start, u64 end);

#endif
