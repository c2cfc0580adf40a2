/* SPDX-License-Identifier: MIT */
/* Homes of slabs: who may take objects out of them and put them back. */
#ifndef MM_HOME_H
#define MM_HOME_H

#include <lib/list.h>
#include <mm/class.h>
#include <mm/platform.h>

struct round;
struct slab;
struct slab_group;

/* The slabs of a class that have objects to give. */
struct home_class {
    struct list_node partial; /* with free and with taken objects */
    struct list_node empty;   /* all of whose objects lie free in them */
};

struct slab_home {
    struct mm_lock lock;
    bool is_shared; /* whoever works on it takes the lock; otherwise it is code's of one CPU */
    u32 n_empty;    /* slabs in all lists of empty ones */
    struct home_class class[N_SLAB_CLASSES];

    /* written by everybody, so in a cache line of their own */
    struct slab_group *returned[N_SLAB_CLASSES] __attribute__((aligned(64))); /* groups with objects brought back; atomic */
    u32 n_returned;                                                           /* about how many groups that are */
};

void home_start(struct slab_home *home, bool is_shared);

/* Takes up to n objects of a class out of a home's slabs; how many.  Slabs that turn out superfluous go to *surplus. */
MUST_USE u32 home_take(struct slab_home *home, unsigned class, struct round *round, u32 n, struct list_node *surplus);

/* Puts n objects back where they lay: into this home's slabs, or on their way to their own home.  Returns such a home when it
 * has so many waiting that somebody should see to it (one of them; another is found by who brings it more), or NULL. */
MUST_USE struct slab_home *home_give(struct slab_home *home, unsigned class, const struct round *round, u32 n,
                                     struct list_node *surplus);

/* Makes a slab, all of whose objects are free, one of this home. */
void home_add(struct slab_home *home, unsigned class, struct slab *slab);

/* Makes a slab that is nobody's one of this home; false when there is none of that class. */
MUST_USE bool home_adopt(struct slab_home *home, unsigned class, struct list_node *surplus);

/* Takes in what was brought back.  Code's home: on its own CPU only. */
void home_collect(struct slab_home *home, unsigned class, struct list_node *surplus);

/* Takes in what was brought back, moves empty slabs to *surplus, and makes the others nobody's. */
void home_leave(struct slab_home *home, unsigned class, struct list_node *surplus);

#endif
