/* SPDX-License-Identifier: MIT */
/*
 * Running code in ring 3, for the self-tests: one piece of code at a time, on the current page table.
 *
 * The code ends itself by `int 0x80`, its result in rax, or by any fault.  Interrupts are served meanwhile if
 * they were on.  There is no preemption: code that loops stays.
 */
#ifndef KERNEL_CPU_USER_H
#define KERNEL_CPU_USER_H

#include <lib/types.h>

struct trap_frame;

enum user_end {
    USER_ENDED,   /* by int 0x80 */
    USER_FAULTED, /* by an exception */
};

struct user_exit {
    enum user_end how;
    u64 vector;  /* of the exception; 0x80 when it ended itself */
    u64 error;   /* the exception's error code */
    u64 address; /* CR2 of a page fault, else 0 */
    u64 rip;     /* behind the INT, or at the faulting instruction */
    u64 rax;     /* at that moment */
};

/*
 * Jumps to `entry` in ring 3 with rsp = `stack`, rdi = `argument` and all other general registers 0.  Both
 * addresses must be mapped for the user in the table that is loaded; what is not, ends in USER_FAULTED like
 * everything else that goes wrong.  Not from interrupt handlers, and not nested.
 */
struct user_exit user_run(u64 entry, u64 stack, u64 argument);

/* For trap.c: if `frame` shows ring 3 (or the jump there) ended, notes how and makes it go on in user_run. */
bool user_catch(struct trap_frame *frame);

#endif
