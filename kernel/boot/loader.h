/* SPDX-License-Identifier: MIT */
/* Reading what the loader left, whichever loader it was. */
#ifndef KERNEL_BOOT_LOADER_H
#define KERNEL_BOOT_LOADER_H

#include <kernel/boot/boot_info.h>
#include <kernel/boot/options.h>

/*
 * The loader's information, and the command line in it.  Early, while boot's tables show the first 4 GiB of physical
 * memory at PAGE_OFFSET.  What is odd goes to the log.  False when there is no memory map; *info then holds what
 * there was.
 */
bool loader_read(u32 magic, u64 info_phys, struct boot_info *info, struct options *options);

#endif
