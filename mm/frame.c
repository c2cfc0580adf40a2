/* SPDX-License-Identifier: MIT */
/*
 * Frames: the way in to free memory, and the proof that what comes back was handed out.
 *
 * Terms.  A frame is *held* from frame_alloc to frame_free: its bit in the held array is set.  The array has a word for
 * 64 frames, lies in a window of its own and is backed only where there is RAM, like the page array.
 *
 *      frame_alloc(NORMAL, 0) --> CPU's stack --(empty: 32 at once)--> split pages --> runs of whole pages
 *      frame_alloc(any, k)    ------------------------------------->      |               (run.c)
 *                                                                   (split.c)
 *
 * A free frame's bit is set in its page's bitmap when it lies in the zone, and nowhere when it lies in a CPU's stack or
 * was never given to the allocator (reserved): so `held` alone decides whether a free is right, and double frees, frees of
 * reserved memory and frees of what never was memory fail one and the same test.  The bits are changed by atomic
 * operations, since other CPUs may hold other frames of the same word; of two simultaneous frees one sees the bit clear.
 *
 * When memory runs out, in this order: the zone itself; growing (zone.c); giving back what is cached (reclaim.c); and for
 * NORMAL borrowing from DMA.  Blocks of more than 256 frames are runs of whole pages with state PAGE_BLOCK.
 *
 * Cost: from or to the stack no lock, about 20 instructions (frame_stack.c).
 *
 * Invariants, checked by check_zones.c:
 *   I205  Each frame of a split page that is neither reserved nor was taken early is free there, in a CPU's stack, or held;
 *         one that is reserved is none of these, and its page is split.
 *   I206  A frame in a CPU's stack is NORMAL's, not reserved, not held, not free in its page, and in one stack once.
 *   I207  A frame with a role (role.c) is held, or was taken early.  Checked by check_roles.c.
 *
 * Locking: the zone's lock around its lists; the stack belongs to the running context (cpu.h).
 */
#include <lib/bits.h>
#include <mm/fail.h>
#include <mm/frame.h>
#include <mm/frame_stack.h>
#include <mm/misuse.h>
#include <mm/page.h>
#include <mm/reclaim.h>
#include <mm/role.h>
#include <mm/run.h>
#include <mm/split.h>

static inline u64 *held_word(phys_t frame)
{
    return (u64 *)MM_HELD_ARRAY + frame.addr / FRAME_BYTES / BITS_PER_WORD;
}

static inline u64 held_bit(phys_t frame)
{
    return (u64)1 << (frame.addr / FRAME_BYTES % BITS_PER_WORD);
}

/* Sets the bits of a block; of one whose frames span words, in whole words. */
static void held_set(phys_t first, unsigned order)
{
    u64 *word = held_word(first);

    if (order < 6) {
        __atomic_fetch_or(word, held_bit(first) * bits_low_mask(1u << order), __ATOMIC_RELAXED);
        return;
    }
    for (unsigned i = 0; i < 1u << (order - 6); i++)
        __atomic_store_n(&word[i], ~(u64)0, __ATOMIC_RELAXED);
}

/* Clears the bits of `mask`; false, and nothing changed, unless all of them were set. */
static bool held_clear_word(u64 *word, u64 mask)
{
    u64 old = __atomic_fetch_and(word, ~mask, __ATOMIC_ACQ_REL);

    if (LIKELY((old & mask) == mask))
        return true;
    __atomic_fetch_or(word, old & mask, __ATOMIC_RELAXED);
    return false;
}

static bool held_clear(phys_t first, unsigned order)
{
    u64 *word = held_word(first);

    if (order < 6)
        return held_clear_word(word, held_bit(first) * bits_low_mask(1u << order));
    for (unsigned i = 0; i < 1u << (order - 6); i++) {
        if (held_clear_word(&word[i], ~(u64)0))
            continue;
        while (i-- > 0)
            __atomic_store_n(&word[i], ~(u64)0, __ATOMIC_RELAXED);
        return false;
    }
    return true;
}

bool frame_is_held(phys_t frame)
{
    return page_exists(frame) && page_of(frame)->state == PAGE_SPLIT && (*held_word(frame) & held_bit(frame)) != 0;
}

/* Takes a block of whole pages. */
static phys_t zone_take_pages(struct Zone *zone, unsigned order)
{
    u32 n_pages = (u32)1 << (order - SPLIT_ORDERS);
    u32 first = run_take_aligned(zone, n_pages);

    if (first == PAGE_NOWHERE)
        return PHYS_NONE;
    for (u32 i = 0; i < n_pages; i++)
        page_at(first + i)->state = PAGE_BLOCK;
    return phys(page_at(first)->addr_phys);
}

static phys_t zone_take(struct Zone *zone, unsigned order)
{
    ul flags = platform_lock(&zone->lock);
    phys_t first = order < SPLIT_ORDERS ? split_take(zone, order) : zone_take_pages(zone, order);

    if (!phys_is_none(first))
        zone_count_taken(zone, (s64)1 << order);
    platform_unlock(&zone->lock, flags);
    return first;
}

/* From the zone itself, or after making it larger. */
static phys_t zone_take_or_grow(struct Zone *zone, unsigned order)
{
    u32 n_pages = order < SPLIT_ORDERS ? 1 : (u32)1 << (order - SPLIT_ORDERS);
    phys_t first = zone_take(zone, order);

    if (phys_is_none(first) && zone->selector == ZONE_NORMAL && zone_grow(n_pages, false))
        first = zone_take(zone, order);
    return first;
}

/* Wherever there is a block that this zone may have; not held yet. */
static phys_t frame_find(struct Zone *zone, unsigned order)
{
    phys_t first;

    if (fail_wanted(zone, (u64)1 << order)) {
        reclaim_for(zone);
        return PHYS_NONE;
    }
    first = zone_take_or_grow(zone, order);

    if (phys_is_none(first) && reclaim_for(zone))
        first = zone_take_or_grow(zone, order);
    if (phys_is_none(first) && zone->selector == ZONE_NORMAL && zone_dma_can_lend((u64)1 << order))
        first = zone_take(&mm.zone[0], order);
    return first;
}

/* What the stack of single frames cannot give at once. */
static NOINLINE phys_t frame_alloc_slowly(unsigned selector, unsigned order)
{
    struct Zone *zone = zone_of_selector(selector);
    struct mm_cpu *cpu = platform_cpu();
    phys_t first = PHYS_NONE;

    if (zone == NULL || order > FRAME_MAX_ORDER)
        return PHYS_NONE;
    mm_enter(cpu);
    if (selector == ZONE_NORMAL && order <= STACK_ORDERS)
        first = frame_stack_pop(cpu, order);
    if (phys_is_none(first))
        first = frame_find(zone, order);
    if (!phys_is_none(first) && order < SPLIT_ORDERS)
        held_set(first, order);
    mm_leave(cpu);
    if (UNLIKELY(mm.debug.features != 0) && !phys_is_none(first))
        debug_frames_taken(first, order, DEBUG_HERE);
    return first;
}

FAST_PATH phys_t frame_alloc(unsigned selector, unsigned order)
{
    struct mm_cpu *cpu = platform_cpu();
    phys_t frame;

    mm_enter(cpu);
    if (UNLIKELY(order != 0 || selector != ZONE_NORMAL || cpu->n_frames == 0)) {
        mm_leave(cpu);
        return frame_alloc_slowly(selector, order);
    }
    frame = cpu->frame[--cpu->n_frames];
    __atomic_fetch_or(held_word(frame), held_bit(frame), __ATOMIC_RELAXED);
    mm_leave(cpu);
    return frame;
}

u32 frame_alloc_in(struct Page *page, phys_t *frames, u32 n)
{
    struct Zone *zone = page->zone;
    u32 n_taken;
    ul flags;

    if (fail_wanted(zone, n))
        return 0;
    flags = platform_lock(&zone->lock);
    n_taken = page->state == PAGE_SPLIT && page->zone == zone ? split_take_in(zone, page, frames, n) : 0;

    zone_count_taken(zone, n_taken);
    for (u32 i = 0; i < n_taken; i++)
        held_set(frames[i], 0);
    platform_unlock(&zone->lock, flags);
    for (u32 i = 0; UNLIKELY(mm.debug.features != 0) && i < n_taken; i++)
        debug_frame_handed_out(frames[i]);
    return n_taken;
}

static int frame_free_pages(phys_t first, unsigned order, struct debug_here here)
{
    struct Zone *zone = page_of(first)->zone;
    u32 index = page_index(page_of(first)), n_pages = (u32)1 << (order - SPLIT_ORDERS);
    ul flags = platform_lock(&zone->lock);
    bool right = true;

    for (u32 i = 0; i < n_pages; i++)
        right &= index + i < mm.n_pages && page_at(index + i)->state == PAGE_BLOCK && page_at(index + i)->zone == zone;
    if (right) {
        if (UNLIKELY(mm.debug.features != 0))
            debug_frames_freed(first, order, here);
        run_give(zone, index, n_pages);
        zone_count_taken(zone, -((s64)1 << order));
    }
    platform_unlock(&zone->lock, flags);
    return right ? 0 : misuse_phys("frame_free", first);
}

/* True when a frame of the block serves mm itself: then only its role's owner may free it, after clearing the role. */
static bool block_has_role(const struct Page *page, phys_t first, unsigned order)
{
    struct mm_cpu *cpu = platform_cpu();
    bool has_role = false;
    const ul *word;

    mm_enter(cpu); /* another CPU may be about to free the table, if the block is not in it */
    word = &page->words[first.addr / FRAME_BYTES % PAGE_FRAMES];
    for (unsigned i = 0; i < 1u << order; i++)
        has_role |= word_role(word[i]) != ROLE_NONE;
    mm_leave(cpu);
    return has_role;
}

/* Blocks, frames of other zones, and what is wrong. */
static NOINLINE int frame_free_slowly(phys_t first, unsigned order)
{
    struct Zone *zone;
    ul flags;

    if (order > FRAME_MAX_ORDER || !is_aligned(first.addr, FRAME_BYTES << order) || !page_exists(first))
        return misuse_phys("frame_free", first);
    if (order >= SPLIT_ORDERS)
        return frame_free_pages(first, order, DEBUG_HERE);
    if (page_of(first)->state != PAGE_SPLIT || block_has_role(page_of(first), first, order) ||
        debug_owns(first, order) || !held_clear(first, order))
        return misuse_phys("frame_free", first);
    if (UNLIKELY(mm.debug.features != 0))
        debug_frames_freed(first, order, DEBUG_HERE);
    zone = page_of(first)->zone;
    if (zone == &mm.zone[1] && order <= STACK_ORDERS) {
        frame_stack_push(first, order);
        return 0;
    }
    flags = platform_lock(&zone->lock);
    split_give(zone, first, order);
    zone_count_taken(zone, -((s64)1 << order));
    platform_unlock(&zone->lock, flags);
    return 0;
}

FAST_PATH int frame_free(phys_t first, unsigned order)
{
    struct mm_cpu *cpu = platform_cpu();
    const struct Page *page;

    if (UNLIKELY(order != 0 || first.addr >= mm.ram_end || first.addr % FRAME_BYTES != 0 ||
                 cpu->n_frames == cpu->frame_capacity))
        return frame_free_slowly(first, order);
    page = page_of(first);
    mm_enter(cpu);
    if (UNLIKELY(page->zone != &mm.zone[1] || word_role(page->words[first.addr / FRAME_BYTES % PAGE_FRAMES]) != 0 ||
                 !held_clear_word(held_word(first), held_bit(first)))) {
        mm_leave(cpu);
        return frame_free_slowly(first, 0);
    }
    cpu->frame[cpu->n_frames++] = first;
    mm_leave(cpu);
    return 0;
}
