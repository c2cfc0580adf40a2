/* SPDX-License-Identifier: MIT */
/*
 * Looking at mm without changing it: what the shell, the tests and the panic screen use.
 * Nothing here allocates.  Values are copies, exact when no other call is in progress.
 */
#ifndef MM_INSPECT_H
#define MM_INSPECT_H

#include <mm/memory_map.h>
#include <mm/types.h>

#define MM_N_ZONES 3
#define MM_N_ORDERS 25 /* frames 0..8, whole pages 9..24: 2^24 * 4 KiB = 64 GiB is the largest block */
#define MM_N_CLASSES 16

struct mm_zone_info {
    const char *name; /* "DMA", "NORMAL", "UNMAPPED" */
    u64 start, end;   /* physical addresses that it covers, holes included; equal when it is empty */
    u64 managed_bytes, free_bytes, used_bytes;
    u64 low_water_bytes;                 /* least that was ever free */
    u64 n_free_blocks[MM_N_ORDERS];      /* maximal aligned free blocks, by order */
    u64 cached_bytes;                    /* free, in per-CPU stacks */
    u64 n_whole_free_pages;
};

struct mm_class_info {
    u64 size_bytes;
    u64 n_live, n_objects, n_slabs;
    u64 slab_bytes;                /* frames held */
    u64 n_allocs, n_frees; /* objects that magazines took from slabs, and of these what is not live any more */
    u64 n_failures;
};

/* zone: 0..2 in address order; class: 0..15.  Cost: linear in split pages (for n_free_blocks). */
void mm_zone_info(unsigned zone, struct mm_zone_info *out);
void mm_class_info(unsigned class, struct mm_class_info *out);

/* What an address is. */
enum mm_kind {
    MM_NOT_CANONICAL,
    MM_NOT_DIRECT,     /* a virtual address outside the direct map */
    MM_NO_RAM,
    MM_FREE_FRAME,     /* block: the maximal aligned free block around it, `order` */
    MM_CACHED_FRAME,   /* free, in a per-CPU stack */
    MM_LIVE_OBJECT,    /* block: the object */
    MM_FREE_OBJECT,    /* block: the object's place in its slab */
    MM_PAGE,           /* in a page of alloc_pages; block: the 2 MiB page */
    MM_TABLE,          /* a page table: level, n_used */
    MM_METADATA,       /* allocator metadata */
    MM_RED_ZONE,       /* in the debug mode, beside a live object: object_start, object_bytes; block: its side of the slot */
    MM_RESERVED,       /* boot or firmware use: name ("the kernel image", "low memory", ...) */
    MM_HELD_FRAME,     /* a frame of frame_alloc that has no role */
};

struct mm_what {
    enum mm_kind kind;
    u64 phys;                   /* of the byte asked about, where there is one */
    u64 block_start, block_bytes; /* physical; what surrounds the byte */
    unsigned zone;              /* 0..2; MM_N_ZONES when none */
    unsigned order, level, n_used;
    u64 class_bytes;
    u64 object_start, object_bytes; /* physical, and the bytes that were asked for */
    ul attr, ref_counts;
    bool grown;                 /* the page moved from UNMAPPED to NORMAL */
    const char *name;
};

/* Describes the physical byte `at`, or the virtual one (of the direct map only). */
void mm_describe_phys(phys_t at, struct mm_what *out);
void mm_describe_virt(virt_t at, struct mm_what *out);

/* The same in the words of the misuse reports ("already free", "inside an object of 64 bytes at 0x...").
 * Returns the length written; never more than size - 1. */
size_t mm_describe_text(const struct mm_what *what, char *text, size_t size);

/* The same without numbers ("already free", "inside an object"). */
const char *mm_describe_words(const struct mm_what *what);

/* The reserved ranges still in use: i = 0, 1, ... until it returns false. */
bool mm_reserved_range(unsigned i, u64 *start, u64 *end, const char **name);

/* The firmware's map as it was given. */
const struct memory_map *mm_firmware_map(void);

/* One past the last byte of RAM in use (mem= applied), and whether a physical address is in the direct map now. */
u64 mm_ram_end(void);
bool mm_is_direct(phys_t at);

/* What start cost and what metadata takes. */
struct mm_start_info {
    u64 page_array_bytes, held_array_bytes, table_bytes; /* table_bytes: the kernel's page tables at boot */
    u64 n_grown_pages;
};
void mm_start_info(struct mm_start_info *out);

/*
 * mm_check - walk everything and recount everything.
 * Returns true when all invariants hold.  Otherwise `number` is the broken invariant's (the theory of operation on top
 * of each mm file lists them), `text` says it in words and `where` is the address concerned.  Exact, and
 * safe, when nothing else changes mm meanwhile.  Cost: linear in RAM pages and objects.
 */
struct mm_violation {
    unsigned number;
    const char *text;
    u64 where, expected, found;
};
bool mm_check(struct mm_violation *out);

#endif
