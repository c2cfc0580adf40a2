/* SPDX-License-Identifier: MIT */
/* Checks of homes: the lists of I312 and I318 of home.c, and I314 of slab.c.  What lies in the slabs is sound (check_slabs.c). */
#include <lib/bits.h>
#include <mm/check_tally.h>
#include <mm/state.h>

/* What is found in the lists of all homes of a class. */
struct listed {
    u64 n_partial, n_empty, n_groups;
};

/* A slab that a list leads to: is it one of this home and class? */
static bool slab_is_of(const struct slab *slab, const struct slab_home *home, unsigned class)
{
    return slab->home == (ul)home && slab->class == class;
}

/* I312 of a list of slabs, at most n_most; how many it has in *n. */
static bool check_list(struct mm_violation *out, const struct slab_home *home, unsigned class, const struct list_node *list,
                       u64 n_most, u64 *n)
{
    const struct list_node *before = list;
    bool empties = list == &home->class[class].empty;

    *n = 0;
    list_for_each(node, list) {
        const struct slab *slab = container_of(node, struct slab, link);

        if (++*n > n_most || !check_link(node, before) || !slab_is_of(slab, home, class) || (slab->n_absent == 0) != empties)
            return check_failed(out, 312, "a slab is in the wrong list", (u64)node, n_most, *n);
        before = node;
    }
    return true;
}

/* I318 of a list of groups, at most n_most; how many it has is added to *n. */
static bool check_returned(struct mm_violation *out, const struct slab_home *home, unsigned class, u64 n_most, u64 *n)
{
    for (const struct slab_group *group = home->returned[class]; group != NULL; group = group->next)
        if (++*n > n_most || !check_is_metadata(group) || !is_aligned((u64)group, sizeof *group) || group->returned == 0)
            return check_failed(out, 318, "a list of groups leads elsewhere, or to one without objects that came back",
                                (u64)group, n_most, *n);
    return true;
}

static bool check_home(struct mm_violation *out, const struct slab_home *home, unsigned class, const struct tally *tally,
                       struct listed *listed)
{
    const struct home_class *of = &home->class[class];
    u64 n_partial, n_empty;

    if (!check_list(out, home, class, &of->partial, tally->n_partial, &n_partial) ||
        !check_list(out, home, class, &of->empty, tally->n_empty, &n_empty) ||
        !check_returned(out, home, class, tally->n_groups_returned, &listed->n_groups))
        return false;
    listed->n_partial += n_partial;
    listed->n_empty += n_empty;
    return true;
}

/* I314 of a home; its lists are sound. */
static bool check_count(struct mm_violation *out, const struct slab_home *home)
{
    u64 n_empty = 0;

    for (unsigned class = 0; class < N_SLAB_CLASSES; class++)
        list_for_each(node, &home->class[class].empty)
            n_empty++;
    return check_equal(out, 314, "empty slabs of a home", (u64)home, n_empty, home->n_empty);
}

static bool check_class(struct mm_violation *out, unsigned class, const struct tally *tally)
{
    struct listed listed = {0};

    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        if (!check_home(out, &cpu->home, class, tally, &listed))
            return false;
    return check_home(out, &mm.orphans, class, tally, &listed) &&
           check_equal(out, 312, "partial slabs in lists", class, tally->n_partial, listed.n_partial) &&
           check_equal(out, 312, "empty slabs in lists", class, tally->n_empty, listed.n_empty) &&
           check_equal(out, 318, "groups with objects that came back, in lists", class, tally->n_groups_returned,
                       listed.n_groups);
}

bool check_homes(struct mm_violation *out, const struct tally *tally)
{
    for (unsigned class = 0; class < N_SLAB_CLASSES; class++)
        if (!check_class(out, class, &tally[class]))
            return false;
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        if (!check_count(out, &cpu->home))
            return false;
    return check_count(out, &mm.orphans);
}
