/* SPDX-License-Identifier: MIT */
/* The parts of mm_check. */
#ifndef MM_CHECK_H
#define MM_CHECK_H

#include <mm/inspect.h>
#include <mm/state.h>

/* Fills in what is wrong; false, for `return check_failed(...)`. */
bool check_failed(struct mm_violation *out, unsigned number, const char *text, u64 where, u64 expected,
                  u64 found);

/* True when found is as expected; else what is wrong is filled in. */
bool check_equal(struct mm_violation *out, unsigned number, const char *text, u64 where, u64 expected,
                 u64 found);

/* Each true when all holds.  They come in this order: each relies on what those before it found sound. */
bool check_runs(struct mm_violation *out);  /* I101 .. I109: blocks of whole pages, owned pages */
bool check_zones(struct mm_violation *out); /* I111 .. I113, I201 .. I204, I206: zones, split pages, stacks */
bool check_roles(struct mm_violation *out); /* I207, I301 .. I304: role tables */
bool check_debug(struct mm_violation *out); /* I501 .. I504: the debug mode, when it is on */
bool check_slabs(struct mm_violation *out); /* I311 .. I318: objects, descriptors, magazines, homes */
bool check_frames(struct mm_violation *out); /* I205, I208: every frame is accounted for */
bool check_tables(
    struct mm_violation *out); /* I305, after I4xx: page tables that the kernel's top does not reach */

#endif
