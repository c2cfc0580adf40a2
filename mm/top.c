/* SPDX-License-Identifier: MIT */
/*
 * Top-level tables in use.
 *
 * Purpose.  Callers make top-level tables in memory of their own: in an object, a page, a frame, or somewhere inside of one.
 * Such memory must not be freed, and in the debug mode filled, as long as a CPU has the table loaded.
 *
 * How it is found out.  What this CPU has loaded it reads itself.  Another one writes into loaded_top of its caches what it has,
 * when it serves a flush; so it is asked for one, of a frame, which does no harm.  That costs an interrupt on each CPU, so
 * the memory is looked at before: a CPU that has a table loaded runs the kernel by it, and so the table has the kernel's entry
 * for its image (slot 511, which all spaces copy, see paging.c).  Memory without that entry is no top level that is loaded.
 *
 * Who asks: kfree and the debug mode.  free_pages looks at its own CPU alone, frame_free not at all.
 *
 * Limit.  The answer is of then: who loads a table and has it freed at the same time gets what he asked for.
 */
#include <lib/compiler.h>
#include <mm/cpu.h>
#include <mm/inspect.h>
#include <mm/paging_core.h>
#include <mm/top.h>

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
