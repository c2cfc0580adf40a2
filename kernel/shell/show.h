/* SPDX-License-Identifier: MIT */
/* Commands and pictures that are long enough for a file of their own. */
#ifndef KERNEL_SHELL_SHOW_H
#define KERNEL_SHELL_SHOW_H

#include <kernel/shell/command.h>
#include <mm/types.h>

bool show_memmap(struct call *call); /* show_memmap.c */
bool show_frag(struct call *call);   /* show_frag.c */
bool show_vtop(struct call *call);   /* show_paging.c */
bool show_ptdump(struct call *call);

/* The walk from `top` to a virtual address, and its outcome as the last line; true when it is mapped. */
bool show_walk(phys_t top, u64 at);

/* Everything known about a physical address, a line per fact (show_what.c). */
void show_physical(u64 at);

#endif
