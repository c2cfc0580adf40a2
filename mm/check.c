/* SPDX-License-Identifier: MIT */
/*
 * mm_check: everything that mm counts is counted again from what it counts, every list is followed, every
 * bitmap compared.
 *
 * The invariants are numbered in the theory of operation on top of each file, by hundreds: 1xx pages and
 * zones, 2xx frames, 3xx roles and slabs, 4xx paging, 5xx the debug mode.  The first that does not hold is named, with the
 * address concerned and the two values that should agree.  Nothing is changed and nothing is allocated.
 *
 * Exact, and safe to walk, when nothing else changes mm meanwhile: the shell, the tests and the panic screen
 * see to that.
 */
#include <mm/check.h>
#include <mm/paging.h>

bool check_failed(struct mm_violation *out, unsigned number, const char *text, u64 where, u64 expected,
                  u64 found)
{
    *out = (struct mm_violation){number, text, where, expected, found};
    return false;
}

bool check_equal(struct mm_violation *out, unsigned number, const char *text, u64 where, u64 expected,
                 u64 found)
{
    return expected == found || check_failed(out, number, text, where, expected, found);
}

bool mm_check(struct mm_violation *out)
{
    return check_runs(out) && check_zones(out) && check_roles(out) && check_debug(out) && check_slabs(out) &&
           check_frames(out) && paging_check(out) && check_tables(out);
}
