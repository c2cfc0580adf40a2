/* SPDX-License-Identifier: MIT */
/* A small address space with one 2 MiB page of user memory, for running code in ring 3. */
#ifndef KERNEL_SELFTEST_SPACE_H
#define KERNEL_SELFTEST_SPACE_H

#include <kernel/cpu/user.h>
#include <mm/mm.h>

#define USER_CODE      0x400000UL                     /* where the page is seen; code begins here */
#define USER_STACK_TOP (USER_CODE + PAGE_2M_SIZE)     /* and its stack ends there */
#define USER_DATA      (USER_CODE + PAGE_2M_SIZE / 2) /* free for the test */

struct space {
    ul *top;           /* the top-level table: an object of kmalloc */
    struct Page *page; /* of ZONE_NORMAL */
};

/* Builds one as callers of the API do.  False, with the failure noted and nothing kept, when that fails. */
bool space_make(struct space *space);

/* Where the kernel sees the user page's byte. */
void *space_at(const struct space *space, ul user_address);

/* Writes the code at USER_CODE and runs it there in ring 3, with this table loaded meanwhile. */
struct user_exit space_run(const struct space *space, const void *code, size_t n, u64 argument);

/* Unmaps, frees, and expects that the lower half is empty again. */
void space_free(struct space *space);

#endif
