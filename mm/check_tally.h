/* SPDX-License-Identifier: MIT */
/* What check_slabs.c counts, and check_homes.c compares with the lists. */
#ifndef MM_CHECK_TALLY_H
#define MM_CHECK_TALLY_H

#include <mm/check.h>
#include <mm/slab.h>

/* What a recount of a class finds. */
struct tally {
    u64 n_slabs, n_live, n_rounds;
    u64 n_free;                    /* objects in slabs, those that came back included */
    u64 n_partial, n_empty;        /* slabs that ought to be in these lists */
    u64 n_groups_returned;         /* groups with objects that came back */
    u64 absent_print, round_print; /* fingerprints: objects neither live nor in slabs, and rounds */
};

/* What a recount of the descriptor frames finds. */
struct descriptor_tally {
    u64 n_frames;        /* with the role of metadata */
    u64 n_units_partial; /* used by slabs in frames that have free units, ... */
    u64 n_units_full;    /* ... and in those that have none */
};

struct tallies {
    struct tally class[MM_N_CLASSES];
    struct descriptor_tally descriptors;
};

/* A frame that may be a descriptor frame; any pointer may be asked about. */
bool check_is_metadata(const void *p);

/* A link of a list of things that lie in descriptor frames: is it one, and does it lead back to the one before? */
bool check_link(const struct list_node *node, const struct list_node *before);

/* I312 and I318 of the lists of all homes. */
bool check_homes(struct mm_violation *out, const struct tally *tally);

#endif
