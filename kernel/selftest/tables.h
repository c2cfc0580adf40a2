/* SPDX-License-Identifier: MIT */
/* What the tests of paging have in common: calls as data, comparing mappings, physical space without RAM. */
#ifndef KERNEL_SELFTEST_TABLES_H
#define KERNEL_SELFTEST_TABLES_H

#include <kernel/selftest/test.h>
#include <mm/paging.h>

#define DEVICE_FLAGS (PAGE_KERNEL_PAGE | PAGE_PWT | PAGE_PCD) /* what drivers pass */

#define KIB(n) ((u64)(n) << 10)
#define MIB(n) ((u64)(n) << 20)
#define GIB(n) ((u64)(n) << 30)

/* Places that the tests map at: 8 GiB in the lower half and as much of what callers may use of the kernel
 * half, around a border of 512 GiB each. */
#define LOWER_BORDER   0x0000480000000000UL
#define SPECIAL_BORDER (MM_SPECIAL_START + GIB(512))

/* The current top-level table, physical. */
static inline phys_t current_top(void)
{
    return phys((ul)get_CR3() & PAGE_4K_MASK);
}

/* A call of mm_map_proc_page_table.  Table 0 is the current one. */
struct map_call {
    ul table;
    bool is_virtual; /* `table` is an address in the direct map */
    ul virt, phys, bytes, flags;
    bool user, use4k;
};

/* Makes the call, and expects 0. */
#define EXPECT_MAP(...) test_expect_map(TEST_HERE, &(struct map_call){__VA_ARGS__})
bool test_expect_map(struct test_place place, const struct map_call *call);

/* Makes the call, and expects -EFAULT, no change of any word of its table or the current one, and the same mm_stat. */
#define EXPECT_REFUSED(...) test_expect_refused(TEST_HERE, &(struct map_call){__VA_ARGS__})
bool test_expect_refused(struct test_place place, const struct map_call *call);

/* Expects mm_unmap_range of the current table to give 0. */
#define EXPECT_UNMAP(virt, bytes) test_expect_unmap(TEST_HERE, (virt), (bytes))
bool test_expect_unmap(struct test_place place, ul virt, ul bytes);

/*
 * Expects [virt, virt + bytes), whole frames, to be mapped in `top` to the frames from `phys` on, with
 * `flags` (of mm_map_phys_addr, as this CPU can have them), all in leaves of leaf_bytes (0: of any size).
 */
struct mapping {
    ul virt, phys, bytes, flags, leaf_bytes;
};

#define EXPECT_MAPPED(...)         EXPECT_MAPPED_IN(current_top(), __VA_ARGS__)
#define EXPECT_MAPPED_IN(top, ...) test_expect_mapped(TEST_HERE, (top), &(struct mapping){__VA_ARGS__})
bool test_expect_mapped(struct test_place place, phys_t top, const struct mapping *mapping);

/* Expects nothing to be mapped in [virt, virt + bytes) of the current table. */
#define EXPECT_UNMAPPED(virt, bytes) test_expect_unmapped(TEST_HERE, (virt), (bytes))
bool test_expect_unmapped(struct test_place place, ul virt, ul bytes);

/* Effective flags of an address in the current table; 0 when it is not mapped. */
ul mapped_flags(ul virt);

/* The leaf's size there; 0 when it is not mapped. */
ul mapped_leaf_bytes(ul virt);

/* A number that changes when any mapping of callers in `top` changes: lower half and SPECIAL. */
u64 mappings_hash(phys_t top);

/* A number that changes when any word of the current tables changes, or of the table that a call names, which may be none:
 * not even in a way that means the same. */
u64 table_words_hash(ul table, bool is_phys);

/*
 * Physical addresses without RAM, aligned to `alignment`, below MAXPHYADDR: above all RAM if there is room.
 * For mapping, not for access.  Returns 0 when there is no such range.
 */
ul space_without_ram(ul bytes, ul alignment);

/* `flags` without what this CPU has not. */
ul flags_usable(ul flags);

#endif
