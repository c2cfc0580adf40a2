/* SPDX-License-Identifier: MIT */
/* Names for the parts of an address space, in address order. */
#include <kernel/shell/regions.h>

#include <mm/layout.h>

static const struct region regions[] = {
    {0, MM_USER_START - 1, "page 0, mapped nowhere"},
    {MM_USER_START, MM_USER_END - 1, "user half"},
    {MM_USER_END, MM_KERNEL_HALF - 1, "not canonical"},
    {PAGE_OFFSET, PAGE_OFFSET + MM_RAM_LIMIT - 1, "direct map"},
    {MM_SPECIAL_START, MM_SPECIAL_END - 1, "special mappings"},
    {MM_MMIO_START, MM_MMIO_END - 1, "MMIO window"},
    {MM_MMIO_END, MM_PAGE_ARRAY - 1, "unused"},
    {MM_PAGE_ARRAY, MM_HELD_ARRAY - 1, "page array"},
    {MM_HELD_ARRAY, MM_STACKS_START - 1, "held bits"},
    {MM_STACKS_START, MM_STACKS_END - 1, "kernel stacks"},
    {MM_PEEK, MM_PEEK + 0xfff, "peek frame"},
    {MM_PEEK + 0x1000, MM_SHADOW_START - 1, "unused"},
    {MM_SHADOW_START, MM_SHADOW_END - 1, "shadow of the sanitized build"},
    {MM_SHADOW_END, MM_IMAGE_START - 1, "unused"},
    {MM_IMAGE_START, ~0UL, "kernel image"},
};

const struct region *region_find(u64 virt)
{
    const struct region *region = regions;
    while (virt > region->last)
        region++;
    return region;
}

bool region_is_canonical(u64 virt)
{
    return (u64)((s64)(virt << 16) >> 16) == virt;
}
