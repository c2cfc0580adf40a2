/* SPDX-License-Identifier: MIT */
/*
 * Ring 3, there and back.
 *
 * user_enter leaves the kernel by IRETQ.  The next exception, or int 0x80, arrives through the ordinary
 * stubs; its frame is changed so that the stub returns to user_leave, in ring 0, on the stack that user_enter
 * left.
 *
 * An IRETQ that cannot be carried out (a non-canonical entry, on some CPUs) faults in ring 0; that too is the
 * user code's end, and differs in which GS is in force (user_entry.asm).
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/cpu/user.h>

void user_enter(u64 entry, u64 stack, u64 argument, u64 rsp0_at, u64 rflags);
extern const u8 user_enter_iret[], user_leave[], user_leave_iret[];

struct user_exit user_run(u64 entry, u64 stack, u64 argument)
{
    struct cpu *cpu = cpu_this();
    struct user_exit end = {.how = USER_FAULTED};
    u64 rsp0_at = (u64)&cpu->tss + offsetof(struct tss, rsp); /* not aligned to 8, so no u64 pointer */
    cpu->user_exit = &end;
    user_enter(entry, stack, argument, rsp0_at, RFLAGS_FIXED | (rflags_read() & RFLAGS_IF));
    cpu->user_exit = NULL;
    return end;
}

bool user_catch(struct trap_frame *frame)
{
    const struct cpu *cpu = cpu_this();
    struct user_exit *end = cpu->user_exit;
    bool at_iret = frame->rip == (u64)user_enter_iret && !trap_from_user(frame);
    if (end == NULL || (!trap_from_user(frame) && !at_iret))
        return false;
    *end = (struct user_exit){
        .how = frame->vector == VECTOR_USER_EXIT ? USER_ENDED : USER_FAULTED,
        .vector = frame->vector,
        .error = frame->error,
        .address = frame->vector == VECTOR_PAGE_FAULT ? cr2_read() : 0,
        .rip = frame->rip,
        .rax = frame->rax,
    };
    frame->rip = at_iret ? (u64)user_leave_iret : (u64)user_leave;
    frame->cs = GDT_KERNEL_CODE;
    frame->ss = GDT_KERNEL_DATA;
    frame->rsp = cpu->tss.rsp[0];
    frame->rflags = RFLAGS_FIXED;
    return true;
}
