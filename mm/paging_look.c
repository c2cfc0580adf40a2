/* SPDX-License-Identifier: MIT */
/*
 * Looking at page tables: one address, runs of equal leaves, counts.
 *
 * Purpose.  What the shell, the panic screen and the checks see.  Nothing here allocates, locks or changes
 * anything.
 *
 * Terms.  *Effective* rights are what the entries of all levels allow together: writable and user if all say
 * so, executable if none forbids it (Intel SDM volume 3A, "Access Rights").  A *run* is a range of
 * neighbouring leaves of one size with equal effective flags whose physical addresses continue each other.
 *
 *     leaves   [4K a][4K a+1][4K a+2]  .  .  [4K b, ro][4K b+1, ro][2M c       ]
 *     runs     [         run 1      )        [         run 2      )[   run 3    )
 *
 * Algorithm.  Both go with the visit; on the way down they keep, for each level, what the entries above
 * allow.  A table is entered only if it is marked as one, so that a corrupted entry ends in `bad_table` and
 * not in a fault: the panic screen walks the address that faulted.
 *
 * Cost.  A walk about 150 instructions.  A run: linear in its leaves; holes cost an entry of the level at
 * which they are absent, so an empty slot of 512 GiB is one entry.
 *
 * Limits.  What is not canonical is not mapped, and no run reaches over the hole between the halves.  `top`
 * is believed if it is a frame of the direct map: any such frame can be read, though what it says may be
 * nonsense.
 *
 * Locking.  None.  If somebody changes the tables meanwhile, the answer may be a mix of before and after.
 */
#include <mm/inspect.h>
#include <mm/paging_core.h>

#define HALF_END (ENTRY_LINEAR_END / 2) /* linear: the end of the user half */

/* What an entry allows: bits R/W and U/S as they are, XD inverted, so that levels combine by AND. */
#define ALLOW_BITS (ENTRY_RW | ENTRY_US | ENTRY_XD)

/* The rights of one entry, of any level, in a form that combines by AND. */
static u64 entry_allows(u64 entry)
{
    return (entry ^ ENTRY_XD) & ALLOW_BITS;
}

/* A leaf's flags with the effective rights in place of its own. */
static ul effective_flags(u64 leaf, unsigned level, u64 allowed)
{
    allowed &= entry_allows(leaf);
    return (entry_leaf_flags(leaf, level) & ~ALLOW_BITS) | ((allowed ^ ENTRY_XD) & ALLOW_BITS);
}

/* May a walk begin here without a fault?  Until tables are marked, the caller is believed. */
static bool top_is_readable(phys_t top)
{
    if (!mm.paging.adopted || top.addr == mm.paging.kernel_top.addr)
        return true;
    return is_aligned(top.addr, FRAME_BYTES) && mm_is_direct(top);
}

struct walk {
    struct paging_path *path;
    u64 allowed;
};

/* One step a level, also for the entry that ends the walk. */
static enum paging_go walk_entries(struct paging_place *place, void *context)
{
    struct walk *walk = context;
    struct paging_path *path = walk->path;
    u64 entry = *place->entry;

    path->step[path->n_steps++] = (struct paging_step){
        .level = place->level,
        .index = entry_index(place->at, place->level),
        .table = place->table,
        .entry = entry,
    };
    if (!entry_is_present(entry))
        return PAGING_STOP;
    if (!entry_is_leaf(entry, place->level)) {
        walk->allowed &= entry_allows(entry);
        path->bad_table = !paging_is_table(entry_table(entry), place->level - 1);
        return path->bad_table ? PAGING_STOP : PAGING_DOWN;
    }
    path->mapped = true;
    path->leaf_bytes = entry_bytes(place->level);
    path->phys = phys_add(entry_phys(entry, place->level), place->at % path->leaf_bytes);
    path->flags = effective_flags(entry, place->level, walk->allowed);
    return PAGING_STOP;
}

/* A range of one byte: the visit meets one entry a level. */
void paging_walk(phys_t top, virt_t at, struct paging_path *out)
{
    struct walk walk = {.path = out, .allowed = ALLOW_BITS};
    u64 linear = entry_linear(at);

    *out = (struct paging_path){.n_steps = 0};
    if (!entry_is_canonical(at.addr))
        return;
    if (!top_is_readable(top))
        out->bad_table = true;
    else
        paging_visit(top, linear, linear + 1, walk_entries, &walk);
}

struct run_search {
    u64 start, end; /* linear: the run so far; empty: not found yet */
    u64 phys;
    unsigned level;
    ul flags;
    u64 allowed[ENTRY_TOP_LEVEL + 1]; /* by the entries above a table of that level */
};

/* Takes the leaf at hand into the run.  False: it does not continue it. */
static bool run_take(struct run_search *run, const struct paging_place *place)
{
    u64 leaf = *place->entry;
    u64 at = entry_phys(leaf, place->level).addr + place->at % entry_bytes(place->level);
    ul flags = effective_flags(leaf, place->level, run->allowed[place->level]);

    if (run->start == run->end) {
        /* The first leaf: from where the range begins, which may be inside it. */
        run->start = place->at;
        run->phys = at;
        run->level = place->level;
        run->flags = flags;
    } else if (place->at != run->end || place->at == HALF_END || place->level != run->level ||
               flags != run->flags || at != run->phys + (run->end - run->start)) {
        return false;
    }
    run->end = place->next;
    return true;
}

/* A hole ends a run that has begun, and is skipped otherwise.  What leads to no table counts as a hole. */
static enum paging_go run_entries(struct paging_place *place, void *context)
{
    struct run_search *run = context;
    u64 entry = *place->entry;

    if (paging_skip_absent(place) > 0)
        return run->start == run->end ? PAGING_NEXT : PAGING_STOP;
    if (!entry_is_leaf(entry, place->level) && paging_is_table(entry_table(entry), place->level - 1)) {
        run->allowed[place->level - 1] = run->allowed[place->level] & entry_allows(entry);
        return PAGING_DOWN;
    }
    if (entry_is_leaf(entry, place->level) && !run_take(run, place))
        return PAGING_STOP;
    place->at = place->next;
    return PAGING_NEXT;
}

/* Linear, for addresses from a caller: what is not canonical counts as the end of the user half. */
static u64 linear_of(u64 address)
{
    return entry_is_canonical(address) ? entry_linear(virt(address)) : HALF_END;
}

/* The visit stops by itself behind the run; what it returns says nothing. */
bool paging_next_run(phys_t top, virt_t from, virt_t end, struct paging_run *out)
{
    struct run_search run = {.start = 0, .end = 0, .allowed[ENTRY_TOP_LEVEL] = ALLOW_BITS};
    u64 first = linear_of(from.addr) & PAGE_4K_MASK;
    u64 last = end.addr == 0 ? ENTRY_LINEAR_END : linear_of(end.addr);

    if (first >= last || !top_is_readable(top))
        return false;
    paging_visit(top, first, last, run_entries, &run);
    if (run.start == run.end)
        return false;
    *out = (struct paging_run){
        .start = entry_virt(run.start),
        .bytes = run.end - run.start,
        .phys = phys(run.phys),
        .leaf_bytes = entry_bytes(run.level),
        .flags = run.flags,
    };
    return true;
}

/* Page tables are counted from above and not visited. */
static enum paging_go count_entries(struct paging_place *place, void *context)
{
    u64 *n_tables = context;

    if (paging_skip_absent(place) > 0)
        return PAGING_NEXT;
    if (!entry_is_leaf(*place->entry, place->level) &&
        paging_is_table(entry_table(*place->entry), place->level - 1)) {
        ++*n_tables;
        if (place->level > 2)
            return PAGING_DOWN;
    }
    place->at = place->next;
    return PAGING_NEXT;
}

/* The top level itself is the 1. */
u64 paging_count_tables(void)
{
    u64 n_tables = 1; /* the top level */

    paging_visit(mm.paging.kernel_top, 0, ENTRY_LINEAR_END, count_entries, &n_tables);
    return n_tables;
}
