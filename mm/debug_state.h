/* SPDX-License-Identifier: MIT */
/* The debug mode's own state, and the hooks that the rest of mm calls.  debug.c explains them. */
#ifndef MM_DEBUG_STATE_H
#define MM_DEBUG_STATE_H

#include <lib/list.h>
#include <mm/debug.h>
#include <mm/inspect.h>
#include <mm/platform.h>

enum record_state {
    RECORD_FREE, /* in `free` */
    RECORD_LIVE,
    RECORD_MOVING,  /* between two states: somebody works on it without the lock */
    RECORD_WAITING, /* in `waiting`: a freed object that nobody may have yet */
    RECORD_GONE,    /* in `gone`: what was freed; kept as long as no other needs the record */
};

/* One object, or one aligned block of frames or pages. */
struct debug_record {
    struct list_node link;
    u64 base;      /* physical: of the slot, or of the block */
    u32 chain;     /* the next of the same hash, an index */
    u32 asked;     /* what the call asked for: bytes of an object, frames of the run that the block is a part of */
    u8 kind;       /* enum mm_owner_kind */
    u8 state;      /* enum record_state */
    u8 order;      /* the slot's class, or the block's order in frames */
    u8 is_high;    /* the object lies behind as many bytes of the slot as it is large */
    u8 is_cleared; /* its slack was handed out as zeros */
    struct mm_moment taken, freed;
};

#define RECORD_NONE (~(u32)0)

/* The last calls of a CPU. */
struct debug_ring {
    u64 n; /* written so far */
    struct mm_event event[];
};

struct debug_state {
    /* configuration, set by debug_start */
    u32 features;
    void (*where)(struct mm_moment *moment, const void *frame);
    size_t (*name)(u64 address, char *text, size_t size);
    phys_t area; /* one block of frames: all that follows lies in it */
    u64 area_bytes;
    struct debug_record *record;
    u32 n_records, n_used; /* n_used: those that were ever taken */
    u32 n_heads;           /* a power of two */
    u32 *head;             /* by hash of the base: the first record */
    u64 *filled;           /* a bit a frame: free, and all of it is MM_DEBUG_FREE */
    u64 n_filled_bits;
    struct mm_site *site; /* what mm_debug_sites fills in */
    u32 n_sites;
    u32 ring_bytes, n_ring_events;
    u64 waiting_limit_bytes;

    /* state */
    struct mm_lock lock; /* over all records, the hash and the lists; nothing is called with it held but a flush */
    struct list_node free, waiting, gone; /* the oldest first */
    u64 n_live, n_gone, n_waiting, waiting_bytes;
    u64 n_waiting_of_class[MM_N_CLASSES];

    bool is_trace_off; /* nothing is noted, although the feature is on */

    /* statistics, changed atomically */
    u64 sequence, n_untracked, n_unguarded, n_damages;
};

/* The place of a call: who is to be named, and where the chain of frames begins.  In the function that a
 * caller's call ended in, by calls or by jumps of those before it. */
struct debug_here {
    const void *caller, *frame;
};
#define DEBUG_HERE ((struct debug_here){__builtin_return_address(0), __builtin_frame_address(0)})

/* ---- debug.c: start, and the hooks of kmalloc.c ---- */

/* Sets all up as boot asks for it.  Without memory for it the mode stays off, with a note. */
void debug_start(const struct mm_debug_boot *boot);

/* A ring for a CPU that is being made: its code and its interrupt handlers share it.  NULL when there is
 * none. */
struct debug_ring *debug_ring_create(void);

void debug_moment(struct mm_moment *moment, struct debug_here here);
void debug_event(enum mm_event_kind kind, u64 address, u64 bytes, const struct mm_moment *moment);

/* The same for calls that leave no record, and for those without effect; `why` is kept: a constant. */
void debug_note_call(enum mm_event_kind kind, u64 address, u64 bytes, struct debug_here here);
void debug_note_refused(enum mm_event_kind kind, u64 address, u64 bytes, const char *why, struct debug_here here);

/* ---- debug_object.c ---- */

/* kmalloc with the mode on; NULL when memory is exhausted. */
MUST_USE void *debug_kmalloc(ul size, gfp_t gfp, struct debug_here here);

/* kfree of an object that has a record.  False when `address` is the start of none that is live: nothing was
 * done. */
MUST_USE bool debug_kfree(void *address, struct debug_here here, ul *result);

/* kfree of one that has none: its live byte is 0 already. */
void debug_kfree_untracked(void *address, unsigned class, struct debug_here here);

/* Ends the quarantine of all that wait. */
void debug_release_waiting(void);

/* ---- debug_frame.c ---- */

/* A block of frames (pages: of whole pages), or `n` pages, was taken and is handed out next, or is about to
 * be given back. */
void debug_frames_taken(phys_t first, unsigned order, struct debug_here here);
void debug_frames_freed(phys_t first, unsigned order, struct debug_here here);
void debug_pages_taken(phys_t first, u32 n, struct debug_here here);
void debug_pages_freed(phys_t first, u32 n, struct debug_here here);

/* A block was taken for mm itself, or is about to be given back: looked at and filled, but nobody's. */
void debug_block_handed_out(phys_t first, unsigned order);
void debug_block_given_back(phys_t first, unsigned order);

/* Frames that frame_alloc gave now serve mm itself: they are nobody's. */
void debug_forget_frames(phys_t first);

/* True when the frame with this number is free and filled.  Looks at all such frames; returns how many are
 * damaged. */
bool debug_frame_is_filled(u64 number);
u64 debug_check_filled(void);

/* ---- debug_record.c ---- */

/* A record, as record_new; ends the quarantine to get one, and counts when there is none.  Without the lock.
 */
MUST_USE struct debug_record *debug_record_reserve(void);

/* All that follows: with the lock. */

void records_start(void);
struct debug_record *record_at(u32 index);

/* A record in state RECORD_MOVING, in no list and no chain, for record_enter or record_drop; NULL when all
 * are in use. */
MUST_USE struct debug_record *record_new(void);

/* Forgets a record that is new, live or gone. */
void record_drop(struct debug_record *record);

/* Notes a record, filled in, as live.  And on to the next states. */
void record_enter(struct debug_record *record);
void record_set_waiting(struct debug_record *record);
void record_set_moving(struct debug_record *record);
void record_set_gone(struct debug_record *record);

/* The record of exactly this slot or block in this state; NULL when there is none. */
struct debug_record *record_find(enum mm_owner_kind kind, u64 base, unsigned order, enum record_state state);

/* The live object around `at`; the live block; or else what was freed last there; NULL when there is none. */
struct debug_record *record_live_object(u64 at);
struct debug_record *record_live_block(u64 at);
struct debug_record *record_around(u64 at);

/* Physical start of the object of a record, its class, and the bytes of its slot or block. */
u64 record_object(const struct debug_record *record);
unsigned record_object_class(const struct debug_record *record);
u64 record_bytes(const struct debug_record *record);

/* ---- debug_guard.c: patterns and reports ---- */

/* "; allocated by NAME, freed by NAME" of what is known about the place, or "". */
size_t debug_who_text(phys_t at, char *text, size_t size);

/* Fills what surrounds the object of a record; and looks at it: true when it is whole, else a report is made.
 */
void guards_fill(const struct debug_record *record);
bool guards_check(const struct debug_record *record);

/* memset for much memory. */
void *debug_fill(void *at, u8 byte, u64 bytes);

/* Fills free memory, and looks at it: true when it is whole, else a report is made. */
void poison_fill(phys_t at, u64 bytes);
bool poison_check(phys_t at, u64 bytes);

/* ---- for mm_check, mm_stat and describe.c ---- */

/* True when record i (below mm.debug.n_used) holds a slot, live or waiting: its address in the direct map,
 * and class. */
bool debug_slot_at(u32 i, u64 *slot, unsigned *class);

/* Corrects what an address is by what is known of objects with records. */
void debug_describe(phys_t at, struct mm_what *out);

#endif
