/* SPDX-License-Identifier: MIT */
/*
 * The debug mode: finding who damages memory, and who forgets it.
 *
 * The fast paths know nothing of it and pay nothing for it.  With the mode on, CPUs' caches are out of use
 * (cpu.c), so each call comes to its slow path, and there to one of the hooks of debug_state.h: at the end of
 * kmalloc, frame_alloc and alloc_pages, when the memory is nobody else's yet, and at the start of kfree,
 * frame_free and free_pages, when it is nobody else's any more.  With the mode off a slow path tests one
 * word.
 *
 * Features, each for itself:
 *
 *      owner       a record for each object, page run and block of frames: how much, who, when, which CPU
 *      redzone     the object lies in a slot of a larger class, between guarded bytes     (debug_guard.c)
 *      poison      what is free is filled, and looked at before it is handed out again    (debug_guard.c)
 *      quarantine  a freed object waits in a queue; what is written to it then is seen    (debug_object.c)
 *      trace       the last calls, in a ring for each CPU; those that were refused, too, with the reason
 *
 * Records.  Each object has a record (debug_record.c).  It is, for slab.c, a slot that neither lies in a slab
 * nor is live: its live byte stays 0, so kfree's fast path refuses it whatever the address, and the record
 * alone decides what is the start of a live object.  When all records are in use the caller gets a plain
 * object, which is freed as ever; when memory is short, one without a red zone.  So the mode makes no call
 * fail, but for the memory that it takes.
 *
 * Memory.  All that the mode needs for itself lies in one block of frames taken when mm starts, about 1/32 of
 * RAM, which is never given back, so everything is bounded and nothing here allocates:
 *
 *      [ bits of filled frames | call sites | heads of the hash | the boot CPU's ring | records ...... ]
 *
 * Other CPUs' rings are blocks of frames of their own.
 *
 * Law: as without the mode, after everything is freed and mm_shrink, mm_stat is what it was: mm_shrink ends
 * the quarantine.
 *
 * Invariants, checked by debug_check.c:
 *   I501  Each record is in one state: in the list that its state calls for, and in the hash's chain of its
 *         base exactly when it is not free.  The counts of the lists are right.
 *   I502  A slot that is held by a record is neither live nor free in its slab (check_slabs.c: I313, I316),
 *         and no two records hold memory that overlaps.
 *   I503  Bytes and objects in quarantine are counted in n_waiting_of_class, waiting_bytes, and in
 *         slab_free_bytes of the contexts.
 *   I504  A frame whose bit in `filled` is set is free.
 *
 * Locking: debug.lock, the innermost of all, around records, hash and lists; nothing is called with it held.
 * Events take none.  Memory is filled and looked at without it, by who holds the record in state
 * RECORD_MOVING.
 *
 * Cost with all on: 2500 instructions for a kmalloc and its kfree of 32 bytes, 29000 of 4 KiB, most of them
 * filling and looking; 140 bytes and a slot of 2 or 4 times the class an object.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/debug_state.h>
#include <mm/frame.h>
#include <mm/state.h>

#define AREA_SHARE     32            /* of RAM: 16 MiB of 512 MiB */
#define AREA_MIN_ORDER 6             /* 256 KiB: some 1400 records */
#define AREA_MAX_ORDER 14            /* 64 MiB: half a million */
#define WAITING_SHARE  64            /* of RAM: what may be in quarantine */
#define RING_MIN_BYTES (8 * 1024UL)  /* 170 events */
#define RING_MAX_BYTES (64 * 1024UL) /* 1365 */
#define SITES_MAX      512

static const char *const feature_names[] = {"owner", "poison", "redzone", "quarantine", "trace"};

_Static_assert(ARRAY_LENGTH(feature_names) == MM_DEBUG_N_FEATURES, "each feature has a name");

u32 mm_debug_features(void)
{
    return mm.debug.features;
}

const char *mm_debug_feature_name(unsigned i)
{
    return i < ARRAY_LENGTH(feature_names) ? feature_names[i] : NULL;
}

/* ---- start ---- */

/* Cuts `bytes`, in whole cache lines, off the area. */
static void *area_cut(u64 *at, u64 bytes)
{
    void *piece = phys_pointer(phys(*at));

    *at += align_up(bytes, 64);
    return piece;
}

static void area_lay_out(struct debug_state *debug)
{
    u64 at = debug->area.addr, end = at + debug->area_bytes, n;

    debug->n_filled_bits = min_u64(mm.ram_end / FRAME_BYTES, debug->area_bytes); /* an eighth of it at most */
    debug->filled = area_cut(&at, align_up(debug->n_filled_bits, BITS_PER_WORD) / 8);
    debug->n_sites = (u32)min_u64(debug->area_bytes / 16 / sizeof(struct mm_site), SITES_MAX);
    debug->site = area_cut(&at, debug->n_sites * sizeof(struct mm_site));
    n = (end - at - debug->ring_bytes) / (sizeof(struct debug_record) + sizeof(u32));
    debug->n_heads = (u32)1 << log2_floor(n / 4);
    debug->head = area_cut(&at, debug->n_heads * sizeof(u32));
    mm.boot_cpu[MM_CONTEXT_CODE].ring = mm.boot_cpu[MM_CONTEXT_INTERRUPT].ring =
        area_cut(&at, debug->ring_bytes);
    debug->record = phys_pointer(phys(at));
    debug->n_records = (u32)((end - at) / sizeof(struct debug_record));
}

/* One block, of about the share of RAM, or less. */
static bool area_take(struct debug_state *debug)
{
    u64 frames = max_u64(ram_bytes_total() / AREA_SHARE / FRAME_BYTES, 1);
    unsigned order = (unsigned)max_u64(min_u64(log2_ceil(frames), AREA_MAX_ORDER), AREA_MIN_ORDER);

    for (; order >= AREA_MIN_ORDER; order--) {
        debug->area = frame_alloc(ZONE_NORMAL, order);
        if (phys_is_none(debug->area))
            continue;
        debug->area_bytes = FRAME_BYTES << order;
        memset(phys_pointer(debug->area), 0, debug->area_bytes);
        return true;
    }
    return false;
}

void debug_start(const struct mm_debug_boot *boot)
{
    struct debug_state *debug = &mm.debug;
    u64 ram = ram_bytes_total();

    if (boot->features == 0)
        return;
    debug->where = boot->where;
    debug->name = boot->name;
    if (!area_take(debug)) {
        platform_report(MM_NOTE, "mm: debug: no room for records; the mode stays off");
        return;
    }
    debug->ring_bytes = (u32)max_u64(min_u64(ram / 8192, RING_MAX_BYTES), RING_MIN_BYTES);
    debug->n_ring_events = (u32)((debug->ring_bytes - sizeof(struct debug_ring)) / sizeof(struct mm_event));
    debug->waiting_limit_bytes = (boot->features & MM_DEBUG_QUARANTINE) != 0 ? ram / WAITING_SHARE : 0;
    area_lay_out(debug);
    records_start();
    debug->features = boot->features & MM_DEBUG_ALL;
    if (debug->features & MM_DEBUG_TRACE)
        mm.paging.odd_length = ~0UL;
}

struct debug_ring *debug_ring_create(void)
{
    phys_t first;

    if ((mm.debug.features & MM_DEBUG_TRACE) == 0)
        return NULL;
    first = frame_alloc(ZONE_NORMAL, log2_ceil(mm.debug.ring_bytes / FRAME_BYTES));
    if (phys_is_none(first))
        return NULL;
    debug_forget_frames(first);
    memset(phys_pointer(first), 0, mm.debug.ring_bytes);
    return phys_pointer(first);
}

void mm_debug_info(struct mm_debug_info *out)
{
    const struct debug_state *debug = &mm.debug;

    *out = (struct mm_debug_info){
        .area_bytes = debug->area_bytes,
        .n_records = debug->n_records,
        .n_live = debug->n_live,
        .n_gone = debug->n_gone,
        .n_waiting = debug->n_waiting,
        .waiting_bytes = debug->waiting_bytes,
        .waiting_limit_bytes = debug->waiting_limit_bytes,
        .n_untracked = debug->n_untracked,
        .n_unguarded = debug->n_unguarded,
        .n_damages = debug->n_damages,
        .sequence = __atomic_load_n(&debug->sequence, __ATOMIC_RELAXED),
    };
}

/* ---- moments and events ---- */

void debug_moment(struct mm_moment *moment, struct debug_here here)
{
    memset(moment, 0, sizeof *moment);
    moment->sequence = __atomic_add_fetch(&mm.debug.sequence, 1, __ATOMIC_RELAXED);
    moment->in_interrupt = platform_cpu()->context == MM_CONTEXT_INTERRUPT;
    if ((mm.debug.features & (MM_DEBUG_OWNER | MM_DEBUG_TRACE)) == 0)
        return;
    moment->caller[0] = (u64)here.caller;
    if (mm.debug.where != NULL)
        mm.debug.where(moment, here.frame);
}

void mm_debug_trace(bool on)
{
    __atomic_store_n(&mm.debug.is_trace_off, !on, __ATOMIC_RELAXED);
}

bool mm_debug_trace_is_on(void)
{
    return (mm.debug.features & MM_DEBUG_TRACE) != 0 && !__atomic_load_n(&mm.debug.is_trace_off, __ATOMIC_RELAXED);
}

/* An event is whole when its number is there: that is written last, and taken away first. */
static void event_put(enum mm_event_kind kind, u64 address, u64 bytes, const char *refused,
                      const struct mm_moment *moment)
{
    struct debug_ring *ring = platform_cpu()->ring;
    struct mm_event *event;

    if (!mm_debug_trace_is_on() || ring == NULL)
        return;
    event = &ring->event[__atomic_fetch_add(&ring->n, 1, __ATOMIC_RELAXED) % mm.debug.n_ring_events];
    __atomic_store_n(&event->sequence, 0, __ATOMIC_RELEASE);
    event->address = address;
    event->bytes = bytes;
    event->caller = moment->caller[0];
    event->refused = refused;
    event->time_ms = moment->time_ms;
    event->cpu = moment->cpu;
    event->kind = (u8)kind;
    event->in_interrupt = moment->in_interrupt;
    __atomic_store_n(&event->sequence, moment->sequence, __ATOMIC_RELEASE);
}

void debug_event(enum mm_event_kind kind, u64 address, u64 bytes, const struct mm_moment *moment)
{
    event_put(kind, address, bytes, NULL, moment);
}

void debug_note_refused(enum mm_event_kind kind, u64 address, u64 bytes, const char *why, struct debug_here here)
{
    struct mm_moment moment;

    if (!mm_debug_trace_is_on())
        return;
    debug_moment(&moment, here);
    event_put(kind, address, bytes, why, &moment);
}

void debug_note_call(enum mm_event_kind kind, u64 address, u64 bytes, struct debug_here here)
{
    debug_note_refused(kind, address, bytes, NULL, here);
}

/* Copies an event; false when it was written to meanwhile, or has no number in (after, before). */
static bool event_copy(const struct mm_event *event, u64 after, u64 before, struct mm_event *out)
{
    u64 sequence = __atomic_load_n(&event->sequence, __ATOMIC_ACQUIRE);

    if (sequence <= after || sequence >= before)
        return false;
    *out = *event;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&event->sequence, __ATOMIC_RELAXED) == sequence;
}

bool mm_debug_event_next(u64 after, struct mm_event *out)
{
    u64 least = ~(u64)0;

    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->other->next) {
        struct mm_event event;

        for (u32 i = 0; cpu->ring != NULL && i < mm.debug.n_ring_events; i++)
            if (event_copy(&cpu->ring->event[i], after, least, &event)) {
                least = event.sequence;
                *out = event;
            }
    }
    return least != ~(u64)0;
}
