/* SPDX-License-Identifier: MIT */
/*
 * The mapping calls answer -EFAULT to whatever is wrong.  A person wants to know which rule was broken: the
 * checks below are made in the order in which one would explain them, and the last guess is what remains.
 */
#include <kernel/shell/mapping.h>

#include <kernel/cpu/features.h>
#include <kernel/shell/regions.h>
#include <lib/printf.h>
#include <mm/inspect.h>
#include <mm/mm.h>
#include <mm/paging.h>

#define KIND_BYTES 96

/* What is wrong with the range of virtual addresses itself; false when nothing is. */
static bool bad_range(u64 start, u64 length, char *text, size_t size)
{
    u64 last = start + length - 1;
    bool special = start >= MM_SPECIAL_START && last < MM_SPECIAL_END;
    bool user = start >= MM_USER_START && last < MM_USER_END;
    if (last < start)
        ksnprintf(text, size, "0x%lx + 0x%lx wraps around", start, length);
    else if (!region_is_canonical(start) || !region_is_canonical(last))
        ksnprintf(text, size, "0x%lx is not canonical", region_is_canonical(start) ? last : start);
    else if (start < MM_USER_START)
        ksnprintf(text, size, "page 0 is mapped nowhere");
    else if (!special && !user)
        ksnprintf(text, size, "0x%lx-0x%lx is not for callers: the lower half and 0x%lx-0x%lx are", start,
                  last, MM_SPECIAL_START, MM_SPECIAL_END - 1);
    return last < start || (!special && !user);
}

static bool bad_flags(const struct mapping_request *request, char *text, size_t size)
{
    ul flags = request->flags.flags;
    if (request->flags.user && request->virt >= MM_KERNEL_HALF)
        ksnprintf(text, size, "ring 3 gets nothing in the kernel half");
    else if (flags & PAGE_WC && flags & (PAGE_PWT | PAGE_PCD))
        ksnprintf(text, size, "wc goes with no other cache mode");
    else
        return false;
    return true;
}

static bool bad_memory(const struct mapping_request *request, char *text, size_t size)
{
    u64 start = request->phys & PAGE_4K_MASK;
    u64 last = start + (request->virt & ~PAGE_4K_MASK) + request->length - 1;
    bool cached = !(request->flags.flags & (PAGE_PWT | PAGE_PCD | PAGE_WC));
    if (last < start || last >> cpu_features.phys_bits)
        ksnprintf(text, size, "0x%lx is beyond the %u physical address bits of this CPU",
                  last < start ? start : last, cpu_features.phys_bits);
    else if (!cached && memory_map_overlaps_usable(mm_firmware_map(), start, last + 1))
        ksnprintf(text, size, "0x%lx is RAM, which is always cached write-back", start);
    else
        return false;
    return true;
}

/* Something that is mapped in the range, and not as the request wants it. */
static bool is_taken(const struct mapping_request *request, char *text, size_t size)
{
    const ul compared = PAGE_R_W | PAGE_U_S | PAGE_XD | PAGE_PWT | PAGE_PCD | PAGE_WC;
    ul wanted = request->flags.flags | (request->flags.user ? PAGE_U_S : 0);
    struct paging_run run;
    u64 start = request->virt & PAGE_4K_MASK, last = request->virt + request->length - 1;
    for (u64 from = start; paging_next_run(request->top, virt(from), virt(last + 1), &run);
         from = run.start.addr + run.bytes) {
        u64 at = (request->phys & PAGE_4K_MASK) + (run.start.addr - start);
        if (run.phys.addr == at && !((run.flags ^ wanted) & compared))
            continue;
        ksnprintf(text, size, "0x%lx is mapped already, to 0x%lx %s", run.start.addr, run.phys.addr,
                  names_mapping(run.flags).s);
        return true;
    }
    return false;
}

/* The top level is a frame that cannot be a table. */
static bool is_no_table(phys_t top, char *text, size_t size)
{
    char kind[KIND_BYTES];
    struct mm_what what;
    mm_describe_phys(top, &what);
    if (what.kind == MM_LIVE_OBJECT || what.kind == MM_TABLE || what.kind == MM_PAGE ||
        what.kind == MM_HELD_FRAME)
        return false;
    mm_describe_text(&what, kind, sizeof kind);
    ksnprintf(text, size, "0x%lx is no page table: %s", top.addr, kind);
    return true;
}

void mapping_why_not(const struct mapping_request *request, char *text, size_t size)
{
    if (bad_range(request->virt, request->length, text, size) || bad_flags(request, text, size) ||
        bad_memory(request, text, size) || is_no_table(request->top, text, size) ||
        is_taken(request, text, size))
        return;
    ksnprintf(text, size, "no memory for page tables");
}

void mapping_why_not_unmapped(u64 start, u64 length, char *text, size_t size)
{
    if (!bad_range(start, length, text, size))
        ksnprintf(text, size, "the table is none, or there is no frame to split a large page");
}
