/* SPDX-License-Identifier: MIT */
/* Help, from the tables of commands alone. */
#ifndef KERNEL_SHELL_HELP_H
#define KERNEL_SHELL_HELP_H

#include <kernel/shell/command.h>

/* The command `help [COMMAND]`. */
bool help_run(struct call *call);

#endif
