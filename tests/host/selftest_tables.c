/* SPDX-License-Identifier: MIT */
/*
 * The process's side of kernel/selftest/tables.h: the modelled MMU says what is mapped, and the tables
 * themselves.  Nothing here asks mm.
 */
#include <paging_tools.h>

#include <kernel/selftest/tables.h>
#include <mm/inspect.h>

bool test_expect_unmap(struct test_place place, ul at, ul bytes)
{
    int result = mm_unmap_range(current_top().addr, true, at, bytes);

    if (result != 0)
        test_fail(place, "unmapping 0x%lx, 0x%lx bytes: gave %d", at, bytes, result);
    return result == 0;
}

/* Is this what mm_map_phys_addr's flags ask for? */
static bool allows(const struct host_translation *got, ul flags)
{
    enum host_cache cache = (flags & PAGE_WC)     ? HOST_WC
                            : !(flags & PAGE_PCD) ? (flags & PAGE_PWT ? HOST_WT : HOST_WB)
                            : (flags & PAGE_PWT)  ? HOST_UC
                                                  : HOST_UC_MINUS;

    return got->writable == ((flags & PAGE_R_W) != 0) && got->cache == cache &&
           got->executable == (!(flags & PAGE_XD) || !machine_boot()->features.no_execute);
}

bool test_expect_mapped(struct test_place place, phys_t top, const struct mapping *mapping)
{
    for (ul done = 0; done < mapping->bytes;) {
        struct host_translation got;
        ul at = mapping->virt + done;

        if (!host_walk(top.addr, at, &got) || got.phys != mapping->phys + done ||
            !allows(&got, mapping->flags) ||
            (mapping->leaf_bytes != 0 && got.leaf_bytes != mapping->leaf_bytes)) {
            test_fail(place, "0x%lx should lead to 0x%lx, and does not", at, mapping->phys + done);
            return false;
        }
        done += got.leaf_bytes - at % got.leaf_bytes;
    }
    return true;
}

/* Each frame of the first and the last 4 MiB, and one in each 2 MiB of what is between. */
static ul next_to_look_at(ul at, ul start, ul end)
{
    bool near_an_end = at - start < MIB(4) || end - at < MIB(8);

    return at + (near_an_end ? PAGE_4K_SIZE : PAGE_2M_SIZE - PAGE_4K_SIZE);
}

bool test_expect_unmapped(struct test_place place, ul start, ul bytes)
{
    struct host_translation got;

    for (ul at = start & PAGE_4K_MASK; at < start + bytes; at = next_to_look_at(at, start, start + bytes)) {
        if (!host_walk(current_top().addr, at, &got))
            continue;
        test_fail(place, "0x%lx is mapped to 0x%lx", at, got.phys);
        return false;
    }
    return true;
}

ul mapped_leaf_bytes(ul at)
{
    struct host_translation got;

    return host_walk(current_top().addr, at, &got) ? got.leaf_bytes : 0;
}

/* Every leaf, but for those of the direct map, which grows by itself. */
static u64 leaves_hash(u64 table, unsigned level, u64 start, u64 hash)
{
    const u64 *entries = phys_pointer(phys(table));
    u64 span = 1UL << (12 + 9 * (level - 1));

    for (u64 i = 0; i < 512; i++) {
        u64 at = start + i * span;

        if (!(entries[i] & PAGE_PRESENT) || (level == 4 && at - PAGE_OFFSET < MM_RAM_LIMIT))
            continue;
        if (level == 1 || (level < 4 && (entries[i] & PAGE_PS)))
            hash = ((hash ^ at) * 0x100000001b3 ^ entries[i]) * 0x100000001b3;
        else
            hash = leaves_hash(entries[i] & 0xffffffffff000, level - 1, at, hash);
    }
    return hash;
}

u64 mappings_hash(phys_t top)
{
    return leaves_hash(top.addr, 4, 0, 0xcbf29ce484222325);
}

ul space_without_ram(ul bytes, ul alignment)
{
    ul at = (mm_ram_end() + alignment - 1) & ~(alignment - 1);

    return at + bytes <= 1UL << machine_boot()->features.phys_bits ? at : 0;
}
