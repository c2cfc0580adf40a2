/* SPDX-License-Identifier: MIT */
/*
 * Paging inside mm: the walk, the kernel's own mappings, and looking at tables.  The five calls for everybody
 * are in mm.h.
 */
#ifndef MM_PAGING_H
#define MM_PAGING_H

#include <mm/boot.h>
#include <mm/types.h>

/* One entry met on the way from the top level to a virtual address. */
struct paging_step {
    unsigned level;   /* 4 .. 1 */
    unsigned index;   /* 0 .. 511 */
    phys_t table;     /* the table it lies in */
    u64 entry;
};

struct paging_path {
    unsigned n_steps;             /* 0 .. 4; 0: `at` is not canonical, or `top` is no table */
    struct paging_step step[4];
    bool mapped;
    bool bad_table;               /* stopped: an entry points to a frame that is no table */
    phys_t phys;                  /* of the very byte, when mapped */
    u64 leaf_bytes;               /* 4 KiB, 2 MiB or 1 GiB */
    ul flags;                     /* effective PAGE_PRESENT R_W U_S PWT PCD GLOBAL WC XD, as mm_map_phys_addr takes them */
};

/* Walks `top` (not locked: also for the panic screen) to `at`.  Any 64-bit value of `at` is fine; a non-canonical one is not mapped. */
void paging_walk(phys_t top, virt_t at, struct paging_path *out);

/* One run of equal leaves: [start, start + bytes) -> phys.  flags as in paging_path. */
struct paging_run {
    virt_t start;
    u64 bytes;
    phys_t phys;
    u64 leaf_bytes;
    ul flags;
};

/* The next run at or after `from`, merged over neighbouring leaves that continue each other with equal flags and
 * size.  False when there is none below `end` (end 0 = the top of the address space). */
bool paging_next_run(phys_t top, virt_t from, virt_t end, struct paging_run *out);

/* The kernel's own top-level table. */
phys_t paging_kernel_top(void);

/*
 * paging_load - makes a top-level table the current one of this CPU, and known as one: what it lies in is not freed as long
 * as a CPU has it loaded.  (Of one that is loaded otherwise, mm knows when a mapping call is given it.)
 * @top: the kernel's, or a frame in use with the kernel's entries in its upper half.
 * Cost: some 100 instructions and a lock.  Context: no lock held.
 */
void paging_load(phys_t top);

/* Maps or unmaps in the kernel half, anywhere: mm's windows, stacks, MMIO.  As mm_map_proc_page_table. */
MUST_USE int paging_map_own(virt_t start, phys_t at, u64 bytes, ul flags, bool use4k);
MUST_USE int paging_unmap_own(virt_t start, u64 bytes);

/* Shows one frame of physical memory, RAM or not, at MM_PEEK until the next call; allocates nothing.
 * Returns a pointer to its first byte; NULL for an address past the CPU's physical width.  One user at a
 * time. */
void *paging_peek(phys_t frame, bool writable);

/* Called by mm_start, in this order. */
MUST_USE const char *paging_start(const struct mm_boot *boot); /* tables, direct map of [0, mm.direct_end), load */
MUST_USE bool paging_adopt_tables(void);                       /* once roles exist: mark what paging_start built */

/* Adds a page to the direct map, or takes it out (returns when no CPU can reach it).  Needs no frame. */
void paging_direct_map_page(phys_t page);
void paging_direct_unmap_page(phys_t page);

/* Invariants of all tables reachable from the kernel's top level, and of the MMIO window, for mm_check: true when all
 * hold, else what is broken is filled in (paging_check.c numbers them). */
struct mm_violation;
bool paging_check(struct mm_violation *out);

/* Table frames reachable from the kernel's top level. */
u64 paging_count_tables(void);

/* Makes up for frames that the module could not keep in reserve when memory was exhausted.  It caches no others. */
void paging_shrink(void);

#endif
