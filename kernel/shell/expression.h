/* SPDX-License-Identifier: MIT */
/*
 * Numbers as they are typed.  Pure C: also built, tested and fuzzed on the host.
 *
 *     expression = ["-" | "+"] term { ("+" | "-") term }          no blanks inside
 *     term       = decimal [suffix] | 0x hex [suffix] | $N | $$ | symbol
 *     suffix     = K M G T, either case: times 2^10, 2^20, 2^30, 2^40
 *
 * There is no octal: 010 is ten.  $N is the Nth result of this session, $$ the last one.
 */
#ifndef KERNEL_SHELL_EXPRESSION_H
#define KERNEL_SHELL_EXPRESSION_H

#include <lib/types.h>

/* What stands behind $N and names.  Either call may be NULL: there are none. */
struct expression_names {
    /* Result `n` (1 ...; 0 is the last one).  False: there is none, and `why` says why, without the name. */
    bool (*result)(u64 n, u64 *value, char *why, size_t why_size);
    /* The address of a kernel symbol. */
    bool (*symbol)(const char *name, u64 *value);
};

/*
 * Evaluates `text` to 0 .. 2^64-1, or (expression_signed) to -2^63 .. 2^63-1.
 * False: `error` says in one line what is wrong and names it; *value is not touched.
 */
bool expression_value(const char *text, const struct expression_names *names, u64 *value, char *error,
                      size_t error_size);
bool expression_signed(const char *text, const struct expression_names *names, s64 *value, char *error,
                       size_t error_size);

/* True when a word that begins with '-' is meant as a number ("-1", "-$1"), not as an option. */
bool expression_is_negative(const char *text);

#endif
