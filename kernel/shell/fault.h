/* SPDX-License-Identifier: MIT */
/* Faults on purpose. */
#ifndef KERNEL_SHELL_FAULT_H
#define KERNEL_SHELL_FAULT_H

#include <kernel/shell/command.h>

/* The kinds with what each does. */
extern const struct choice fault_choices[];

/* The command `fault [-c CPU] KIND`: comes back only for unknown kinds, for breakpoints, and where the CPU
 * lacks the check. */
bool fault_run(struct call *call);

#endif
