/* SPDX-License-Identifier: MIT */
/*
 * Sweeps: a call is made again and again from the same state, and each time another of its requests for
 * memory fails, until none is left to fail.
 */
#ifndef KERNEL_SELFTEST_SWEEP_H
#define KERNEL_SELFTEST_SWEEP_H

#include <kernel/selftest/test.h>
#include <mm/types.h>

struct sweep {
    const char *name; /* of the call and its state, for the notes: a format of one %lu, which is `argument` */

    /* Brings the state about in which the call is made; false: it cannot.  NULL: nothing to do. */
    bool (*prepare)(ul argument);

    /* Makes the call.  True: it succeeded.  False: it was refused, with its documented error. */
    bool (*call)(ul argument);

    /* After a call that succeeded: undoes it.  After everything: undoes `prepare`.  NULL: nothing to do. */
    void (*undo)(ul argument);
    void (*clean)(ul argument);

    ul argument;
    enum sweep_flags {
        SWEEP_ASKS = 1,       /* without any request the sweep is a failure */
        SWEEP_NEVER_ASKS = 2, /* with one it is */
        SWEEP_MAY_LACK = 4,   /* refused also where no request fails on purpose: there is no such memory */
        SWEEP_TELLS = 8,      /* when refused, in exactly one log line; others in one at most */
        SWEEP_MOVES = 16,     /* undoing makes tables anew, perhaps in pages with more role tables, or with fewer */
        SWEEP_MAY_MISS = 32,  /* cannot be prepared everywhere; of others that is a failure */
    } flags;
};

/*
 * Sweeps each of `n` cases four times: with one request that fails and with all from there on, without and
 * with the CPUs' caches.  Whenever the call comes back, everything must be as it was: mm_stat after a shrink,
 * the live objects of each class, what lies in the zones' lists, the content of what the state holds, all mappings, all
 * invariants; a refused call must not have changed a mapping even before the shrink; one
 * that succeeds says nothing in the log.
 */
void sweep_all(const struct sweep *cases, unsigned n);

/* A note at the end of a test: how many of its cases were tried, how many requests they made, and how often they got on
 * without. */
void sweep_tell(void);

/* States.  All of them are undone by sweep_release. */

/* No slab of kmalloc(bytes) has room, and no descriptor frame; the frames of pages with roles are all in use.
 */
bool sweep_fill_slabs(ul bytes);
bool sweep_fill_descriptors(ul bytes);
bool sweep_fill_role_pages(ul bytes);

/* Nearly all memory is in use: what is free are single frames, each in another page. */
bool sweep_scatter(ul bytes);

/* Gives back what the above took. */
void sweep_release(ul argument);

#endif
