/* SPDX-License-Identifier: MIT */
/* All state of mm, in one place, so that it can be started afresh and looked at as a whole. */
#ifndef MM_STATE_H
#define MM_STATE_H

#include <mm/boot.h>
#include <mm/cpu.h>
#include <mm/debug_state.h>
#include <mm/limbo.h>
#include <mm/mmio_state.h>
#include <mm/paging_state.h>
#include <mm/ram.h>
#include <mm/home.h>
#include <mm/types.h>
#include <mm/zone.h>

/* Failures on purpose (fail.c); mode is an enum fail_mode. */
struct fail_state {
    u32 mode;
    bool with_caches;
    u64 n;
    u64 n_requests, n_failed;
    const struct Zone *last_zone;
    u64 last_frames;
};

/* Held frames that are known as top-level tables (top.c): their bits in the held array are clear. */
#define TOPS_HELD 32
struct top_state {
    phys_t held[TOPS_HELD]; /* 0: none */
    u32 n_held;             /* how many are */
};

/* The descriptor frames of slabs. */
struct descriptor_pool {
    struct mm_lock lock;
    struct list_node partial; /* frames with free units */
};

/* More than the entries of a page table: what counts them is added to the address (role.h). */
#define NO_OBJECT_ALIGN 1024

struct mm {
    /* configuration, set by mm_start */
    struct memory_map map;    /* the firmware's, limited (start.c); mm's own copy once there is memory for it */
    struct mm_features features;
    u64 ram_end;              /* one past the last byte of RAM in use */
    u64 ram_bytes;            /* in whole frames; what the zones manage together */
    u64 n_frames;             /* frames below ram_end */
    u64 dma_end;              /* DMA is [0, dma_end) */
    u64 direct_end;           /* NORMAL is [dma_end, direct_end) at boot; UNMAPPED from there on */
    u32 n_pages;              /* elements of the page array, holes included */
    u64 pages_bytes;          /* what they would take, backed or not */
    u32 magazine_bytes;       /* what one magazine may hold, about */
    u32 stack_frames;         /* what one CPU's stack of frames may hold */
    u8 home_keeps_empty[N_SLAB_CLASSES]; /* one that got empty is kept when its home has fewer empty ones, of any class */
    u32 stack_pages;          /* what one CPU's stack of whole pages may hold */
    u32 n_reserved;
    struct mm_reserved reserved[MM_N_RESERVED + 1]; /* one more: the map, while it has no other place */
    u32 n_segments;
    struct mm_segment segments[8];

    /* state */
    struct early_state early;
    bool frames_ready;        /* frame_alloc works (before: early_alloc_frame) */
    struct Zone zone[MM_N_ZONES];
    struct slab_home orphans;    /* slabs that are nobody's */
    struct descriptor_pool descriptors;
    struct limbo limbo;
    struct mm_lock role_lock;
    struct top_state tops;
    struct mm_lock cpus_lock;    /* over the end of the list of CPUs */
    u32 n_caches_off;            /* above 0: CPUs' caches are out of use; changed atomically */

    /* what fast paths and slow ones of all CPUs read, so in cache lines of its own */
    ul no_roles[PAGE_FRAMES] __attribute__((aligned(64))); /* the role table of a page that has none */
    /* the live bytes of a frame without objects; of a page table (role.c) */
    u8 no_object[PAGE_FRAMES + SLAB_MAX_OBJECTS] __attribute__((aligned(NO_OBJECT_ALIGN)));
    struct paging_state paging;
    struct mmio_state mmio;

    /* statistics, changed atomically */
    u64 n_failures[MM_N_CLASSES] __attribute__((aligned(64))); /* of kmalloc */
    u32 n_groups_sent_on;         /* to the home that their slab had moved to (home.c) */
    u64 shared_bytes;
    u64 n_misuses;
    bool idle_role_tables;    /* a role table may say nothing */
    u64 n_grown_pages;
    struct mm_start_info start;
    struct debug_state debug __attribute__((aligned(64))); /* the slow paths read its first word */
    struct fail_state fail;

    struct mm_cpu boot_cpu[MM_N_CONTEXTS];
};

_Static_assert(offsetof(struct mm, ram_end) < 64, "with configuration only, which nobody writes");
_Static_assert(sizeof(struct mm_cpu) % 64 == 0 && offsetof(struct mm, boot_cpu) % 64 == 0, "caches share no cache line");

extern struct mm mm;

#endif
