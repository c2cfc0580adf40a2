/* SPDX-License-Identifier: MIT */
/* Between duel.c and duel_kinds.c: what all CPUs do at once with one thing. */
#ifndef KERNEL_STRESS_DUEL_H
#define KERNEL_STRESS_DUEL_H

#include <lib/types.h>

struct duel_kind {
    const char *name;
    u64 (*take)(void);                  /* what it is about; 0: there is no memory */
    bool (*call)(u64 at, u32 number);   /* by one CPU, or by all: exactly one may succeed; number: the CPU's */
    bool (*wrong)(u64 at, u32 number);  /* by the other CPUs: one report of misuse each; NULL: `call` */
    void (*drop)(u64 at);               /* what is left of it; NULL: nothing is */
    bool tells;                         /* `call` knows whether it succeeded; else the reports must do */
};

extern const struct duel_kind duel_kinds[];
extern const u32 n_duel_kinds;

#endif
