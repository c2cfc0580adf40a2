/* SPDX-License-Identifier: MIT */
/*
 * Addresses as types.  A physical address and a mapped virtual address are different things, and the compiler
 * keeps them apart.  Pointers into the direct map are ordinary pointers.  Ranges are half-open.
 */
#ifndef MM_TYPES_H
#define MM_TYPES_H

#include <lib/types.h>
#include <mm/mm.h>

typedef struct phys {
    u64 addr;
} phys_t;

typedef struct virt {
    u64 addr;
} virt_t;

#define PHYS_NONE ((phys_t){~0UL}) /* no such address: what allocators return on failure */

#define FRAME_SHIFT PAGE_4K_SHIFT
#define FRAME_BYTES PAGE_4K_SIZE
#define PAGE_SHIFT PAGE_2M_SHIFT
#define PAGE_BYTES PAGE_2M_SIZE
#define PAGE_FRAMES (PAGE_BYTES / FRAME_BYTES) /* 2 MiB / 4 KiB = 512 */

#define MUST_USE __attribute__((warn_unused_result))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NOINLINE __attribute__((noinline))

/*
 * A function that is called very often and calls nothing but, as its last act, its slow path: no frame pointer.  All of
 * them lie side by side, so that a platform can tell from the address alone that one of them was interrupted (cpu.h).
 * In a build whose calls never become jumps (FAST_PATH_KEEPS_FRAME) it has one: else who called it could not be found.
 */
#if defined(__GNUC__) && !defined(__clang__) && !defined(FAST_PATH_KEEPS_FRAME)
#define FAST_PATH __attribute__((optimize("omit-frame-pointer"), aligned(64), noinline, section(".text.mm_fast")))
#else
#define FAST_PATH __attribute__((noinline, section(".text.mm_fast")))
#endif

static inline phys_t phys(u64 addr)
{
    return (phys_t){addr};
}

static inline virt_t virt(u64 addr)
{
    return (virt_t){addr};
}

static inline phys_t phys_add(phys_t p, u64 bytes)
{
    return (phys_t){p.addr + bytes};
}

static inline virt_t virt_add(virt_t v, u64 bytes)
{
    return (virt_t){v.addr + bytes};
}

static inline bool phys_is_none(phys_t p)
{
    return p.addr == ~0UL;
}

/* Where a frame of DMA or NORMAL is seen in the direct map.  The caller knows that it is there. */
static inline void *phys_pointer(phys_t p)
{
    return (void *)(p.addr + PAGE_OFFSET);
}

static inline phys_t pointer_phys(const void *p)
{
    return (phys_t){(u64)p - PAGE_OFFSET};
}

#endif
