/* SPDX-License-Identifier: MIT */
/* A trap in words. */
#ifndef KERNEL_DEBUG_TRAP_REPORT_H
#define KERNEL_DEBUG_TRAP_REPORT_H

#include <kernel/debug/backtrace.h>
#include <lib/types.h>

struct trap_frame;

/* "page fault", "divide error", ... for vectors 0..31; "interrupt" above. */
const char *trap_vector_name(u64 vector);

/* "write, no page there": what the error code of that vector says.  Returns the length; empty when it says
 * nothing. */
size_t trap_error_text(u64 vector, u64 error, char *text, size_t size);

/* What happened, where: one or a few lines.  A page fault with its address and a guess at the cause. */
void trap_report_cause(const struct trap_frame *frame, report_line line);

/* All registers in columns, the code around the instruction, and the backtrace. */
void trap_report_state(const struct trap_frame *frame, report_line line);

#endif
