/* SPDX-License-Identifier: MIT */
/*
 * The MMIO window: addresses for device memory and firmware tables.
 *
 * Purpose.  A driver knows where its registers are in physical memory and does not care where it sees them.
 *
 * Terms.  A *busy* range is a mapping with its guard page: 4 KiB behind it that are never mapped, so that
 * running off the end faults.  A *hole* is what lies between busy ranges.
 *
 *     MM_MMIO_START                                                            MM_MMIO_END
 *     [ map 1 |g]      hole      [ map 2     |g][ map 3 |g]       hole ...     )
 *     `- list: start, end, pointer ---> start, end, pointer ---> ...           in address order
 *
 * Algorithm.  First fit over the sorted list.  The place in a hole is chosen so that it lies to its alignment
 * as the physical address does (1 GiB, 2 MiB or 4 KiB, as the length has it), so that large leaves fit: a
 * framebuffer takes a handful of 2 MiB leaves.  RAM is mapped write-back whatever is asked, piece by piece: a
 * second name with another cache mode would corrupt it, and firmware tables may lie in RAM or beside it.
 *
 *
 * Why a list.  A tree would pay from some hundred ranges on.  Device memory is mapped once, by drivers, at
 * the start; ACPI tables are mapped, read and unmapped one after the other, and reuse one hole near the
 * front.  A terabyte of window is so much more than devices have that fragments do not matter, and first fit
 * keeps tables few by keeping ranges together.
 *
 * Cost.  Linear in busy ranges, of which a kernel has a few dozen; then that of mapping.  A range takes 32
 * bytes and its share of page tables; 4 KiB of address space for the guard.
 *
 * Invariants.
 *   I420  Busy ranges are in address order, do not overlap, lie in the window and are n_ranges in number.
 *   I421  All of a busy range but its last 4 KiB is mapped, and nothing else in the window.
 *
 * Limits.  A range is unmapped as it was mapped: whole, and by the pointer that was given out.  Two mappings
 * of one device may have different cache modes, which is the drivers' affair.
 *
 * Locking.  mm.mmio.lock over the list; it comes before mm.paging.lock and kmalloc's locks.
 */
#include <lib/bits.h>
#include <mm/check.h>
#include <mm/mmio.h>
#include <mm/paging.h>
#include <mm/state.h>

#define GUARD_BYTES FRAME_BYTES

/* The largest alignment that pays for a mapping of this length. */
static u64 alignment_for(u64 bytes)
{
    if (bytes >= PAGE_1G_SIZE)
        return PAGE_1G_SIZE;
    return bytes >= PAGE_2M_SIZE ? PAGE_2M_SIZE : FRAME_BYTES;
}

/* The lowest address from `from` on that lies to `alignment` as `at` does. */
static u64 align_like(u64 from, u64 at, u64 alignment)
{
    return from + ((at - from) & (alignment - 1));
}

/*
 * Finds room for bytes (guard included) and returns the link at which its range belongs; NULL when the window
 * is full. *start is where it begins.
 */
static struct mmio_range **find_hole(u64 at, u64 bytes, u64 alignment, u64 *start)
{
    struct mmio_range **link = &mm.mmio.first;
    u64 from = MM_MMIO_START;

    for (;;) {
        u64 hole_end = *link != NULL ? (*link)->start : MM_MMIO_END;
        *start = align_like(from, at, alignment);
        if (*start <= hole_end && bytes <= hole_end - *start)
            return link;
        if (*link == NULL)
            return NULL; /* that was the hole behind the last range */
        from = (*link)->end;
        link = &(*link)->next;
    }
}

/* Uncached means strong UC, which no MTRR weakens. */
static ul cache_flags(enum mmio_cache cache)
{
    switch (cache) {
    case MMIO_WRITE_BACK:
        return 0;
    case MMIO_WRITE_COMBINING:
        return PAGE_WC;
    default:
        return PAGE_PCD | PAGE_PWT;
    }
}

/* The end of the part of [at, end) that is RAM throughout, or no RAM throughout. */
static u64 part_end(u64 at, u64 end, bool *is_ram)
{
    struct memory_range run;

    *is_ram = false;
    if (!ram_next(at, &run) || run.start >= end)
        return end; /* the usual case: a device */
    *is_ram = run.start <= at;
    return *is_ram ? min_u64(run.end, end) : run.start;
}

/* Maps whole frames, RAM write-back and the rest as asked.  False: nothing is mapped. */
static bool map_parts(u64 start, u64 at, u64 bytes, enum mmio_cache cache)
{
    u64 done = 0;

    while (done < bytes) {
        bool is_ram;
        u64 next = part_end(at + done, at + bytes, &is_ram) - at;
        ul flags = PAGE_R_W | PAGE_XD | cache_flags(is_ram ? MMIO_WRITE_BACK : cache);
        if (paging_map_own(virt(start + done), phys(at + done), next - done, flags, false) != 0)
            break;
        done = next;
    }
    if (done == bytes)
        return true;
    if (done > 0 && paging_unmap_own(virt(start), done) != 0)
        platform_report(MM_BROKEN, "mm: mmio: 0x%lx cannot be unmapped", start);
    return false;
}

/* With the lock: finds a place, maps, and fills `range`, which has no pointer if that failed. */
static void map_into(struct mmio_range *range, phys_t at, u64 bytes, enum mmio_cache cache)
{
    u64 first = at.addr & PAGE_4K_MASK, offset = at.addr - first;
    u64 mapped_bytes = PAGE_4K_ALIGN(offset + bytes), start;
    struct mmio_range **link =
        find_hole(first, mapped_bytes + GUARD_BYTES, alignment_for(mapped_bytes), &start);

    range->pointer = NULL;
    if (link == NULL || !map_parts(start, first, mapped_bytes, cache))
        return;
    range->start = start;
    range->end = start + mapped_bytes + GUARD_BYTES;
    range->pointer = (const void *)(start + offset);
    range->next = *link;
    *link = range;
    mm.mmio.n_ranges++;
}

/* The list's node is allocated first, outside the lock: so nothing has to be undone when that fails. */
void *mmio_map(phys_t at, u64 bytes, enum mmio_cache cache)
{
    struct mmio_range *range;
    void *pointer;

    if (bytes == 0 || bytes > MM_MMIO_END - MM_MMIO_START || at.addr >= mm.paging.phys_limit)
        return NULL;
    range = kmalloc(sizeof(*range), 0);
    if (range == NULL)
        return NULL;
    ul saved = platform_lock(&mm.mmio.lock);
    map_into(range, at, bytes, cache);
    pointer = (void *)range->pointer;
    platform_unlock(&mm.mmio.lock, saved);
    if (pointer == NULL)
        kfree(range);
    return pointer;
}

/* With the lock: takes the range of this pointer out of the list; NULL when there is none. */
static struct mmio_range *take_range(const void *pointer)
{
    struct mmio_range **link = &mm.mmio.first, *range;

    while (*link != NULL && (*link)->pointer != pointer)
        link = &(*link)->next;
    range = *link;
    if (range != NULL) {
        *link = range->next;
        mm.mmio.n_ranges--;
    }
    return range;
}

/* Leaves lie wholly inside the range, so nothing has to be split, and unmapping cannot fail. */
bool mmio_unmap(const void *pointer)
{
    struct mmio_range *range;

    if (pointer == NULL)
        return false;
    ul saved = platform_lock(&mm.mmio.lock);
    range = take_range(pointer);
    if (range != NULL && paging_unmap_own(virt(range->start), range->end - GUARD_BYTES - range->start) != 0)
        platform_report(MM_BROKEN, "mm: mmio: 0x%lx cannot be unmapped", range->start);
    platform_unlock(&mm.mmio.lock, saved);
    if (range == NULL)
        return false;
    kfree(range);
    return true;
}

/* Is [start, end) mapped throughout? */
static bool is_mapped(u64 start, u64 end)
{
    struct paging_run run;

    while (start < end) {
        if (!paging_next_run(mm.paging.kernel_top, virt(start), virt(end), &run) || run.start.addr != start)
            return false;
        start += run.bytes;
    }
    return true;
}

/* Is nothing of [start, end) mapped? */
static bool is_empty(u64 start, u64 end)
{
    struct paging_run run;

    return start >= end || !paging_next_run(mm.paging.kernel_top, virt(start), virt(end), &run);
}

/* `from` is where the range before ended. */
static bool check_range(const struct mmio_range *range, u64 from, struct mm_violation *out)
{
    u64 guard = range->end - GUARD_BYTES;

    if (range->start < from || guard <= range->start || range->end > MM_MMIO_END)
        return check_failed(out, 420, "busy MMIO ranges are out of order", range->start, from, range->end);
    if (!is_empty(from, range->start) || !is_mapped(range->start, guard) || !is_empty(guard, range->end))
        return check_failed(out, 421, "an MMIO range is not mapped as it is listed", range->start, 0, 0);
    return true;
}

static bool check_locked(struct mm_violation *out)
{
    u64 from = MM_MMIO_START, n_ranges = 0;

    for (const struct mmio_range *range = mm.mmio.first; range != NULL; range = range->next) {
        if (!check_range(range, from, out))
            return false;
        from = range->end;
        n_ranges++;
    }
    if (!is_empty(from, MM_MMIO_END))
        return check_failed(out, 421, "something is mapped behind the last MMIO range", from, 0, 0);
    return check_equal(out, 420, "MMIO ranges are miscounted", 0, mm.mmio.n_ranges, n_ranges);
}

bool mmio_check(struct mm_violation *out)
{
    ul saved = platform_lock(&mm.mmio.lock);
    bool sound = check_locked(out);

    platform_unlock(&mm.mmio.lock, saved);
    return sound;
}
