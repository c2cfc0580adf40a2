/* SPDX-License-Identifier: MIT */
/*
 * Entries of x86-64 page tables: all that mm knows about the CPU.
 *
 * Source: Intel SDM volume 3A, "4-Level Paging", "Format of Paging-Structure Entries" (bit names and places),
 * and volume 3A, "Page Attribute Table (PAT)".
 *
 *      63  62      52 51                          12 11    9  8   7   6   5   4    3    2    1    0
 *     +---+----------+------------------------------+-------+---+----+---+---+----+----+----+----+---+
 *     |XD | ignored  | physical address             |ignored| G | PS | D | A |PCD |PWT |U/S |R/W | P |
 *     +---+----------+------------------------------+-------+---+----+---+---+----+----+----+----+---+
 *                      leaf of 2 MiB, 1 GiB: PAT=12             PAT in a leaf of 4 KiB
 *
 * Tables have levels: 4 = PML4, 3 = page-directory-pointer table, 2 = page directory, 1 = page table.
 * Addresses are *linear* here: the low 48 bits of a virtual address, 0 .. 2^48, so that a range up to the
 * very top has an end.
 */
#ifndef MM_ENTRY_H
#define MM_ENTRY_H

#include <lib/bits.h>
#include <mm/types.h>

#define ENTRY_P    (1UL << 0)  /* present */
#define ENTRY_RW   (1UL << 1)  /* writable */
#define ENTRY_US   (1UL << 2)  /* user access */
#define ENTRY_PWT  (1UL << 3)  /* page-level write-through: bit 0 of the PAT index */
#define ENTRY_PCD  (1UL << 4)  /* page-level cache disable: bit 1 of the PAT index */
#define ENTRY_A    (1UL << 5)  /* accessed; the CPU sets it */
#define ENTRY_D    (1UL << 6)  /* dirty; the CPU sets it */
#define ENTRY_PS   (1UL << 7)  /* page size: a leaf, at levels 2 and 3 */
#define ENTRY_G    (1UL << 8)  /* global: kept when CR3 is loaded */
#define ENTRY_MARK (1UL << 52) /* ignored by the CPU; paging_check marks tables that it has seen with it */
#define ENTRY_XD   (1UL << 63) /* execute disable; reserved where the CPU has no NX */

#define ENTRY_PAT_4K    (1UL << 7)  /* bit 2 of the PAT index in a leaf of 4 KiB ... */
#define ENTRY_PAT_LARGE (1UL << 12) /* ... and in a larger one */

#define ENTRY_ADDRESS 0x000ffffffffff000UL /* bits 12 .. 51 */

/* What makes two leaves of one size the same mapping: all but A, D, G and the ignored bits. */
#define ENTRY_MEANING                                                                                        \
    (ENTRY_P | ENTRY_RW | ENTRY_US | ENTRY_PWT | ENTRY_PCD | ENTRY_PS | ENTRY_ADDRESS | ENTRY_XD)

#define ENTRIES_PER_TABLE 512
#define ENTRY_TOP_LEVEL   4
#define ENTRY_LINEAR_END  (1UL << 48) /* 9 bits of index a level, 12 of offset: 4 * 9 + 12 = 48 */

/* log2 of the bytes that one entry of a table of `level` translates: 12, 21, 30, 39. */
static inline unsigned entry_shift(unsigned level)
{
    return 12 + 9 * (level - 1);
}

static inline u64 entry_bytes(unsigned level)
{
    return 1UL << entry_shift(level);
}

static inline unsigned entry_index(u64 linear, unsigned level)
{
    return (unsigned)(linear >> entry_shift(level)) & (ENTRIES_PER_TABLE - 1);
}

static inline u64 entry_linear(virt_t at)
{
    return at.addr & (ENTRY_LINEAR_END - 1);
}

/* The canonical address: bit 47 repeated upwards. */
static inline virt_t entry_virt(u64 linear)
{
    return virt((u64)((s64)(linear << 16) >> 16));
}

static inline bool entry_is_canonical(u64 address)
{
    return entry_virt(entry_linear(virt(address))).addr == address;
}

static inline bool entry_is_present(u64 entry)
{
    return (entry & ENTRY_P) != 0;
}

/* Of a present entry: does it map memory, or point to the next table? */
static inline bool entry_is_leaf(u64 entry, unsigned level)
{
    return level == 1 || (level < ENTRY_TOP_LEVEL && (entry & ENTRY_PS) != 0);
}

/* For loops over many entries of one table: (entry & ENTRY_KIND) == entry_pointer_kind(level) if it points to
 * a table. At level 1 nothing does, and no entry has that kind. */
#define ENTRY_KIND (ENTRY_P | ENTRY_PS)

static inline u64 entry_pointer_kind(unsigned level)
{
    return level == 1 ? ~0UL : ENTRY_P;
}

/* The table that an entry of level 2 .. 4 points to. */
static inline phys_t entry_table(u64 entry)
{
    return phys(entry & ENTRY_ADDRESS);
}

/* The first byte that a leaf maps. */
static inline phys_t entry_phys(u64 leaf, unsigned level)
{
    return phys(leaf & ENTRY_ADDRESS & ~(entry_bytes(level) - 1));
}

/* An entry that points to a table: everything allowed, the leaves decide.  User access in private slots only.
 */
static inline u64 entry_to_table(phys_t table, bool user)
{
    return table.addr | ENTRY_P | ENTRY_RW | (user ? ENTRY_US : 0);
}

/*
 * All bits of a leaf but its address, from the flags of mm.h.  Write-combining is PA4 (PAT set, PCD and PWT
 * clear): the platform programs that one and leaves PA0..PA3 as at reset: WB, WT, UC-, UC.
 */
static inline u64 entry_leaf_bits(ul flags, unsigned level)
{
    u64 bits = flags & (PAGE_R_W | PAGE_U_S | PAGE_PWT | PAGE_PCD | PAGE_GLOBAL | PAGE_XD);

    if (level > 1)
        bits |= ENTRY_PS;
    if (flags & PAGE_WC)
        bits |= level > 1 ? ENTRY_PAT_LARGE : ENTRY_PAT_4K;
    return bits | ENTRY_P;
}

/* The flags of mm.h that a leaf stands for: the inverse of entry_leaf_bits. */
static inline ul entry_leaf_flags(u64 leaf, unsigned level)
{
    ul flags = leaf & (PAGE_PRESENT | PAGE_R_W | PAGE_U_S | PAGE_PWT | PAGE_PCD | PAGE_GLOBAL | PAGE_XD);

    return flags | ((leaf & (level > 1 ? ENTRY_PAT_LARGE : ENTRY_PAT_4K)) ? PAGE_WC : 0);
}

/* The i-th part of a leaf of `level` (2 or 3) cut into 512: a leaf of the level below.  The PAT bit moves. */
static inline u64 entry_part(u64 leaf, unsigned level, unsigned i)
{
    u64 bits = leaf & ~(ENTRY_ADDRESS | ENTRY_PS);

    if (level > 2)
        bits |= ENTRY_PS;
    if (leaf & ENTRY_PAT_LARGE)
        bits |= level > 2 ? ENTRY_PAT_LARGE : ENTRY_PAT_4K;
    return bits | (entry_phys(leaf, level).addr + i * entry_bytes(level - 1));
}

#endif
