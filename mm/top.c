/* SPDX-License-Identifier: MIT */
/*
 * Top-level tables in memory of callers.
 *
 * Purpose.  Callers make top-level tables in memory of their own: in an object, a page, a frame, or somewhere inside of one.
 * Such memory must not be freed, and in the debug mode filled, as long as a CPU has the table loaded.
 *
 * What may serve as one: what a caller holds.  A wrong free of several things at once may hold some of them for the moment that
 * it takes to see its mistake (page.c, frame.c); so who is not found to be anybody's is looked at once more with the lock
 * under which such a free takes and puts back.
 *
 * How it is found out whether one is loaded.  What this CPU has loaded it reads itself.  Another one writes into loaded_top of
 * its caches what it has, when it serves a flush; so it is asked for one, of a frame, which does no harm.  That costs an
 * interrupt on each CPU, so the memory is looked at before: a CPU that has a table loaded runs the kernel by it, and so the
 * table has the kernel's entry for its image (slot 511, which all spaces copy, see paging.c).  Memory without that entry is no
 * top level that is loaded.
 *
 * Who asks: kfree and the debug mode.  free_pages looks at its own CPU alone, frame_free not at all.
 *
 * Limit.  The answer is of then: who loads a table and has it freed at the same time gets what he asked for.
 *
 * Locking: mm.role_lock around noting; the zones' locks around the second look.
 */
#include <lib/compiler.h>
#include <mm/cpu.h>
#include <mm/inspect.h>
#include <mm/paging_core.h>
#include <mm/top.h>

#define LIVE_MASK 0xff00UL /* of a role word: its live byte */

/* ---- what may be one ---- */

static bool is_callers(phys_t frame)
{
    struct mm_what what;

    mm_describe_phys(frame, &what);
    switch (what.kind) {
    case MM_LIVE_OBJECT:
        return what.class_bytes >= FRAME_BYTES;
    case MM_PAGE:
    case MM_HELD_FRAME:
    case MM_TABLE:
        return true;
    default: /* above all 0 and what else firmware and kernel have in low memory: a table never made */
        return false;
    }
}

static bool is_callers_in(struct Zone *zone, phys_t frame)
{
    ul flags = platform_lock(&zone->lock);
    bool is = is_callers(frame);

    platform_unlock(&zone->lock, flags);
    return is;
}

/* Runs of pages are claimed with NORMAL's lock held, frames with their own zone's. */
bool top_may_be(phys_t frame)
{
    struct Zone *zone;

    if (!is_aligned(frame.addr, FRAME_BYTES) || !mm_is_direct(frame))
        return false;
    if (LIKELY(is_callers(frame)))
        return true;
    zone = page_of(frame)->zone;
    return is_callers_in(&mm.zone[1], frame) || (zone != &mm.zone[1] && is_callers_in(zone, frame));
}

/* ---- is one loaded? ---- */

/* May this frame be a table that a CPU runs by?  Also looked at where the caller of kmalloc may not look. */
static UNCHECKED bool looks_like_top(phys_t frame)
{
    const unsigned image = ENTRIES_PER_TABLE - 1;

    return !mm_is_direct(frame) ||
           ((paging_entries(frame)[image] ^ paging_entries(mm.paging.kernel_top)[image]) & ENTRY_MEANING) == 0;
}

static bool others_have_loaded(phys_t start, u64 bytes)
{
    const struct mm_cpu *own = platform_cpu();

    platform_flush(virt((u64)phys_pointer(start)), FRAME_BYTES);
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        if (cpu->loaded_top - start.addr < bytes && cpu != own && cpu != own->other)
            return true;
    return false;
}

bool top_is_loaded(phys_t start, u64 bytes)
{
    if (top_is_loaded_here(start, bytes))
        return true;
    for (u64 at = start.addr; at < start.addr + bytes; at += FRAME_BYTES)
        if (looks_like_top(phys(at)))
            return others_have_loaded(start, bytes);
    return false;
}

/* ---- notes ---- */

/* Replaces all of a word but its live byte, which may be counted down meanwhile; unless the role is another one by then. */
static void word_replace(phys_t frame, ul word, ul with)
{
    enum role role = word_role(word);

    while (word_role(word) == role &&
           !__atomic_compare_exchange_n(role_word(frame), &word, with | (word & LIVE_MASK), false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        continue;
}

void top_note(phys_t top)
{
    ul flags = platform_lock(&mm.role_lock), word;
    phys_t head = role_block_head(top, &word);

    if (!phys_is_none(head) && word_role(word) < ROLE_TOP_LEVEL)
        word_replace(head, word, role_word_make((enum role)(word_role(word) + ROLE_TOP_LEVEL), mm.no_object));
    platform_unlock(&mm.role_lock, flags);
}

void top_forget_object(phys_t object)
{
    ul flags = platform_lock(&mm.role_lock);
    ul word = role_word_now(object);
    const u8 *live = (const u8 *)role_word(object) + 1;

    if (word_role(word) > ROLE_TOP_LEVEL)
        word_replace(object, word, role_word_make((enum role)(word_role(word) - ROLE_TOP_LEVEL), live));
    platform_unlock(&mm.role_lock, flags);
}
