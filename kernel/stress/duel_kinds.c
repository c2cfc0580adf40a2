/* SPDX-License-Identifier: MIT */
/*
 * What duels are about.
 *
 * Either all CPUs free the same thing, and one may; or one CPU makes a right call, and the others make wrong ones that take
 * the same memory for a moment, until they see their mistake: a run or a block of which a part is not theirs to free.  The
 * right call must not notice.
 */
#include <kernel/stress/duel.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/mm.h>

#define RUN_PAGES   3 /* of which the last one is free */
#define BLOCK_ORDER 7 /* of which the last frame is free: its bits lie in two words */
#define MAP_AT      (MM_SPECIAL_START + (511UL << 30)) /* nobody else's */
#define USER_AT     (4UL << 20)

/* ---- the same free, by all ---- */

static u64 take_object(void)
{
    return (u64)kmalloc(64, 0);
}

static u64 take_large_object(void)
{
    return (u64)kmalloc(8192, 0);
}

static bool free_object(u64 at, u32 number)
{
    (void)number;
    return kfree((void *)at) == 0;
}

static u64 take_block_of(unsigned order)
{
    phys_t first = frame_alloc(ZONE_NORMAL, order);

    return phys_is_none(first) ? 0 : first.addr;
}

static u64 take_frame(void)
{
    return take_block_of(0);
}

static u64 take_block(void)
{
    return take_block_of(4);
}

static bool free_frame(u64 at, u32 number)
{
    (void)number;
    return frame_free(phys(at), 0) == 0;
}

static bool free_block(u64 at, u32 number)
{
    (void)number;
    return frame_free(phys(at), 4) == 0;
}

static u64 take_page(void)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

    return page != NULL ? page->addr_phys : 0;
}

static bool free_page(u64 at, u32 number)
{
    (void)number;
    free_pages(Phy_to_2M_Page(at), 1);
    return true; /* it does not tell */
}

/* ---- wrong calls ---- */

/* On an object: inside of it, its frame, its page. */
static bool free_object_wrongly(u64 at, u32 number)
{
    if (number % 3 == 0)
        return kfree((void *)(at + 16)) == 0;
    if (number % 3 == 1)
        return frame_free(phys(virt_2_phys(at) & PAGE_4K_MASK), 0) == 0;
    free_pages(Virt_To_2M_Page(at), 1);
    return false;
}

static u64 take_run(void)
{
    struct Page *first = alloc_pages(ZONE_NORMAL, RUN_PAGES, 0);

    if (first == NULL)
        return 0;
    free_pages(first + RUN_PAGES - 1, 1);
    memset(phys_2_virt(first->addr_phys), 0, FRAME_BYTES);
    return first->addr_phys;
}

static bool free_run_wrongly(u64 at, u32 number)
{
    (void)number;
    free_pages(Phy_to_2M_Page(at), RUN_PAGES);
    return false;
}

static void drop_run(u64 at)
{
    free_pages(Phy_to_2M_Page(at), RUN_PAGES - 1);
}

static void drop_rest_of_run(u64 at)
{
    free_pages(Phy_to_2M_Page(at) + 1, RUN_PAGES - 2);
}

static u64 take_broken_block(void)
{
    u64 at = take_block_of(BLOCK_ORDER);

    if (at == 0 || frame_free(phys(at + (FRAME_BYTES << BLOCK_ORDER) - FRAME_BYTES), 0) != 0)
        return 0;
    memset(phys_2_virt(at), 0, FRAME_BYTES);
    return at;
}

static bool free_block_wrongly(u64 at, u32 number)
{
    (void)number;
    return frame_free(phys(at), BLOCK_ORDER) == 0;
}

/* All but the first frame, which is somebody's or not, and the last one, which is free. */
static void drop_rest_of_block(u64 at)
{
    for (u64 i = 1; i + 1 < 1UL << BLOCK_ORDER; i++)
        (void)frame_free(phys(at + i * FRAME_BYTES), 0);
}

static void drop_broken_block(u64 at)
{
    (void)frame_free(phys(at), 0);
    drop_rest_of_block(at);
}

/* ---- right mapping calls ---- */

/* With the top level at this physical address. */
static bool map_with(u64 top)
{
    return mm_map_proc_page_table(top, true, USER_AT, top, FRAME_BYTES, PAGE_USER_4K_PAGE, true, true, true) == 0 &&
           mm_unmap_range(top, true, USER_AT, FRAME_BYTES) == 0;
}

static bool map_with_memory(u64 at, u32 number)
{
    (void)number;
    return map_with(at);
}

static u64 take_table(void)
{
    return (u64)kzalloc(FRAME_BYTES, 0);
}

static bool map_with_object(u64 at, u32 number)
{
    (void)number;
    return map_with(virt_2_phys(at));
}

static void drop_object(u64 at)
{
    kfree((void *)at);
}

static bool map_frame(u64 at, u32 number)
{
    (void)number;
    return mm_map_phys_addr(MAP_AT, at, FRAME_BYTES, PAGE_KERNEL_4K_PAGE, true) == 0 &&
           mm_unmap_range((ul)get_CR3(), true, MAP_AT, FRAME_BYTES) == 0;
}

/* By what is no table, and where nobody may. */
static bool unmap_wrongly(u64 at, u32 number)
{
    if (number % 2 == 0)
        return mm_unmap_range((ul)get_CR3() + 8, true, MAP_AT, FRAME_BYTES) == 0;
    return mm_unmap_range((ul)get_CR3(), true, (ul)phys_2_virt(at), FRAME_BYTES) == 0;
}

static void drop_frame(u64 at)
{
    (void)frame_free(phys(at), 0);
}

const struct duel_kind duel_kinds[] = {
    {"an object", take_object, free_object, NULL, NULL, true},
    {"a large object", take_large_object, free_object, NULL, NULL, true},
    {"a frame", take_frame, free_frame, NULL, NULL, true},
    {"a block", take_block, free_block, NULL, NULL, true},
    {"a page", take_page, free_page, NULL, NULL, false},
    {"an object, and wrong frees of it", take_object, free_object, free_object_wrongly, NULL, true},
    {"a large object, and wrong frees of it", take_large_object, free_object, free_object_wrongly, NULL, true},
    {"a page of a wrong run", take_run, free_page, free_run_wrongly, drop_rest_of_run, false},
    {"a frame of a wrong block", take_broken_block, free_frame, free_block_wrongly, drop_rest_of_block, true},
    {"a top level in a wrong run", take_run, map_with_memory, free_run_wrongly, drop_run, true},
    {"a top level in a wrong block", take_broken_block, map_with_memory, free_block_wrongly, drop_broken_block, true},
    {"a top level, and wrong frees of it", take_table, map_with_object, free_object_wrongly, drop_object, true},
    {"a mapping, and wrong unmaps", take_frame, map_frame, unmap_wrongly, drop_frame, true},
};

const u32 n_duel_kinds = ARRAY_LENGTH(duel_kinds);
