/* SPDX-License-Identifier: MIT */
/*
 * The memory-management API.  This is the one header that callers include.
 *
 * Two units, two words: a *page* is 2 MiB of physical memory with one struct Page; a *frame* is 4 KiB.
 * Addresses cross this interface as `ul`.
 *
 * Context: kmalloc, kzalloc, kfree, alloc_pages, free_pages and mm_stat may be called anywhere but in NMI and
 * machine-check handlers.  The mapping calls and mm_shrink want interrupts on and no lock held.
 *
 * Waiting: with several CPUs and interrupts on, kmalloc, kzalloc, kfree, alloc_pages and free_pages may wait until each
 * other CPU has taken an interrupt.  So who holds a lock that another CPU may spin on with interrupts off calls them
 * with interrupts off, too.  Then, as in interrupt handlers, they do without: memory that only other CPUs can give back
 * is not had, so an allocation may fail sooner.  Two calls wait in any case, where a translation has to go: kfree and
 * free_pages of what has a known top-level table in it, and alloc_pages of UNMAPPED when NORMAL has to return pages to it.
 *
 * Top-level tables lie in memory of callers, who must not free it while a CPU has one of them loaded.  kfree, free_pages and
 * frame_free refuse that for a *known* table, whatever CPU has it loaded: one in which a mapping call mapped something, as the
 * given or as the current table, since that memory was allocated; or one that was loaded by paging_load (paging.h).  (Of
 * frames of frame_alloc 32 are known at a time, of objects and pages any number.)  One that is not known, of which only CR3
 * was written, is seen by free_pages on a CPU that has it loaded; by kfree there, too, but only when the CPU's magazine is
 * full; by all of them on every CPU with mm.debug on; and else not.  Nor is a CPU seen that loads a table while its memory
 * is being freed.
 *
 * Misuse is detected in every build.  It is reported in one log line `mm: bad CALL(0xADDRESS): WHAT IT IS`,
 * counted by mm_misuse_count(), and has no other effect.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mm/layout.h>

typedef unsigned long ul;
typedef unsigned int gfp_t;

#ifndef EFAULT
#define EFAULT 14 /* Bad address */
#endif

#define PAGE_4K_SHIFT 12
#define PAGE_2M_SHIFT 21
#define PAGE_1G_SHIFT 30
#define PAGE_4K_SIZE (1UL << PAGE_4K_SHIFT)
#define PAGE_2M_SIZE (1UL << PAGE_2M_SHIFT)
#define PAGE_1G_SIZE (1UL << PAGE_1G_SHIFT)
#define PAGE_4K_MASK (~(PAGE_4K_SIZE - 1))
#define PAGE_2M_MASK (~(PAGE_2M_SIZE - 1))
#define PAGE_4K_ALIGN(addr) (((ul)(addr) + PAGE_4K_SIZE - 1) & PAGE_4K_MASK)
#define PAGE_2M_ALIGN(addr) (((ul)(addr) + PAGE_2M_SIZE - 1) & PAGE_2M_MASK)

/* zone_select of alloc_pages: exactly one of them. */
#define ZONE_DMA (1 << 0)             /* the lowest RAM, for devices that reach no further */
#define ZONE_NORMAL (1 << 1)          /* RAM in the direct map */
#define ZONE_UNMAPPED_IN_PGT (1 << 2) /* RAM in no page table */

/* Attributes of a page. */
#define PAGE_PGT_MAPPED (1 << 0)
#define PAGE_KERNEL_INIT (1 << 1)
#define PAGE_DEVICE (1 << 2)
#define PAGE_KERNEL (1 << 3)
#define PAGE_SHARED (1 << 4)

#define __GFP_ZERO (1 << 0) /* clear the whole object */

/* Flags of a mapping: Intel SDM volume 3, "4-Level Paging", entry formats.  PAGE_WC is a bit that the CPU ignores. */
#define PAGE_PRESENT (1UL << 0)
#define PAGE_R_W (1UL << 1)
#define PAGE_U_S (1UL << 2)
#define PAGE_PWT (1UL << 3)
#define PAGE_PCD (1UL << 4)
#define PAGE_PS (1UL << 7)
#define PAGE_GLOBAL (1UL << 8)
#define PAGE_WC (1UL << 9)
#define PAGE_XD (1UL << 63)

#define PAGE_KERNEL_PAGE (PAGE_PS | PAGE_R_W | PAGE_PRESENT)
#define PAGE_KERNEL_4K_PAGE (PAGE_R_W | PAGE_PRESENT)
#define PAGE_USER_PAGE (PAGE_PS | PAGE_U_S | PAGE_R_W | PAGE_PRESENT)
#define PAGE_USER_4K_PAGE (PAGE_U_S | PAGE_R_W | PAGE_PRESENT)

struct Zone;

/*
 * One 2 MiB page of RAM.  Callers may read the first four fields; the rest belongs to mm/ (page.h tells what it
 * means).  128 bytes, aligned to that: an index becomes an address by a shift, and no two pages share a cache line.
 */
struct Page {
    struct Zone *zone; /* NULL: there is no RAM here */
    ul addr_phys;      /* of its first byte */
    ul attr;           /* PAGE_* attributes while allocated by alloc_pages, else 0 */
    ul ref_counts;     /* 1 while allocated by alloc_pages, else 0 */
    ul free_frames[8]; /* a bit a frame, 1 = free; means something only while the page is split */
    ul *roles;         /* what its frames are used for, a word a frame (role.h); NULL: none of them for mm itself */
    ul *words;         /* the same for kfree: mm.no_roles instead of NULL, also where there is no RAM */
    uint32_t next, prev;
    uint16_t n_free;  /* free frames while split */
    uint16_t n_roles; /* words in `roles` that say something */
    uint8_t state;
    uint8_t order; /* largest free run of frames while split; the list of a run of free pages at its head */
    uint8_t owner; /* while split: the CPU that prefers it for single frames (split.c); 0 = none */
    uint8_t grown; /* moved from UNMAPPED to NORMAL */
} __attribute__((aligned(128)));

/* What memory is used for, in bytes.  total = used + free and available = free + cache_free, in every copy. */
struct mm_stat_t {
    ul total;      /* RAM of the machine, in whole frames */
    ul used;       /* not free */
    ul free;       /* free frames of all zones */
    ul shared;     /* in pages that were allocated with PAGE_SHARED */
    ul cache_used; /* in live objects of kmalloc */
    ul cache_free; /* held by kmalloc, not in a live object */
    ul available;  /* free + cache_free */
};

/*
 * kmalloc - an object of at least `size` bytes.
 * @size: 0 .. 1 MiB.  The object is as large as its class, the next power of two from 32 bytes to 1 MiB (0 gives
 *        32), and aligned to that.
 * @gfp:  0, or __GFP_ZERO to clear the whole object.
 * Returns NULL for more than 1 MiB (with a log line) or when memory is exhausted, caches drained and empty slabs
 * given back, as far as the context allows (see Waiting).  Cost: 14 instructions from the CPU's magazine.
 */
void *kmalloc(ul size, gfp_t gfp);

/* kzalloc - kmalloc with the whole object, not just `size` bytes of it, cleared. */
void *kzalloc(ul size, gfp_t gfp);

/*
 * kfree - give an object back.
 * @address: the start of a live object of kmalloc, or NULL (nothing is done).
 * Returns 0, or non-zero for misuse: anything that is not the start of a live object; an object with a known top-level table
 * in it (see above) that a CPU has loaded.
 * Of two simultaneous frees of one object exactly one returns 0.  Cost: 32 instructions into the CPU's magazine, one of
 * them locked.
 */
ul kfree(void *address);

/*
 * alloc_pages - contiguous pages, not cleared.
 * @zone_select: exactly one ZONE_*.
 * @num:   1 .. 63 pages of 2 MiB.
 * @flags: becomes `attr` of each; PAGE_PGT_MAPPED is added for DMA and NORMAL and removed for UNMAPPED.
 * Returns the first page, or NULL with one log line and nothing taken.
 */
struct Page *alloc_pages(unsigned int zone_select, int num, ul flags);

/*
 * free_pages - give back `number` (1 .. 63) pages from `page` on: any run of pages that alloc_pages gave, also a
 * part of one allocation or neighbouring allocations at once.  Anything else is misuse, also a page with a known top-level
 * table in it (see above) that a CPU has loaded, or with any that this CPU has.
 */
void free_pages(struct Page *page, int number);

/*
 * mm_map_phys_addr - map physical memory in the current table.
 * @virt_addr_start: in the lower half (page 0 excepted) or 0xffffa00000000000 .. 0xffffa10000000000.
 * @phys_addr_start: its low 12 bits are replaced by those of virt_addr_start.
 * @length: bytes; 0 is a success.
 * @flags:  PAGE_R_W, PAGE_U_S (lower half only), PAGE_XD, and a cache mode: none (write-back), PAGE_PWT, PAGE_PCD,
 *          both, or PAGE_WC alone.  PAGE_PRESENT is always set; PAGE_PS is ignored.
 * @use4k:  only 4 KiB leaves; otherwise the largest that alignment, length and the CPU allow.
 * Returns 0, or -EFAULT with nothing changed: a bad range; user access in the kernel half; something else mapped
 * there; RAM with a cache mode other than write-back; an address past the CPU's physical width; no memory for
 * tables.  What is already mapped the same way is kept.  Cost: about 2 instructions a 4 KiB leaf.
 */
int mm_map_phys_addr(ul virt_addr_start, ul phys_addr_start, ul length, ul flags, bool use4k);

/*
 * mm_map_proc_page_table - the same in a given table.
 * @proc_page_table_addr: the top-level table, physical (is_phys) or in the direct map: a 4 KiB-aligned frame in use.
 * @user:  user access, as PAGE_U_S in flags.
 * @flush: accepted; a mapping call changes no present leaf, so there is never anything to flush.
 */
int mm_map_proc_page_table(ul proc_page_table_addr, bool is_phys, ul virt_addr_start, ul phys_addr_start, ul length,
                           ul flags, bool user, bool flush, bool use4k);

/*
 * mm_unmap_range - remove exactly this range from a table.  Large leaves that are partly covered are split,
 * holes are skipped, tables that become empty are freed.  On return no CPU can reach the range.
 * Returns 0, or -EFAULT with nothing changed (misuse, reported; or no frame at all to split a large leaf).
 */
int mm_unmap_range(ul proc_page_table_addr, bool is_phys, ul virt_addr_start, ul length);

/* mm_unmap_proc_table - mm_unmap_range without its result. */
void mm_unmap_proc_table(ul proc_page_table_addr, bool is_phys, ul virt_addr_start, ul length);

/* mm_unmap_addr - unmap in the current table. */
#define mm_unmap_addr(virt_addr, length) mm_unmap_proc_table((ul)get_CR3(), true, (ul)(virt_addr), (ul)(length))

/* mm_stat - what memory is used for.  Cost: about 60 instructions, linear in CPUs, independent of RAM. */
struct mm_stat_t mm_stat(void);

/* mm_shrink - give back all that is cached: magazines, stacks, empty slabs, grown pages.  Returns bytes that
 * became free. */
ul mm_shrink(void);

/* mm_misuse_count - misuses detected since start. */
ul mm_misuse_count(void);

/* mm_page_at - the struct Page of a physical address; of an address without RAM a read-only "no RAM" page
 * (zone NULL).  Never faults. */
struct Page *mm_page_at(ul phys);

#define virt_2_phys(addr) ((ul)(addr) - PAGE_OFFSET)
#define phys_2_virt(addr) ((ul *)((ul)(addr) + PAGE_OFFSET))
#define Phy_to_2M_Page(phys) (mm_page_at((ul)(phys)))
#define Virt_To_2M_Page(virt) (mm_page_at(virt_2_phys(virt)))

/* Defined by the platform: the current top-level table (physical), and dropping every cached translation of this
 * CPU, global ones included. */
ul *get_CR3(void);
void flush_tlb(void);

#endif
