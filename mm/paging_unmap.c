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
 * Algorithm.  First down to the lowest table that translates all of the range; those above it matter again
 * at the end.
 *   1. check: go over the range.  Tables must be marked as such.  Count the tables that splitting will take;
 *      they come from the spares, which are filled first.  If there are too few, nothing has happened:
 *      -EFAULT.
 *   2. remove: go over it again.  Whole leaves are cleared in runs.  A table wholly inside is unlinked with
 *      all that is below it.  A leaf partly inside is split, and what is inside is removed from the new
 *      table.  On the way up, also above the table where it began, a table with no used entry left is
 *      unlinked, too.
 *   3. flush what was removed, in one call: the platform chooses between INVLPG and dropping everything.
 *      Only now are the gathered tables freed, with what they point to.  No word of a gathered table is
 *      written before the flush, or a CPU could walk through what the word has become (Intel SDM volume 3A,
 *      "Invalidation of TLBs and Paging-Structure Caches": the caches may hold entries of all levels).
 * If more than PAGING_N_GATHERED tables come together, they are flushed and freed on the way.
 *
 * Cost.  Leaves in tables that lie wholly inside cost nothing (512 of them about 450 instructions, for the
 * table). Others about 4 each, and an INVLPG on every CPU if they are few.
 *
 * Invariants.
 *   I4  A frame is freed as a table only after a flush of the range that it translated.
 *   I6  No table but a permanent one, or one of the direct map, has a used count of 0.
 *
 * Locking.  mm.paging.lock, held by the caller.
 *
 * Limits.  A split needs up to two tables of level 2 and two of level 1: there are so many spares, so an
 * unmap succeeds even when memory is exhausted, and the next one, if this one's tables or the caller's
 * memory came back meanwhile.
 */
#include <mm/paging_descent.h>

/* Subtrees whose root was unlinked in one batch: 64 of them take 1 KiB of stack. */
#define PAGING_N_GATHERED 64

/* Leaves that are looked at and cleared together. */
#define CLEAR_BLOCK 16

struct gathered_table {
    phys_t table;
    unsigned level;
    bool is_clear; /* it became empty entry by entry */
};

struct unmap_job {
    struct paging_need need; /* of tables to split with */
    phys_t bad_table;        /* a frame that an entry points to and that is no table */
    u64 low, high;           /* linear: everything removed since the last flush lies in [low, high) */
    unsigned n_gathered;
    struct gathered_table gathered[PAGING_N_GATHERED];
};

/*
 * Counts the tables that splitting a leaf takes if only a part of it is in the range.  What a split leaves
 * of a leaf is as large as can be, whatever was once wanted.
 */
static void add_split(struct unmap_job *job, u64 entry, unsigned level, u64 at, u64 end)
{
    u64 part_end = paging_part_end(at, end, entry_shift(level));

    if (entry_is_present(entry) && entry_is_leaf(entry, level) && part_end - at != entry_bytes(level))
        paging_add_need(&job->need, level, at, part_end, ENTRY_TOP_LEVEL);
}

/*
 * Pass 1, below a table of level 2 or above: in page tables there is nothing to check, and only at the ends
 * there can be something to split.  False: a frame is no table.
 */
static bool check_table(struct unmap_job *job, const u64 *entries, unsigned level, u64 at, u64 end)
{
    unsigned shift = entry_shift(level), first = entry_index(at, level), last = entry_index(end - 1, level);
    u64 base = (at >> shift) - first, kind = level == ENTRY_TOP_LEVEL ? ENTRY_P : ENTRY_KIND;

    add_split(job, entries[first], level, at, end);
    if (last != first)
        add_split(job, entries[last], level, (base + last) << shift, end);
    for (unsigned i = first; i <= last; i++) {
        u64 entry = entries[i];

        if ((entry & kind) != ENTRY_P)
            continue;
        if (!paging_is_table(entry_table(entry), level - 1)) {
            job->bad_table = entry_table(entry);
            return false;
        }
        if (level > 2 &&
            !check_table(job, paging_entries(entry_table(entry)), level - 1, max_u64(at, (base + i) << shift),
                         min_u64(end, (base + i + 1) << shift)))
            return false;
    }
    return true;
}

/* Remembers that [start, end) must be flushed. */
static void note_removed(struct unmap_job *job, u64 start, u64 end)
{
    job->low = min_u64(job->low, start);
    job->high = max_u64(job->high, end);
}

/*
 * Frees a table that is not linked any more with all that is below it; the count of used entries ends the
 * search.
 */
static void free_subtree(phys_t table, unsigned level)
{
    const u64 *entries = paging_entries(table);
    unsigned n_left = level > 1 ? table_frame_used(table) : 0;

    for (unsigned i = 0; n_left > 0 && i < ENTRIES_PER_TABLE; i++) {
        if (!entry_is_present(entries[i]))
            continue;
        n_left--;
        if (!entry_is_leaf(entries[i], level))
            free_subtree(entry_table(entries[i]), level - 1);
    }
    paging_table_give(table, false);
}

/* Makes what was removed unreachable for every CPU. */
static void flush_removed(const struct unmap_job *job)
{
    if (job->low < job->high)
        platform_flush(entry_virt(job->low), job->high - job->low);
}

/* Frees the tables that led there. */
static NOINLINE void free_gathered(const struct unmap_job *job)
{
    for (unsigned i = 0; i < job->n_gathered; i++) {
        const struct gathered_table *root = &job->gathered[i];

        if (root->is_clear)
            paging_table_give(root->table, true);
        else
            free_subtree(root->table, root->level);
    }
}

/* So far nothing was removed. */
static void begin_batch(struct unmap_job *job)
{
    job->n_gathered = 0;
    job->low = ENTRY_LINEAR_END;
    job->high = 0;
}

/*
 * Unlinks the table of `level` that this entry points to.  [at, end): the part of the range below it, which
 * is flushed with this table's batch even if all that was in it is gone already: until now a CPU could cache
 * the entry again.
 */
static void unlink_table(struct unmap_job *job, u64 *entry, unsigned level, bool is_clear, u64 at, u64 end)
{
    if (job->n_gathered == PAGING_N_GATHERED) {
        flush_removed(job);
        free_gathered(job);
        begin_batch(job);
    }
    job->gathered[job->n_gathered++] = (struct gathered_table){entry_table(*entry), level, is_clear};
    *entry = 0;
    note_removed(job, at, end);
}

/* Replaces a large leaf of `level` by a table that maps the same. */
static void split_leaf(u64 *entry, unsigned level, bool user)
{
    phys_t table = paging_take_spare();
    u64 *parts = paging_entries(table), leaf = *entry;

    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++)
        parts[i] = entry_part(leaf, level, i);
    paging_mark(table, level - 1, ENTRIES_PER_TABLE);
    paging_link(entry, entry_to_table(table, user));
    mm.paging.n_splits++;
}

/*
 * Clears CLEAR_BLOCK entries if all of them are leaves of this level: one instruction each to look, one to
 * clear.
 */
static inline bool clear_block(u64 *entry, unsigned level)
{
    u64 wanted = level == 1 ? ENTRY_P : ENTRY_P | ENTRY_PS, common = wanted;

#pragma GCC unroll 16
    for (unsigned i = 0; i < CLEAR_BLOCK; i++)
        common &= entry[i];
    if (common != wanted)
        return false;
#pragma GCC unroll 16
    for (unsigned i = 0; i < CLEAR_BLOCK; i++)
        entry[i] = 0;
    return true;
}

/*
 * Clears whole leaves from this entry on, n_whole at the most, skips absent entries, and stops at anything
 * else. Returns how many entries that were, and counts in *n_cleared those that were present.
 */
static inline u64 clear_leaves(u64 *entry, u64 n_whole, unsigned level, unsigned *n_cleared)
{
    u64 pointer = entry_pointer_kind(level), n = 0;

    while (n_whole - n >= CLEAR_BLOCK && clear_block(entry + n, level))
        n += CLEAR_BLOCK;
    *n_cleared = (unsigned)n;
    for (; n < n_whole && (entry[n] & ENTRY_KIND) != pointer; n++) {
        *n_cleared += entry_is_present(entry[n]);
        entry[n] = 0;
    }
    return n;
}

/* Pass 2 in a page table.  How many entries became absent. */
static unsigned remove_leaves(struct unmap_job *job, u64 *entry, u64 at, u64 end)
{
    unsigned n_removed;

    clear_leaves(entry, (end - at) >> FRAME_SHIFT, 1, &n_removed);
    if (n_removed > 0)
        note_removed(job, at, end);
    return n_removed;
}

static unsigned remove_table(struct unmap_job *job, u64 *entries, unsigned level, u64 at, u64 end);

/* Pass 2 in any table. */
static unsigned remove_part(struct unmap_job *job, u64 *entries, unsigned level, u64 at, u64 end)
{
    if (level == 1)
        return remove_leaves(job, &entries[entry_index(at, 1)], at, end);
    return remove_table(job, entries, level, at, end);
}

/* Deals with an entry that is present and no whole leaf.  How many entries became absent: 1 or 0. */
static unsigned remove_entry(struct unmap_job *job, u64 *entry, unsigned level, u64 at, u64 next)
{
    bool permanent = level == ENTRY_TOP_LEVEL && paging_slot_is_shared(at);
    u64 bytes = entry_bytes(level), leaf_start = align_down(at, bytes);

    if (entry_is_leaf(*entry, level)) {
        split_leaf(entry, level, !paging_slot_is_shared(at));
        note_removed(job, leaf_start, leaf_start + bytes);
    }
    if (next - at == bytes && !permanent) {
        unlink_table(job, entry, level - 1, false, at, next);
        return 1;
    }
    phys_t below = entry_table(*entry);
    unsigned n_removed = remove_part(job, paging_entries(below), level - 1, at, next);
    if (!paging_uncount(paging_word(below), n_removed) || permanent)
        return 0;
    unlink_table(job, entry, level - 1, true, at, next);
    return 1;
}

/* Pass 2 in a table of level 2 or above.  How many entries became absent. */
static unsigned remove_table(struct unmap_job *job, u64 *entries, unsigned level, u64 at, u64 end)
{
    unsigned shift = entry_shift(level), n_removed = 0, n_cleared;

    for (u64 next; at < end; at = next) {
        u64 *entry = &entries[entry_index(at, level)];
        bool may_be_leaf = is_aligned(at, 1UL << shift) && level < ENTRY_TOP_LEVEL;
        u64 n = clear_leaves(entry, may_be_leaf ? (end - at) >> shift : 0, level, &n_cleared);

        next = n > 0 ? at + (n << shift) : paging_part_end(at, end, shift);
        if (n_cleared > 0)
            note_removed(job, at, next);
        else if (n == 0 && entry_is_present(*entry))
            n_cleared = remove_entry(job, entry, level, at, next);
        n_removed += n_cleared;
    }
    return n_removed;
}

/*
 * Pass 2.  Tables that become empty on the way down to the one in which it begins are unlinked, too: returns
 * the level of the lowest table that is still linked.
 */
static unsigned remove_range(struct unmap_job *job, const struct paging_descent *way, u64 start, u64 end)
{
    unsigned level = way->level;
    unsigned n_removed = remove_part(job, paging_entries_on(way, level), level, start, end);

    for (; level < way->top; n_removed = 1) {
        if (!paging_uncount(way->counter[level], n_removed))
            return level;
        *way->entry[++level] = 0;
    }
    paging_count(way->counter[level], -(int)n_removed);
    return level;
}

/* With too few spares, and no memory to make them more. */
static int refuse_split(u64 start, u64 end)
{
    mm.paging.n_refused_splits++;
    platform_report(MM_NOTE, "mm: no frame to split a large leaf with: 0x%lx..0x%lx stays mapped",
                    entry_virt(start).addr, entry_virt(end - 1).addr);
    return -EFAULT;
}

int paging_unmap(phys_t top, u64 start, u64 end, phys_t *bad_table)
{
    struct paging_descent way;
    struct unmap_job job;

    job.need = (struct paging_need){0, 0};
    begin_batch(&job);
    paging_descend(top, start, end, &way);
    if (way.level > 1 && !check_table(&job, paging_entries_on(&way, way.level), way.level, start, end)) {
        *bad_table = job.bad_table;
        return -EFAULT;
    }
    if (job.need.n_clear != 0) {
        paging_fill_spares();
        if (!paging_has_spares(job.need.n_clear))
            return refuse_split(start, end);
    }
    unsigned linked = remove_range(&job, &way, start, end);
    flush_removed(&job);
    if (job.n_gathered != 0)
        free_gathered(&job);
    for (unsigned level = way.level; level < linked; level++)
        paging_empty_table_give(pointer_phys(paging_entries_on(&way, level)), way.counter[level]);
    paging_fill_spares();
    return 0;
}
