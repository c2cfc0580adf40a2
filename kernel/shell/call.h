/* SPDX-License-Identifier: MIT */
/*
 * A command's view of how it was called, and calling one.  The call_* functions that return bool write the
 * error line themselves: `if (!call_number(call, 0, &address)) return false;`.
 */
#ifndef KERNEL_SHELL_CALL_H
#define KERNEL_SHELL_CALL_H

#include <kernel/shell/command.h>
#include <lib/types.h>

/* True when an option was given; its value ("" for one without), NULL when it was not. */
bool call_has(const struct call *call, const char *option);
const char *call_option(const struct call *call, const char *option);

/* Argument i as a number: an expression with $N and kernel symbols. */
bool call_number(const struct call *call, unsigned i, u64 *value);
/* The same where a negative one is meaningful. */
bool call_signed(const struct call *call, unsigned i, s64 *value);
/* The same for the value of an option that was given. */
bool call_option_number(const struct call *call, const char *option, u64 *value);
/* Seconds: 1 .. 86400; a word, since `watch SECS` and `-w SECS` share it. */
bool call_seconds(const char *text, u64 *seconds);

/* Calls a function on another CPU, with interrupts on, and waits until it has returned. */
bool call_on_cpu(u64 number, void (*function)(void *context), void *context);

/* Runs one command: n >= 1 words, the first its name.  `depth`: commands around it.  False after an error
 * line. */
bool call_run(unsigned depth, unsigned n, const char *const *word, const bool *quoted);

/* The words of a call from argument `first` on, run as a command; a single quoted word is run as a whole
 * line. */
bool call_run_rest(const struct call *call, unsigned first);

#endif
