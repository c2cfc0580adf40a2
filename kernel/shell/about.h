/* SPDX-License-Identifier: MIT */
/* This kernel and this machine in a few lines. */
#ifndef KERNEL_SHELL_ABOUT_H
#define KERNEL_SHELL_ABOUT_H

#include <kernel/shell/command.h>

#define TESSERA_VERSION "0.1"

/* The command `about`. */
bool about_run(struct call *call);

/* What stands above the first prompt. */
void about_banner(void);

#endif
