/* SPDX-License-Identifier: MIT */
/* The tables of commands, one per group file. */
#ifndef KERNEL_SHELL_COMMANDS_H
#define KERNEL_SHELL_COMMANDS_H

#include <kernel/shell/command.h>

extern const struct command commands_look[];
extern const struct command commands_frames[];
extern const struct command commands_slab[];
extern const struct command commands_paging[];
extern const struct command commands_memory[];
extern const struct command commands_ask[];
extern const struct command commands_debug[];
extern const struct command commands_work[];
extern const struct command commands_break[];
extern const struct command commands_bench[];
extern const struct command commands_cpus[];
extern const struct command commands_stress[];
extern const struct command commands_shell[];

#endif
