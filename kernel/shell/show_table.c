/* SPDX-License-Identifier: MIT */
/*
 * What a page table serves: which table of which address space points to it, and so which addresses it translates;
 * and, in the kernel half and when the debug mode traces calls, who mapped there last.
 *
 * A table does not know who points to it, so the tables are searched: those of the kernel, the current ones, and those
 * of `pt list`.  Cost: a look at each entry of all tables above its level.
 */
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/shell/show.h>
#include <kernel/shell/tables.h>
#include <lib/printf.h>
#include <mm/inspect.h>
#include <mm/mm.h>
#include <mm/paging_core.h>

struct place {
    virt_t start;
    u64 bytes;
};

/* Looks below `table`, whose first entry translates `linear`, for the table `wanted` of level `level`. */
static bool find_below(phys_t table, unsigned table_level, u64 linear, phys_t wanted, unsigned level, struct place *out)
{
    const u64 *entries = paging_entries(table);
    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++, linear += entry_bytes(table_level)) {
        phys_t below = entry_table(entries[i]);
        if (!entry_is_present(entries[i]) || entry_is_leaf(entries[i], table_level) || !mm_is_direct(below))
            continue;
        if (below.addr == wanted.addr) {
            *out = (struct place){entry_virt(linear), entry_bytes(table_level)};
            return true;
        }
        if (table_level - 1 > level && find_below(below, table_level - 1, linear, wanted, level, out))
            return true;
    }
    return false;
}

/* The last call of mm_map... that is remembered for a place. */
static void show_last_map(const struct place *place)
{
    struct mm_event event = {0}, last = {0};
    while (mm_debug_event_next(event.sequence, &event)) {
        if (event.kind == MM_EVENT_MAP && !event.refused && event.address - place->start.addr < place->bytes)
            last = event;
    }
    if (last.sequence)
        out("  %-10s by %s, call %lu, at %s s, on CPU %u\n", "mapped", show_callers(&last.caller, 1).s, last.sequence,
            show_time(last.time_ms).s, last.cpu);
}

/* True when it was found below `top`, and said so. */
static bool show_in(phys_t top, const char *name, phys_t table, unsigned level)
{
    struct place place;
    if (top.addr == table.addr) {
        out("  %-10s all addresses: the top of %s\n", "serves", name);
        return true;
    }
    if (level == ENTRY_TOP_LEVEL || !find_below(top, ENTRY_TOP_LEVEL, 0, table, level, &place))
        return false;
    out("  %-10s %s, in %s\n", "serves", format_range(place.start.addr, place.start.addr + place.bytes).s, name);
    if ((mm_debug_features() & MM_DEBUG_TRACE) && place.start.addr >= PAGE_OFFSET) /* below, each space has its own */
        show_last_map(&place);
    return true;
}

void show_table(phys_t table, unsigned level)
{
    char name[32];
    if (show_in(paging_kernel_top(), "the kernel's tables", table, level) ||
        show_in(tables_current(), "the current tables", table, level))
        return;
    for (unsigned i = 1; i <= TABLES_MAX; i++) {
        ksnprintf(name, sizeof name, "table %u of 'pt list'", i);
        if (tables_get(i) && show_in(phys(virt_2_phys(tables_get(i))), name, table, level))
            return;
    }
    out("  %-10s nothing: a spare one, or one of tables that are not listed\n", "serves");
}
