/* SPDX-License-Identifier: MIT */
/*
 * Unmapping: exactly the range, and no CPU can reach it when the call returns.
 *
 * Terms.  *Splitting* replaces a large leaf by a table of 512 smaller ones that map the same.  A table is
 * *gathered* when nothing points to it any more, but a CPU may still walk through it, because it cached the
 * entry that did. *Permanent* tables stay when they are empty: those right below the shared slots of the top
 * level.
 *
 *     before   |           2 MiB leaf          |   PT, wholly inside    |  PT, partly inside   |
 *     range             [==================================================)
 *     after    |4 4 4 4                        |        (absent)        |           4 4 4 4 4 4|
 *               new PT, split, then cleared      gathered, its entries    cleared one by one,
 *                                                not even looked at       gathered when empty
 *
 * Algorithm.
 *   1. check: visit the range.  Tables must be marked as such.  Count the tables that splitting will take;
 *      they come from the spares, which are filled first.  If there are too few, nothing has happened:
 *      -EFAULT.
 *   2. remove: visit again.  Whole leaves are cleared in runs.  A table wholly inside is unlinked with all
 *      that is below it.  A leaf partly inside is split, and the visit goes down into the new table.  On the
 *      way up, a table whose used count is 0 is unlinked, too.
 *   3. flush what was removed, in one call: the platform chooses between INVLPG and dropping everything.
 *      Only now are the gathered tables freed, with what they point to.  No word of a gathered table is
 *      written before the flush, or a CPU could walk through what the word has become (Intel SDM volume 3A,
 *      "Invalidation of TLBs and Paging-Structure Caches": the caches may hold entries of all levels).
 * If more than PAGING_N_GATHERED tables come together, they are flushed and freed on the way.
 *
 * Cost.  Leaves in tables that lie wholly inside cost nothing (512 of them about 200 instructions, for the
 * table). Others about 6 each.
 *
 * Invariants.
 *   I4  A frame is freed as a table only after a flush of the range that it translated.
 *   I6  No table but a permanent one, or one of the direct map, has a used count of 0.
 *
 * Locking.  mm.paging.lock, held by the caller.
 *
 * Limits.  A split needs up to two tables of level 2 and two of level 1: there are so many spares, so an
 * unmap succeeds even when memory is exhausted, and the next one, if this one's tables or the caller's memory
 * came back meanwhile.
 */
#include <mm/paging_core.h>

/* Subtrees whose root was unlinked in one batch: 64 of them take 1 KiB of stack. */
#define PAGING_N_GATHERED 64

struct gathered_table {
    phys_t table;
    unsigned level;
};

struct unmap_job {
    struct paging_need need; /* of tables to split with */
    phys_t bad_table;        /* a frame that an entry points to and that is no table */
    u64 low, high;           /* linear: everything removed since the last flush lies in [low, high) */
    unsigned n_gathered;
    struct gathered_table gathered[PAGING_N_GATHERED];
};

/* Is the table that the entry at hand points to there for good? */
static bool is_permanent(const struct paging_place *place)
{
    return place->level == ENTRY_TOP_LEVEL && paging_slot_is_shared(place->at);
}

/*
 * Pass 1.  Page tables are not entered: there is nothing in them to check.  `largest` is no limit to need,
 * since what a split leaves of a leaf is as large as can be.
 */
static enum paging_go check_entries(struct paging_place *place, void *context)
{
    struct unmap_job *job = context;
    u64 entry = *place->entry;

    if (paging_skip_leaves(place) > 0)
        return PAGING_NEXT;
    if (entry_is_leaf(entry, place->level)) {
        paging_add_need(&job->need, place->level, place->at, place->next, ENTRY_TOP_LEVEL);
    } else if (!paging_is_table(entry_table(entry), place->level - 1)) {
        job->bad_table = entry_table(entry);
        return PAGING_STOP;
    } else if (place->level > 2) {
        return PAGING_DOWN;
    }
    place->at = place->level == 1 ? place->end : place->next;
    return PAGING_NEXT;
}

/* Replaces the large leaf at hand by a table that maps the same. */
static void split_leaf(struct paging_place *place)
{
    phys_t table = paging_take_spare(place->level - 1);
    u64 *entries = paging_entries(table), leaf = *place->entry;

    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++)
        entries[i] = entry_part(leaf, place->level, i);
    table_frame_use(table, ENTRIES_PER_TABLE);
    *place->entry = entry_to_table(table, !paging_slot_is_shared(place->at));
    mm.paging.n_splits++;
}

/* Remembers that [start, end) must be flushed. */
static void note_removed(struct unmap_job *job, u64 start, u64 end)
{
    job->low = min_u64(job->low, start);
    job->high = max_u64(job->high, end);
}

/* Frees the table below the entry at hand; the visit has freed what is below that one. */
static void free_left_table(struct paging_place *place, void *context)
{
    (void)context;
    paging_table_give(entry_table(*place->entry), false);
}

/* Looks for tables only, and frees page tables from above. */
static enum paging_go free_entries(struct paging_place *place, void *context)
{
    if (paging_skip_leaves(place) > 0)
        return PAGING_NEXT;
    if (place->level > 2)
        return PAGING_DOWN;
    free_left_table(place, context);
    place->at = place->next;
    return PAGING_NEXT;
}

/* Frees an unlinked table with all that is below it. */
static void free_subtree(const struct gathered_table *root)
{
    static const struct paging_visitor visitor = {.entries = free_entries, .leave = free_left_table};
    bool is_clear = table_frame_used(root->table) == 0;
    struct paging_place place = {.table = root->table,
                                 .level = root->level,
                                 .at = 0,
                                 .end = entry_bytes(root->level) * ENTRIES_PER_TABLE};

    if (root->level > 1 && !is_clear)
        paging_visit(place, &visitor, NULL);
    paging_table_give(root->table, is_clear);
}

/* Makes what was removed unreachable for every CPU, then frees the tables that led there. */
static void finish_batch(struct unmap_job *job)
{
    if (job->low < job->high)
        platform_flush(entry_virt(job->low), job->high - job->low);
    for (unsigned i = 0; i < job->n_gathered; i++)
        free_subtree(&job->gathered[i]);
    job->n_gathered = 0;
    job->low = ENTRY_LINEAR_END;
    job->high = 0;
}

/* Unlinks the table that the entry at hand points to. */
static void unlink_table(struct paging_place *place, struct unmap_job *job)
{
    struct gathered_table *root;

    if (job->n_gathered == PAGING_N_GATHERED)
        finish_batch(job);
    root = &job->gathered[job->n_gathered++];
    root->table = entry_table(*place->entry);
    root->level = place->level - 1;
    *place->entry = 0;
    paging_count(place, -1);
    note_removed(job, place->at, place->next);
}

/*
 * Clears whole leaves from here on, skips absent entries, and stops at anything else or the end.  False:
 * there was neither.
 */
static bool clear_leaves(struct paging_place *place, struct unmap_job *job)
{
    unsigned shift = entry_shift(place->level);
    u64 from = place->at, n_whole = paging_is_whole(place) ? (place->end - from) >> shift : 0, n = 0;
    u64 pointer = entry_pointer_kind(place->level), *entries = place->entry;
    int n_cleared = 0;

    for (; n < n_whole && (entries[n] & ENTRY_KIND) != pointer; n++) {
        n_cleared += entry_is_present(entries[n]);
        entries[n] = 0;
    }
    if (n == 0)
        return paging_skip_absent(place) > 0;
    place->at = from + (n << shift);
    if (n_cleared > 0) {
        paging_count(place, -n_cleared);
        note_removed(job, from, place->at);
    }
    return true;
}

/* Pass 2.  In this order: whole leaves, leaves to split, tables wholly inside, tables to enter. */
static enum paging_go remove_entries(struct paging_place *place, void *context)
{
    struct unmap_job *job = context;

    if (clear_leaves(place, job))
        return PAGING_NEXT;
    if (entry_is_leaf(*place->entry, place->level)) {
        u64 size = entry_bytes(place->level), start = align_down(place->at, size);
        split_leaf(place);
        note_removed(job, start, start + size);
        return PAGING_DOWN;
    }
    if (!paging_is_whole(place) || is_permanent(place))
        return PAGING_DOWN;
    unlink_table(place, job);
    place->at = place->next;
    return PAGING_NEXT;
}

/* On the way up: a table that has become empty goes. */
static void remove_left_table(struct paging_place *place, void *context)
{
    if (table_frame_used(entry_table(*place->entry)) == 0 && !is_permanent(place))
        unlink_table(place, context);
}

/* True when the range's tables are sound and there is enough to split with.  Nothing is changed but the
 * spares. */
static bool check_range(struct paging_place place, struct unmap_job *job)
{
    static const struct paging_visitor check = {.entries = check_entries};

    if (place.level > 1)
        paging_visit(place, &check, job);
    if (!phys_is_none(job->bad_table))
        return false;
    if (!paging_has_spares(&job->need))
        paging_fill_spares();
    if (paging_has_spares(&job->need))
        return true;
    mm.paging.n_refused_splits++;
    platform_report(MM_NOTE, "mm: no frame to split a large leaf with: 0x%lx..0x%lx stays mapped",
                    entry_virt(place.at).addr, entry_virt(place.end - 1).addr);
    return false;
}

/*
 * Begins at the lowest table that outlasts the call, so that whatever becomes empty is found on the way
 * up.
 */
int paging_unmap(phys_t top, u64 start, u64 end, phys_t *bad_table)
{
    static const struct paging_visitor remove = {.entries = remove_entries, .leave = remove_left_table};
    struct paging_place place = paging_narrow(top, start, end, true);
    struct unmap_job job;

    *bad_table = PHYS_NONE;
    job.need = (struct paging_need){{0}};
    job.bad_table = PHYS_NONE;
    job.n_gathered = 0;
    job.low = ENTRY_LINEAR_END;
    job.high = 0;
    if (!check_range(place, &job)) {
        *bad_table = job.bad_table;
        return -EFAULT;
    }
    paging_visit(place, &remove, &job);
    finish_batch(&job);
    paging_fill_spares();
    return 0;
}
