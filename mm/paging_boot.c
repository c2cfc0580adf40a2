/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own tables, built once, and the direct map.
 *
 * Purpose.  boot/ leaves tables behind that map too much with too many rights.  paging_start builds the final
 * ones with the ordinary map core, out of early frames, and loads them; with that the identity map is gone.
 *
 *     slot       PAGE_OFFSET..          SPECIAL  MMIO     arrays, stacks, peek    image
 *     level 3    PDPTs, all from boot   2        2        1                       1
 *     level 2    PDs for all RAM        later    later    later         peek's    PDs
 *     level 1    at ragged edges only   later    later    later         peek's    PTs, 4 KiB leaves, W^X
 *
 * Direct map.  RAM of [0, direct_end), run by run, so that no leaf reaches over a hole.  The map core takes
 * the largest leaves: 1 GiB (where the CPU has them) for what is RAM throughout and below direct_end, and
 * that part of the direct map never changes; a GiB with UNMAPPED memory in it gets a page directory, so that
 * pages of 2 MiB come and go without a frame and without a split.  Everything is no-execute; where a segment
 * of the image is read-only, its alias is, too: 4 KiB leaves there.
 *
 * Cost.  A PDPT for 512 GiB, a PD for each GiB that is not one leaf: 4 KiB of tables for 1 GiB of RAM, 0.0004
 * %.  At 64 GiB 48 leaves of 1 GiB, or 24576 of 2 MiB at 2.2 instructions; clearing and counting 70 tables is
 * 70 * 1500.
 *
 * Invariants.
 *   I7  A shared slot is present from here on, and its entry never changes.
 *   I8  The direct map is exactly the RAM of DMA and NORMAL; each page of UNMAPPED that is RAM throughout has
 *       its place in a page directory.
 *   I9  MM_PEEK's entry is always present, so that its tables are never empty.
 *
 * Locking.  paging_start and paging_adopt_tables run alone.  Pages come and go under mm.paging.direct_lock,
 * inside which nothing else is taken: the frame allocator grows while paging asks it for a table, with
 * mm.paging.lock held.
 *
 * Order.  The tables are complete before they are loaded; until then boot's map shows the early frames.  From
 * the load on, only what this file mapped can be reached: the stack, the image and the firmware's map must be
 * in it or in RAM below direct_end.  The page array is mapped next, by its owner, and only when that stands
 * can tables be marked.
 *
 * Limits.  A read-only segment must not lie in UNMAPPED memory (growing would map it writable): images lie
 * low.
 */
#include <mm/paging_core.h>

#define DIRECT_FLAGS (PAGE_XD | PAGE_GLOBAL)

/* Where the direct map shows a physical address. */
static u64 direct_linear(u64 at)
{
    return entry_linear(virt(PAGE_OFFSET + at));
}

/* The visitor of make_tables; the context is the level to stop at. */
static enum paging_go make_entries(struct paging_place *place, void *context)
{
    const unsigned *lowest = context;

    if (place->level == *lowest ||
        (entry_is_present(*place->entry) && entry_is_leaf(*place->entry, place->level))) {
        place->at = place->level == *lowest ? place->end : place->next;
        return PAGING_NEXT;
    }
    if (!entry_is_present(*place->entry)) {
        phys_t table = table_frame_alloc(place->level - 1);
        if (phys_is_none(table))
            return PAGING_STOP;
        *place->entry = entry_to_table(table, false);
    }
    return PAGING_DOWN;
}

/*
 * Makes the tables of the kernel's top level down to `level` for a range; no leaves.  False: out of memory.
 */
static bool make_tables(u64 start, u64 end, unsigned level)
{
    return paging_visit(mm.paging.kernel_top, start, end, make_entries, &level);
}

/* Makes the slots that [start, start + bytes) touches shared ones. */
static bool share_slots(u64 start, u64 bytes)
{
    u64 linear = entry_linear(virt(start));
    unsigned last = entry_index(linear + bytes - 1, ENTRY_TOP_LEVEL);

    for (unsigned slot = entry_index(linear, ENTRY_TOP_LEVEL); slot <= last; slot++)
        mm.paging.shared_slots[slot / 64] |= 1UL << (slot % 64);
    return make_tables(linear, linear + bytes, ENTRY_TOP_LEVEL - 1);
}

/*
 * The kernel half as mm/layout.h has it, and the platform's own windows.  The two arrays and the stacks are one
 * slot in the kernel, not in a process.
 */
static bool share_all_slots(const struct mm_boot *boot)
{
    for (u32 i = 0; i < boot->n_windows; i++)
        if (!share_slots(boot->windows[i].start, boot->windows[i].bytes))
            return false;
    return share_slots(PAGE_OFFSET, mm.ram_end) &&
           share_slots(MM_SPECIAL_START, MM_SPECIAL_END - MM_SPECIAL_START) &&
           share_slots(MM_MMIO_START, MM_MMIO_END - MM_MMIO_START) && share_slots(MM_PAGE_ARRAY, 1) &&
           share_slots(MM_HELD_ARRAY, 1) && share_slots(MM_STACKS_START, MM_STACKS_END - MM_STACKS_START) &&
           share_slots(MM_PEEK, FRAME_BYTES) && share_slots(MM_IMAGE_START, 0 - MM_IMAGE_START);
}

/* Maps with the ordinary core, before there is a lock to hold or anybody to hold it against. */
static bool map_early(u64 start, u64 at, u64 bytes, ul flags, bool use4k)
{
    struct paging_request request = {
        .start = start,
        .end = start + bytes,
        .phys = at,
        .flags = paging_usable_flags(flags),
        .largest = paging_largest_leaf(start, at, use4k),
    };

    return paging_map(mm.paging.kernel_top, &request) == 0;
}

/* 4 KiB leaves throughout: segments begin and end anywhere, and guard pages may be cut out later. */
static bool map_image(const struct mm_boot *boot)
{
    for (u32 i = 0; i < boot->n_segments; i++) {
        const struct mm_segment *segment = &boot->segments[i];
        if (!map_early(entry_linear(virt(segment->virt)), segment->phys, segment->bytes,
                       segment->flags | PAGE_GLOBAL, true))
            return false;
    }
    return true;
}

/* Where the part of the direct map from `start` on ends that has the same rights, at most `end`; and those.
 */
static u64 direct_part(const struct mm_boot *boot, u64 start, u64 end, ul *flags)
{
    /* The nearest border above `start` of any read-only segment; inside one, its own end. */
    *flags = DIRECT_FLAGS | PAGE_R_W;
    for (u32 i = 0; i < boot->n_segments; i++) {
        const struct mm_segment *segment = &boot->segments[i];
        u64 segment_end = segment->phys + segment->bytes;
        if ((segment->flags & PAGE_R_W) || segment_end <= start || segment->phys >= end)
            continue;
        if (segment->phys > start) {
            end = segment->phys;
        } else {
            *flags = DIRECT_FLAGS;
            end = min_u64(end, segment_end);
        }
    }
    return end;
}

/* Maps a run of RAM; [start, end) lies below direct_end. */
static bool map_direct(const struct mm_boot *boot, u64 start, u64 end)
{
    while (start < end) {
        ul flags;
        u64 part_end = direct_part(boot, start, end, &flags);
        if (!map_early(direct_linear(start), start, part_end - start, flags, false))
            return false;
        start = part_end;
    }
    return true;
}

/* The direct map up to direct_end; beyond it only the directories that growing will use. */
static bool map_all_direct(const struct mm_boot *boot)
{
    struct memory_range run;

    for (u64 from = 0; ram_next(from, &run); from = run.end) {
        u64 border = max_u64(run.start, min_u64(run.end, mm.direct_end));
        if (!map_direct(boot, run.start, border))
            return false;
        if (border < run.end && !make_tables(direct_linear(border), direct_linear(run.end), 2))
            return false;
    }
    return true;
}

/* What find_place looks for, and finds. */
struct entry_search {
    unsigned level;
    struct paging_place found;
};

/* Goes down to the level asked for, and stops there, or where there is no way down. */
static enum paging_go search_entries(struct paging_place *place, void *context)
{
    struct entry_search *search = context;

    if (place->level > search->level && entry_is_present(*place->entry) &&
        !entry_is_leaf(*place->entry, place->level))
        return PAGING_DOWN;
    search->found = *place;
    return PAGING_STOP;
}

/* The place of `level` that translates a linear address in the kernel's tables.  It must be there. */
static struct paging_place find_place(u64 linear, unsigned level)
{
    struct entry_search search = {.level = level};

    paging_visit(mm.paging.kernel_top, linear, linear + 1, search_entries, &search);
    if (search.found.level != level)
        platform_report(MM_BROKEN, "mm: paging: no table of level %u for 0x%lx", level,
                        entry_virt(linear).addr);
    return search.found;
}

/* Shows the kernel's own top level at first, read-only. */
static bool map_peek(void)
{
    u64 linear = entry_linear(virt(MM_PEEK));

    if (!map_early(linear, mm.paging.kernel_top.addr, FRAME_BYTES, DIRECT_FLAGS, true))
        return false;
    mm.paging.peek_entry = find_place(linear, 1).entry;
    return true;
}

/* What is taken here is never given back, so a failure needs no undoing: mm does not start. */
const char *paging_start(const struct mm_boot *boot)
{
    mm.paging.phys_limit = 1UL << mm.features.phys_bits;
    mm.paging.largest_leaf_level = mm.features.gigabyte_pages ? 3 : 2;
    mm.paging.kernel_top = table_frame_alloc(ENTRY_TOP_LEVEL);
    if (phys_is_none(mm.paging.kernel_top))
        return "no memory for page tables";
    /* Slots first: everything else hangs below them. */
    if (!share_all_slots(boot) || !map_image(boot) || !map_all_direct(boot) || !map_peek())
        return "no memory for page tables";
    platform_load_table(mm.paging.kernel_top);
    return NULL;
}

/* Counts what the map core could not count, because there was nowhere to keep it. */
static bool adopt_table(phys_t table, unsigned level)
{
    const u64 *entries = paging_entries(table);
    unsigned n_used = 0;

    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++)
        n_used += entry_is_present(entries[i]);
    return table_frame_adopt(table, level, n_used);
}

/* A table is marked before it is visited.  Page tables have nothing below, so they are not visited. */
static enum paging_go adopt_entries(struct paging_place *place, void *context)
{
    (void)context;
    if (paging_skip_absent(place) > 0)
        return PAGING_NEXT;
    if (!entry_is_leaf(*place->entry, place->level)) {
        if (!adopt_table(entry_table(*place->entry), place->level - 1))
            return PAGING_STOP;
        if (place->level > 2)
            return PAGING_DOWN;
    }
    place->at = place->next;
    return PAGING_NEXT;
}

/* From here on tables are marked and counted as they come and go, and twelve frames are kept. */
bool paging_adopt_tables(void)
{
    if (!adopt_table(mm.paging.kernel_top, ENTRY_TOP_LEVEL))
        return false;
    if (!paging_visit(mm.paging.kernel_top, 0, ENTRY_LINEAR_END, adopt_entries, NULL))
        return false;
    mm.paging.adopted = true;
    return paging_keep_frames();
}

/* Writes the entry of a page in the direct map, which makes `change` entries more present. */
static void set_direct_entry(phys_t page, u64 entry, int change)
{
    ul saved = platform_lock(&mm.paging.direct_lock);
    struct paging_place place = find_place(direct_linear(page.addr), 2);

    *place.entry = entry;
    paging_count(paging_counter(place.table, place.level), change);
    platform_unlock(&mm.paging.direct_lock, saved);
}

/* An absent entry becomes present: nothing to flush. */
void paging_direct_map_page(phys_t page)
{
    set_direct_entry(page, page.addr | entry_leaf_bits(paging_usable_flags(DIRECT_FLAGS | PAGE_R_W), 2), 1);
}

/* After the flush no CPU reaches the page; only then does the caller hand it on. */
void paging_direct_unmap_page(phys_t page)
{
    set_direct_entry(page, 0, -1);
    platform_flush(virt(PAGE_OFFSET + page.addr), PAGE_BYTES);
}

/* What is no RAM is shown uncached: reading it ahead, or twice, might do something. */
void *paging_peek(phys_t frame, bool writable)
{
    struct memory_range run;
    bool is_ram = ram_next(frame.addr, &run) && run.start <= frame.addr;
    ul flags = DIRECT_FLAGS | (writable ? PAGE_R_W : 0) | (is_ram ? 0 : PAGE_PCD | PAGE_PWT);

    if (frame.addr >= mm.paging.phys_limit)
        return NULL;
    *mm.paging.peek_entry = (frame.addr & PAGE_4K_MASK) | entry_leaf_bits(paging_usable_flags(flags), 1);
    platform_flush(virt(MM_PEEK), FRAME_BYTES);
    return (void *)MM_PEEK;
}
