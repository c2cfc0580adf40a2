/* SPDX-License-Identifier: MIT */
/*
 * Mapping: all or nothing, in large leaves where they fit, in runs.
 *
 * Terms.  A *request* is a range of linear addresses, the physical address of its start, flags and the
 * largest leaf wanted.  A leaf *fits* a place when its level is at most that largest one and the place is a
 * whole entry: how start and physical address lie to each other was looked at once (paging_largest_leaf), so
 * a whole entry's physical address is as aligned as its linear one.  A leaf found in the way is *kept* if it
 * maps what the request wants.
 *
 *     2 MiB   |               |               |               |
 *     range          [=======================================)
 *     leaves         4 4 4 4 4|      2M       |      2M       |4 4
 *     tables             PT                                     PT      need[1] = 2
 *
 * Algorithm.
 *   1. check: visit the range.  A present leaf must be kept, a table must be marked as one of its level.  For
 *      runs of absent entries, compute how many new tables of each level they will take: need[1..3].
 *   2. take: allocate exactly those, in a list for each level.  If one is not to be had, give all back: as
 *      nothing points to them yet, no entry has changed, and nothing has to be flushed.
 *   3. write: visit again.  Absent places get leaves, in a tight loop for each run, or one of the new tables.
 *      Nothing can fail any more.
 * Only absent entries become present, so no translation goes stale and no flush is needed (Intel SDM volume
 * 3A, "Optional Invalidation": entries with P = 0 are not cached).
 *
 * Cost.  Each table met: about 150 instructions in check and write together.  A leaf: 2.4, in a new page
 * table that it fills only partly one more for clearing.  If nothing was present in the range (the usual
 * case) write looks at no entry twice.
 *
 * Invariants.
 *   I1  A table that an entry points to is marked with the level below the entry's, is cleared or written
 *       before it is linked, and no other entry points to it.
 *   I2  The number of present entries of a table is its used count whenever the lock is free.
 *   I3  An entry of level 2 .. 4 that points to a table allows everything (user access in private slots
 *       only).
 *
 * Locking.  mm.paging.lock, held by the caller.  table_frame_alloc is called under it and may take the zones'
 * locks; it must not come back into paging, except through paging_direct_map_page, which has a lock of its
 * own.
 *
 * Limits.  The tables of one call are taken beforehand: 64 GiB in 4 KiB leaves want 32832 frames at once.
 */
#include <mm/paging_core.h>

struct map_job {
    const struct paging_request *request;
    u64 delta;     /* physical minus linear, modulo 2^64 */
    bool any_kept; /* something of the range is mapped already */
    struct paging_need need;
    phys_t
        fresh[ENTRY_TOP_LEVEL]; /* lists of new tables as need counts them, linked through their first word */
};

#define WHOLE 0 /* the list, and the count, of page tables that are filled whole */

/* Where there is no NX, bit 63 is reserved and would fault; where there is no PAT, PA4 is write-back. */
ul paging_usable_flags(ul flags)
{
    if (!mm.features.no_execute)
        flags &= ~PAGE_XD;
    if (!mm.features.global_pages)
        flags &= ~PAGE_GLOBAL;
    if (!mm.features.pat && (flags & PAGE_WC))
        flags = (flags & ~PAGE_WC) | PAGE_PCD; /* UC-: what the MTRRs make of it */
    return flags | PAGE_PRESENT;
}

/* Two addresses lie alike to a leaf's size if they differ in no bit below it. */
unsigned paging_largest_leaf(u64 start, u64 phys, bool use4k)
{
    unsigned level = use4k ? 1 : (unsigned)mm.paging.largest_leaf_level;

    while (level > 1 && !is_aligned(start ^ phys, entry_bytes(level)))
        level--;
    return level;
}

/*
 * Below a run of absent entries of `level`, a table of level k is needed for each entry of level k + 1 that
 * is not one leaf: for every entry touched, if leaves are smaller than it; else only where the range begins
 * or ends inside one.
 */
void paging_add_need(struct paging_need *need, unsigned level, u64 start, u64 end, unsigned largest)
{
    for (unsigned k = 1; k < level; k++) {
        u64 bytes = entry_bytes(k + 1);
        u64 first = start / bytes, last = (end - 1) / bytes;
        bool cut_first = !is_aligned(start, bytes), cut_last = !is_aligned(end, bytes);

        if (k == 1 && largest == 1) {
            u64 n_whole =
                last + 1 - first - (first == last ? cut_first || cut_last : (u64)cut_first + (u64)cut_last);
            need->n[0] += n_whole;
            need->n[1] += last + 1 - first - n_whole;
        } else if (k >= largest)
            need->n[k] += last - first + 1;
        else if (first == last)
            need->n[k] += cut_first || cut_last;
        else
            need->n[k] += (u64)cut_first + (u64)cut_last;
    }
}

/* The leaf of `level` that the request wants around a linear address. */
static u64 leaf_at(const struct map_job *job, unsigned level, u64 linear)
{
    return (align_down(linear, entry_bytes(level)) + job->delta) |
           entry_leaf_bits(job->request->flags, level);
}

/* Does the leaf at hand map its part of the range as the request wants it?  Of any size. */
static bool leaf_is_kept(const struct paging_place *place, const struct map_job *job)
{
    u64 bytes = entry_bytes(place->level);
    u64 wanted = align_down(place->at, bytes) + job->delta;

    return is_aligned(wanted, bytes) &&
           ((*place->entry ^ leaf_at(job, place->level, place->at)) & ENTRY_MEANING) == 0;
}

/* Pass 1.  Stops at the first thing that forbids the mapping. */
static enum paging_go check_entries(struct paging_place *place, void *context)
{
    struct map_job *job = context;
    u64 from = place->at, entry = *place->entry;

    if (!entry_is_present(entry)) {
        paging_skip_absent(place);
        paging_add_need(&job->need, place->level, from, place->at, job->request->largest);
        return PAGING_NEXT;
    }
    if (!entry_is_leaf(entry, place->level))
        return paging_is_table(entry_table(entry), place->level - 1) ? PAGING_DOWN : PAGING_STOP;
    job->any_kept = true;
    if (!leaf_is_kept(place, job))
        return PAGING_STOP;
    place->at = place->next;
    return PAGING_NEXT;
}

/* The link lies in the table's first word, which pop_fresh clears again. */
static void push_fresh(struct map_job *job, unsigned level, phys_t table)
{
    *paging_entries(table) = job->fresh[level].addr;
    job->fresh[level] = table;
}

/* Takes a new table off its list, cleared again.  Check counted them, so an empty list is our own mistake. */
static phys_t pop_fresh(struct map_job *job, unsigned level)
{
    phys_t table = job->fresh[level];

    if (phys_is_none(table))
        platform_report(MM_BROKEN, "mm: paging: more tables of level %u needed than counted", level);
    u64 *first = paging_entries(table);
    job->fresh[level] = phys(*first);
    *first = 0;
    return table;
}

/* Nobody has ever pointed to these tables, so they may go at once. */
static void give_back_fresh(struct map_job *job)
{
    for (unsigned list = 0; list < ENTRY_TOP_LEVEL; list++) {
        while (!phys_is_none(job->fresh[list]))
            paging_table_give(pop_fresh(job, list), list != WHOLE);
    }
}

/* Takes all tables that check counted; those that are filled whole last, since cleared ones may run out. */
static bool take_fresh(struct map_job *job)
{
    for (int list = ENTRY_TOP_LEVEL - 1; list >= WHOLE; list--) {
        for (u64 i = 0; i < job->need.n[list]; i++) {
            phys_t table =
                paging_table_take(list == WHOLE ? 1 : (unsigned)list, job->request->start, list != WHOLE);
            if (phys_is_none(table)) {
                give_back_fresh(job);
                return false;
            }
            push_fresh(job, (unsigned)list, table);
        }
    }
    return true;
}

/* Writes n leaves, `step` bytes of memory apart.  Eight at a time: two instructions each. */
static void fill_leaves(u64 *entry, u64 n, u64 leaf, u64 step)
{
    for (; n >= 8; n -= 8, entry += 8) {
        entry[0] = leaf;
        entry[1] = leaf += step;
        entry[2] = leaf += step;
        entry[3] = leaf += step;
        entry[4] = leaf += step;
        entry[5] = leaf += step;
        entry[6] = leaf += step;
        entry[7] = leaf += step;
        leaf += step;
    }
    for (; n > 0; n--, leaf += step)
        *entry++ = leaf;
}

/* A new page table below the absent entry at hand, all of it leaves: written before it is linked. */
static void write_whole_table(struct paging_place *place, struct map_job *job)
{
    phys_t table = pop_fresh(job, WHOLE);

    fill_leaves(paging_entries(table), ENTRIES_PER_TABLE, leaf_at(job, 1, place->at), FRAME_BYTES);
    if (mm.paging.adopted)
        table_frame_use(table, ENTRIES_PER_TABLE);
    *place->entry = entry_to_table(table, !paging_slot_is_shared(place->at));
    paging_count(place, 1);
    place->at = place->next;
}

/* Writes leaves from here on, as far as whole absent entries go. */
static void write_leaves(struct paging_place *place, const struct map_job *job)
{
    unsigned shift = entry_shift(place->level);
    u64 from = place->at, n = (place->end - from) >> shift;

    if (job->any_kept)
        n = min_u64(n, paging_skip_absent(place));
    fill_leaves(place->entry, n, leaf_at(job, place->level, from), 1UL << shift);
    paging_count(place, (int)n);
    place->at = from + (n << shift);
}

/* Pass 2.  Whatever is present was found right by pass 1: leaves are kept, tables entered. */
static enum paging_go write_entries(struct paging_place *place, void *context)
{
    struct map_job *job = context;
    u64 entry = *place->entry;

    if (entry_is_present(entry)) {
        if (!entry_is_leaf(entry, place->level))
            return PAGING_DOWN;
        place->at = place->next;
        return PAGING_NEXT;
    }
    if (place->level <= job->request->largest && paging_is_whole(place)) {
        write_leaves(place, job);
        return PAGING_NEXT;
    }
    if (place->level == 2 && job->request->largest == 1 && paging_is_whole(place)) {
        write_whole_table(place, job);
        return PAGING_NEXT;
    }
    phys_t table = pop_fresh(job, place->level - 1);
    *place->entry = entry_to_table(table, !paging_slot_is_shared(place->at));
    paging_count(place, 1);
    return PAGING_DOWN;
}

/* Both passes begin at the lowest table around the range: tables of other ranges cost nothing. */
int paging_map(phys_t top, const struct paging_request *request)
{
    static const struct paging_visitor check = {.entries = check_entries};
    static const struct paging_visitor write = {.entries = write_entries};
    struct map_job job = {.request = request, .delta = request->phys - request->start};
    struct paging_place place = paging_narrow(top, request->start, request->end, false);

    for (unsigned list = 0; list < ENTRY_TOP_LEVEL; list++)
        job.fresh[list] = PHYS_NONE;
    if (!paging_visit(place, &check, &job))
        return -EFAULT;
    if (!take_fresh(&job))
        return -EFAULT;
    paging_visit(place, &write, &job);
    return 0;
}

/* The visitor of paging_make_tables; the context is the level to stop at. */
static enum paging_go make_entries(struct paging_place *place, void *context)
{
    const unsigned *lowest = context;

    if (place->level == *lowest ||
        (entry_is_present(*place->entry) && entry_is_leaf(*place->entry, place->level))) {
        place->at = place->level == *lowest ? place->end : place->next;
        return PAGING_NEXT;
    }
    if (!entry_is_present(*place->entry)) {
        phys_t table = paging_table_take(place->level - 1, place->at, true);
        if (phys_is_none(table))
            return PAGING_STOP;
        *place->entry = entry_to_table(table, false);
        paging_count(place, 1);
    }
    return PAGING_DOWN;
}

/* Tables made before a failure stay: this is for boot, where a failure ends the start. */
bool paging_make_tables(u64 start, u64 end, unsigned level)
{
    static const struct paging_visitor make = {.entries = make_entries};

    return paging_visit_range(mm.paging.kernel_top, start, end, &make, &level);
}
