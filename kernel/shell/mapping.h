/* SPDX-License-Identifier: MIT */
/* Why a mapping call refused: found out afterwards, by looking. */
#ifndef KERNEL_SHELL_MAPPING_H
#define KERNEL_SHELL_MAPPING_H

#include <kernel/shell/names.h>
#include <mm/types.h>

struct mapping_request {
    phys_t top;
    u64 virt, phys, length;
    struct map_flags flags;
};

/* Says in words why mapping the request returned -EFAULT: the first of the rules of mm.h that it breaks. */
void mapping_why_not(const struct mapping_request *request, char *text, size_t size);

/* The same for a range that could not be unmapped. */
void mapping_why_not_unmapped(u64 virt, u64 length, char *text, size_t size);

#endif
