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
 *     tables             PT                                     PT      need: 2 cleared ones
 *
 * Algorithm.  First down to the lowest table that translates all of the range: tables above it cost nothing
 * twice.
 *   1. check: go over the range.  A present leaf must be kept, a table must be marked as one of its level.
 *      For runs of absent entries, compute how many new tables they will take: page tables that get all of
 *      their 512 leaves, and others, which have to be cleared.
 *   2. take: exactly those frames.  If one is not to be had, give all back: as nothing points to them yet,
 *      no entry has changed, and nothing has to be flushed.
 *   3. write: go over the range again.  Absent places get leaves, in a tight loop for each run, or a new
 *      table, which is finished, with all that is below it, before it is linked.  Nothing can fail any more.
 * Only absent entries become present, so no translation goes stale and no flush is needed (Intel SDM volume
 * 3A, "Optional Invalidation": entries with P = 0 are not cached).
 *
 * Cost.  A new table of the kept ones about 90 instructions in all, of the frame allocator's 160 (and 513
 * for clearing). A leaf: 2.2, which is a store, an addition, and the sixteenth part of a turn of the loop.
 * If nothing was present in the range (the usual case) write looks at no entry twice.
 *
 * Invariants.
 *   I1  A table that an entry points to is marked with the level below the entry's, is cleared or written
 *       before it is linked, and no other entry points to it.
 *   I2  The number of present entries of a table is its used count whenever the lock is free.
 *   I3  An entry of level 2 .. 4 that points to a table allows everything (user access in private slots
 *       only).
 *
 * Locking.  mm.paging.lock, held by the caller.  The frame allocator is called under it and may take the
 * zones' locks; it must not come back into paging, except through paging_direct_map_page, which has a lock
 * of its own.
 *
 * Limits.  The tables of one call are taken beforehand: 64 GiB in 4 KiB leaves want 32832 frames at once.
 */
#include <mm/paging_descent.h>

struct map_job {
    const struct paging_request *request;
    u64 delta;     /* physical minus linear, modulo 2^64 */
    bool any_kept; /* something of the range is mapped already */
    bool user;     /* entries that point to tables allow user access: a private slot */
    struct paging_need need;
    struct paging_frames frames;
};

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
    for (unsigned k = 1, shift = entry_shift(2); k < level; k++, shift += 9) {
        u64 inside = (1UL << shift) - 1, first = start >> shift, end_full = end >> shift;
        u64 first_full = (start + inside) >> shift, n_touched = ((end + inside) >> shift) - first;
        u64 n_full = end_full > first_full ? end_full - first_full : 0;

        if (k == 1 && largest == 1)
            need->n_whole += n_full;
        need->n_clear += k == 1 || k < largest ? n_touched - n_full : n_touched;
    }
}

/* The leaf of `level` that the request wants around a linear address. */
static u64 leaf_at(const struct map_job *job, unsigned level, u64 linear)
{
    return (align_down(linear, entry_bytes(level)) + job->delta) |
           entry_leaf_bits(job->request->flags, level);
}

/* Writes n entries, each `step` more than the one before: two instructions each. */
static void fill_entries(u64 *entry, u64 n, u64 first, u64 step)
{
    for (; n >= 16; n -= 16, entry += 16) {
#pragma GCC unroll 16
        for (unsigned i = 0; i < 16; i++, first += step)
            entry[i] = first;
    }
    for (; n > 0; n--, first += step)
        *entry++ = first;
}

/* Does this leaf, of any size, map its part of the range as the request wants it? */
static bool leaf_is_kept(const struct map_job *job, u64 leaf, unsigned level, u64 at)
{
    u64 bytes = entry_bytes(level);

    return is_aligned(align_down(at, bytes) + job->delta, bytes) &&
           ((leaf ^ leaf_at(job, level, at)) & ENTRY_MEANING) == 0;
}

/* Pass 1, below one table.  False: something forbids the mapping. */
static bool check_table(struct map_job *job, const u64 *entries, unsigned level, u64 at, u64 end)
{
    unsigned shift = entry_shift(level);

    for (u64 next; at < end; at = next) {
        u64 n_touched = ((end - 1) >> shift) - (at >> shift) + 1;
        const u64 *entry = &entries[entry_index(at, level)];
        u64 n_absent = paging_count_absent(entry, n_touched);

        next = min_u64(((at >> shift) + max_u64(n_absent, 1)) << shift, end);
        if (n_absent > 0) {
            paging_add_need(&job->need, level, at, next, job->request->largest);
        } else if (entry_is_leaf(*entry, level)) {
            job->any_kept = true;
            if (!leaf_is_kept(job, *entry, level, at))
                return false;
        } else if (!paging_is_table(entry_table(*entry), level - 1) ||
                   !check_table(job, paging_entries(entry_table(*entry)), level - 1, at, next)) {
            return false;
        }
    }
    return true;
}

static u64 write_table(struct map_job *job, u64 *entries, unsigned level, u64 at, u64 end);

/* A new page table with the leaves of a part of the range. */
static phys_t make_page_table(struct map_job *job, u64 at, u64 end)
{
    bool whole = end - at == PAGE_BYTES;
    phys_t table = whole ? paging_frames_pop_whole(&job->frames) : paging_frames_pop(&job->frames);
    u64 n = (end - at) >> FRAME_SHIFT;

    fill_entries(paging_entries(table) + entry_index(at, 1), n, leaf_at(job, 1, at), FRAME_BYTES);
    paging_mark(table, 1, (unsigned)n);
    return table;
}

/*
 * Makes the table of `level` that goes below an absent entry, with all that is below it, for the part of the
 * range there. While that lies within one entry of a new table, there is nothing else in it.  Returns the
 * entry.
 */
static u64 make_tables(struct map_job *job, unsigned level, u64 at, u64 end)
{
    u64 made, *link = &made;

    for (; level > 1; level--) {
        phys_t table = paging_frames_pop(&job->frames);
        unsigned shift = entry_shift(level);

        *link = entry_to_table(table, job->user);
        if ((at ^ (end - 1)) >> shift != 0 || (level <= job->request->largest && end - at == 1UL << shift)) {
            paging_mark(table, level, (unsigned)write_table(job, paging_entries(table), level, at, end));
            return made;
        }
        paging_mark(table, level, 1);
        link = paging_entries(table) + entry_index(at, level);
    }
    *link = entry_to_table(make_page_table(job, at, end), job->user);
    return made;
}

/* Writes the leaf at hand and those after it, as far as whole absent entries go; returns how many. */
static u64 write_leaves(const struct map_job *job, u64 *entry, unsigned level, u64 at, u64 end)
{
    unsigned shift = entry_shift(level);
    u64 n = (end - at) >> shift;

    if (job->any_kept)
        n = paging_count_absent(entry, n);
    fill_entries(entry, n, leaf_at(job, level, at), 1UL << shift);
    return n;
}

/*
 * Pass 2, below one table.  Whatever is present was found right by pass 1: leaves are kept, tables entered.
 * Returns how many of the table's own entries became present.
 */
static u64 write_table(struct map_job *job, u64 *entries, unsigned level, u64 at, u64 end)
{
    unsigned shift = entry_shift(level);
    u64 n_written = 0;

    for (u64 next; at < end; at = next) {
        u64 *entry = &entries[entry_index(at, level)];
        phys_t below = entry_table(*entry);

        next = paging_part_end(at, end, shift);
        if (entry_is_present(*entry)) {
            if (!entry_is_leaf(*entry, level))
                paging_count(paging_counter(below, level - 1),
                             (int)write_table(job, paging_entries(below), level - 1, at, next));
        } else if (level <= job->request->largest && next - at == 1UL << shift) {
            u64 n = write_leaves(job, entry, level, at, end);
            next = at + (n << shift);
            n_written += n;
        } else {
            paging_link(entry, make_tables(job, level - 1, at, next));
            n_written++;
        }
    }
    return n_written;
}

/*
 * Is nothing mapped in the range, and is it no leaf as a whole?  Then all that is to be written is below one
 * entry.
 */
static bool is_below_one_entry(const struct paging_descent *way, const struct paging_request *request)
{
    return way->single && !entry_is_present(*way->entry[way->level]) &&
           (way->level > request->largest || request->end - request->start != entry_bytes(way->level));
}

/*
 * All of the range is below one absent entry.  A short one takes two tables of each level at the most: if
 * there are so many idle frames, they need not be counted.
 */
static int map_below(struct map_job *job, const struct paging_descent *way)
{
    u64 start = job->request->start, end = job->request->end;

    if (end - start >= PAGE_BYTES || 2 * (way->level - 1) > job->frames.n_idle) {
        paging_add_need(&job->need, way->level, start, end, job->request->largest);
        if (!paging_frames_take(&job->frames, &job->need))
            return -EFAULT;
    }
    paging_link(way->entry[way->level], make_tables(job, way->level - 1, start, end));
    paging_count(way->counter[way->level], 1);
    return 0;
}

int paging_map(phys_t top, const struct paging_request *request)
{
    u64 start = request->start, end = request->end;
    struct paging_descent way;
    struct map_job job;

    job.request = request;
    job.delta = request->phys - start;
    job.any_kept = false;
    job.user = !paging_slot_is_shared(start);
    job.need = (struct paging_need){0, 0};
    job.frames.n_idle = request->callers ? paging_n_free_idle() : 0;
    job.frames.clear = job.frames.whole = PHYS_NONE;
    paging_descend(top, start, end, &way);
    if (is_below_one_entry(&way, request))
        return map_below(&job, &way);
    u64 *entries = paging_entries_on(&way, way.level);
    if (!check_table(&job, entries, way.level, start, end) || !paging_frames_take(&job.frames, &job.need))
        return -EFAULT;
    paging_count(way.counter[way.level], (int)write_table(&job, entries, way.level, start, end));
    return 0;
}
