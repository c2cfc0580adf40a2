/* SPDX-License-Identifier: MIT */
/*
 * kmalloc and kfree with the debug mode on.
 *
 * Where an object lies in its slot.  It keeps the alignment of its class of S bytes, so below it there is
 * room for a guard only if it starts S bytes behind the start of the slot:
 *
 *      2 S  [ guard | object | slack ]         when the slack is at least LEAST_ABOVE bytes
 *      4 S  [ guard | object | guard . . . ]   when it fills its class (nearly): kmalloc(64) takes 256 bytes
 *
 * When no memory is left for that, it does with the next smaller slot, down to its own class without guards
 * but the slack: also for objects that would need a slot of more than 1 MiB.  Those are counted (n_unguarded).  With
 * room for one of two guards it is the one above: more is written past the end of things than before their start.
 *
 *      asked for                            guarded
 *      up to 512 KiB - 16                   both sides
 *      up to 512 KiB                        above
 *      up to 1 MiB                          the slack, if there is some: up to 512 bytes
 *
 * What kfree does, in this order: finds the live object that starts there and claims its record, so that of
 * two frees one fails; looks at the guards; fills the slot; lets it wait.  The queue is bounded in bytes
 * (1/64 of RAM; without quarantine 0), but never without the last one, so that a second free says "already
 * free".  When it is longer, the oldest is looked at again, for what was written to it meanwhile, and its
 * slot goes back to the slab.  All of them do when memory is short, and by mm_shrink.
 *
 * An object with a top-level table that a CPU has loaded is not freed: filling it would be the end.  Whether it
 * was noted as one does not matter here (top.c).
 *
 * Cost: filling and looking at the slot, some 16 bytes an instruction, twice; about 400 instructions besides.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/block.h>
#include <mm/cpu.h>
#include <mm/debug_state.h>
#include <mm/misuse.h>
#include <mm/role.h>
#include <mm/sanitize.h>
#include <mm/slab.h>
#include <mm/state.h>
#include <mm/top.h>

#define LEAST_ABOVE 16

static unsigned class_of(ul size)
{
    return size <= 1UL << CLASS_MIN_SHIFT ? 0 : log2_ceil(size) - CLASS_MIN_SHIFT;
}

/* ---- slots ---- */

/* One slot, past the CPU's magazine, which holds nothing. */
static bool slot_take(unsigned class, struct round *round)
{
    struct mm_cpu *cpu = platform_cpu();
    u32 n;

    mm_enter(cpu);
    n = class_is_blocks(class) ? blocks_take(cpu, class, round, 1) : slab_take(cpu, class, round, 1);
    cpu->n_taken[class] += n;
    mm_leave(cpu);
    return n != 0;
}

static void slot_give(phys_t base, unsigned class)
{
    struct mm_cpu *cpu = platform_cpu();
    ul word;
    struct round round;

    mm_enter(cpu);
    word = role_word_now(phys(align_down(base.addr, FRAME_BYTES)));
    round = (struct round){phys_pointer(base),
                           &live_of_word(word)[base.addr % FRAME_BYTES >> (class + CLASS_MIN_SHIFT)]};
    if (class_is_blocks(class))
        blocks_give(cpu, class, &round, 1);
    else
        slab_give(cpu, class, &round, 1);
    mm_leave(cpu);
}

/* ---- kmalloc ---- */

/* Is there enough of the class behind what was asked for? */
static bool has_slack(ul size)
{
    return class_bytes(class_of(size)) - size >= LEAST_ABOVE;
}

/* The class of the slot for an object: that of the object when it gets no red zone. */
static unsigned slot_class(ul size)
{
    unsigned class = class_of(size);
    unsigned with_zone = class + (has_slack(size) ? 1 : 2);

    return (mm.debug.features & MM_DEBUG_REDZONE) != 0 ? (unsigned)min_u64(with_zone, MM_N_CLASSES - 1)
                                                       : class_of(sanitize_padded(size));
}

u64 mm_debug_slot_bytes(ul size)
{
    return class_bytes(slot_class(size));
}

/* Takes a slot for the record, a smaller one when there is no memory for that. */
static bool take_any_slot(struct debug_record *record, unsigned class, struct round *round)
{
    unsigned wanted = slot_class(record->asked);

    record->order = (u8)wanted;
    while (!slot_take(record->order, round)) {
        if (record->order == class)
            return false;
        record->order--;
    }
    record->is_high = record->order > class + !has_slack(record->asked);
    if ((mm.debug.features & MM_DEBUG_REDZONE) != 0 && (record->order != wanted || !record->is_high))
        __atomic_fetch_add(&mm.debug.n_unguarded, 1, __ATOMIC_RELAXED);
    return true;
}

/* Looks at a slot that was free, and forgets whose it was.  A block comes from the frames, where it was just
 * looked at. */
static void slot_reuse(phys_t base, unsigned order)
{
    struct debug_record *gone;
    ul flags;

    if ((mm.debug.features & MM_DEBUG_POISON) != 0 && !class_is_blocks(order))
        poison_check(base, class_bytes(order));
    flags = platform_lock(&mm.debug.lock);
    gone = record_find(MM_OWNER_OBJECT, base.addr, order, RECORD_GONE);
    if (gone != NULL)
        record_drop(gone);
    platform_unlock(&mm.debug.lock, flags);
}

/* Gives a new object its content. */
static void *object_fill(void *object, u64 bytes, gfp_t gfp)
{
    if (gfp & __GFP_ZERO)
        return debug_fill(object, 0, bytes);
    return (mm.debug.features & MM_DEBUG_POISON) != 0 ? debug_fill(object, MM_DEBUG_NEW, bytes) : object;
}

static void *kmalloc_untracked(unsigned class, gfp_t gfp)
{
    struct round round;

    if (!slot_take(class, &round))
        return NULL;
    slot_reuse(pointer_phys(round.object), class);
    __atomic_store_n(round.live, 1, __ATOMIC_RELAXED);
    sanitize_object_opened(round.object, class_bytes(class));
    return object_fill(round.object, class_bytes(class), gfp);
}

static void *kmalloc_tracked(struct debug_record *record, gfp_t gfp, const struct mm_moment *moment)
{
    unsigned class = record_object_class(record);
    struct round round;
    void *object;
    ul flags;

    if (!take_any_slot(record, class, &round))
        return NULL;
    record->base = pointer_phys(round.object).addr;
    record->taken = *moment;
    record->is_cleared = (gfp & __GFP_ZERO) != 0;
    slot_reuse(phys(record->base), record->order);
    object = phys_pointer(phys(record_object(record)));
    sanitize_object_opened(object, class_bytes(class));
    object_fill(object, class_bytes(class), gfp);
    if ((mm.debug.features & MM_DEBUG_REDZONE) != 0)
        guards_fill(record);
    sanitize_slot_taken(phys_pointer(phys(record->base)), class_bytes(record->order), object,
                        max_u64(record->asked, 1));
    flags = platform_lock(&mm.debug.lock);
    record_enter(record);
    platform_unlock(&mm.debug.lock, flags);
    return object;
}

void *debug_kmalloc(ul size, gfp_t gfp, struct debug_here here)
{
    struct debug_record *record = debug_record_reserve();
    struct mm_moment moment;
    void *object;
    ul flags;

    debug_moment(&moment, here);
    if (record == NULL) {
        object = kmalloc_untracked(class_of(size), gfp);
    } else {
        record->kind = MM_OWNER_OBJECT;
        record->asked = (u32)size;
        object = kmalloc_tracked(record, gfp, &moment);
    }
    if (object == NULL && record != NULL) {
        flags = platform_lock(&mm.debug.lock);
        record_drop(record);
        platform_unlock(&mm.debug.lock, flags);
    }
    debug_event(MM_EVENT_KMALLOC, (u64)object, size, &moment);
    return object;
}

/* ---- kfree ---- */

/* Ends an object's quarantine: its slot goes back. */
static void release(struct debug_record *record)
{
    ul flags;

    if ((mm.debug.features & MM_DEBUG_POISON) != 0)
        poison_check(phys(record->base), record_bytes(record));
    slot_give(phys(record->base), record->order);
    flags = platform_lock(&mm.debug.lock);
    record_set_gone(record);
    platform_unlock(&mm.debug.lock, flags);
}

/* Releases the oldest objects until no more than so many, or so many bytes, wait. */
static void release_down_to(u64 n, u64 bytes)
{
    for (;;) {
        ul flags = platform_lock(&mm.debug.lock);
        bool too_many = mm.debug.n_waiting > n && mm.debug.waiting_bytes > bytes;
        struct list_node *node = too_many ? list_first(&mm.debug.waiting) : NULL;
        struct debug_record *record = node != NULL ? container_of(node, struct debug_record, link) : NULL;

        if (record != NULL)
            record_set_moving(record);
        platform_unlock(&mm.debug.lock, flags);
        if (record == NULL)
            return;
        release(record);
    }
}

void debug_release_waiting(void)
{
    if (mm.debug.n_waiting != 0)
        release_down_to(0, 0);
}

enum claim { CLAIM_NONE, CLAIM_LOADED, CLAIM_DONE };

/* Makes the live object that starts at `address` nobody's.  Whether it is in use as a table is asked with the lock held, so
 * that to others it stays what it is. */
static enum claim claim(const void *address, const struct mm_moment *moment, struct debug_record **out)
{
    u64 at = pointer_phys(address).addr;
    ul flags = platform_lock(&mm.debug.lock);
    struct debug_record *record = at < mm.ram_end ? record_live_object(at) : NULL;
    enum claim result = CLAIM_NONE;

    if (record != NULL && record_object(record) == at) {
        u64 bytes = class_bytes(record_object_class(record));

        result = bytes >= FRAME_BYTES && top_is_loaded(phys(at), bytes) ? CLAIM_LOADED : CLAIM_DONE;
    }
    if (result == CLAIM_DONE) {
        record->freed = *moment;
        record_set_moving(record);
    }
    platform_unlock(&mm.debug.lock, flags);
    *out = record;
    return result;
}

/* What was an object becomes free memory, and waits. */
static void retire(struct debug_record *record)
{
    ul flags;

    if ((mm.debug.features & MM_DEBUG_REDZONE) != 0)
        guards_check(record);
    if ((mm.debug.features & MM_DEBUG_POISON) != 0)
        poison_fill(phys(record->base), record_bytes(record));
    sanitize_objects_freed(phys_pointer(phys(record->base)), record_bytes(record));
    flags = platform_lock(&mm.debug.lock);
    record_set_waiting(record);
    platform_unlock(&mm.debug.lock, flags);
    release_down_to(1, mm.debug.waiting_limit_bytes);
}

bool debug_kfree(void *address, struct debug_here here, ul *result)
{
    struct debug_record *record;
    struct mm_moment moment;

    debug_moment(&moment, here);
    switch (claim(address, &moment, &record)) {
    case CLAIM_NONE:
        return false;
    case CLAIM_LOADED:
        misuse_free(&(struct misuse_free){"kfree", MM_EVENT_KFREE, 0, here}, (ul)address, "a page table");
        *result = (ul)-EFAULT;
        return true;
    default:
        break;
    }
    if (role_of(phys(align_down(record->base, FRAME_BYTES))) > ROLE_TOP_LEVEL)
        top_forget_object(phys(record->base));
    debug_event(MM_EVENT_KFREE, (u64)address, record->asked, &moment);
    retire(record);
    *result = 0;
    return true;
}

void debug_kfree_untracked(void *address, unsigned class, struct debug_here here)
{
    debug_note_call(MM_EVENT_KFREE, (u64)address, 0, here);
    if ((mm.debug.features & MM_DEBUG_POISON) != 0)
        poison_fill(pointer_phys(address), class_bytes(class));
    slot_give(pointer_phys(address), class);
}
