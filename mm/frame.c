/* SPDX-License-Identifier: MIT */
/*
 * Frames: the way in to free memory, and the proof that what comes back was handed out.
 *
 * Terms.  A frame is *held* from frame_alloc to frame_free: its bit in the held array is set.  The array has a word for
 * 64 frames, lies in a window of its own and is backed only where there is RAM, like the page array.
 *
 *      frame_alloc(NORMAL, 0) --> CPU's stack --(empty: 64 at once)--> split pages --> runs of whole pages
 *      frame_alloc(any, k)    ------------------------------------->      |               (run.c)
 *                                                                   (split.c)
 *
 * A free frame's bit is set in its page's bitmap when it lies in the zone, and nowhere when it lies in a CPU's stack, serves
 * mm itself (role.c) or was never given to the allocator (reserved): so `held` alone decides whether a free is right, and
 * double frees, frees of reserved memory, of mm's own and of what never was memory fail one and the same test.  The bits
 * are changed by atomic operations, since other CPUs may hold other frames of the same word; of two simultaneous frees one
 * sees the bit clear.  A free of several words that turns out to be wrong sets what it cleared again; the zone's lock is held
 * meanwhile, and who finds a bit clear looks once more with it.
 *
 * A held frame that is known as a top-level table is in a list instead (top.c), and its bit clear: so no free of it, or of a
 * block that it is in, succeeds in passing; the slow path looks whether a CPU has it loaded, and sets the bit if not.
 *
 * find.c says what happens when memory runs out.  Blocks of more than 256 frames are runs of whole pages with state
 * PAGE_BLOCK.
 *
 * Cost: a single frame from or to the stack 22 and 29 instructions, a small block 40 and 60, no lock (frame_stack.c).
 *
 * Invariants, checked by check_zones.c:
 *   I205  Each frame of a split page that is neither reserved nor was taken early is free there, in a CPU's stack, held,
 *         or mm's own: a frame with a role, or inside a block with one, or a role table (role.c), or one in limbo; one that
 *         is reserved is none of these, and its page is split.
 *   I206  A frame in a CPU's stack is NORMAL's, not reserved, not held, not free in its page, and in one stack once.
 *   I207  A frame with a role (role.c) is neither held nor free.  Checked by check_roles.c.
 *   I208  A held frame that is known as a top-level table is one of a split page of the direct map, neither free nor held by
 *         its bit, and known once.  (By I207 it has no role.)
 *
 * Locking: the zone's lock around its lists; the stack belongs to the running context (cpu.h).
 */
#include <lib/bits.h>
#include <lib/compiler.h>
#include <mm/find.h>
#include <mm/frame.h>
#include <mm/frame_bits.h>
#include <mm/frame_stack.h>
#include <mm/misuse.h>
#include <mm/page.h>
#include <mm/run.h>
#include <mm/sanitize.h>
#include <mm/split.h>
#include <mm/top.h>

static inline u64 *held_word(phys_t frame)
{
    return (u64 *)MM_HELD_ARRAY + frame.addr / FRAME_BYTES / BITS_PER_WORD;
}

static inline u64 held_bit(phys_t frame)
{
    return (u64)1 << (frame.addr / FRAME_BYTES % BITS_PER_WORD);
}

/* Those of a block with a stack. */
static inline u64 held_bits(phys_t first, unsigned order)
{
    static const u8 ones[STACK_ORDERS + 1] = {0x1, 0x3, 0xf, 0xff};

    return (u64)ones[order] << (first.addr / FRAME_BYTES % BITS_PER_WORD);
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
static inline bool held_clear_word(u64 *word, u64 mask)
{
    u64 old = __atomic_load_n(word, __ATOMIC_RELAXED);

    do {
        if (UNLIKELY((old & mask) != mask))
            return false;
    } while (UNLIKELY(!__atomic_compare_exchange_n(word, &old, old & ~mask, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)));
    return true;
}

/* The same for a block; of one that spans words, some may be cleared and set again. */
static bool held_clear_words(phys_t first, unsigned order)
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

/* Waits for wrong frees of blocks that span words, and clears the bits of a block. */
static NOINLINE bool held_clear_locked(phys_t first, unsigned order)
{
    struct mm_lock *lock = &page_of(first)->zone->lock;
    ul flags = platform_lock(lock);
    bool cleared = held_clear_words(first, order);

    platform_unlock(lock, flags);
    return cleared;
}

/* Clears the bits of a block; false, and nothing changed in the end, unless all of them were set. */
static inline bool held_clear(phys_t first, unsigned order)
{
    if (LIKELY(order < 6) && LIKELY(held_clear_word(held_word(first), held_bit(first) * bits_low_mask(1u << order))))
        return true;
    return held_clear_locked(first, order);
}

bool frame_is_held(phys_t frame)
{
    return page_exists(frame) && page_of(frame)->state == PAGE_SPLIT &&
           ((*held_word(frame) & held_bit(frame)) != 0 || top_is_held(frame));
}

bool frame_hide(phys_t frame)
{
    return held_clear_word(held_word(frame), held_bit(frame));
}

void frame_show(phys_t frame)
{
    held_set(frame, 0);
}

bool frame_is_mms(phys_t frame)
{
    const struct Page *page = page_of(frame);

    return page->state == PAGE_SPLIT && !frame_is_held(frame) &&
           !frame_bits_are_free(page->free_frames, (unsigned)(frame.addr / FRAME_BYTES % PAGE_FRAMES), 0);
}

/* A block of 2^order frames that somebody asks for. */
struct block_request {
    struct request request;
    unsigned order;
    phys_t first;
};

/* Takes a block of whole pages. */
static phys_t take_pages(struct Zone *zone, unsigned order)
{
    u32 n_pages = (u32)1 << (order - SPLIT_ORDERS);
    u32 first = run_take_aligned(zone, order - SPLIT_ORDERS);

    if (first == PAGE_NOWHERE)
        return PHYS_NONE;
    for (u32 i = 0; i < n_pages; i++)
        page_at(first + i)->state = PAGE_BLOCK;
    return phys(page_at(first)->addr_phys);
}

static u64 take_block(struct Zone *zone, struct request *request)
{
    struct block_request *block = (struct block_request *)request;

    if (block->order >= SPLIT_ORDERS)
        block->first = take_pages(zone, block->order);
    else
        block->first = split_take(zone, block->order);
    return phys_is_none(block->first) ? 0 : request->n_frames;
}

/* Wherever there is a block that this zone may have; not held yet. */
static phys_t frame_find(struct Zone *zone, unsigned order)
{
    struct block_request block = {
        {take_block, (u64)1 << order, order < SPLIT_ORDERS ? 1 : (u32)1 << (order - SPLIT_ORDERS), false, false,
         EFFORT_USUAL, 0},
        order,
        PHYS_NONE};

    return find_memory(zone, &block.request) == 0 ? PHYS_NONE : block.first;
}

/* What the CPU's stacks cannot give at once. */
static NOINLINE phys_t frame_alloc_slowly(unsigned selector, unsigned order)
{
    struct Zone *zone = zone_of_selector(selector);
    phys_t first = PHYS_NONE;

    if (zone == NULL || order > FRAME_MAX_ORDER)
        return PHYS_NONE;
    if (selector == ZONE_NORMAL && order == 0)
        first = frame_stack_refill();
    if (phys_is_none(first))
        first = frame_find(zone, order);
    if (!phys_is_none(first) && order < SPLIT_ORDERS)
        held_set(first, order);
    if (!phys_is_none(first))
        sanitize_frames_taken(first, (u64)1 << order);
    if (UNLIKELY(mm.debug.features != 0) && !phys_is_none(first))
        debug_frames_taken(first, order, DEBUG_HERE);
    return first;
}

/* A small block of NORMAL, from the CPU's stack of that order if it has one. */
static FAST_PATH phys_t frame_alloc_block(unsigned selector, unsigned order)
{
    struct mm_cpu *cpu = platform_cpu();
    phys_t first;
    u8 *n_blocks;
    u64 n;

    if (order - 1 >= STACK_ORDERS || selector != ZONE_NORMAL)
        return frame_alloc_slowly(selector, order);
    n_blocks = mm_cpu_n_blocks(cpu, order);
    mm_enter_fast(cpu);
    n = *n_blocks;
    if (n == 0) {
        mm_leave_fast(cpu);
        return frame_alloc_slowly(selector, order);
    }
    --*n_blocks;
    first = cpu->blocks[order - 1].block[n - 1];
    __atomic_fetch_or(held_word(first), held_bits(first, order), __ATOMIC_RELAXED);
    sanitize_frames_taken(first, (u64)1 << order);
    mm_leave_fast(cpu);
    return first;
}

FAST_PATH phys_t frame_alloc(unsigned selector, unsigned order)
{
    struct mm_cpu *cpu = platform_cpu();
    phys_t frame;
    u64 n;

    if (UNLIKELY((order | (selector ^ ZONE_NORMAL)) != 0))
        return frame_alloc_block(selector, order);
    mm_enter_fast(cpu);
    n = cpu->stacked.n_frames;
    if (UNLIKELY(n == 0)) {
        mm_leave_fast(cpu);
        return frame_alloc_slowly(ZONE_NORMAL, 0);
    }
    cpu = OPAQUE(cpu); /* so that n is counted down in memory, and stays in its register */
    cpu->stacked.n_frames--;
    frame = cpu->frame[n - 1];
    __atomic_fetch_or(held_word(frame), held_bit(frame), __ATOMIC_RELAXED);
    sanitize_frames_taken(frame, 1);
    mm_leave_fast(cpu);
    return frame;
}

/* Says what is wrong. */
static int frame_free_refused(enum top_verdict verdict, phys_t first, unsigned order, struct debug_here here)
{
    u64 bytes = order > FRAME_MAX_ORDER ? 0 : FRAME_BYTES << order;
    const struct misuse_free free = {"frame_free", MM_EVENT_FRAME_FREE, bytes, here};

    if (verdict != TOPS_LOADED)
        return misuse_free_phys(&free, first);
    misuse_free(&free, first.addr, "a page table");
    return -EFAULT;
}

static int frame_free_pages(phys_t first, unsigned order, struct debug_here here)
{
    struct Zone *zone = page_of(first)->zone;
    u32 index = page_index(page_of(first)), n_pages = (u32)1 << (order - SPLIT_ORDERS);
    ul flags = platform_lock(&zone->lock);
    enum top_verdict verdict;
    bool right = true;

    for (u32 i = 0; i < n_pages; i++)
        right &= index + i < mm.n_pages && page_at(index + i)->state == PAGE_BLOCK && page_at(index + i)->zone == zone;
    right = right && !top_is_seen(first, FRAME_BYTES << order);
    if (right) {
        if (UNLIKELY(mm.debug.features != 0))
            debug_frames_freed(first, order, here);
        sanitize_frames_freed(first, (u64)1 << order);
        run_give(zone, index, n_pages);
        zone_count_given(zone, (u64)1 << order);
    }
    platform_unlock(&zone->lock, flags);
    if (right)
        return 0;
    verdict = tops_leave_block(first, order);
    return verdict == TOPS_FORGOTTEN ? frame_free_pages(first, order, here)
                                     : frame_free_refused(verdict, first, order, here);
}

/* Clears the bits of a block that was refused: of one with top-level tables in it that are in use no more.  Else says what is
 * wrong. */
static NOINLINE bool held_clear_tops(phys_t first, unsigned order, struct debug_here here)
{
    enum top_verdict verdict;

    do {
        verdict = tops_leave_block(first, order);
        if (verdict != TOPS_FORGOTTEN) {
            (void)frame_free_refused(verdict, first, order, here);
            return false;
        }
    } while (!held_clear(first, order));
    return true;
}

/* Blocks, frames of other zones, and what is wrong. */
static NOINLINE int frame_free_slowly(phys_t first, unsigned order)
{
    struct Zone *zone;
    ul flags;

    if (order > FRAME_MAX_ORDER || !is_aligned(first.addr, FRAME_BYTES << order) || !page_exists(first))
        return frame_free_refused(TOPS_NONE, first, order, DEBUG_HERE);
    if (order >= SPLIT_ORDERS)
        return frame_free_pages(first, order, DEBUG_HERE);
    if (page_of(first)->state != PAGE_SPLIT ||
        (UNLIKELY(mm.debug.area_bytes != 0) && first.addr - mm.debug.area.addr < mm.debug.area_bytes))
        return frame_free_refused(TOPS_NONE, first, order, DEBUG_HERE);
    if (((UNLIKELY(mm.debug.area_bytes != 0) && top_is_seen(first, FRAME_BYTES << order)) || !held_clear(first, order)) &&
        !held_clear_tops(first, order, DEBUG_HERE))
        return -EFAULT;
    if (UNLIKELY(mm.debug.features != 0))
        debug_frames_freed(first, order, DEBUG_HERE);
    sanitize_frames_freed(first, (u64)1 << order);
    zone = page_of(first)->zone;
    if (zone == &mm.zone[1] && order <= STACK_ORDERS) {
        frame_stack_push(first, order);
        return 0;
    }
    flags = platform_lock(&zone->lock);
    split_give(zone, first, order);
    zone_count_given(zone, (u64)1 << order);
    platform_unlock(&zone->lock, flags);
    return 0;
}

/* A small block of NORMAL, onto the CPU's stack of that order if there is room. */
static FAST_PATH int frame_free_block(phys_t first, unsigned order)
{
    struct mm_cpu *cpu = platform_cpu();
    struct block_stack *blocks;
    u8 *n_blocks;
    u64 n;

    if (order - 1 >= STACK_ORDERS || first.addr >= mm.ram_end || !is_aligned(first.addr, FRAME_BYTES << order) ||
        page_of(first)->zone != &mm.zone[1])
        return frame_free_slowly(first, order);
    blocks = &cpu->blocks[order - 1];
    n_blocks = mm_cpu_n_blocks(cpu, order);
    mm_enter_fast(cpu);
    n = *n_blocks;
    if (n == blocks->capacity ||
        !held_clear_word(held_word(first), held_bits(first, order))) {
        mm_leave_fast(cpu);
        return frame_free_slowly(first, order);
    }
    sanitize_frames_freed(first, (u64)1 << order);
    blocks->block[n] = first;
    ++*n_blocks;
    mm_leave_fast(cpu);
    return 0;
}

/* The number of a frame; something huge for what is not its first byte. */
static inline u64 frame_number(phys_t first)
{
    return first.addr >> FRAME_SHIFT | first.addr << (BITS_PER_WORD - FRAME_SHIFT);
}

/* The zone is NORMAL only where there is RAM, and with it a word of the held array. */
FAST_PATH int frame_free(phys_t first, unsigned order)
{
    struct mm_cpu *cpu = platform_cpu();
    u64 frame = frame_number(first), n, bit, *word;

    if (UNLIKELY(order != 0))
        return frame_free_block(first, order);
    if (UNLIKELY(frame >= mm.n_frames) || UNLIKELY(page_at_frame(frame)->zone != &mm.zone[1]))
        return frame_free_slowly(first, 0);
    mm_enter_fast(cpu);
    n = cpu->stacked.n_frames;
    if (UNLIKELY(n == cpu->frame_capacity))
        goto slowly;
    word = &((u64 *)MM_HELD_ARRAY)[frame / BITS_PER_WORD];
    bit = (u64)1 << (frame % BITS_PER_WORD);
    if (UNLIKELY((__atomic_fetch_and(word, ~bit, __ATOMIC_ACQ_REL) & bit) == 0))
        goto slowly;
    sanitize_frames_freed(first, 1);
    cpu->frame[n] = first;
    cpu = OPAQUE(cpu);
    cpu->stacked.n_frames++;
    mm_leave_fast(cpu);
    return 0;

slowly:
    mm_leave_fast(cpu);
    return frame_free_slowly(first, 0);
}
