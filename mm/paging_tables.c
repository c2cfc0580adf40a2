/* SPDX-License-Identifier: MIT */
/*
 * Where the frames of page tables come from, and where they go.
 *
 * Purpose.  Clearing a frame costs 512 stores: more than all else that mapping a few pages takes.  And
 * unmapping must be able to split a large leaf when memory is exhausted.  So paging keeps twelve frames of
 * its own, from boot on and for ever, counted as used.
 *
 * Terms.  A *kept* frame is one of the twelve; it is *idle*, and then cleared, or serves as a table.
 * *Spares* are what splitting may take, four at least: idle frames and, in place of kept ones that serve,
 * *substitutes* from the frame allocator until those come back.
 *
 *     kept    [idle][idle][idle][idle]  [idle][idle][ PD ][ PT ][PDPT][ PT ][idle][idle]
 *              for splitting: 4          for mapping: while more than 4 are idle
 *     after splitting under 8 mapped tables:
 *     kept    [ PD ][ PT ][idle][idle]  [ PT ]...                  substitutes  [    ][    ]
 *
 * Algorithm.  take: a kept frame while more than four are idle, else from the frame allocator.  Kept frames
 * are for callers' tables only (private slots and SPECIAL): what the kernel maps for itself stays, and would
 * keep them for ever.  give: a kept frame becomes idle, cleared if it has to be, and a substitute goes; any
 * other is freed.  A table that became empty entry by entry is all zero already.  A table that will be
 * written whole is not cleared before.
 *
 * Why always the same frames: when all is unmapped, mm holds the very frames that it held at boot, so that no
 * page of 2 MiB stays split, and no role table stays, for the sake of a table that wandered.
 *
 * Cost.  A kept frame about 60 instructions; one from the frame allocator 100, and 513 for clearing.
 *
 * Invariants.
 *   I5   Outside the lock there are four spares at least, unless memory was exhausted when that was last
 *        seen to.  Substitutes are no more than it takes.
 *   I10  Idle frames and substitutes are cleared and marked as tables with no entry; an idle one is a kept
 *        one, once.
 *
 * Locking.  mm.paging.lock, held by the caller.  The frame allocator is called with it held: it must not come
 * back into paging, except to enter a page in the direct map and to shrink, which look out for that.
 *
 * Limits.  A caller who drops a top level without unmapping keeps its tables in use for ever, kept frames
 * among them.
 */
#include <lib/string.h>
#include <mm/paging_core.h>

/* Is a table that translates this address a caller's? */
static bool is_callers(u64 linear)
{
    u64 at = entry_virt(linear).addr;

    return !paging_slot_is_shared(linear) || (at >= MM_SPECIAL_START && at < MM_SPECIAL_END);
}

bool paging_is_kept(phys_t table)
{
    /* They were allocated one after the other, so most others are told by the first and the last. */
    if (table.addr < mm.paging.kept_low || table.addr > mm.paging.kept_high)
        return false;
    for (unsigned i = 0; i < PAGING_N_KEPT; i++) {
        if (mm.paging.kept[i].addr == table.addr)
            return true;
    }
    return false;
}

/* Makes a frame that is marked as a table an empty one of another level. */
static void mark_table(phys_t table, unsigned level)
{
    role_set(table, (enum role)level, &mm.no_object);
}

/* Idle frames are marked as of level 1, which is what is wanted most. */
static phys_t idle_pop(unsigned level)
{
    phys_t table = mm.paging.idle[--mm.paging.n_idle];

    if (level != 1)
        mark_table(table, level);
    return table;
}

/* Marking also takes the used count back to 0. */
static void idle_push(phys_t table, bool is_clear)
{
    if (!is_clear)
        memset(paging_entries(table), 0, FRAME_BYTES);
    mark_table(table, 1);
    mm.paging.idle[mm.paging.n_idle++] = table;
}

/* A table straight from the frame allocator, with whatever was in the frame. */
static phys_t alloc_uncleared(unsigned level)
{
    phys_t frame = role_frame_alloc(0);

    if (!phys_is_none(frame))
        mark_table(frame, level);
    return frame;
}

/* Before tables are marked nothing is kept, and all frames are early ones. */
phys_t paging_table_take(unsigned level, u64 linear, bool clear)
{
    if (!mm.paging.adopted)
        return table_frame_alloc(level);
    if (mm.paging.n_idle > PAGING_N_SPLIT && is_callers(linear))
        return idle_pop(level);
    return clear ? table_frame_alloc(level) : alloc_uncleared(level);
}

void paging_table_give(phys_t table, bool is_clear)
{
    if (!paging_is_kept(table)) {
        table_frame_free(table);
        return;
    }
    idle_push(table, is_clear);
    while (mm.paging.n_substitutes > 0 && mm.paging.n_idle + mm.paging.n_substitutes > PAGING_N_SPLIT)
        table_frame_free(mm.paging.substitute[--mm.paging.n_substitutes]);
}

void paging_fill_spares(void)
{
    if (!mm.paging.adopted)
        return;
    while (mm.paging.n_idle + mm.paging.n_substitutes < PAGING_N_SPLIT) {
        phys_t table = table_frame_alloc(1);
        if (phys_is_none(table))
            return;
        mm.paging.substitute[mm.paging.n_substitutes++] = table;
    }
}

bool paging_has_spares(const struct paging_need *need)
{
    return need->n[1] + need->n[2] <= mm.paging.n_idle + mm.paging.n_substitutes;
}

/* Kept frames last: a substitute that serves is one frame less to give back. */
phys_t paging_take_spare(unsigned level)
{
    phys_t table;

    if (mm.paging.n_substitutes == 0)
        return idle_pop(level);
    table = mm.paging.substitute[--mm.paging.n_substitutes];
    mark_table(table, level);
    return table;
}

bool paging_keep_frames(void)
{
    mm.paging.kept_low = ~0UL;
    for (unsigned i = 0; i < PAGING_N_KEPT; i++) {
        phys_t table = table_frame_alloc(1);
        if (phys_is_none(table))
            return false;
        mm.paging.kept[i] = table;
        mm.paging.idle[mm.paging.n_idle++] = table;
        mm.paging.kept_low = min_u64(mm.paging.kept_low, table.addr);
        mm.paging.kept_high = max_u64(mm.paging.kept_high, table.addr);
    }
    return true;
}
