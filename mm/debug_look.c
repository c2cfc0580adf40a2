/* SPDX-License-Identifier: MIT */
/*
 * Asking the debug mode: whose an address is, what was taken where, and whether anything is damaged.
 *
 * Everything is answered with copies, taken a record at a time with the lock, so others may go on meanwhile;
 * sums are then of no one moment.  The table of call sites is the one that debug_start set aside: no memory
 * is needed to ask.
 */
#include <lib/string.h>
#include <mm/debug_state.h>
#include <mm/slab.h>
#include <mm/state.h>

static u64 object_bytes(const struct debug_record *record)
{
    return 1UL << (record_object_class(record) + CLASS_MIN_SHIFT);
}

/* The same for all blocks of a run. */
static u64 asked_bytes(const struct debug_record *record)
{
    return record->kind == MM_OWNER_OBJECT ? record->asked : record->asked * FRAME_BYTES;
}

static enum mm_owner_state owner_state(const struct debug_record *record)
{
    if (record->state == RECORD_LIVE)
        return MM_OWNER_LIVE;
    return record->state == RECORD_WAITING ? MM_OWNER_WAITING : MM_OWNER_GONE;
}

bool mm_debug_owner(phys_t at, struct mm_owner *out)
{
    const struct debug_record *record;
    ul flags;

    if (mm.debug.features == 0 || at.addr >= mm.ram_end)
        return false;
    flags = platform_lock(&mm.debug.lock);
    record = record_around(at.addr);
    if (record != NULL) {
        bool is_object = record->kind == MM_OWNER_OBJECT;

        *out = (struct mm_owner){
            .kind = (enum mm_owner_kind)record->kind,
            .state = owner_state(record),
            .start = is_object ? record_object(record) : record->base,
            .bytes = is_object ? object_bytes(record) : record_bytes(record),
            .asked_bytes = asked_bytes(record),
            .taken = record->taken,
            .freed = record->freed,
        };
    }
    platform_unlock(&mm.debug.lock, flags);
    return record != NULL;
}

/* ---- describe.c ---- */

static void set_block(struct mm_what *out, u64 start, u64 end)
{
    out->block_start = start;
    out->block_bytes = end - start;
}

/* A slot whose live byte is 0: perhaps a record holds it. */
static void describe_slot(phys_t at, const struct debug_record *record, struct mm_what *out)
{
    u64 object = record_object(record), bytes = object_bytes(record),
        slot_end = record->base + record_bytes(record);

    if (at.addr - object < bytes) {
        out->class_bytes = bytes;
        set_block(out, object, object + bytes);
        out->kind = record->state == RECORD_LIVE ? MM_LIVE_OBJECT : MM_FREE_OBJECT;
    } else if (record->state == RECORD_LIVE) {
        out->kind = MM_RED_ZONE;
        out->object_start = object;
        out->object_bytes = record->asked;
        if (at.addr < object)
            set_block(out, record->base, object);
        else
            set_block(out, object + bytes, slot_end);
    }
}

void debug_describe(phys_t at, struct mm_what *out)
{
    const struct debug_record *record;
    ul flags;

    if (out->kind == MM_HELD_FRAME && at.addr - mm.debug.area.addr < mm.debug.area_bytes) {
        out->kind = MM_METADATA;
        set_block(out, mm.debug.area.addr, mm.debug.area.addr + mm.debug.area_bytes);
    }
    if (out->kind != MM_FREE_OBJECT)
        return;
    flags = platform_lock(&mm.debug.lock);
    record = record_around(at.addr);
    if (record != NULL && record->kind == MM_OWNER_OBJECT && record->base == out->block_start &&
        record_bytes(record) == out->block_bytes)
        describe_slot(at, record, out);
    platform_unlock(&mm.debug.lock, flags);
}

/* ---- call sites ---- */

static bool same_callers(const struct mm_site *site, const struct mm_moment *moment, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        if (site->caller[i] != moment->caller[i])
            return false;
    return true;
}

/* With the lock: no live piece of the same call lies just below.  What is freed of a run may be its first piece. */
static bool begins_run(const struct debug_record *record)
{
    const struct debug_record *below = NULL;

    if (record->kind != MM_OWNER_OBJECT && record->base != 0)
        below = record_live_block(record->base - FRAME_BYTES);
    return below == NULL || below->taken.sequence != record->taken.sequence;
}

static void site_add(struct mm_site *site, const struct debug_record *record, bool counts)
{
    site->n += counts;
    site->bytes += record->kind == MM_OWNER_OBJECT ? record->asked : record_bytes(record);
    if (record->taken.sequence >= site->last_sequence) {
        site->last_sequence = record->taken.sequence;
        memcpy(site->caller, record->taken.caller, sizeof site->caller);
    }
}

/* Adds a record to its site, a new one if need be; the last place is for all that find none. */
static void sites_add(const struct debug_record *record, bool counts, unsigned depth, unsigned *n)
{
    struct mm_site *site = mm.debug.site;
    unsigned i = 0;

    while (i < *n && !same_callers(&site[i], &record->taken, depth))
        i++;
    if (i == mm.debug.n_sites)
        i--;
    if (i == *n)
        site[(*n)++] = (struct mm_site){0};
    site_add(&site[i], record, counts);
    if (i == mm.debug.n_sites - 1)
        memset(site[i].caller, 0, sizeof site[i].caller);
}

static void sites_sort(struct mm_site *site, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        struct mm_site moved = site[i];
        unsigned to = i;

        while (to > 0 && site[to - 1].bytes < moved.bytes) {
            site[to] = site[to - 1];
            to--;
        }
        site[to] = moved;
    }
}

const struct mm_site *mm_debug_sites(u64 since, unsigned depth, unsigned *n, struct mm_site *total)
{
    *n = 0;
    *total = (struct mm_site){0};
    for (u32 i = 0; i < mm.debug.n_used; i++) {
        ul flags = platform_lock(&mm.debug.lock);
        struct debug_record record = *record_at(i);
        bool is_wanted = record.state == RECORD_LIVE && record.taken.sequence > since;
        bool counts = is_wanted && begins_run(&record);

        platform_unlock(&mm.debug.lock, flags);
        if (!is_wanted)
            continue;
        sites_add(&record, counts, depth, n);
        site_add(total, &record, counts);
    }
    memset(total->caller, 0, sizeof total->caller);
    sites_sort(mm.debug.site, *n);
    return mm.debug.site;
}

/* ---- damage ---- */

/* Looks at what a record holds; true when it is whole. */
static bool record_is_whole(const struct debug_record *record)
{
    if (record->kind != MM_OWNER_OBJECT)
        return true;
    if (record->state == RECORD_LIVE && (mm.debug.features & MM_DEBUG_REDZONE) != 0)
        return guards_check(record);
    if (record->state == RECORD_WAITING && (mm.debug.features & MM_DEBUG_POISON) != 0)
        return poison_check(phys(record->base), record_bytes(record));
    return true;
}

u64 mm_debug_check(void)
{
    u64 before = mm.debug.n_damages;

    for (u32 i = 0; i < mm.debug.n_used; i++) {
        ul flags = platform_lock(&mm.debug.lock);
        struct debug_record record = *record_at(i);

        platform_unlock(&mm.debug.lock, flags);
        record_is_whole(&record);
    }
    if ((mm.debug.features & MM_DEBUG_POISON) != 0)
        debug_check_filled();
    return mm.debug.n_damages - before;
}
