/* SPDX-License-Identifier: MIT */
/* Reports of the sanitizers: a panic, or, for tests, a note. */
#ifndef KERNEL_SANITIZE_REPORT_H
#define KERNEL_SANITIZE_REPORT_H

#include <lib/types.h>

/* A place in the source, as gcc hands it over with undefined behaviour. */
struct source_place {
    const char *file;
    u32 line, column;
};

/* A wrong access of [at, at + bytes) by the instruction before rip. */
void report_access(u64 at, u64 bytes, bool write, u64 rip);

/* Undefined behaviour; `what` names it in a few words, the rest says more. */
void report_undefined(const struct source_place *place, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What a test caught. */
struct sanitize_catch {
    u32 n;           /* reports */
    const char *what; /* the first one's: "an object that is free", "shift" ... */
    u64 at;           /* its address; 0 of undefined behaviour */
    u64 bytes;
    bool write;
};

/* Runs fn(argument) on this CPU, in a probe; what it does wrong is noted instead of ending the kernel, and then done. */
struct sanitize_catch sanitize_catch(void (*fn)(void *argument), void *argument);

#endif
