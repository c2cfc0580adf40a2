/* SPDX-License-Identifier: MIT */
/* Out of memory on purpose. */
#ifndef KERNEL_SHELL_OOM_H
#define KERNEL_SHELL_OOM_H

#include <kernel/shell/command.h>

/* The command `oom [-w WAY] [CMD...]`. */
bool oom_run(struct call *call);

#endif
