/* SPDX-License-Identifier: MIT */
/*
 * The start information of a PVH loader (QEMU's -kernel), taken into a struct boot_info.
 * Source: Xen, "x86/HVM direct boot ABI", struct hvm_start_info.
 */
#ifndef KERNEL_BOOT_PVH_H
#define KERNEL_BOOT_PVH_H

#include <kernel/boot/boot_info.h>
#include <kernel/boot/warnings.h>

/* What the start information begins with. */
#define PVH_MAGIC 0x336ec578u

/*
 * How physical memory is read.  `at` gives a pointer to n_bytes (at least 1) at a physical address, good
 * until the next call, or NULL when they cannot all be read.
 */
struct boot_reader {
    const void *(*at)(void *context, u64 phys, u64 n_bytes);
    void *context;
};

/*
 * Reads the start information at info_phys.  Fills *out, all of it: what the loader did not tell is zero.
 * Reads nothing that `reader` does not give; what cannot be read or makes no sense gives a warning.  False
 * when there is no memory map (version 0 of the information has none); *out then holds what there was.
 */
bool pvh_parse(const struct boot_reader *reader, u64 info_phys, struct boot_info *out,
               const struct boot_warnings *warnings);

#endif
