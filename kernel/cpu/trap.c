/* SPDX-License-Identifier: MIT */
/*
 * What to do about a trap.
 *
 *     vector >= 32             the line's handler (interrupt.c); int 0x80 in ring 3: user_catch
 *     exception in ring 3      the end of the user code: user_catch
 *     exception in a probe     the end of that access: probe_catch
 *     NMI                      the end of this CPU when another one panics; else a report in the log, and on
 *     breakpoint, debug        a report in the log, and on
 *     any other exception      a bug of the kernel: panic with the registers
 *
 * Nesting.  The CPU loads the stack pointer of an IST stack afresh each time, so a second page fault inside
 * the handling of a first would overwrite it.  Before anything here can fault, the top of that stack is
 * lowered by TRAP_NEST_BYTES for the time of the handling.  When there is no room left for another, the top
 * becomes an address that no push can reach, and the next such fault a double fault.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/idt.h>
#include <kernel/cpu/interrupt.h>
#include <kernel/cpu/io.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/cpu/user.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/debug/symbols.h>
#include <kernel/debug/trap_report.h>
#include <kernel/mm/memory.h>
#include <kernel/smp/smp.h>
#include <mm/cpu.h>

#define NOWHERE (1UL << 63) /* not canonical: a push there is a stack fault, and that a double fault */

#define DEBUG_STATUS_CLEAR    0xffff0ff0UL
#define PORT_SYSTEM_CONTROL_B 0x61 /* bits 7 and 6: memory parity, I/O check */

/* Lowers the stack top of a vector that may nest.  Returns what to put back. */
static u64 lower_ist(struct cpu *cpu, enum ist ist)
{
    u64 top = cpu->tss.ist[ist];
    if (ist != IST_PAGE_FAULT && ist != IST_GENERAL)
        return top;
    u64 lower = top - TRAP_NEST_BYTES;
    cpu->tss.ist[ist] = lower >= cpu->ist[ist].low + TRAP_NEST_BYTES ? lower : NOWHERE;
    return top;
}

static void note_nmi(struct cpu *cpu, const struct trap_frame *frame)
{
    char place[80];
    if (!panic_keeps_this_cpu())
        smp_stop_here(frame->rip);
    cpu->n_nmis++;
    symbol_text(frame->rip, place, sizeof place);
    klog("nmi: in %s, port 0x61 says 0x%02x", place, inb(PORT_SYSTEM_CONTROL_B));
}

static void note_and_go_on(struct trap_frame *frame)
{
    frame->rflags &= ~RFLAGS_TF; /* one report, not one for each instruction from here on */
    klog("trap: %s, going on", trap_vector_name(frame->vector));
    trap_report_state(frame, klog);
    if (frame->vector == VECTOR_DEBUG)
        __asm__ volatile("movq %0, %%dr6" : : "r"(DEBUG_STATUS_CLEAR));
}

static void handle_exception(struct cpu *cpu, struct trap_frame *frame)
{
    bool is_urgent = frame->vector == VECTOR_DOUBLE_FAULT || frame->vector == VECTOR_MACHINE_CHECK;
    if (frame->vector == VECTOR_NMI)
        note_nmi(cpu, frame);
    else if (!is_urgent && (user_catch(frame) || probe_catch(frame)))
        return;
    else if (frame->vector == VECTOR_BREAKPOINT || frame->vector == VECTOR_DEBUG)
        note_and_go_on(frame);
    else
        panic_trap(frame);
}

static void handle_interrupt(struct cpu *cpu, struct trap_frame *frame)
{
    if (frame->vector == VECTOR_USER_EXIT && user_catch(frame))
        return;
    struct mm_cpu *context = cpu->mm_context;
    bool in_fast_path = memory_is_fast_path(frame->rip);
    if (in_fast_path)
        mm_enter(context);
    cpu->mm_context = cpu->mm_contexts[1];
    cpu->n_nested_interrupts++;
    interrupt_dispatch(frame->vector);
    cpu->n_nested_interrupts--;
    cpu->mm_context = context;
    if (in_fast_path)
        mm_leave(context);
}

void trap_handle(struct trap_frame *frame)
{
    struct cpu *cpu = cpu_this();
    enum ist ist = idt_ist_of(frame->vector);
    u64 top = lower_ist(cpu, ist);
    if (cpu_features.smap)
        __asm__ volatile("clac" : : : "memory"); /* whatever was interrupted might have lifted it */
    if (frame->vector < TRAP_N_EXCEPTIONS)
        handle_exception(cpu, frame);
    else
        handle_interrupt(cpu, frame);
    cpu->tss.ist[ist] = top;
}
