/* SPDX-License-Identifier: MIT */
/*
 * The debug mode: who took what, what was written where it should not be, and the last calls.  debug.c
 * explains how.
 *
 * Chosen when mm starts (struct mm_boot) and then fixed.  What is asked here is answered at any time; when
 * the mode, or the feature that the question is about, is off, with "nothing".
 */
#ifndef MM_DEBUG_H
#define MM_DEBUG_H

#include <mm/types.h>

enum mm_debug_feature {
    MM_DEBUG_OWNER = 1 << 0,      /* who took each object, page run and frame */
    MM_DEBUG_POISON = 1 << 1,     /* free memory is filled, and looked at when it is handed out again */
    MM_DEBUG_REDZONE = 1 << 2,    /* guarded bytes before and behind each object */
    MM_DEBUG_QUARANTINE = 1 << 3, /* freed objects wait before they are used again */
    MM_DEBUG_TRACE = 1 << 4,      /* the last calls */
};
#define MM_DEBUG_N_FEATURES 5
#define MM_DEBUG_ALL        ((1u << MM_DEBUG_N_FEATURES) - 1)

/* Bytes that memory is filled with.  Eight of them are no canonical address: whoever follows such a pointer
 * faults. */
#define MM_DEBUG_FREE  0xdf /* free memory */
#define MM_DEBUG_NEW   0xa7 /* an object of kmalloc that nothing was written to */
#define MM_DEBUG_GUARD 0xed /* before and behind an object */

/* When, where and by whom something was done. */
#define MM_DEBUG_CALLERS 4
struct mm_moment {
    u64 sequence; /* 1, 2, ... over all calls of all CPUs; 0: not known */
    u32 time_ms;
    u16 cpu;
    bool in_interrupt;
    u64 caller[MM_DEBUG_CALLERS]; /* return addresses, innermost first; 0 ends them */
};

/* What the platform adds to it; either may be NULL. */
struct mm_debug_boot {
    u32 features; /* MM_DEBUG_*; 0: off */
    /* Fills in time, CPU and the callers from [1] on; `frame` is the frame pointer of who was called by [0].
     */
    void (*where)(struct mm_moment *moment, const void *frame);
    /* The name of an instruction's address; returns the length, at most size - 1. */
    size_t (*name)(u64 address, char *text, size_t size);
};

/* Bytes of slabs that kmalloc(size) takes, memory permitting: its class, or the slot with its red zone. */
u64 mm_debug_slot_bytes(ul size);

/* MM_DEBUG_* that are on; 0 when the mode is off. */
u32 mm_debug_features(void);

/* The name of the i-th feature, in the order of the bits; NULL behind the last. */
const char *mm_debug_feature_name(unsigned i);

struct mm_debug_info {
    u64 area_bytes;                /* set aside for all this when mm started */
    u64 n_records, n_live, n_gone; /* records: of what is live, and of what was freed */
    u64 n_waiting, waiting_bytes;  /* objects in quarantine */
    u64 waiting_limit_bytes;
    u64 n_untracked; /* taken since the start without a record: all were in use */
    u64 n_unguarded; /* objects taken without all of their red zone: no memory for it, or too large */
    u64 n_damages;   /* found so far */
    u64 sequence;    /* the last one given */
};
void mm_debug_info(struct mm_debug_info *out);

enum mm_owner_kind { MM_OWNER_OBJECT, MM_OWNER_FRAMES, MM_OWNER_PAGES };
enum mm_owner_state { MM_OWNER_LIVE, MM_OWNER_WAITING, MM_OWNER_GONE }; /* waiting: in quarantine */

/* Whose something is, or was. */
struct mm_owner {
    enum mm_owner_kind kind;
    enum mm_owner_state state;
    u64 start, bytes; /* physical: the object, without its red zone, or the aligned block */
    u64 asked_bytes;  /* of the call that took it: of a whole run, which may be noted as several blocks */
    struct mm_moment taken;
    struct mm_moment freed; /* sequence 0 while it is live */
};

/* Whose the physical byte `at` is, or else whose it was last, as far as is known.  Cost: some 50 steps. */
bool mm_debug_owner(phys_t at, struct mm_owner *out);

/* What was taken at one place of the program and is live. */
struct mm_site {
    u64 caller[MM_DEBUG_CALLERS];
    u64 n, bytes;      /* objects and runs, what is left of a run in two places twice; bytes asked for */
    u64 last_sequence; /* of the newest */
};

/*
 * mm_debug_sites - sums up what is live and was taken after the call with number `since`, by call site.
 * @depth: callers that make two sites different: 1 .. MM_DEBUG_CALLERS.
 * @total: filled with the sum of all; its callers are 0.
 * Returns a table that stays valid until the next call, most bytes first, and its length in *n; when there
 * are more sites than it has room for, the last entry has no caller and is the sum of the rest. Cost: linear
 * in records; one call at a time.
 */
const struct mm_site *mm_debug_sites(u64 since, unsigned depth, unsigned *n, struct mm_site *total);

enum mm_event_kind {
    MM_EVENT_KMALLOC,
    MM_EVENT_KFREE,
    MM_EVENT_ALLOC_PAGES,
    MM_EVENT_FREE_PAGES,
    MM_EVENT_FRAME_ALLOC,
    MM_EVENT_FRAME_FREE,
    MM_EVENT_MAP,
    MM_EVENT_UNMAP,
};

struct mm_event {
    u64 sequence;
    u64 address; /* virtual for objects, maps and unmaps, else physical; 0: no memory for what was asked for */
    u64 bytes;   /* asked for; of kfree 0: an object without a record, or none */
    u64 caller;
    const char *refused; /* why the call had no effect, in the report's words but for numbers; NULL: it had */
    u32 time_ms;
    u16 cpu;
    u8 kind; /* enum mm_event_kind */
    bool in_interrupt;
};

/* Notes no calls any more, or notes them again, as it does from the start; what was noted is kept. */
void mm_debug_trace(bool on);
bool mm_debug_trace_is_on(void);

/* The event with the least number above `after` that is still kept.  False when there is none.  Any number of
 * readers, while others go on.  Cost: linear in the events kept. */
bool mm_debug_event_next(u64 after, struct mm_event *out);

/*
 * mm_debug_check - looks at all red zones, at all objects in quarantine, and at all free frames that were
 * filled. Each damage is reported as a misuse, and mended.  Returns how many there were.  Exact when nothing
 * else changes mm meanwhile.  Cost: linear in live objects and in memory freed since the start.
 */
u64 mm_debug_check(void);

#endif
