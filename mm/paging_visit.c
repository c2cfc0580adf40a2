/* SPDX-License-Identifier: MIT */
/*
 * The visit: the one loop over the levels of a page table.
 *
 * Purpose.  Mapping, unmapping, walking, listing and checking all go through the entries that translate a
 * range; they differ in what they do there.  The visit goes, a *visitor* does.
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
 * Algorithm.  visit() calls the visitor with the place at hand.  The visitor deals with as many entries as it
 * likes and moves `at` (runs of leaves cost it a tight loop, no call each), or asks to go down, and the visit
 * calls itself with the table below and the part of the range inside the entry.  So the stack is four frames
 * deep at the most, and the code for all levels is the same.
 *
 * Cost.  About 25 instructions a call of the visitor, that is for each table met and each run of leaves;
 * nothing for what lies outside the range.
 *
 * Locking.  None here: whoever changes tables holds mm.paging.lock.
 */
#include <mm/paging_core.h>

/* `place` is a copy: each level has its own. */
bool paging_visit(struct paging_place place, const struct paging_visitor *visitor, void *context)
{
    unsigned shift = entry_shift(place.level);

    while (place.at < place.end) {
        place.entry = paging_entries(place.table) + entry_index(place.at, place.level);
        place.next = min_u64(((place.at >> shift) + 1) << shift, place.end);
        enum paging_go step = visitor->entries(&place, context);
        if (step == PAGING_NEXT)
            continue;
        if (step == PAGING_STOP)
            return false;
        struct paging_place below = {
            .table = entry_table(*place.entry), .level = place.level - 1, .at = place.at, .end = place.next};
        if (!paging_visit(below, visitor, context))
            return false;
        if (visitor->leave != NULL)
            visitor->leave(&place, context);
        place.at = place.next;
    }
    return true;
}

/* Will this table, which translates all of a range, still be there when the range is unmapped? */
static bool place_lasts(const struct paging_place *place)
{
    unsigned shift = entry_shift(place->level);
    u64 n_entries = ((place->end - 1) >> shift) - (place->at >> shift) + 1;

    if (place->level == ENTRY_TOP_LEVEL - 1 && paging_slot_is_shared(place->at))
        return true;
    return table_frame_used(place->table) > n_entries;
}

struct paging_place paging_narrow(phys_t top, u64 start, u64 end, bool lasting)
{
    struct paging_place place = {.table = top, .level = ENTRY_TOP_LEVEL, .at = start, .end = end},
                        found = place;
    u64 differing = start ^ (end - 1);

    while (place.level > 1 && differing >> entry_shift(place.level) == 0) {
        u64 entry = paging_entries(place.table)[entry_index(start, place.level)];
        if (!entry_is_present(entry) || entry_is_leaf(entry, place.level) ||
            !paging_is_table(entry_table(entry), place.level - 1))
            break;
        place.table = entry_table(entry);
        place.level--;
        if (!lasting || place_lasts(&place))
            found = place;
    }
    return found;
}

bool paging_visit_range(phys_t top, u64 start, u64 end, const struct paging_visitor *visitor, void *context)
{
    struct paging_place place = {.table = top, .level = ENTRY_TOP_LEVEL, .at = start, .end = end};

    return paging_visit(place, visitor, context);
}

/* An entry that is only partly inside the range counts as an end, unless it is absent. */
u64 paging_skip_leaves(struct paging_place *place)
{
    unsigned shift = entry_shift(place->level);
    u64 n_whole = paging_is_whole(place) ? (place->end - place->at) >> shift : 0, n = 0;
    u64 pointer = entry_pointer_kind(place->level);

    while (n < n_whole && (place->entry[n] & ENTRY_KIND) != pointer)
        n++;
    if (n == 0)
        return paging_skip_absent(place);
    place->at += n << shift;
    return n;
}

/* The last of them may be partly outside the range; `at` stays inside. */
u64 paging_skip_absent(struct paging_place *place)
{
    unsigned shift = entry_shift(place->level);
    u64 *entry = place->entry, *end = entry + ((place->end - 1) >> shift) - (place->at >> shift) + 1;

    while (entry < end && !entry_is_present(*entry))
        entry++;
    u64 n = (u64)(entry - place->entry);
    if (n > 0)
        place->at = min_u64(((place->at >> shift) + n) << shift, place->end);
    return n;
}
