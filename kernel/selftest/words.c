/* SPDX-License-Identifier: MIT */
/*
 * The words of page tables, as they lie in memory: what was refused has changed none of them.
 *
 * A caller may name anything as a table.  It is read if it is memory in use in the direct map; what an entry leads to
 * is read if paging marked it as a table of the level below.
 */
#include <kernel/selftest/tables.h>
#include <lib/bits.h>
#include <mm/inspect.h>
#include <mm/paging_core.h>

static bool is_table(phys_t at, unsigned level)
{
    struct mm_what what;

    mm_describe_phys(at, &what);
    return what.kind == MM_TABLE && what.level == level;
}

/* Of the shared slots those that callers map in. */
static bool is_callers(u64 linear)
{
    return !paging_slot_is_shared(linear) || entry_virt(linear).addr == MM_SPECIAL_START ||
           entry_virt(linear).addr == SPECIAL_BORDER;
}

/* But for what the CPU notes in an entry (accessed, dirty). */
static u64 words_hash(phys_t table, unsigned level, u64 linear)
{
    const u64 *entries = paging_entries(table);
    u64 hash = 0xcbf29ce484222325UL;

    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++, linear += entry_bytes(level)) {
        u64 entry = entries[i];

        hash = (hash ^ (entry & ~(ENTRY_A | ENTRY_D)) ^ i) * 0x100000001b3UL;
        if (entry_is_present(entry) && !entry_is_leaf(entry, level) &&
            is_table(entry_table(entry), level - 1) && (level < ENTRY_TOP_LEVEL || is_callers(linear)))
            hash = (hash ^ words_hash(entry_table(entry), level - 1, linear)) * 0x100000001b3UL;
    }
    return hash;
}

static bool is_in_use(phys_t frame)
{
    struct mm_what what;

    mm_describe_phys(frame, &what);
    return mm_is_direct(frame) &&
           (what.kind == MM_TABLE || what.kind == MM_HELD_FRAME || what.kind == MM_PAGE ||
            (what.kind == MM_LIVE_OBJECT && what.class_bytes >= PAGE_4K_SIZE));
}

u64 table_words_hash(ul table, bool is_phys)
{
    phys_t named = phys(align_down(is_phys ? table : table - PAGE_OFFSET, PAGE_4K_SIZE));
    u64 hash = words_hash(current_top(), ENTRY_TOP_LEVEL, 0);

    if (named.addr != current_top().addr && is_in_use(named))
        hash = hash * 0x100000001b3UL ^ words_hash(named, ENTRY_TOP_LEVEL, 0);
    return hash;
}
