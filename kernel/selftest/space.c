/* SPDX-License-Identifier: MIT */
/* The address spaces of the tests, made with the calls of <mm/mm.h> alone. */
#include <kernel/selftest/space.h>
#include <kernel/selftest/test.h>
#include <lib/string.h>
#include <mm/paging.h>

#define TABLE_BYTES 4096
#define HALF_BYTES  2048

static bool space_map(struct space *space)
{
    space->page = alloc_pages(ZONE_NORMAL, 1, 0);
    if (!EXPECT(space->page != NULL))
        return false;
    if (EXPECT_EQUAL(mm_map_proc_page_table((ul)space->top, false, USER_CODE, space->page->addr_phys,
                                            PAGE_2M_SIZE, PAGE_USER_PAGE, false, true, false),
                     0))
        return true;
    free_pages(space->page, 1);
    return false;
}

bool space_make(struct space *space)
{
    space->top = kmalloc(TABLE_BYTES, 0);
    if (!EXPECT(space->top != NULL))
        return false;
    memset(space->top, 0, HALF_BYTES);
    memcpy(space->top + 256, phys_2_virt(get_CR3()) + 256, HALF_BYTES);
    if (space_map(space))
        return true;
    EXPECT_EQUAL(kfree(space->top), 0);
    return false;
}

void *space_at(const struct space *space, ul user_address)
{
    return (u8 *)phys_2_virt(space->page->addr_phys) + (user_address - USER_CODE);
}

struct user_exit space_run(const struct space *space, const void *code, size_t n, u64 argument)
{
    ul before = (ul)get_CR3();
    struct user_exit end;

    memcpy(space_at(space, USER_CODE), code, n);
    paging_load(phys(virt_2_phys(space->top)));
    end = user_run(USER_CODE, USER_STACK_TOP, argument);
    paging_load(phys(before));
    return end;
}

void space_free(struct space *space)
{
    mm_unmap_proc_table((ul)space->top, false, USER_CODE, PAGE_2M_SIZE);
    for (unsigned i = 0; i < 256; i++)
        EXPECT_EQUAL(space->top[i], 0);
    free_pages(space->page, 1);
    EXPECT_EQUAL(kfree(space->top), 0);
}
