/* SPDX-License-Identifier: MIT */
/*
 * Where things lie in the kernel half of every address space.
 *
 *     0xffff800000000000  PAGE_OFFSET   direct map of DMA and NORMAL RAM           32 TiB
 *     0xffffa00000000000  SPECIAL       mappings that callers ask for               1 TiB
 *     0xffffa10000000000  MMIO          handed out by mmio_map                      1 TiB
 *     0xffffb00000000000  PAGE_ARRAY    struct Page, indexed by physical >> 21      2 GiB
 *     0xffffb00080000000  HELD_ARRAY    a bit a frame: handed out to somebody       1 GiB
 *     0xffffb00100000000  STACKS        kernel stacks between guard pages           1 GiB
 *     0xffffb00140000000  PEEK          one frame, seen for a moment                4 KiB
 *     0xffffc00000000000  SHADOW        the sanitized build's, of all of this half 16 TiB
 *     0xffffffff80000000  IMAGE         the kernel itself                           2 GiB
 *
 * PAGE_ARRAY to PEEK share one top-level entry.  A platform whose windows lie elsewhere (a host process)
 * defines these names before this file is read.
 */
#ifndef MM_LAYOUT_H
#define MM_LAYOUT_H

#ifndef PAGE_OFFSET
#define PAGE_OFFSET 0xffff800000000000UL
#endif

#ifndef MM_PAGE_ARRAY
#define MM_PAGE_ARRAY 0xffffb00000000000UL
#define MM_HELD_ARRAY 0xffffb00080000000UL
#endif

#define MM_RAM_LIMIT (1UL << 45) /* 32 TiB: what lies between PAGE_OFFSET and SPECIAL */

#define MM_SPECIAL_START 0xffffa00000000000UL
#define MM_SPECIAL_END 0xffffa10000000000UL
#define MM_MMIO_START 0xffffa10000000000UL
#define MM_MMIO_END 0xffffa20000000000UL
#define MM_STACKS_START 0xffffb00100000000UL
#define MM_STACKS_END 0xffffb00140000000UL
#define MM_PEEK 0xffffb00140000000UL
#define MM_SHADOW_START 0xffffc00000000000UL
#define MM_SHADOW_END 0xffffd00000000000UL
#define MM_IMAGE_START 0xffffffff80000000UL

#define MM_USER_START 0x0000000000001000UL /* virtual page 0 is mapped nowhere */
#define MM_USER_END 0x0000800000000000UL
#define MM_KERNEL_HALF 0xffff800000000000UL

#endif
