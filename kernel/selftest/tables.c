/* SPDX-License-Identifier: MIT */
/* Calls and comparisons for the tests of paging. */
#include <kernel/cpu/features.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>
#include <mm/inspect.h>

static int map_call(const struct map_call *call)
{
    ul table = call->table != 0 ? call->table : current_top().addr;

    return mm_map_proc_page_table(table, !call->is_virtual, call->virt, call->phys, call->bytes, call->flags,
                                  call->user, true, call->use4k);
}

static void fail_map(struct test_place place, const struct map_call *call, const char *what)
{
    test_fail(place, "mapping 0x%lx to 0x%lx, 0x%lx bytes, flags 0x%lx: %s", call->virt, call->phys,
              call->bytes, call->flags, what);
}

bool test_expect_map(struct test_place place, const struct map_call *call)
{
    bool mapped = map_call(call) == 0;

    if (!mapped)
        fail_map(place, call, "was refused");
    return mapped;
}

bool test_expect_refused(struct test_place place, const struct map_call *call)
{
    ul table = call->table != 0 ? call->table : current_top().addr;
    u64 hash = table_words_hash(table, !call->is_virtual), n_tables = paging_count_tables();
    struct mm_stat_t stat = mm_stat();
    int result = map_call(call);
    bool right = result == -EFAULT;

    if (result == 0) {
        fail_map(place, call, "was not refused");
        mm_unmap_proc_table(table, !call->is_virtual, call->virt, call->bytes); /* or the tests that follow would find it */
    } else if (!right) {
        fail_map(place, call, "gave something else than -EFAULT");
    }
    if (table_words_hash(table, !call->is_virtual) != hash) {
        fail_map(place, call, "changed a word of a table");
        right = false;
    }
    right &= test_expect_equal(place, "page tables", paging_count_tables(), n_tables);
    return test_expect_same_stat(place, stat) && right;
}

bool test_expect_unmap(struct test_place place, ul virt, ul bytes)
{
    int result = mm_unmap_range(current_top().addr, true, virt, bytes);

    if (result != 0)
        test_fail(place, "unmapping 0x%lx, 0x%lx bytes: gave %d", virt, bytes, result);
    return result == 0;
}

ul flags_usable(ul flags)
{
    if (!cpu_features.no_execute)
        flags &= ~PAGE_XD;
    if (!cpu_features.pat && (flags & PAGE_WC))
        flags = (flags & ~PAGE_WC) | PAGE_PCD;
    return (flags | PAGE_PRESENT) & ~(PAGE_GLOBAL | PAGE_PS);
}

/* Does this run continue the mapping that is expected from `at` on? */
static bool run_is_right(const struct paging_run *run, const struct mapping *expected, ul at)
{
    return run->start.addr == at && run->phys.addr == expected->phys + (at - expected->virt) &&
           (run->flags & ~PAGE_GLOBAL) == flags_usable(expected->flags) &&
           (expected->leaf_bytes == 0 || run->leaf_bytes == expected->leaf_bytes);
}

bool test_expect_mapped(struct test_place place, phys_t top, const struct mapping *mapping)
{
    ul at = mapping->virt, end = mapping->virt + mapping->bytes;

    while (at < end) {
        struct paging_run run;

        if (!paging_next_run(top, virt(at), virt(end), &run)) {
            test_fail(place, "0x%lx..0x%lx is not mapped", at, end - 1);
            return false;
        }
        if (!run_is_right(&run, mapping, at)) {
            test_fail(
                place,
                "0x%lx: expected 0x%lx, flags 0x%lx, leaves of 0x%lx; found at 0x%lx 0x%lx, flags 0x%lx, "
                "leaves of 0x%lx",
                at, mapping->phys + (at - mapping->virt), flags_usable(mapping->flags), mapping->leaf_bytes,
                run.start.addr, run.phys.addr, run.flags, run.leaf_bytes);
            return false;
        }
        at = run.start.addr + run.bytes;
    }
    return true;
}

bool test_expect_unmapped(struct test_place place, ul start, ul bytes)
{
    struct paging_run run;
    bool mapped = paging_next_run(current_top(), virt(start), virt(start + bytes), &run);

    if (mapped)
        test_fail(place, "0x%lx is mapped to 0x%lx, 0x%lx bytes", run.start.addr, run.phys.addr, run.bytes);
    return !mapped;
}

ul mapped_flags(ul at)
{
    struct paging_path path;

    paging_walk(current_top(), virt(at), &path);
    return path.mapped ? path.flags : 0;
}

ul mapped_leaf_bytes(ul at)
{
    struct paging_path path;

    paging_walk(current_top(), virt(at), &path);
    return path.mapped ? path.leaf_bytes : 0;
}

/* FNV-1a over 64-bit words. */
static u64 hash_word(u64 hash, u64 word)
{
    return (hash ^ word) * 0x100000001b3UL;
}

static u64 hash_runs(u64 hash, phys_t top, ul start, ul end)
{
    struct paging_run run;

    while (start < end && paging_next_run(top, virt(start), virt(end), &run)) {
        hash = hash_word(hash, run.start.addr);
        hash = hash_word(hash, run.bytes);
        hash = hash_word(hash, run.phys.addr);
        hash = hash_word(hash, run.leaf_bytes);
        hash = hash_word(hash, run.flags);
        start = run.start.addr + run.bytes;
    }
    return hash;
}

u64 mappings_hash(phys_t top)
{
    u64 hash = hash_runs(0xcbf29ce484222325UL, top, 0, MM_USER_END);

    return hash_runs(hash, top, MM_SPECIAL_START, MM_SPECIAL_END);
}

ul space_without_ram(ul bytes, ul alignment)
{
    ul limit = 1UL << cpu_features.phys_bits, at = align_up(mm_ram_end(), alignment);

    if (at < limit && bytes <= limit - at)
        return at;
    for (at = 0; at + bytes <= min_u64(limit, mm_ram_end()); at += alignment)
        if (!memory_map_overlaps_usable(mm_firmware_map(), at, at + bytes))
            return at;
    return 0;
}
