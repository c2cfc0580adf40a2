/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks in a window of their own, with an unmapped page on both sides: an overflow is a page fault on the page
 * fault's own stack, with the address to tell, instead of silent damage.
 *
 *      MM_STACKS_START  [ guard ][ stack .... ][ guard ][ stack .... ][ guard ]
 *
 * Stacks are handed out upward and never given back: there are as many as CPUs need.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/trap.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/memory.h>
#include <kernel/sanitize/sanitize.h>
#include <mm/frame.h>
#include <mm/paging.h>

#define STACK_ORDER 3     /* 32 KiB for ordinary code: the shell's deepest command takes less than half */
#define IST_STACK_ORDER 3 /* as many for exceptions: faults nest (TRAP_STACK_BYTES), and the panic shell runs on one */

_Static_assert(FRAME_BYTES << IST_STACK_ORDER >= TRAP_STACK_BYTES, "room for nested faults");

static u64 next_stack = MM_STACKS_START;

bool stack_map(unsigned order, u64 *low, u64 *top)
{
    u64 start = next_stack + FRAME_BYTES, bytes = FRAME_BYTES << order;
    phys_t first;

    if (start + bytes + FRAME_BYTES > MM_STACKS_END || !sanitize_stack_mapped(start + bytes + FRAME_BYTES))
        return false;
    first = frame_alloc(ZONE_NORMAL, order);
    if (phys_is_none(first))
        return false;
    if (paging_map_own(virt(start), first, bytes, PAGE_R_W | PAGE_XD | PAGE_GLOBAL, true) != 0) {
        frame_free(first, order);
        return false;
    }
    next_stack = start + bytes;
    *low = start;
    *top = start + bytes;
    return true;
}

bool stacks_map_all(struct cpu *cpu)
{
    for (enum ist index = IST_DOUBLE_FAULT; index < IST_COUNT; index++) {
        if (!stack_map(IST_STACK_ORDER, &cpu->ist[index].low, &cpu->ist[index].top))
            return false;
        cpu->tss.ist[index] = cpu->ist[index].top;
    }
    return stack_map(STACK_ORDER, &cpu->stack.low, &cpu->stack.top);
}

_Noreturn void stacks_start(void (*next)(void))
{
    u64 top;

    if (!stacks_map_all(cpu_this()))
        panic("no memory for the kernel's stacks");
    top = cpu_this()->stack.top;
    __asm__ volatile("movq %0, %%rsp; xorl %%ebp, %%ebp; call *%1; ud2" : : "r"(top), "r"(next) : "memory");
    __builtin_unreachable();
}
