/* SPDX-License-Identifier: MIT */
/* Waiting inside a command. */
#ifndef KERNEL_SHELL_WAIT_H
#define KERNEL_SHELL_WAIT_H

#include <lib/types.h>

/* Waits; false as soon as Ctrl-C is typed, or when nothing counts the time (the panic shell). */
bool wait_seconds(u64 seconds);

#endif
