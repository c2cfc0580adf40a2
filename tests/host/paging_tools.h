/* SPDX-License-Identifier: MIT */
/* What the tests of paging have in common. */
#ifndef TESTS_HOST_PAGING_TOOLS_H
#define TESTS_HOST_PAGING_TOOLS_H

#include <machine.h>

/* Flags and cache mode of a device's registers. */
#define DEVICE_FLAGS (PAGE_KERNEL_PAGE | PAGE_PWT | PAGE_PCD)

/* Physical memory that is no RAM on any machine of these tests: from 64 GiB on. */
#define DEVICE_AT GIB(64)

/* All of mm is sound, no lock is held, the MMU saw no mistake; else the test fails and says what is wrong. */
void assert_sound(void);

/* A number for the contents of all tables that `top` reaches, but for the direct map's, found without mm's
 * help. */
u64 tables_hash(u64 top);

/* How many frames that is, `top` not counted. */
u64 tables_count(u64 top);

/* A new address space as a caller makes one: an object of 4096 bytes, lower half cleared, upper half as in
 * the current table.  Physical address; space_free gives the object back. */
u64 space_new(void);
void space_free(u64 top);

/* Fails the test unless all of [start, start + bytes) reaches `phys` on, in leaves of `leaf_bytes` (0: any).
 */
void assert_maps(u64 top, u64 start, u64 phys, u64 bytes, u64 leaf_bytes);

/* Fails the test unless nothing of it is mapped. */
void assert_unmapped(u64 top, u64 start, u64 bytes);

/* Takes every frame there is but n_left; hoard_give gives them back. */
void hoard_take(u64 n_left);
void hoard_give(void);

/* Fails the test unless used memory is `used` after mm_shrink, and everything is sound. */
void assert_nothing_leaked(u64 used);

#endif
