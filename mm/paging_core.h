/* SPDX-License-Identifier: MIT */
/*
 * Between the files of paging: the visit, and the bare cores behind the locked calls.  Nobody else includes
 * it.
 *
 * paging.c          the public calls: arguments, locks            calls map, unmap
 * paging_map.c      mapping: check, make tables, write leaves     calls visit
 * paging_unmap.c    unmapping: check, split, gather, flush, free  calls visit
 * paging_boot.c     the kernel's own tables, the direct map       calls map, visit
 * paging_look.c     walk, runs, peek, counts                      calls visit
 * paging_check.c    invariants                                    calls visit, look
 * paging_visit.c    the one loop over levels
 * paging_tables.c   frames for tables                             calls role.h
 */
#ifndef MM_PAGING_CORE_H
#define MM_PAGING_CORE_H

#include <mm/entry.h>
#include <mm/paging.h>
#include <mm/role.h>
#include <mm/state.h>

/* Where a visit stands: at an entry of a table, with the part of the range that lies in that table still to
 * do. */
struct paging_place {
    phys_t table;
    unsigned level; /* of the table */
    u64 at;         /* linear: the first byte not yet dealt with; a visitor moves it */
    u64 end;        /* linear: end of the range in this table */
    u64 *entry;     /* the entry that translates `at` */
    u64 next;       /* linear: end of what that entry translates of the range */
};

enum paging_go {
    PAGING_NEXT, /* the visitor dealt with one entry or several, and moved `at` past them */
    PAGING_DOWN, /* visit the table that the entry points to, then `leave`, then go on behind the entry */
    PAGING_STOP, /* end the whole visit */
};

struct paging_visitor {
    enum paging_go (*entries)(struct paging_place *place, void *context);
    void (*leave)(struct paging_place *place, void *context); /* may be NULL; may clear the entry */
};

/* Visits [place.at, place.end) of the table place.table.  False if a visitor stopped it. */
bool paging_visit(struct paging_place place, const struct paging_visitor *visitor, void *context);

/*
 * Where a visit of a range may begin instead of at the top level: the lowest table that translates all of it.
 * Whoever visits a range twice, or a short one, saves the way down.  `lasting`: a table that keeps an entry,
 * or stays for good, when all of the range is unmapped.
 */
struct paging_place paging_narrow(phys_t top, u64 start, u64 end, bool lasting);

/* Visits a range from the top level down. */
bool paging_visit_range(phys_t top, u64 start, u64 end, const struct paging_visitor *visitor, void *context);

/* Moves `at` over the entries from here on that are absent; returns how many entries they are. */
u64 paging_skip_absent(struct paging_place *place);

/* The same over absent entries and leaves that lie wholly inside the range. */
u64 paging_skip_leaves(struct paging_place *place);

/* True if the entry at hand lies wholly inside the range. */
static inline bool paging_is_whole(const struct paging_place *place)
{
    return place->next - place->at == entry_bytes(place->level);
}

static inline u64 *paging_entries(phys_t table)
{
    return phys_pointer(table);
}

/* Slots: entries of a top-level table.  Shared ones lead to tables that all address spaces have in common;
 * made once, at boot, and never taken away.  All others are private to one top-level table. */
static inline bool paging_slot_is_shared(u64 linear)
{
    unsigned slot = entry_index(linear, ENTRY_TOP_LEVEL);

    return (mm.paging.shared_slots[slot / 64] >> (slot % 64)) & 1;
}

/* May this frame be believed to be a table of `level`?  (Until tables are marked, paging's own are all there
 * are.) */
static inline bool paging_is_table(phys_t table, unsigned level)
{
    return !mm.paging.adopted || table_frame_level(table) == level;
}

/* Counts entries that became present or absent.  Callers' top-level tables are theirs and are not counted. */
static inline void paging_count(const struct paging_place *place, int change)
{
    if (mm.paging.adopted &&
        (place->level < ENTRY_TOP_LEVEL || place->table.addr == mm.paging.kernel_top.addr))
        table_frame_use(place->table, change);
}

/* How many new tables of each level something takes.  Page tables that it fills whole, which need not be
 * cleared, are counted in [0] instead of [1]; [4] is unused. */
struct paging_need {
    u64 n[ENTRY_TOP_LEVEL + 1];
};

/* Adds the tables that the range takes below an entry of `level` or several, all absent, if leaves of up to
 * `largest` are used. */
void paging_add_need(struct paging_need *need, unsigned level, u64 start, u64 end, unsigned largest);

/* What to map where; see paging_map.c.  Whole frames. */
struct paging_request {
    u64 start, end;   /* linear */
    u64 phys;         /* of start */
    ul flags;         /* as the CPU can have them: paging_usable_flags */
    unsigned largest; /* level of the largest leaf wanted: 1 .. 3 */
};

/* Leaves out what this CPU has not (NX, global pages), or replaces it (WC by UC- where there is no PAT). */
ul paging_usable_flags(ul flags);

/* The level of the largest leaves for a mapping: limited by the CPU and by how start and phys lie to each
 * other. */
unsigned paging_largest_leaf(u64 start, u64 phys, bool use4k);

/* The bare cores; the lock is held.  0 or -EFAULT with nothing changed; *bad_table is then the frame that was
 * met in place of a table, or PHYS_NONE. */
MUST_USE int paging_map(phys_t top, const struct paging_request *request);
MUST_USE int paging_unmap(phys_t top, u64 start, u64 end, phys_t *bad_table);

/* Makes the tables of the kernel's top level down to `level` for a range; no leaves.  False: out of memory.
 */
MUST_USE bool paging_make_tables(u64 start, u64 end, unsigned level);

/*
 * A frame for a table of `level` that will translate `linear`; cleared, unless the caller says that he writes
 * all of it before he links it.  PHYS_NONE when memory is exhausted.
 */
MUST_USE phys_t paging_table_take(unsigned level, u64 linear, bool clear);

/* Gives it back; is_clear: all its entries are zero. */
void paging_table_give(phys_t table, bool is_clear);

/* Tables to split with: fills them up as far as memory goes; are there enough; takes one of those. */
void paging_fill_spares(void);

bool paging_has_spares(const struct paging_need *need);
MUST_USE phys_t paging_take_spare(unsigned level);

/* Takes the frames that are kept for ever, once, at boot. */
MUST_USE bool paging_keep_frames(void);

/* Is this frame one of those? */
bool paging_is_kept(phys_t table);

#endif
