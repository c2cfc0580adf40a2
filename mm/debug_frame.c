/* SPDX-License-Identifier: MIT */
/*
 * Frames and pages with the debug mode on: whose they are, and what is written to them while they are free.
 *
 * A bit for each frame (`filled`) says that it is free and full of MM_DEBUG_FREE.  It is set when a block is
 * given back, which is filled then, and cleared when it is handed out, which is when it is looked at.  A
 * frame without its bit is filled when it is handed out, so the new owner always sees the pattern; slabs rely
 * on it (debug_object.c).
 *
 * Blocks of more than 2 MiB are only filled at their edges, 64 KiB at each: filling all of a large machine
 * would take as long as its memory is large.  Frames of UNMAPPED have no mapping and are left alone.
 *
 * Page runs have no red zone.  They are whole pages, aligned to 2 MiB, so a guard would cost a page on each
 * side, and the neighbours may be wanted for one large run.  Where a neighbour is free, its edge is filled: a
 * step over the end of a run is found there, when it is handed out or by mm_debug_check.
 *
 * Frames that serve mm itself (slabs, page tables, metadata) are looked at and filled like all others, but
 * are nobody's.
 */
#include <lib/bits.h>
#include <mm/debug_state.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/state.h>

#define WHOLE_ORDER SPLIT_ORDERS /* blocks up to 2 MiB are filled throughout */
#define EDGE_FRAMES 16UL

/* ---- filling ---- */

static u64 *filled_word(u64 number)
{
    return &mm.debug.filled[number / BITS_PER_WORD];
}

static u64 filled_bit(u64 number)
{
    return (u64)1 << number % BITS_PER_WORD;
}

bool debug_frame_is_filled(u64 number)
{
    return number < mm.debug.n_filled_bits && (*filled_word(number) & filled_bit(number)) != 0;
}

static void frame_fill(u64 number)
{
    if (number >= mm.debug.n_filled_bits)
        return;
    poison_fill(phys(number * FRAME_BYTES), FRAME_BYTES);
    __atomic_fetch_or(filled_word(number), filled_bit(number), __ATOMIC_RELEASE);
}

static void frame_look(u64 number)
{
    poison_check(phys(number * FRAME_BYTES), FRAME_BYTES);
    __atomic_fetch_and(filled_word(number), ~filled_bit(number), __ATOMIC_ACQUIRE);
}

/* Forgets which frames of [number, end) are filled. */
static void filled_forget(u64 number, u64 end)
{
    for (end = min_u64(end, mm.debug.n_filled_bits); number < end; number++)
        __atomic_fetch_and(filled_word(number), ~filled_bit(number), __ATOMIC_RELAXED);
}

/* The first frame at or after `number` that is filled; `end` when there is none before. */
static u64 filled_next(u64 number, u64 end)
{
    for (end = min_u64(end, mm.debug.n_filled_bits); number < end; number++) {
        if (*filled_word(number) == 0)
            number |= BITS_PER_WORD - 1;
        else if (debug_frame_is_filled(number))
            return number;
    }
    return ~(u64)0;
}

static void block_hand_out(phys_t first, unsigned order)
{
    u64 number = first.addr / FRAME_BYTES, end = number + ((u64)1 << order);

    if ((mm.debug.features & MM_DEBUG_POISON) == 0)
        return;
    if (!page_is_direct(page_of(first))) {
        filled_forget(number, end);
        return;
    }
    for (u64 i = number; order <= WHOLE_ORDER && i < end; i++)
        if (!debug_frame_is_filled(i))
            poison_fill(phys(i * FRAME_BYTES), FRAME_BYTES);
    while ((number = filled_next(number, end)) < end)
        frame_look(number);
}

static void block_take_back(phys_t first, unsigned order)
{
    u64 number = first.addr / FRAME_BYTES, n = (u64)1 << order;

    if ((mm.debug.features & MM_DEBUG_POISON) == 0 || !page_is_direct(page_of(first)))
        return;
    for (u64 i = 0; i < n; i++) {
        if (order > WHOLE_ORDER && i == EDGE_FRAMES)
            i = n - EDGE_FRAMES;
        frame_fill(number + i);
    }
}

void debug_block_handed_out(phys_t first, unsigned order)
{
    block_hand_out(first, order);
}

void debug_block_given_back(phys_t first, unsigned order)
{
    block_take_back(first, order);
}

u64 debug_check_filled(void)
{
    u64 n_wrong = 0;

    for (u64 i = 0; (i = filled_next(i, mm.debug.n_filled_bits)) < mm.debug.n_filled_bits; i++)
        if (page_is_direct(page_of(phys(i * FRAME_BYTES))))
            n_wrong += !poison_check(phys(i * FRAME_BYTES), FRAME_BYTES);
    return n_wrong;
}

/* ---- owners ---- */

/* Notes an aligned block as somebody's; `asked`: frames of all that the call took, of which it may be a part. */
static void note_taken(enum mm_owner_kind kind, phys_t first, unsigned order, u32 asked,
                       const struct mm_moment *moment)
{
    struct debug_record *record, *gone;
    ul flags;

    if ((mm.debug.features & MM_DEBUG_OWNER) == 0)
        return;
    record = debug_record_reserve();
    if (record == NULL)
        return;
    record->base = first.addr;
    record->kind = (u8)kind;
    record->order = (u8)order;
    record->asked = asked;
    record->is_high = record->is_cleared = 0;
    record->taken = *moment;
    flags = platform_lock(&mm.debug.lock);
    gone = record_find(kind, first.addr, order, RECORD_GONE);
    if (gone != NULL)
        record_drop(gone);
    record_enter(record);
    platform_unlock(&mm.debug.lock, flags);
}

/* Cuts a live block in halves; both tell what was asked for once.  Without a record for the upper one that is nobody's
 * from now on. */
static void block_halve(struct debug_record *record)
{
    struct debug_record *upper = record_new();

    record->order--;
    if (upper == NULL) {
        __atomic_fetch_add(&mm.debug.n_untracked, 1, __ATOMIC_RELAXED);
        return;
    }
    upper->base = record->base + record_bytes(record);
    upper->kind = record->kind;
    upper->order = record->order;
    upper->asked = record->asked;
    upper->is_high = upper->is_cleared = 0;
    upper->taken = record->taken;
    record_enter(upper);
}

/* With the lock: the blocks in [at, end) are nobody's any more. */
static void blocks_retire(u64 at, u64 end, u64 step, const struct mm_moment *moment)
{
    while (at < end) {
        struct debug_record *record = record_live_block(at);

        if (record == NULL) {
            at += step;
        } else if (record->base < at || record->base + record_bytes(record) > end) {
            block_halve(record);
        } else {
            at += record_bytes(record);
            record->freed = *moment;
            mm.debug.n_live--;
            record_set_gone(record);
        }
    }
}

static void note_freed(phys_t first, u64 bytes, const struct mm_moment *moment)
{
    ul flags;

    if ((mm.debug.features & MM_DEBUG_OWNER) == 0)
        return;
    flags = platform_lock(&mm.debug.lock);
    blocks_retire(first.addr, first.addr + bytes, bytes <= PAGE_BYTES ? FRAME_BYTES : PAGE_BYTES, moment);
    platform_unlock(&mm.debug.lock, flags);
}

void debug_forget_frames(phys_t first)
{
    struct debug_record *record;
    ul flags;

    if ((mm.debug.features & MM_DEBUG_OWNER) == 0)
        return;
    flags = platform_lock(&mm.debug.lock);
    record = record_live_block(first.addr);
    if (record != NULL)
        record_drop(record);
    platform_unlock(&mm.debug.lock, flags);
}

/* ---- hooks ---- */

void debug_frames_taken(phys_t first, unsigned order, struct debug_here here)
{
    struct mm_moment moment;

    debug_moment(&moment, here);
    block_hand_out(first, order);
    note_taken(MM_OWNER_FRAMES, first, order, (u32)1 << order, &moment);
    debug_event(MM_EVENT_FRAME_ALLOC, first.addr, FRAME_BYTES << order, &moment);
}

void debug_frames_freed(phys_t first, unsigned order, struct debug_here here)
{
    struct mm_moment moment;

    debug_moment(&moment, here);
    debug_event(MM_EVENT_FRAME_FREE, first.addr, FRAME_BYTES << order, &moment);
    note_freed(first, FRAME_BYTES << order, &moment);
    block_take_back(first, order);
}

/* The order of the largest aligned block at the start of a run of n pages. */
static unsigned leading_order(phys_t first, u32 n)
{
    return (unsigned)min_u64(count_trailing_zeros(first.addr / FRAME_BYTES), log2_floor(n) + SPLIT_ORDERS);
}

void debug_pages_taken(phys_t first, u32 n, struct debug_here here)
{
    const u32 asked = n * (u32)PAGE_FRAMES;
    struct mm_moment moment;

    debug_moment(&moment, here);
    debug_event(MM_EVENT_ALLOC_PAGES, first.addr, n * PAGE_BYTES, &moment);
    while (n != 0) {
        unsigned order = leading_order(first, n);

        block_hand_out(first, order);
        note_taken(MM_OWNER_PAGES, first, order, asked, &moment);
        n -= (u32)1 << (order - SPLIT_ORDERS);
        first = phys_add(first, FRAME_BYTES << order);
    }
}

void debug_pages_freed(phys_t first, u32 n, struct debug_here here)
{
    struct mm_moment moment;

    debug_moment(&moment, here);
    debug_event(MM_EVENT_FREE_PAGES, first.addr, n * PAGE_BYTES, &moment);
    note_freed(first, n * PAGE_BYTES, &moment);
    while (n != 0) {
        unsigned order = leading_order(first, n);

        block_take_back(first, order);
        n -= (u32)1 << (order - SPLIT_ORDERS);
        first = phys_add(first, FRAME_BYTES << order);
    }
}
