/* SPDX-License-Identifier: MIT */
/* State of the MMIO window (mm.mmio): see the theory on top of mmio.c. */
#ifndef MM_MMIO_STATE_H
#define MM_MMIO_STATE_H

#include <mm/platform.h>
#include <mm/types.h>

/* What is handed out. */
struct mmio_range {
    struct mmio_range *next;
    u64 start, end;      /* virtual; the guard page included */
    const void *pointer; /* as returned to the caller */
};

struct mmio_state {
    struct mm_lock lock;      /* the list */
    struct mmio_range *first; /* busy ranges in address order */
    u64 n_ranges;
};

#endif
