/* SPDX-License-Identifier: MIT */
/* Reporting a caller's mistake: one line `mm: bad CALL(0xADDRESS): WHAT IT IS`, and a count. */
#ifndef MM_MISUSE_H
#define MM_MISUSE_H

#include <mm/types.h>

/* Reports with these words.  Any context, locks held or not. */
void mm_misuse(const char *call, ul address, const char *what);

/* The same of a physical address; in the debug mode with the words of whose it is, or was. */
void misuse_whose(const char *call, phys_t at, const char *what);

/* Reports what the physical, or the virtual, address is.  Both return -EFAULT, for `return misuse_phys(...)`. */
int misuse_phys(const char *call, phys_t at);
int misuse_virt(const char *call, virt_t at);

#endif
