/* SPDX-License-Identifier: MIT */
/* Limbo: metadata that is out of use, but that another CPU may still be reading. */
#ifndef MM_LIMBO_H
#define MM_LIMBO_H

#include <lib/list.h>
#include <mm/platform.h>
#include <mm/types.h>

#define LIMBO_TABLES 16
#define LIMBO_SLABS 32

struct slab;

struct limbo {
    struct mm_lock lock;
    struct list_node slabs; /* descriptors of slabs that are no more */
    u32 n_settling; /* who is about it; atomic */
    u32 n_slabs, n_tables;
    u32 n_slabs_due;            /* so many slabs are worth a round */
    u32 n_tables_taken;         /* being settled, or about to come: their places in `table` are kept */
    phys_t table[LIMBO_TABLES]; /* frames of role tables that no page has any more */
};

void limbo_start(void);

/* Takes a descriptor that no role word leads to any more. */
void limbo_add_slab(struct slab *slab);

/* Keeps a place for a role table; false when there is none.  Then, when no page leads to the table any more, takes its
 * frame.  Both with the lock of the page's zone. */
MUST_USE bool limbo_keep_place(void);
void limbo_add_table(phys_t frame);

/* Frees what is in limbo, once no CPU can be reading it; or does nothing, where it cannot wait for that.  While it waits, other
 * CPUs may have this one's caches emptied. */
void limbo_settle(void);

/* The same when it is worth the while (much has gathered, or there is only one CPU to wait for) and nobody else is about it.
 * This CPU's caches stay as they are. */
void limbo_settle_if_due(void);

#endif
