/* SPDX-License-Identifier: MIT */
/* Commands and pictures that are long enough for a file of their own. */
#ifndef KERNEL_SHELL_SHOW_H
#define KERNEL_SHELL_SHOW_H

#include <kernel/shell/command.h>
#include <kernel/shell/format.h>
#include <mm/debug.h>
#include <mm/types.h>

bool show_memmap(struct call *call); /* show_memmap.c */
bool show_frag(struct call *call);   /* show_frag.c */
bool show_vtop(struct call *call);   /* show_paging.c */
bool show_ptdump(struct call *call);

/* The walk from `top` to a virtual address, and its outcome as the last line; true when it is mapped. */
bool show_walk(phys_t top, u64 at);

/* "main+0x12 < start+0x4": up to n callers, the innermost first. */
struct callers_text {
    char s[280];
};
struct callers_text show_callers(const u64 *caller, unsigned n); /* show_owner.c */

/* "12.345" */
struct number_text show_time(u32 time_ms);

/* Size, who and when, with so many callers each; the same in short for a physical address, when it tells something. */
void show_owner(const struct mm_owner *owner, unsigned n_callers);
struct mm_what;
void show_owner_of(u64 at, const struct mm_what *what);

/* Which addresses a page table translates, and for whom (show_table.c). */
void show_table(phys_t table, unsigned level);

/* Everything known about a physical address, a line per fact (show_what.c). */
void show_physical(u64 at);

#endif
