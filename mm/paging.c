/* SPDX-License-Identifier: MIT */
/*
 * Paging: the public calls.  They look at the arguments, take the lock and call the cores of paging_map.c and
 * paging_unmap.c.
 *
 * Purpose.  Address spaces: which physical memory is seen where, with which rights and which cache mode.
 *
 * Terms.  A *top level* is a PML4.  Its 512 entries are *slots* of 512 GiB; the shared ones (the direct map,
 * SPECIAL, MMIO, mm's arrays, stacks, the image) are made at boot, once and for all, and a new address space
 * copies them. So what is mapped there later is seen in all spaces, and none goes stale.  *Callers* are users
 * of mm.h; *own* mappings are made by the kernel itself.
 *
 *     slot      0 .............. 255 | 256 ....... 320 321 | 322 323 | 352 ........ | 511
 *               private, one's own   | direct map  SPECIAL | MMIO    | mm's windows | image
 *     who       callers                            callers   mmio_map  paging_map_own
 *
 * What is refused, in this order; the first that applies decides:
 *   1. length 0 is a success, whatever the rest says
 *   2. a range that wraps, is not canonical, or is not a caller's (page 0, the kernel half outside SPECIAL)
 *   3. user access in the kernel half
 *   4. PAGE_WC together with PAGE_PWT or PAGE_PCD
 *   5. physical addresses from 2^MAXPHYADDR on
 *   6. RAM with another cache mode than write-back: two names with different modes for one line corrupt it
 *      (Intel SDM volume 3A, "Programming the PAT")
 *   7. a top level that is no frame which a caller holds, or whose copy of a shared slot is not the kernel's
 *   8. below it, a frame that is not marked as a table; something else mapped in the range
 *   9. no memory for tables
 *
 * Cost.  About 130 instructions before the first table is met.  64 KiB where nothing is: 480 to map, 500 to
 * unmap, sixteen INVLPG among them.
 *
 * Invariants.  I1-I3 in paging_map.c, I4-I6 in paging_unmap.c; paging_check.c numbers what can be checked.
 *
 * Locking.  mm.paging.lock covers all tables of all address spaces: calls that map are rare and short, and
 * the shared half belongs to everybody anyway.  Lock order: mm.mmio.lock, mm.paging.lock, then those of the
 * frame allocator, then mm.paging.direct_lock: the direct map's entries are changed by the frame allocator
 * (paging_direct_map_page).
 *
 * Limits.  Four levels; 48-bit addresses.  A private table belongs to one top level: nothing counts who else
 * points to it.
 */
#include <mm/misuse.h>
#include <mm/paging_core.h>
#include <mm/top.h>

/* A caller's range as whole frames.  False: it wraps, or callers have no business there. */
static inline bool range_frames(ul start, ul length, u64 *first, u64 *end)
{
    ul last = start + (length - 1);

    if (last < start)
        return false;
    if (start >= MM_USER_START && last < MM_USER_END) {
        *first = start & PAGE_4K_MASK;
        *end = PAGE_4K_ALIGN(last + 1);
        return true;
    }
    if (start < MM_SPECIAL_START || last >= MM_SPECIAL_END)
        return false;
    *first = entry_linear(virt(start)) & PAGE_4K_MASK;
    *end = PAGE_4K_ALIGN(entry_linear(virt(last)) + 1);
    return true;
}

/*
 * As many pages are looked up in the page array: 8 instructions each; asking the firmware's map takes 300 to
 * 500.
 */
#define LOOKUP_BYTES (32 * PAGE_BYTES)

/*
 * Is any byte of [start, end), which begins below RAM's end, RAM?  A run that ram_next cuts at `start`
 * begins there.
 */
static NOINLINE bool finds_ram(u64 start, u64 end)
{
    bool may_be = end - start > LOOKUP_BYTES;
    struct memory_range run;

    for (u64 at = align_down(start, PAGE_BYTES); at < end && !may_be; at += PAGE_BYTES)
        may_be = page_exists(phys(at));
    return may_be && ram_next(start, &run) && run.start < end;
}

/* Devices mostly lie above all RAM. */
static inline bool touches_ram(u64 start, u64 end)
{
    return start < mm.ram_end && finds_ram(start, end);
}

/* What the CPU can do with these flags and this physical memory (rules 4 to 6), written into the request. */
static inline bool request_finish(struct paging_request *request, u64 phys_start, ul flags, bool use4k,
                                  bool callers)
{
    const ul cache = PAGE_PWT | PAGE_PCD | PAGE_WC;
    u64 bytes = request->end - request->start;

    if ((flags & PAGE_WC) && (flags & (PAGE_PWT | PAGE_PCD)))
        return false;
    request->phys = phys_start & PAGE_4K_MASK;
    if (request->phys >= mm.paging.phys_limit || bytes > mm.paging.phys_limit - request->phys)
        return false;
    if ((flags & cache) && touches_ram(request->phys, request->phys + bytes))
        return false;
    request->flags = paging_usable_flags(flags);
    request->callers = callers;
    request->largest = paging_largest_leaf(request->start, request->phys, use4k);
    return true;
}

/* Rules 2 to 6 for callers. */
static bool request_make(struct paging_request *request, ul start, ul length, ul phys_start, ul flags,
                         bool use4k)
{
    if (!range_frames(start, length, &request->start, &request->end))
        return false;
    bool kernel_half = start >= MM_KERNEL_HALF;
    if (kernel_half && (flags & PAGE_U_S))
        return false;
    return request_finish(request, phys_start, kernel_half ? flags : flags & ~PAGE_GLOBAL, use4k, true);
}

/* The physical address of a top level as callers give it; PHYS_NONE if it cannot be one. */
static phys_t top_phys(ul table, bool is_phys)
{
    if (is_phys)
        return phys(table);
    return table - PAGE_OFFSET < MM_RAM_LIMIT ? phys(table - PAGE_OFFSET) : PHYS_NONE;
}

/* Can this frame be a top level?  Tables of the levels below cannot. */
static bool top_is_sound(phys_t top)
{
    return top_may_be(top) && table_frame_level(top) == 0;
}

/* Does `top` hold the kernel's entries of the shared slots that a range touches? */
static bool top_shares_range(phys_t top, u64 start, u64 end)
{
    const u64 *own = paging_entries(mm.paging.kernel_top), *entries = paging_entries(top);
    unsigned last = entry_index(end - 1, ENTRY_TOP_LEVEL);

    for (unsigned slot = entry_index(start, ENTRY_TOP_LEVEL); slot <= last; slot++) {
        if ((own[slot] ^ entries[slot]) & ENTRY_MEANING)
            return false;
    }
    return true;
}

/*
 * Rule 7: the table to work on.  In the kernel half that is always the kernel's own, which the given one must
 * agree with.  PHYS_NONE: the given one is none.
 */
static phys_t other_top_for_range(phys_t top, u64 start, u64 end)
{
    if (phys_is_none(top) || !top_is_sound(top))
        return PHYS_NONE;
    if (!paging_slot_is_shared(start) || entry_virt(start).addr < MM_KERNEL_HALF)
        return top;
    return top_shares_range(top, start, end) ? mm.paging.kernel_top : PHYS_NONE;
}

static inline phys_t top_for_range(phys_t top, u64 start, u64 end)
{
    return top.addr == mm.paging.kernel_top.addr ? top : other_top_for_range(top, start, end);
}

/*
 * Rules 7 to 9: the core, with the lock held around it.  Spares that an earlier unmap could not replace
 * are made up for here, when memory has come back.
 */
static inline int map_locked(phys_t given, const struct paging_request *request)
{
    ul saved = platform_lock(&mm.paging.lock);
    phys_t top = top_for_range(given, request->start, request->end);
    int result = phys_is_none(top) ? -EFAULT : paging_map(top, request);

    if (result == 0)
        paging_fill_spares();
    platform_unlock(&mm.paging.lock, saved);
    return result;
}

/* All rules, for callers. */
static int map_range(phys_t top, ul start, ul phys_start, ul length, ul flags, bool use4k)
{
    struct paging_request request;

    if (!request_make(&request, start, length, phys_start, flags, use4k))
        return -EFAULT;
    int result = map_locked(top, &request);
    if (result == 0 && top.addr != mm.paging.kernel_top.addr)
        top_note(top);
    return result;
}

/* What is not longer than mm.paging.odd_length: nothing, or in the debug mode all, for its trace.  Calls jump here, so whom
 * this returns to is who called. */
static NOINLINE int map_odd_range(phys_t top, ul start, ul phys_start, ul length, ul flags, bool use4k)
{
    if (length == 0)
        return 0;
    int result = map_range(top, start, phys_start, length, flags, use4k);
    debug_note_refused(MM_EVENT_MAP, start, length, result == 0 ? NULL : "-EFAULT", DEBUG_HERE);
    return result;
}

/* `flush` is of no use: entries only go from absent to present, and absent ones are never cached. */
int mm_map_proc_page_table(ul proc_page_table_addr, bool is_phys, ul virt_addr_start, ul phys_addr_start,
                           ul length, ul flags, bool user, bool flush, bool use4k)
{
    phys_t top = top_phys(proc_page_table_addr, is_phys);

    (void)flush;
    flags = user ? flags | PAGE_U_S : flags;
    if (UNLIKELY(length <= mm.paging.odd_length))
        return map_odd_range(top, virt_addr_start, phys_addr_start, length, flags, use4k);
    return map_range(top, virt_addr_start, phys_addr_start, length, flags, use4k);
}

int mm_map_phys_addr(ul virt_addr_start, ul phys_addr_start, ul length, ul flags, bool use4k)
{
    if (UNLIKELY(length <= mm.paging.odd_length))
        return map_odd_range(phys((ul)get_CR3()), virt_addr_start, phys_addr_start, length, flags, use4k);
    return map_range(phys((ul)get_CR3()), virt_addr_start, phys_addr_start, length, flags, use4k);
}

/* Rule 2 broken by an unmap: tells what the first address is that callers may not use. */
static int report_bad_range(const char *call, ul start, ul length)
{
    bool start_is_good = (start >= MM_USER_START && start < MM_USER_END) ||
                         (start >= MM_SPECIAL_START && start < MM_SPECIAL_END);

    return misuse_virt(call, virt(start_is_good ? start + length - 1 : start));
}

/* mm_unmap_range under the name by which it was called. */
static int unmap_as(ul table, bool is_phys, ul start, ul length, const char *call)
{
    u64 first, end;
    phys_t bad_table = PHYS_NONE;

    if (!range_frames(start, length, &first, &end))
        return report_bad_range(call, start, length);
    phys_t given = top_phys(table, is_phys);
    ul saved = platform_lock(&mm.paging.lock);
    phys_t top = top_for_range(given, first, end);
    int result = phys_is_none(top) ? -EFAULT : paging_unmap(top, first, end, &bad_table);
    platform_unlock(&mm.paging.lock, saved);
    if (result == 0)
        return 0;
    if (phys_is_none(top))
        return is_phys ? misuse_phys(call, phys(table)) : misuse_virt(call, virt(table));
    if (!phys_is_none(bad_table))
        return misuse_phys(call, bad_table);
    return result;
}

/* As map_odd_range. */
static NOINLINE int unmap_odd(ul table, bool is_phys, ul start, ul length, const char *call)
{
    if (length == 0)
        return 0;
    int result = unmap_as(table, is_phys, start, length, call);
    debug_note_refused(MM_EVENT_UNMAP, start, length, result == 0 ? NULL : "-EFAULT", DEBUG_HERE);
    return result;
}

/* mm_unmap_addr, too, ends in one of the next two; the report names the call. */
int mm_unmap_range(ul proc_page_table_addr, bool is_phys, ul virt_addr_start, ul length)
{
    if (UNLIKELY(length <= mm.paging.odd_length))
        return unmap_odd(proc_page_table_addr, is_phys, virt_addr_start, length, "mm_unmap_range");
    return unmap_as(proc_page_table_addr, is_phys, virt_addr_start, length, "mm_unmap_range");
}

void mm_unmap_proc_table(ul proc_page_table_addr, bool is_phys, ul virt_addr_start, ul length)
{
    if (UNLIKELY(length <= mm.paging.odd_length))
        (void)unmap_odd(proc_page_table_addr, is_phys, virt_addr_start, length, "mm_unmap_proc_table");
    else
        (void)unmap_as(proc_page_table_addr, is_phys, virt_addr_start, length, "mm_unmap_proc_table");
}

/* An own range as whole frames: anywhere in shared slots. */
static bool own_frames(virt_t start, u64 bytes, u64 *first, u64 *end)
{
    u64 linear = entry_linear(start);

    if (bytes == 0 || !entry_is_canonical(start.addr) || bytes > ENTRY_LINEAR_END - linear)
        return false;
    *first = linear & PAGE_4K_MASK;
    *end = PAGE_4K_ALIGN(linear + bytes);
    for (u64 at = *first; at < *end;
         at = align_down(at, entry_bytes(ENTRY_TOP_LEVEL)) + entry_bytes(ENTRY_TOP_LEVEL)) {
        if (!paging_slot_is_shared(at))
            return false;
    }
    return true;
}

/* Own mappings are global: they are the same in every address space. */
int paging_map_own(virt_t start, phys_t at, u64 bytes, ul flags, bool use4k)
{
    struct paging_request request;

    if (!own_frames(start, bytes, &request.start, &request.end) || (flags & PAGE_U_S))
        return -EFAULT;
    if (!request_finish(&request, at.addr, flags | PAGE_GLOBAL, use4k, false))
        return -EFAULT;
    return map_locked(mm.paging.kernel_top, &request);
}

/*
 * The own tables are paging's: a frame that is no table in their place is found by paging_check, not
 * reported here.
 */
int paging_unmap_own(virt_t start, u64 bytes)
{
    u64 first, end;
    phys_t bad_table;

    if (!own_frames(start, bytes, &first, &end))
        return -EFAULT;
    ul saved = platform_lock(&mm.paging.lock);
    int result = paging_unmap(mm.paging.kernel_top, first, end, &bad_table);
    platform_unlock(&mm.paging.lock, saved);
    return result;
}

phys_t paging_kernel_top(void)
{
    return mm.paging.kernel_top;
}

/* Noted first: from the moment that it is loaded it must not be freed. */
void paging_load(phys_t top)
{
    if (top.addr != mm.paging.kernel_top.addr && top_may_be(top))
        top_note(top);
    platform_load_table(top);
}

/*
 * May be called from inside an allocation, which may be one for a table, with the lock held already.  Whoever
 * holds it fills the spares himself on his way out.
 */
void paging_shrink(void)
{
    if (__atomic_load_n(&mm.paging.lock.taken, __ATOMIC_RELAXED) != 0)
        return;
    ul saved = platform_lock(&mm.paging.lock);
    paging_fill_spares();
    platform_unlock(&mm.paging.lock, saved);
}
