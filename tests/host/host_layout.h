/* SPDX-License-Identifier: MIT */
/*
 * Where mm's windows lie in a process; given to the compiler with -include.
 *
 * All in the lower half, where a process may map what it likes, and inside what AddressSanitizer calls high
 * memory (0x10007fff8000 up), away from where the system puts programs, heaps and stacks (0x55.., 0x7f..).
 * The windows keep top-level entries of their own: 64 for each 512 GiB of the direct map, 136 for the arrays.
 */
#ifndef TESTS_HOST_LAYOUT_H
#define TESTS_HOST_LAYOUT_H

#define PAGE_OFFSET 0x200000000000UL
#define MM_PAGE_ARRAY 0x440000000000UL
#define MM_HELD_ARRAY 0x440080000000UL

#endif
