/* SPDX-License-Identifier: MIT */
/* What the tests of paging have in common: see paging_tools.h. */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <mm/frame.h>
#include <mm/inspect.h>

#include <stdlib.h>
#include <string.h>

/* Top-level entries of the direct map, which grows by itself when memory runs out. */
#define DIRECT_SLOT    ((unsigned)(PAGE_OFFSET >> 39))
#define N_DIRECT_SLOTS 64

static u64 *hoard;
static u64 n_hoarded, hoard_room;

void assert_sound(void)
{
    struct mm_violation found;

    if (!mm_check(&found))
        fail_msg("I%u broken: %s, at 0x%lx: 0x%lx expected, 0x%lx found", found.number, found.text,
                 found.where, found.expected, found.found);
    host_mmu_compare();
    if (host_n_mmu_mistakes() != 0)
        fail_msg("the MMU saw %lu mistakes: %s", host_n_mmu_mistakes(), host_mmu_mistake());
    assert_int_equal(host_n_locks_held(), 0);
}

static bool leads_to_table(u64 entry, unsigned level)
{
    return level > 1 && (entry & PAGE_PRESENT) && (level == 4 || !(entry & PAGE_PS));
}

static void hash_table(u64 table, unsigned level, u64 *hash, u64 *n_tables)
{
    const u64 *entries = phys_pointer(phys(table));

    for (unsigned i = 0; i < 512; i++) {
        if (level == 4 && i - DIRECT_SLOT < N_DIRECT_SLOTS)
            continue;
        *hash = (*hash ^ entries[i] ^ i) * 0x100000001b3;
        if (leads_to_table(entries[i], level)) {
            ++*n_tables;
            hash_table(entries[i] & 0xffffffffff000, level - 1, hash, n_tables);
        }
    }
}

u64 tables_hash(u64 top)
{
    u64 hash = 0xcbf29ce484222325, n_tables = 0;

    hash_table(top, 4, &hash, &n_tables);
    return hash;
}

u64 tables_count(u64 top)
{
    u64 hash = 0, n_tables = 0;

    hash_table(top, 4, &hash, &n_tables);
    return n_tables;
}

u64 space_new(void)
{
    u64 *top = kmalloc(4096, 0);

    assert_non_null(top);
    memset(top, 0, 2048);
    memcpy(top + 256, phys_2_virt(get_CR3()) + 256, 2048);
    return virt_2_phys(top);
}

void space_free(u64 top)
{
    assert_int_equal(kfree(phys_2_virt(top)), 0);
}

void assert_maps(u64 top, u64 start, u64 phys_start, u64 bytes, u64 leaf_bytes)
{
    struct host_translation got;

    for (u64 done = 0; done < bytes;) {
        if (!host_walk(top, start + done, &got))
            fail_msg("0x%lx is not mapped", start + done);
        if (got.phys != phys_start + done)
            fail_msg("0x%lx reaches 0x%lx, not 0x%lx", start + done, got.phys, phys_start + done);
        if (leaf_bytes != 0)
            assert_int_equal(got.leaf_bytes, leaf_bytes);
        done += got.leaf_bytes - (start + done) % got.leaf_bytes;
    }
    assert_true(host_walk(top, start + bytes - 1, &got));
    assert_int_equal(got.phys, phys_start + bytes - 1);
}

void assert_unmapped(u64 top, u64 start, u64 bytes)
{
    struct host_translation got;

    for (u64 at = start & ~0xfffUL; at < start + bytes; at += 4096) {
        if (host_walk(top, at, &got))
            fail_msg("0x%lx is mapped to 0x%lx", at, got.phys);
    }
}

static void hoard_add(u64 frame)
{
    if (n_hoarded == hoard_room) {
        hoard_room = hoard_room == 0 ? 4096 : 2 * hoard_room;
        hoard = realloc(hoard, hoard_room * sizeof(*hoard));
        assert_non_null(hoard);
    }
    hoard[n_hoarded++] = frame;
}

void hoard_take(u64 n_left)
{
    phys_t frame;

    while (frame = frame_alloc(ZONE_NORMAL, 0), !phys_is_none(frame))
        hoard_add(frame.addr);
    assert_true(n_hoarded >= n_left);
    for (u64 i = 0; i < n_left; i++)
        assert_int_equal(frame_free(phys(hoard[--n_hoarded]), 0), 0);
}

void hoard_give(void)
{
    while (n_hoarded > 0)
        assert_int_equal(frame_free(phys(hoard[--n_hoarded]), 0), 0);
    free(hoard);
    hoard = NULL;
    hoard_room = 0;
}

void assert_nothing_leaked(u64 used)
{
    mm_shrink();
    assert_int_equal(mm_stat().used, used);
    assert_sound();
}
