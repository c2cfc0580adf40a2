/* SPDX-License-Identifier: MIT */
/* Finding memory: where to look, and in which order, until a request is served. */
#ifndef MM_FIND_H
#define MM_FIND_H

#include <mm/zone.h>

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
    enum effort effort;  /* for take: set by find_memory */
};

/*
 * find_memory - asks the zone, then whatever else may serve a request to it; find.c has the order.
 * Returns the frames taken, 0 when memory is exhausted.  No lock held, any context but NMI.
 */
MUST_USE u64 find_memory(struct Zone *zone, struct request *request);

#endif
