/* SPDX-License-Identifier: MIT */
/* What is known about an address that faulted. */
#ifndef KERNEL_DEBUG_FAULT_REPORT_H
#define KERNEL_DEBUG_FAULT_REPORT_H

#include <kernel/debug/backtrace.h>
#include <lib/types.h>

struct trap_frame;

/* A guess at why the kernel came to this address: "a NULL pointer", "the stack is full", ...  NULL: none. */
const char *fault_guess(const struct trap_frame *frame, u64 address);

/*
 * Prints the walk of the current page table to `address` on the console.  For panics; catches faults of its
 * own.
 */
void fault_report_walk(u64 address);

#endif
