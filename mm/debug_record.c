/* SPDX-License-Identifier: MIT */
/*
 * Records of the debug mode: from an address to whose it is, or was last.
 *
 *                 record_new          record_enter           kfree            quarantine over
 *      free list ------------> (new) --------------> live ----------> waiting ---------------> gone --+
 *          ^                                           |    frames, pages                       ^     |
 *          |                                           +----------------------------------------+     |
 *          +---- record_drop: the memory has a new owner <------- the oldest of more than GONE_MAX ---+
 *
 * Blocks of frames and of pages are aligned powers of two.  A run of pages is noted as the largest such
 * blocks that it consists of, each of which says how much was asked for in all.  What is freed may be a part of
 * a block: then the block's record is cut in halves until one is the part.
 *
 * An address is looked for at each alignment that an object's slot, or a block, can have: 16 and 25 steps in
 * a hash.
 *
 * Cost: a step of the hash about 10 instructions.  Invariants and locking: debug.c.
 */
#include <lib/bits.h>
#include <mm/debug_state.h>
#include <mm/frame.h>
#include <mm/slab.h>
#include <mm/state.h>

#define GONE_MAX 4096 /* so that what walks the records does not walk all that ever was */

static u32 *head_of(u64 base)
{
    return &mm.debug.head[(base / 32 * 0x9e3779b97f4a7c15) >> 40 & (mm.debug.n_heads - 1)];
}

struct debug_record *record_at(u32 index)
{
    return &mm.debug.record[index];
}

static u32 record_index(const struct debug_record *record)
{
    return (u32)(record - mm.debug.record);
}

void records_start(void)
{
    struct debug_state *debug = &mm.debug;

    list_init(&debug->free);
    list_init(&debug->waiting);
    list_init(&debug->gone);
    for (u32 i = 0; i < debug->n_heads; i++)
        debug->head[i] = RECORD_NONE;
}

u64 record_bytes(const struct debug_record *record)
{
    return record->kind == MM_OWNER_OBJECT ? 1UL << (record->order + CLASS_MIN_SHIFT)
                                           : FRAME_BYTES << record->order;
}

unsigned record_object_class(const struct debug_record *record)
{
    return record->asked <= 32 ? 0 : log2_ceil(record->asked) - CLASS_MIN_SHIFT;
}

u64 record_object(const struct debug_record *record)
{
    return record->base + (record->is_high ? 1UL << (record_object_class(record) + CLASS_MIN_SHIFT) : 0);
}

/* ---- the hash ---- */

static void chain_add(struct debug_record *record)
{
    u32 *head = head_of(record->base);

    record->chain = *head;
    *head = record_index(record);
}

static void chain_remove(const struct debug_record *record)
{
    u32 *link = head_of(record->base);

    while (*link != record_index(record))
        link = &record_at(*link)->chain;
    *link = record->chain;
}

struct debug_record *record_find(enum mm_owner_kind kind, u64 base, unsigned order, enum record_state state)
{
    for (u32 i = *head_of(base); i != RECORD_NONE; i = record_at(i)->chain) {
        struct debug_record *record = record_at(i);

        if (record->base == base && record->kind == kind && record->order == order && record->state == state)
            return record;
    }
    return NULL;
}

/* The live one, and the latest of those freed, of the records with this base that hold `at` in the slot or
 * block. */
static void chain_look(u64 base, u64 at, struct debug_record **live, struct debug_record **freed)
{
    for (u32 i = *head_of(base); i != RECORD_NONE; i = record_at(i)->chain) {
        struct debug_record *record = record_at(i);

        if (record->base != base || at - base >= record_bytes(record))
            continue;
        if (record->state == RECORD_LIVE)
            *live = record;
        else if (*freed == NULL || record->freed.sequence > (*freed)->freed.sequence)
            *freed = record;
    }
}

static void look_around(u64 at, unsigned shift, unsigned last_shift, struct debug_record **live,
                        struct debug_record **freed)
{
    u64 last_base = ~(u64)0;

    for (; shift <= last_shift; shift++) {
        u64 base = align_down(at, 1UL << shift);

        if (base != last_base)
            chain_look(base, at, live, freed);
        last_base = base;
    }
}

struct debug_record *record_live_object(u64 at)
{
    struct debug_record *live = NULL, *freed = NULL;

    look_around(at, CLASS_MIN_SHIFT, CLASS_MAX_SHIFT, &live, &freed);
    return live != NULL && live->kind == MM_OWNER_OBJECT ? live : NULL;
}

struct debug_record *record_live_block(u64 at)
{
    struct debug_record *live = NULL, *freed = NULL;

    look_around(at, FRAME_SHIFT, FRAME_SHIFT + FRAME_MAX_ORDER, &live, &freed);
    return live != NULL && live->kind != MM_OWNER_OBJECT ? live : NULL;
}

struct debug_record *record_around(u64 at)
{
    struct debug_record *live = NULL, *freed = NULL;

    look_around(at, CLASS_MIN_SHIFT, FRAME_SHIFT + FRAME_MAX_ORDER, &live, &freed);
    return live != NULL ? live : freed;
}

/* ---- states ---- */

/* Of a record that is in the list of those gone no more. */
static void gone_forget(struct debug_record *record)
{
    mm.debug.n_gone--;
    chain_remove(record);
}

struct debug_record *record_new(void)
{
    struct list_node *node = list_pop(&mm.debug.free);
    struct debug_record *record;

    if (node == NULL && mm.debug.n_used < mm.debug.n_records) {
        record = record_at(mm.debug.n_used++);
        list_init(&record->link);
    } else {
        if (node == NULL)
            node = list_pop(&mm.debug.gone);
        if (node == NULL)
            return NULL;
        record = container_of(node, struct debug_record, link);
        if (record->state == RECORD_GONE)
            gone_forget(record);
    }
    record->state = RECORD_MOVING;
    return record;
}

void record_drop(struct debug_record *record)
{
    if (record->state == RECORD_GONE) {
        list_remove(&record->link);
        mm.debug.n_gone--;
    } else if (record->state == RECORD_LIVE) {
        mm.debug.n_live--;
    }
    if (record->state != RECORD_MOVING)
        chain_remove(record);
    record->state = RECORD_FREE;
    list_add_head(&mm.debug.free, &record->link);
}

void record_enter(struct debug_record *record)
{
    record->state = RECORD_LIVE;
    record->freed.sequence = 0;
    chain_add(record);
    mm.debug.n_live++;
}

/* Quarantined slots are free to mm_stat: of what is cached in slabs. */
static void count_waiting(const struct debug_record *record, s64 change)
{
    u64 bytes = (u64)(change * (s64)record_bytes(record));

    mm.debug.n_waiting += (u64)change;
    mm.debug.waiting_bytes += bytes;
    mm.debug.n_waiting_of_class[record->order] += (u64)change;
    platform_cpu()->slab_free_bytes += bytes; /* the running context's; nothing interrupts, the lock is held */
}

void record_set_waiting(struct debug_record *record)
{
    record->state = RECORD_WAITING;
    list_add_tail(&mm.debug.waiting, &record->link);
    count_waiting(record, 1);
}

void record_set_moving(struct debug_record *record)
{
    if (record->state == RECORD_LIVE) {
        mm.debug.n_live--;
    } else {
        list_remove(&record->link);
        count_waiting(record, -1);
    }
    record->state = RECORD_MOVING;
}

void record_set_gone(struct debug_record *record)
{
    record->state = RECORD_GONE;
    list_add_tail(&mm.debug.gone, &record->link);
    mm.debug.n_gone++;
    if (mm.debug.n_gone > GONE_MAX)
        record_drop(container_of(list_first(&mm.debug.gone), struct debug_record, link));
}

struct debug_record *debug_record_reserve(void)
{
    for (;;) {
        ul flags = platform_lock(&mm.debug.lock);
        struct debug_record *record = record_new();
        bool some_wait = mm.debug.n_waiting != 0;

        platform_unlock(&mm.debug.lock, flags);
        if (record != NULL)
            return record;
        if (!some_wait)
            break;
        debug_release_waiting();
    }
    if (__atomic_fetch_add(&mm.debug.n_untracked, 1, __ATOMIC_RELAXED) == 0)
        platform_report(MM_NOTE,
                        "mm: debug: all %u records are in use; what is taken from now on may have none",
                        mm.debug.n_records);
    return NULL;
}
