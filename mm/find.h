/* SPDX-License-Identifier: MIT */
/* Finding memory: where to look, and in which order, until a request is served. */
#ifndef MM_FIND_H
#define MM_FIND_H

#include <mm/state.h>

/* How hard a zone is asked. */
enum effort {
    EFFORT_USUAL,
    EFFORT_ANYTHING, /* also what is a waste, if it is the last there is */
};

/* What is wanted. */
struct request {
    /* Takes from this zone, with its lock held, whatever serves the request; how many frames that is, 0 when there is
     * nothing.  They are counted by the caller. */
    u64 (*take)(struct Zone *zone, struct request *request);
    u64 n_frames;      /* the least that it takes */
    u32 grow_pages;    /* whole pages by which NORMAL must grow to serve it */
    bool grow_anywhere;  /* they need not be aligned */
    bool minds_waste;    /* take does not give the last there is before effort says so */
    enum effort effort;  /* for take: set by find_memory */
    u64 keeps;           /* for take, if it takes more than n_frames: what a zone that lends is left with; 0: nothing */
};

/* Asks one zone; with `keeps` it keeps as many frames, whatever happens. */
static inline u64 find_in_zone(struct Zone *zone, struct request *request, u64 keeps)
{
    ul flags = platform_lock(&zone->lock);
    u64 n = zone->n_free_frames < keeps + request->n_frames ? 0 : request->take(zone, request);

    if (n != 0)
        zone_count_taken(zone, n);
    platform_unlock(&zone->lock, flags);
    return n;
}

/* Asks whatever else there is, after the zone was asked in vain; that as well while failures are wanted (fail.c). */
MUST_USE u64 find_elsewhere(struct Zone *zone, struct request *request);

/*
 * find_memory - asks the zone, then whatever else may serve a request to it; find.c has the order.
 * Returns the frames taken, 0 when memory is exhausted.  No lock held, any context but NMI.
 */
MUST_USE static inline u64 find_memory(struct Zone *zone, struct request *request)
{
    u64 n = LIKELY(mm.fail.mode == 0) ? find_in_zone(zone, request, 0) : 0;

    return LIKELY(n != 0) ? n : find_elsewhere(zone, request);
}

#endif
