/* SPDX-License-Identifier: MIT */
/*
 * Who called whom, from the stack alone.
 *
 * Works whether a function keeps a frame pointer or not; what was found without proof is marked.  Never
 * faults: the stack is read through probes.  Any context after cpu_start_early, NMI excepted.  Cost: linear
 * in the stack.
 */
#ifndef KERNEL_DEBUG_BACKTRACE_H
#define KERNEL_DEBUG_BACKTRACE_H

#include <lib/types.h>

struct trap_frame;

/* Takes one line without a newline; printf's formats. */
typedef void (*report_line)(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A place in the chain of calls, and the walk's state. */
struct backtrace {
    u64 address;                   /* the instruction, or where the call returns to */
    bool is_return;                /* the latter */
    bool certain;                  /* false: a return address that happens to lie there would look the same */
    const struct trap_frame *trap; /* a trap happened above this place: its frame; else NULL */
    u64 stack_at;                  /* the stack above this function's return address */
    u64 frame_at;                  /* rbp as that function's caller had it, as far as known */
};

/* Starts at an instruction with these registers; the first place is `rip` itself. */
void backtrace_start(struct backtrace *walk, u64 rip, u64 rsp, u64 rbp);

/* On to the caller.  False at the end. */
bool backtrace_next(struct backtrace *walk);

/* Prints the whole chain, a place a line, at most BACKTRACE_MAX_LINES; recursion is counted, not repeated. */
#define BACKTRACE_MAX_LINES 32
void backtrace_print(u64 rip, u64 rsp, u64 rbp, report_line line);

/* The same from whoever calls this. */
void backtrace_print_here(report_line line);

#endif
