/* SPDX-License-Identifier: MIT */
/*
 * About an address that faulted: a guess at the cause, and the walk of the page table to it.
 *
 * The tables may be what is broken, so the walk runs inside a probe.
 */
#include <kernel/console/console.h>
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/debug/fault_report.h>
#include <kernel/shell/show.h>
#include <lib/bits.h>
#include <mm/layout.h>

#define CR3_TABLE_MASK 0x000ffffffffff000UL
#define ERROR_PRESENT  (1UL << 0)

static bool is_canonical(u64 address)
{
    return (u64)((s64)(address << 16) >> 16) == address;
}

/* Just below a stack of ours: in its guard page, if it has one. */
static bool is_below_stack(u64 address)
{
    const struct cpu *cpu = cpu_this();
    const u64 guard_bytes = 4096;
    for (size_t i = 0; i < IST_COUNT; i++) {
        u64 low = i == 0 ? cpu->stack.low : cpu->ist[i].low;
        if (low != 0 && address < low && address >= low - guard_bytes)
            return true;
    }
    return false;
}

/* A memory operand is made from these; an exception of the other kinds would have an error code or a name. */
static bool holds_no_address(const struct trap_frame *f)
{
    const u64 registers[] = {f->rax, f->rbx, f->rcx, f->rdx, f->rsi, f->rdi, f->rbp, f->r8,
                             f->r9,  f->r10, f->r11, f->r12, f->r13, f->r14, f->r15};
    for (size_t i = 0; i < ARRAY_LENGTH(registers); i++)
        if (!is_canonical(registers[i]))
            return true;
    return false;
}

const char *fault_guess(const struct trap_frame *frame, u64 address)
{
    bool about_memory = frame->vector == VECTOR_PAGE_FAULT || frame->vector == VECTOR_DOUBLE_FAULT;
    if (cpu_stack_of(frame->rsp).top == 0)
        return about_memory && is_below_stack(address) ? "the stack is full" : "a wrong stack pointer";
    if (about_memory && is_below_stack(address))
        return "the stack is full";
    if (frame->vector == VECTOR_GENERAL && frame->error == 0 && holds_no_address(frame))
        return "an address that is not canonical";
    if (frame->vector != VECTOR_PAGE_FAULT)
        return NULL;
    if (address < MM_USER_START)
        return "a NULL pointer";
    if (address < MM_USER_END)
        return "an address of the user half";
    if (address >= PAGE_OFFSET && address < MM_SPECIAL_START && !(frame->error & ERROR_PRESENT))
        return "RAM that is not in the direct map, or no RAM";
    if (address >= MM_STACKS_START && address < MM_STACKS_END)
        return "the guard page of a stack";
    return NULL;
}

static void walk(void *address)
{
    show_walk(phys(cr3_read() & CR3_TABLE_MASK), (u64)address);
}

void fault_report_walk(u64 address)
{
    kprintf("walk of 0x%lx:\n", address);
    if (!probe_call(walk, (void *)address))
        kprintf("  the page tables cannot be read\n");
}
