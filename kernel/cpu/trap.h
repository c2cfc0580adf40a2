/* SPDX-License-Identifier: MIT */
/*
 * Traps: everything that makes the CPU leave the instruction stream by itself.  Vectors 0..31 are exceptions
 * (Intel SDM volume 3, "Interrupt and Exception Handling"), 0x20..0x2f the 16 lines of the interrupt
 * controller, 0x80 is how ring 3 ends itself.
 */
#ifndef KERNEL_CPU_TRAP_H
#define KERNEL_CPU_TRAP_H

#include <lib/types.h>

#define TRAP_N_VECTORS    256
#define TRAP_N_EXCEPTIONS 32
#define TRAP_STUB_BYTES   16 /* trap_entry.asm aligns its stubs so */

#define VECTOR_DIVIDE         0
#define VECTOR_DEBUG          1
#define VECTOR_NMI            2
#define VECTOR_BREAKPOINT     3
#define VECTOR_INVALID_OPCODE 6
#define VECTOR_DOUBLE_FAULT   8
#define VECTOR_STACK          12
#define VECTOR_GENERAL        13
#define VECTOR_PAGE_FAULT     14
#define VECTOR_MACHINE_CHECK  18
#define VECTOR_IRQ_BASE       0x20
#define VECTOR_USER_EXIT      0x80

/* Page faults and general exceptions may interrupt their own handlers so deep, each with so much stack. */
#define TRAP_NEST_BYTES  8192
#define TRAP_MAX_NESTED  3
#define TRAP_STACK_BYTES (TRAP_NEST_BYTES * TRAP_MAX_NESTED)

/* What trap_entry.asm leaves on the stack: pushed by the stub from r15 up to rax, the rest by the CPU. */
struct trap_frame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8;
    u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 vector;
    u64 error; /* 0 for vectors without an error code */
    u64 rip, cs, rflags, rsp, ss;
};

static inline bool trap_from_user(const struct trap_frame *frame)
{
    return (frame->cs & 3) != 0;
}

/* The stubs, and the address that trap_handle returns to: a backtrace that meets it has a trap frame above. */
extern const u8 trap_stubs[];
extern const u8 trap_after_handler[];

/* Called by the stubs with interrupts off.  What it changes in the frame is what the CPU goes on with. */
void trap_handle(struct trap_frame *frame);

#endif
