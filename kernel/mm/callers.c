/* SPDX-License-Identifier: MIT */
/*
 * Who called mm: for the debug mode, so at every allocation, and therefore by frame pointers alone.
 *
 *      frame ──► saved rbp of the caller ──► saved rbp of its caller ──► ... 0
 *                return address               return address
 *
 * A frame pointer is believed when it lies above the last one on the same stack, and the word above it leads
 * to the kernel's instructions.  Fast paths keep none, so they do not show; they jump to where the hooks are.  Where the compiler
 * makes no such jumps (the sanitizers, coverage) they call, and keep a frame pointer: then they are passed over here.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/debug/symbols.h>
#include <kernel/mm/memory.h>
#include <kernel/time/time.h>
#include <mm/debug.h>

void memory_where(struct mm_moment *moment, const void *frame)
{
    struct stack_bounds stack = cpu_stack_of((u64)frame);
    const u64 *at = frame;

    moment->time_ms = (u32)time_ms();
    moment->cpu = (u16)cpu_this()->number;
    unsigned i = memory_is_fast_path(moment->caller[0]) ? 0 : 1;

    while (i < MM_DEBUG_CALLERS) {
        u64 next = at[0];

        if (next <= (u64)at || next % sizeof(u64) != 0 || next + 2 * sizeof(u64) > stack.top)
            return;
        at = (const u64 *)next;
        if (!symbol_is_text(at[1]))
            return;
        moment->caller[i] = at[1];
        i += memory_is_fast_path(at[1]) ? 0 : 1;
    }
}
