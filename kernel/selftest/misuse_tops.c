/* SPDX-License-Identifier: MIT */
/*
 * The table of wrong frees, what concerns top-level tables: each row frees memory in which one lies that the CPU which made it
 * has loaded.  mm knows of it in one of three ways, b: a mapping call was given it; paging_load loaded it; or not at all, and
 * only the debug mode looks at what nobody told it of.
 */
#include <kernel/selftest/misuse.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/paging.h>
#include <mm/platform.h>

enum known { BY_MAPPING, BY_LOADING, BY_DEBUG_MODE };

/* Makes this frame, which is held, a table like the kernel's, known and loaded. */
static bool load_top(const struct misuse *misuse, struct subject *subject, u64 at)
{
    ul *entries = phys_2_virt(at);

    memset(entries, 0, PAGE_4K_SIZE / 2);
    memcpy(entries + 256, (const ul *)phys_pointer(paging_kernel_top()) + 256, PAGE_4K_SIZE / 2);
    subject->loaded = phys(at);
    if (misuse->b == BY_LOADING) {
        paging_load(phys(at));
        return true;
    }
    if (misuse->b == BY_MAPPING)
        EXPECT_EQUAL(mm_map_proc_page_table(at, true, SPECIAL_BORDER, at, PAGE_4K_SIZE, PAGE_KERNEL_4K_PAGE, false, true, true), 0);
    platform_load_table(phys(at));
    if (misuse->b == BY_MAPPING)
        EXPECT_EQUAL(mm_unmap_range(at, true, SPECIAL_BORDER, PAGE_4K_SIZE), 0);
    return true;
}

/* a: bytes; the table is the object's last frame. */
static bool make_object(const struct misuse *misuse, struct subject *subject)
{
    subject->object = kmalloc(misuse->a, 0);
    return subject->object != NULL &&
           load_top(misuse, subject, virt_2_phys(subject->object) + misuse->a - PAGE_4K_SIZE) &&
           subject_is(subject, (ul)subject->object);
}

/* a: how many; the table lies in the last page. */
static bool make_pages(const struct misuse *misuse, struct subject *subject)
{
    int n = (int)misuse->a;

    subject->pages = alloc_pages(ZONE_NORMAL, n, 0);
    subject->n_pages = n;
    return subject->pages != NULL &&
           load_top(misuse, subject, subject->pages[n - 1].addr_phys + PAGE_2M_SIZE - PAGE_4K_SIZE) &&
           subject_is_pages(subject, subject->pages, n, subject->pages->addr_phys);
}

/* a: the order; the table is the last frame. */
static bool make_block(const struct misuse *misuse, struct subject *subject)
{
    subject->block = frame_alloc(ZONE_NORMAL, (unsigned)misuse->a);
    subject->order = (unsigned)misuse->a;
    subject->number = (int)misuse->a;
    return !phys_is_none(subject->block) &&
           load_top(misuse, subject, subject->block.addr + (PAGE_4K_SIZE << misuse->a) - PAGE_4K_SIZE) &&
           subject_is(subject, subject->block.addr);
}

#define TABLE "a page table"

const struct misuse misuses_of_tops[] = {
    {"an object that is a loaded table", BY_KFREE, make_object, TABLE, 4096, BY_MAPPING, ALWAYS},
    {"an object that mm has loaded", BY_KFREE, make_object, TABLE, 4096, BY_LOADING, ALWAYS},
    {"an object that somebody has loaded", BY_KFREE, make_object, TABLE, 4096, BY_DEBUG_MODE, IN_DEBUG_MODE},
    {"an object with a loaded table in it", BY_KFREE, make_object, TABLE, 32768, BY_MAPPING, ALWAYS},
    {"a page with a loaded table", BY_FREE_PAGES, make_pages, TABLE, 1, BY_MAPPING, ALWAYS},
    {"a page with a table that mm has loaded", BY_FREE_PAGES, make_pages, TABLE, 1, BY_LOADING, ALWAYS},
    {"a page with a table that somebody has loaded", BY_FREE_PAGES, make_pages, TABLE, 1, BY_DEBUG_MODE, IN_DEBUG_MODE},
    {"a run of pages with a loaded table", BY_FREE_PAGES, make_pages, TABLE, 3, BY_MAPPING, MAY_LACK},
    {"a frame that is a loaded table", BY_FRAME_FREE, make_block, TABLE, 0, BY_MAPPING, ALWAYS},
    {"a frame that mm has loaded", BY_FRAME_FREE, make_block, TABLE, 0, BY_LOADING, ALWAYS},
    {"a frame that somebody has loaded", BY_FRAME_FREE, make_block, TABLE, 0, BY_DEBUG_MODE, IN_DEBUG_MODE},
    {"a block with a loaded table", BY_FRAME_FREE, make_block, TABLE, 3, BY_MAPPING, ALWAYS},
    {"a large block with a loaded table", BY_FRAME_FREE, make_block, TABLE, 8, BY_LOADING, ALWAYS},
    {"a block of pages with a loaded table", BY_FRAME_FREE, make_block, TABLE, 10, BY_MAPPING, MAY_LACK},
    {NULL, BY_KFREE, NULL, NULL, 0, 0, ALWAYS},
};
