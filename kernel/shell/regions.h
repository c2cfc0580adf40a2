/* SPDX-License-Identifier: MIT */
/* The parts of an address space by name (mm/layout.h). */
#ifndef KERNEL_SHELL_REGIONS_H
#define KERNEL_SHELL_REGIONS_H

#include <lib/types.h>

struct region {
    u64 start, last; /* both included */
    const char *name;
};

/* The region that an address lies in; every address is in one. */
const struct region *region_find(u64 virt);

/* True for addresses that the CPU accepts: bits 63..47 all equal. */
bool region_is_canonical(u64 virt);

#endif
