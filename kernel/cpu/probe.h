/* SPDX-License-Identifier: MIT */
/*
 * Memory accesses that may fault: what `peek`, the fault report and the self-tests look through.
 *
 * A fault inside ends the access, not the kernel.  Any context but NMI, machine check and double fault.  They
 * may nest, and interrupt handlers that run meanwhile are not covered by them.
 */
#ifndef KERNEL_CPU_PROBE_H
#define KERNEL_CPU_PROBE_H

#include <lib/types.h>

/* What stopped the last access that failed on this CPU. */
struct probe_fault {
    u64 vector;
    u64 error;
    u64 address; /* CR2 for a page fault, else 0 */
    u64 rip;
};

/*
 * Copies n bytes from virtual address `virt` to `to`, or from `from` to `virt`.  1, 2, 4 and 8 bytes at a
 * multiple of their size are one access of that width, so device registers can be reached.  User pages too
 * (SMAP is lifted). False when the access faults; a part may then have been copied.
 */
bool probe_read(u64 virt, void *to, size_t n);
bool probe_write(u64 virt, const void *from, size_t n);

/*
 * Calls the code at `virt`, a `void f(void)`.  False when that faults, be it at once or further on; the
 * registers are as before, whatever else the code did has happened.
 */
bool probe_execute(u64 virt);

/* Any function under the same protection: true when fn(argument) returned. */
bool probe_call(void (*fn)(void *argument), void *argument);

/* Meaningful after one of the above returned false. */
struct probe_fault probe_last_fault(void);

/* For trap.c: if this CPU is inside a probe that may catch this exception, makes `frame` go on at its end. */
struct trap_frame;
bool probe_catch(struct trap_frame *frame);

#endif
