/* SPDX-License-Identifier: MIT */
/*
 * Where the frames of page tables come from, and where they go.
 *
 * Purpose.  Clearing a frame costs 512 stores: more than all else that mapping a few pages takes.  And
 * unmapping must be able to split a large leaf when memory is exhausted.  So paging holds a few cleared
 * frames, and always as many, so that mm_stat is a function of what is mapped and not of what happened
 * before.
 *
 * Terms.  *Callers' tables* are those in private slots and in SPECIAL; the others (MMIO, stacks, windows) are
 * the kernel's own and come and go by the frame allocator alone.  The *store* holds cleared frames in place
 * of the first 8 tables of callers.  *Spares* are cleared tables for splitting, two for each of the levels 1
 * and 2.
 *
 *     callers' tables in use    0     1     2    ...   8     9    10
 *     frames in the store       8     7     6    ...   0     0     0
 *     together                  8     8     8    ...   8     9    10     counted as used
 *
 * Algorithm.  take: from the store while it has frames, else from the frame allocator.  give: to the store
 * while it is due more, else to the frame allocator.  A table that became empty entry by entry is all zero
 * already; one that was unlinked while full is cleared if it goes to the store.  A table that will be written
 * whole is not cleared. Splitting takes a spare; the spare is replaced from the store, if that now holds more
 * than it is due.
 *
 * Cost.  From the store about 50 instructions; from the frame allocator 100, and 513 for clearing.
 *
 * Invariants.
 *   I10  The store holds max(0, 8 - callers' tables in use) frames, cleared, marked as empty tables of
 * level 1. I5   Outside the lock the spares are full, unless memory was exhausted when they were last filled.
 *
 * Locking.  mm.paging.lock, held by the caller.  The frame allocator is called with it held: it must not come
 * back into paging, except to enter a page in the direct map and to shrink, which look out for that.
 *
 * Limits.  A caller who drops a top level without unmapping keeps its tables in use for ever, and the store
 * short.
 */
#include <lib/string.h>
#include <mm/paging_core.h>

/* Is a table that translates this address a caller's? */
static bool is_callers(u64 linear)
{
    u64 at = entry_virt(linear).addr;

    return !paging_slot_is_shared(linear) || (at >= MM_SPECIAL_START && at < MM_SPECIAL_END);
}

/* Frames that the store should hold now. */
static u64 store_due(void)
{
    return mm.paging.n_callers_tables < PAGING_N_STORED ? PAGING_N_STORED - mm.paging.n_callers_tables : 0;
}

/* Marks a frame that is marked as a table already as an empty one of another level. */
static void mark_table(phys_t table, unsigned level)
{
    role_set(table, (enum role)level, &mm.no_object);
}

/* Stored tables are marked as of level 1, which is what is wanted most. */
static phys_t store_pop(unsigned level)
{
    phys_t table = mm.paging.stored[--mm.paging.n_stored];

    if (level != 1)
        mark_table(table, level);
    return table;
}

/* Marking also takes the used count back to 0. */
static void store_push(phys_t table, bool is_clear)
{
    if (!is_clear)
        memset(paging_entries(table), 0, FRAME_BYTES);
    mark_table(table, 1);
    mm.paging.stored[mm.paging.n_stored++] = table;
}

/* A table straight from the frame allocator, with whatever was in the frame. */
static phys_t alloc_uncleared(unsigned level)
{
    phys_t frame = role_frame_alloc(0);

    if (!phys_is_none(frame))
        mark_table(frame, level);
    return frame;
}

/* Before tables are marked there is no store, and all frames are early ones. */
phys_t paging_table_take(unsigned level, u64 linear, bool clear)
{
    bool counted = mm.paging.adopted && is_callers(linear);
    phys_t table;

    if (counted && mm.paging.n_stored > 0)
        table = store_pop(level);
    else
        table = clear || !mm.paging.adopted ? table_frame_alloc(level) : alloc_uncleared(level);
    if (!phys_is_none(table))
        mm.paging.n_callers_tables += counted;
    return table;
}

/* Callers' tables fill the store before any goes back: that is I10. */
void paging_table_give(phys_t table, u64 linear, bool is_clear)
{
    if (is_callers(linear)) {
        mm.paging.n_callers_tables--;
        if (mm.paging.n_stored < store_due()) {
            store_push(table, is_clear);
            return;
        }
    }
    table_frame_free(table);
}

/* A split made one more table of a caller, so the store may now be one over what it is due. */
static void fill_spares_of(unsigned level)
{
    struct paging_spares *spares = &mm.paging.spares[level - 1];

    while (spares->n < PAGING_N_SPARE) {
        phys_t table = mm.paging.n_stored > store_due() ? store_pop(level) : table_frame_alloc(level);
        if (phys_is_none(table))
            return;
        spares->frame[spares->n++] = table;
    }
}

void paging_fill_spares(void)
{
    if (!mm.paging.adopted)
        return;
    fill_spares_of(1);
    fill_spares_of(2);
}

bool paging_has_spares(const struct paging_need *need)
{
    return need->n[1] <= mm.paging.spares[0].n && need->n[2] <= mm.paging.spares[1].n;
}

phys_t paging_take_spare(unsigned level, u64 linear)
{
    struct paging_spares *spares = &mm.paging.spares[level - 1];

    mm.paging.n_callers_tables += is_callers(linear);
    return spares->frame[--spares->n];
}

/* At boot, when no caller has a table yet. */
bool paging_fill_store(void)
{
    while (mm.paging.n_stored < store_due()) {
        phys_t table = table_frame_alloc(1);
        if (phys_is_none(table))
            return false;
        mm.paging.stored[mm.paging.n_stored++] = table;
    }
    return true;
}
