/* SPDX-License-Identifier: MIT */
/*
 * Checking page tables: every entry that the kernel's top level reaches.
 *
 * Purpose.  mm_check's part for paging.  Says which invariant is broken, by number, and where.
 *
 *   I400  The kernel's top level is a table marked with level 4.
 *   I401  An entry above level 1 that is no leaf points to a frame marked as a table of the level below.
 *   I402  A table's used count is the number of its present entries.
 *   I403  No table is reached twice.
 *   I404  Such an entry allows everything; user access exactly in private slots.
 *   I405  No leaf in a shared slot allows user access.
 *   I406  Own mappings are writable or executable, not both (shared slots but SPECIAL, which is the
 *         callers').
 *   I407  A leaf's address lies below 2^MAXPHYADDR and is aligned to its size.
 *   I408  The direct map shows at PAGE_OFFSET + p the byte p of RAM in DMA or NORMAL, or nothing.
 *   I409  The direct map is as large as DMA and NORMAL together: with I408, it is exactly that.
 *   I410  The direct map is not executable; the alias of a read-only segment is read-only.
 *   I411  Virtual page 0 is mapped nowhere.
 *   I412  Shared slots are present; no other slot of the kernel half is.
 *   I413  A table that is not permanent, nor a directory of the direct map, is not empty.
 *   I414  Idle kept tables and substitutes are cleared and marked with level 1 and used count 0 (I10).
 *   I415  An idle table is one of the kept frames, and is idle once (I10).
 *
 * Algorithm.  "Reached twice" without memory for a set: a table that was seen gets ENTRY_MARK, a bit that the
 * CPU ignores, in its first entry; a second visit takes the marks away.  The direct map is compared run by
 * run.
 *
 * What a broken one means.  I401 and I403 lead to memory that is freed under a CPU's walk; I402 and I413 to
 * tables that are freed too early, or never; I405 and I406 open the kernel to programs or to overruns; I407
 * ends in a fault with the reserved bit set; I408 and I409 in a fault, or in writes to a device, where a
 * frame was meant.  So entries are checked first, in the order in which they are met, and whoever breaks
 * several is told the highest in the tables.
 *
 * What is not seen.  Tables of callers below other top levels, since nothing lists those; and what a TLB
 * still holds.
 *
 * Cost.  Linear in entries of tables: 512 entries about 8000 instructions; 10 for each 2 MiB of the direct
 * map.
 *
 * The MMIO window's own invariants, I420 and I421, are in mmio.c; it is asked last.
 *
 * Locking.  mm.paging.lock all the time, but for the window's.
 */
#include <mm/check.h>
#include <mm/mmio.h>
#include <mm/page.h>
#include <mm/paging_core.h>

#define DIRECT_END (PAGE_OFFSET + MM_RAM_LIMIT)

/* All of the direct map's window, used or not. */
static bool is_direct_address(u64 linear)
{
    u64 at = entry_virt(linear).addr;

    return at >= PAGE_OFFSET && at < DIRECT_END;
}

/* The callers' part of the kernel half: what is mapped there is theirs to answer for. */
static bool is_special_address(u64 linear)
{
    u64 at = entry_virt(linear).addr;

    return at >= MM_SPECIAL_START && at < MM_SPECIAL_END;
}

/* The used count as it should be. */
static unsigned count_present(phys_t table)
{
    const u64 *entries = paging_entries(table);
    unsigned n = 0;

    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++)
        n += entry_is_present(entries[i]);
    return n;
}

/* Permanent tables, and the directories that wait for pages of UNMAPPED. */
static bool may_be_empty(const struct paging_place *place)
{
    bool shared = paging_slot_is_shared(place->at);

    return shared && (place->level == ENTRY_TOP_LEVEL || (place->level == 3 && is_direct_address(place->at)));
}

/* The entry at hand points to a table. */
static bool check_table(const struct paging_place *place, struct mm_violation *out)
{
    u64 entry = *place->entry, where = entry_virt(place->at).addr;
    phys_t table = entry_table(entry);
    u64 allowed = entry_to_table(table, !paging_slot_is_shared(place->at));
    unsigned n_present;

    if (table_frame_level(table) != place->level - 1)
        return check_failed(out, 401, "an entry points to a frame that is no table of the next level", where,
                            place->level - 1, table_frame_level(table));
    /* Marked before anything else is said of it, or the second visit would not find all marks. */
    if (*paging_entries(table) & ENTRY_MARK)
        return check_failed(out, 403, "a table is reached twice", where, 0, table.addr);
    *paging_entries(table) |= ENTRY_MARK;
    if ((entry ^ allowed) & ENTRY_MEANING)
        return check_failed(out, 404, "an upper entry has the wrong rights", where, allowed, entry);
    n_present = count_present(table);
    if (table_frame_used(table) != n_present)
        return check_failed(out, 402, "a table's used count is wrong", where, n_present,
                            table_frame_used(table));
    if (n_present == 0 && !may_be_empty(place))
        return check_failed(out, 413, "an empty table was not freed", where, 0, table.addr);
    return true;
}

/* Bits 12 and up of a large leaf are PAT and then zeros up to its size. */
static bool check_leaf(const struct paging_place *place, struct mm_violation *out)
{
    u64 leaf = *place->entry, where = entry_virt(place->at).addr, bytes = entry_bytes(place->level);
    u64 pat = place->level > 1 ? ENTRY_PAT_LARGE : 0;
    bool shared = paging_slot_is_shared(place->at);
    bool executable = mm.features.no_execute && !(leaf & ENTRY_XD);

    /* In this order: what the CPU refuses, what lets programs in, what lets mistakes through. */
    if ((leaf & ENTRY_ADDRESS & (bytes - 1) & ~pat) || (leaf & ENTRY_ADDRESS) >= mm.paging.phys_limit)
        return check_failed(out, 407, "a leaf's address is impossible", where, 0, leaf);
    if (shared && (leaf & ENTRY_US))
        return check_failed(out, 405, "user access in the kernel half", where, 0, leaf);
    if (shared && executable && (leaf & ENTRY_RW) && !is_special_address(place->at))
        return check_failed(out, 406, "an own mapping is writable and executable", where, 0, leaf);
    if (place->at < FRAME_BYTES)
        return check_failed(out, 411, "page 0 is mapped", where, 0, leaf);
    return true;
}

/* Every entry of every table, absent ones too: a slot of the kernel half may be missing. */
static enum paging_go check_entries(struct paging_place *place, void *context)
{
    bool present = entry_is_present(*place->entry);

    /* Slots of the user half may come and go, but for those that a process as platform shares there. */
    if (place->level == ENTRY_TOP_LEVEL) {
        bool kernel_half = place->at >= ENTRY_LINEAR_END / 2, shared = paging_slot_is_shared(place->at);
        if ((kernel_half && present != shared) || (shared && !present)) {
            check_failed(context, 412, "a slot of the kernel half is not as it was at boot",
                         entry_virt(place->at).addr, shared, present);
            return PAGING_STOP;
        }
    }
    if (present && !entry_is_leaf(*place->entry, place->level))
        return check_table(place, context) ? PAGING_DOWN : PAGING_STOP;
    if (present && !check_leaf(place, context))
        return PAGING_STOP;
    place->at = place->next;
    return PAGING_NEXT;
}

/* Takes the marks away again, as far as tables can be trusted. */
static enum paging_go unmark_entries(struct paging_place *place, void *context)
{
    (void)context;
    if (place->level > 1 && entry_is_present(*place->entry) && !entry_is_leaf(*place->entry, place->level) &&
        table_frame_level(entry_table(*place->entry)) == place->level - 1) {
        *paging_entries(entry_table(*place->entry)) &= ~ENTRY_MARK;
        return PAGING_DOWN;
    }
    place->at = place->level == 1 ? place->end : place->next;
    return PAGING_NEXT;
}

/* What is kept for later must be as good as fresh from table_frame_alloc. */
static bool check_clean_table(phys_t table, struct mm_violation *out)
{
    const u64 *entries = paging_entries(table);
    u64 bits = table_frame_level(table) ^ 1;

    bits |= table_frame_used(table);
    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++)
        bits |= entries[i];
    return check_equal(out, 414, "a table kept for later is not clean", table.addr, 0, bits);
}

/* The frames that paging_tables.c holds ready. */
static bool check_ready_tables(struct mm_violation *out)
{
    for (unsigned i = 0; i < mm.paging.n_substitutes; i++) {
        if (!check_clean_table(mm.paging.substitute[i], out))
            return false;
    }
    for (unsigned i = 0; i < mm.paging.n_idle; i++) {
        phys_t table = mm.paging.idle[i];
        if (!check_clean_table(table, out))
            return false;
        if (!paging_is_kept(table))
            return check_failed(out, 415, "an idle table is none of those kept", table.addr, 0, 0);
        for (unsigned k = 0; k < i; k++) {
            if (mm.paging.idle[k].addr == table.addr)
                return check_failed(out, 415, "a kept table is idle twice", table.addr, k, i);
        }
    }
    return true;
}

/* One run of the direct map: the right memory, RAM, and nothing but DMA and NORMAL. */
static bool check_direct_run(const struct paging_run *run, struct mm_violation *out)
{
    u64 start = run->start.addr - PAGE_OFFSET, end = start + run->bytes;
    struct memory_range ram;

    if (run->phys.addr != start)
        return check_failed(out, 408, "the direct map shows the wrong memory", run->start.addr, start,
                            run->phys.addr);
    if (!ram_next(start, &ram) || ram.start > start || ram.end < end)
        return check_failed(out, 408, "the direct map shows what is no RAM", run->start.addr, start, 0);
    if (mm.features.no_execute && !(run->flags & PAGE_XD))
        return check_failed(out, 410, "the direct map is executable", run->start.addr, PAGE_XD, run->flags);
    for (u64 at = align_down(start, PAGE_BYTES); at < end; at += PAGE_BYTES) {
        if (!page_is_direct(page_of(phys(at))))
            return check_failed(out, 408, "a page of UNMAPPED is mapped", PAGE_OFFSET + at, 0, at);
    }
    return true;
}

/* I409 is what finds a missing part: what is there has been found right, and is just as much. */
static bool check_direct_map(struct mm_violation *out)
{
    struct paging_run run;
    u64 bytes = 0, managed = (mm.zone[0].managed_frames + mm.zone[1].managed_frames) * FRAME_BYTES;
    virt_t from = virt(PAGE_OFFSET);

    while (paging_next_run(mm.paging.kernel_top, from, virt(DIRECT_END), &run)) {
        if (!check_direct_run(&run, out))
            return false;
        bytes += run.bytes;
        from = virt_add(run.start, run.bytes);
    }
    if (bytes != managed)
        return check_failed(out, 409, "the direct map is not as large as its zones", PAGE_OFFSET, managed,
                            bytes);
    return true;
}

/* Leaves of the image that are read-only have a read-only alias. */
static bool check_aliases(struct mm_violation *out)
{
    struct paging_run run, alias;
    virt_t end = virt(0);

    for (virt_t from = virt(MM_IMAGE_START); paging_next_run(mm.paging.kernel_top, from, end, &run);
         from = virt_add(run.start, run.bytes)) {
        virt_t at = virt(PAGE_OFFSET + run.phys.addr), alias_end = virt_add(at, run.bytes);
        if (run.flags & PAGE_R_W)
            continue; /* data: its alias may be written, too */
        for (; paging_next_run(mm.paging.kernel_top, at, alias_end, &alias);
             at = virt_add(alias.start, alias.bytes)) {
            if (alias.flags & PAGE_R_W)
                return check_failed(out, 410, "read-only memory can be written through the direct map",
                                    alias.start.addr, 0, alias.flags);
        }
    }
    return true;
}

/* Entries first: what comes later walks the tables and has to trust them. */
static bool check_locked(struct mm_violation *out)
{
    phys_t top = mm.paging.kernel_top;
    bool sound;

    if (table_frame_level(top) != ENTRY_TOP_LEVEL)
        return check_failed(out, 400, "the kernel's top level is not marked as one", top.addr,
                            ENTRY_TOP_LEVEL, table_frame_level(top));
    if (table_frame_used(top) != count_present(top))
        return check_failed(out, 402, "a table's used count is wrong", 0, count_present(top),
                            table_frame_used(top));
    sound = check_ready_tables(out) && paging_visit(top, 0, ENTRY_LINEAR_END, check_entries, out);
    paging_visit(top, 0, ENTRY_LINEAR_END, unmark_entries, NULL);
    return sound && check_direct_map(out) && check_aliases(out);
}

bool paging_check(struct mm_violation *out)
{
    ul saved = platform_lock(&mm.paging.lock);
    bool sound = check_locked(out);

    platform_unlock(&mm.paging.lock, saved);
    return sound && mmio_check(out);
}
