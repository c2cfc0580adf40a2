/* SPDX-License-Identifier: MIT */
/*
 * The visit: over the levels of a page table.
 *
 * Purpose.  Walking, listing, checking and building go through the entries that translate a range; they
 * differ in what they do there.  The visit goes, a *visitor* does.  (Mapping and unmapping, which are to be
 * fast, have loops of their own: a function each that calls itself for the level below.)
 *
 * Terms.  A *place* is an entry of a table together with the part of the range that this table still has to
 * translate. A *linear* address is the low 48 bits of a virtual one, so that the end of the last range is
 * 2^48 and not 0.
 *
 *     table of level L    |  e0  |  e1  |  e2  |  e3  | ...
 *     range                   [at...|......|......|...end)
 *     place at first          [at.next)             entry = e0, partly inside: not "whole"
 *     after one PAGING_NEXT          [at...next)    entry = e1, whole
 *
 * Algorithm.  visit() calls the visitor with the place at hand.  The visitor deals with as many entries as
 * it likes and moves `at` (runs of leaves cost it a tight loop, no call each), or asks to go down, and the
 * visit calls itself with the table below and the part of the range inside the entry.  So the stack is four
 * frames deep at the most, and the code for all levels is the same.
 *
 * Cost.  About 25 instructions a call of the visitor, that is for each table met and each run of leaves;
 * nothing for what lies outside the range.
 *
 * Locking.  None here: whoever changes tables holds mm.paging.lock.
 */
#include <mm/paging_core.h>

/* `place` is a copy: each level has its own. */
static bool visit(struct paging_place place, paging_visitor *visitor, void *context)
{
    unsigned shift = entry_shift(place.level);

    while (place.at < place.end) {
        place.entry = paging_entries(place.table) + entry_index(place.at, place.level);
        place.next = paging_part_end(place.at, place.end, shift);
        enum paging_go step = visitor(&place, context);
        if (step == PAGING_NEXT)
            continue;
        if (step == PAGING_STOP)
            return false;
        struct paging_place below = {
            .table = entry_table(*place.entry), .level = place.level - 1, .at = place.at, .end = place.next};
        if (!visit(below, visitor, context))
            return false;
        place.at = place.next;
    }
    return true;
}

bool paging_visit(phys_t top, u64 start, u64 end, paging_visitor *visitor, void *context)
{
    struct paging_place place = {.table = top, .level = ENTRY_TOP_LEVEL, .at = start, .end = end};

    return visit(place, visitor, context);
}

/* The last of them may be partly outside the range; `at` stays inside. */
u64 paging_skip_absent(struct paging_place *place)
{
    unsigned shift = entry_shift(place->level);
    u64 n = paging_count_absent(place->entry, ((place->end - 1) >> shift) - (place->at >> shift) + 1);

    if (n > 0)
        place->at = min_u64(((place->at >> shift) + n) << shift, place->end);
    return n;
}

u64 paging_count_absent(const u64 *entry, u64 n_most)
{
    u64 n = 0;

    while (n < n_most && !entry_is_present(entry[n]))
        n++;
    return n;
}
