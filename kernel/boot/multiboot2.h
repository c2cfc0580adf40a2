/* SPDX-License-Identifier: MIT */
/*
 * The boot information of a Multiboot2 loader, taken into a struct boot_info.
 * Source: Multiboot2 specification 2.0, section 3.6 "Boot information format".
 */
#ifndef KERNEL_BOOT_MULTIBOOT2_H
#define KERNEL_BOOT_MULTIBOOT2_H

#include <kernel/boot/boot_info.h>
#include <kernel/boot/warnings.h>

/* What the loader leaves in EAX. */
#define MULTIBOOT2_MAGIC 0x36d76289u

/*
 * Reads the information at `info`, of which max_bytes may be read at most, and which lies at physical address
 * info_phys.  Fills *out, all of it: what the loader did not tell is zero.  Nothing outside [info, info +
 * max_bytes) is read whatever the bytes say; what is wrong with them gives a warning, and the rest is still
 * used.  False when there is no memory map, without which nothing can start; *out then holds what there was.
 */
bool multiboot2_parse(const void *info, size_t max_bytes, u64 info_phys, struct boot_info *out,
                      const struct boot_warnings *warnings);

#endif
