/* SPDX-License-Identifier: MIT */
/*
 * The table of wrong frees.  A `make` takes what it needs, and says what to free, and what the report will
 * say; a and b are sizes, offsets, zones or numbers, as it likes.
 */
#include <kernel/selftest/misuse.h>
#include <kernel/selftest/tables.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/slab.h>

#define ANY       ""
#define NO_MEMORY ((ul)-1) /* where no machine has RAM, but the direct map's window reaches */
#define TRIES     8        /* to be given a certain page */

bool subject_is(struct subject *subject, ul address)
{
    subject->address = subject->reported = address;
    return true;
}

/* The three that take: false when there is no memory. */
static bool take_object(struct subject *subject, ul bytes)
{
    struct mm_what what;

    subject->object = kmalloc(bytes, 0);
    mm_describe_virt(virt((ul)subject->object), &what);
    subject->content = subject->object;
    subject->content_bytes = what.class_bytes;
    return subject->object != NULL;
}

static bool take_block(struct subject *subject, unsigned zone, unsigned order)
{
    subject->block = frame_alloc(zone, order);
    subject->order = order;
    if (zone != ZONE_UNMAPPED_IN_PGT && !phys_is_none(subject->block)) {
        subject->content = phys_pointer(subject->block);
        subject->content_bytes = PAGE_4K_SIZE;
    }
    return !phys_is_none(subject->block);
}

static bool take_pages(struct subject *subject, unsigned zone, int n)
{
    subject->pages = alloc_pages(zone, n, 0);
    subject->n_pages = n;
    if (zone != ZONE_UNMAPPED_IN_PGT && subject->pages != NULL) {
        subject->content = phys_2_virt(subject->pages->addr_phys);
        subject->content_bytes = PAGE_4K_SIZE;
    }
    return subject->pages != NULL;
}

void subject_drop(struct subject *subject)
{
    if (subject->object != NULL)
        EXPECT_EQUAL(kfree(subject->object), 0);
    if (subject->pages != NULL && subject->n_pages != 0)
        free_pages(subject->pages, subject->n_pages);
    if (!phys_is_none(subject->block))
        EXPECT_EQUAL(frame_free(subject->block, subject->order), 0);
}

/* ---- objects ---- */

/* a: bytes. */
static bool make_freed_object(const struct misuse *misuse, struct subject *subject)
{
    void *object = kmalloc(misuse->a, 0);

    return object != NULL && kfree(object) == 0 && subject_is(subject, (ul)object);
}

/* a: bytes; b: from its start, or, if negative, its end. */
static bool make_inside_object(const struct misuse *misuse, struct subject *subject)
{
    if (!take_object(subject, misuse->a))
        return false;
    ksnprintf(subject->words, sizeof subject->words, "inside an object of %lu bytes at 0x%lx",
              subject->content_bytes, (ul)subject->object);
    return subject_is(subject,
                      (ul)subject->object + ((s64)misuse->b < 0 ? subject->content_bytes : 0) + misuse->b);
}

/* a: bytes; b: from its start. */
static bool make_inside_freed_object(const struct misuse *misuse, struct subject *subject)
{
    void *object = kmalloc(misuse->a, 0);

    return object != NULL && kfree(object) == 0 && subject_is(subject, (ul)object + misuse->b);
}

/* ---- frames and pages, given to kfree or frame_free ---- */

static bool as_called(const struct misuse *misuse, struct subject *subject, u64 at)
{
    return subject_is(subject, misuse->call == BY_KFREE ? at + PAGE_OFFSET : at);
}

/* a: the zone; b: an offset, or for frame_free the order. */
static bool make_held_frame(const struct misuse *misuse, struct subject *subject)
{
    if (!take_block(subject, (unsigned)misuse->a, 0))
        return false;
    subject->number = misuse->call == BY_FRAME_FREE ? (int)misuse->b : 0;
    return as_called(misuse, subject, subject->block.addr + (misuse->call == BY_KFREE ? misuse->b : 0));
}

static bool make_unaligned_frame(const struct misuse *misuse, struct subject *subject)
{
    return make_held_frame(misuse, subject) && subject_is(subject, subject->address + 8);
}

/* a: the order. */
static bool make_freed_frame(const struct misuse *misuse, struct subject *subject)
{
    phys_t block = frame_alloc(ZONE_NORMAL, (unsigned)misuse->a);

    subject->number = (int)misuse->a;
    return !phys_is_none(block) && frame_free(block, (unsigned)misuse->a) == 0 &&
           as_called(misuse, subject, block.addr);
}

/* a: the zone; b: an offset. */
static bool make_owned_page(const struct misuse *misuse, struct subject *subject)
{
    return take_pages(subject, (unsigned)misuse->a, 1) &&
           as_called(misuse, subject, subject->pages->addr_phys + misuse->b);
}

static bool make_freed_page_address(const struct misuse *misuse, struct subject *subject)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

    if (page == NULL)
        return false;
    free_pages(page, 1);
    return as_called(misuse, subject, page->addr_phys + misuse->b);
}

/* ---- what mm and the kernel keep for themselves ---- */

/* a: 0 its own address, 1 that in the direct map. */
static bool make_image(const struct misuse *misuse, struct subject *subject)
{
    const struct mm_segment *segment = &mm.segments[0];

    return subject_is(subject, misuse->a == 0 ? segment->virt : segment->phys + PAGE_OFFSET);
}

static bool make_top_level(const struct misuse *misuse, struct subject *subject)
{
    return as_called(misuse, subject, paging_kernel_top().addr);
}

/* The last table on the way to SPECIAL. */
static bool make_table(const struct misuse *misuse, struct subject *subject)
{
    struct paging_path path;

    paging_walk(current_top(), virt(MM_SPECIAL_START), &path);
    return path.n_steps > 1 && as_called(misuse, subject, path.step[path.n_steps - 1].table.addr);
}

/* An object of a slab, so that there is a descriptor and a role table. */
static bool make_role_table(const struct misuse *misuse, struct subject *subject)
{
    return take_object(subject, 64) &&
           as_called(misuse, subject, virt_2_phys(page_of(pointer_phys(subject->object))->roles));
}

static bool make_descriptor(const struct misuse *misuse, struct subject *subject)
{
    phys_t at;

    if (!take_object(subject, 64))
        return false;
    at = pointer_phys(subject->object);
    return as_called(misuse, subject, virt_2_phys(live_of_word(role_word_now(at))) & PAGE_4K_MASK);
}

static bool make_page_array(const struct misuse *misuse, struct subject *subject)
{
    struct paging_path path;

    paging_walk(paging_kernel_top(), virt(MM_PAGE_ARRAY), &path);
    return path.mapped && as_called(misuse, subject, path.phys.addr);
}

static bool make_object_frame(const struct misuse *misuse, struct subject *subject)
{
    return take_object(subject, misuse->a) &&
           as_called(misuse, subject, virt_2_phys(subject->object) & PAGE_4K_MASK);
}

/* ---- other addresses ---- */

/* Low memory is reserved, where firmware says that it is there. */
static void subject_is_low(struct subject *subject)
{
    if (!memory_map_is_usable(mm_firmware_map(), 0, PAGE_4K_SIZE))
        str_copy(subject->words, sizeof subject->words, "no RAM there");
}

static bool make_low_memory(const struct misuse *misuse, struct subject *subject)
{
    (void)misuse;
    subject_is_low(subject);
    return subject_is(subject, PAGE_OFFSET);
}

/* a: the address. */
static bool make_address(const struct misuse *misuse, struct subject *subject)
{
    subject->number = (int)misuse->b;
    return subject_is(subject, misuse->a);
}

static bool make_behind_ram(const struct misuse *misuse, struct subject *subject)
{
    return as_called(misuse, subject, PAGE_2M_ALIGN(mm_ram_end()) + misuse->a);
}

static bool make_local(const struct misuse *misuse, struct subject *subject)
{
    (void)misuse;
    return subject_is(subject, (ul)__builtin_frame_address(0) & ~31UL);
}

static bool make_page_pointer(const struct misuse *misuse, struct subject *subject)
{
    (void)misuse;
    return subject_is(subject, (ul)page_at(1));
}

/* ---- free_pages ---- */

bool subject_is_pages(struct subject *subject, const struct Page *page, int number, ul reported)
{
    subject->address = (ul)page;
    subject->number = number;
    subject->reported = reported;
    return true;
}

/* a: the zone; b: how many. */
static bool make_freed_pages(const struct misuse *misuse, struct subject *subject)
{
    struct Page *page = alloc_pages((unsigned)misuse->a, (int)misuse->b, PAGE_SHARED);

    if (page == NULL)
        return false;
    free_pages(page, (int)misuse->b);
    mm_shrink();
    return subject_is_pages(subject, page, (int)misuse->b, page->addr_phys);
}

/* a: the number. */
static bool make_wrong_number(const struct misuse *misuse, struct subject *subject)
{
    return take_pages(subject, ZONE_NORMAL, 1) &&
           subject_is_pages(subject, subject->pages, (int)misuse->a, subject->pages->addr_phys);
}

/* Three, of which the one at a is free. */
static bool make_run_with_a_hole(const struct misuse *misuse, struct subject *subject)
{
    struct Page *hole;

    if (!take_pages(subject, ZONE_NORMAL, 3))
        return false;
    hole = subject->pages + misuse->a;
    free_pages(hole, 3 - (int)misuse->a); /* what is behind it goes, too: what is held is one run */
    subject->n_pages = (int)misuse->a;
    mm_shrink();
    return subject_is_pages(subject, subject->pages, 3, hole->addr_phys);
}

/* One page of alloc_pages, and before it one of frame_alloc's. */
static bool make_run_of_two_owners(const struct misuse *misuse, struct subject *subject)
{
    phys_t block = frame_alloc(ZONE_NORMAL, 10);
    struct Page *tried[TRIES], *second = mm_page_at(block.addr + PAGE_2M_SIZE);
    unsigned n = 0;

    (void)misuse;
    if (phys_is_none(block))
        return false;
    EXPECT_EQUAL(frame_free(phys_add(block, PAGE_2M_SIZE), 9), 0);
    while (n < TRIES && (tried[n] = alloc_pages(ZONE_NORMAL, 1, 0)) != NULL && tried[n] != second)
        n++;
    subject->pages = n < TRIES && tried[n] == second ? second : NULL;
    subject->n_pages = 1;
    while (n-- > 0)
        free_pages(tried[n], 1);
    subject->block = block;
    subject->order = 9;
    return subject->pages != NULL && subject_is_pages(subject, second - 1, 2, block.addr);
}

/* a: bytes of the object. */
static bool make_page_of_object(const struct misuse *misuse, struct subject *subject)
{
    return take_object(subject, misuse->a) && subject_is_pages(subject, Virt_To_2M_Page(subject->object), 1,
                                                        virt_2_phys(subject->object) & PAGE_2M_MASK);
}

static bool make_page_of_block(const struct misuse *misuse, struct subject *subject)
{
    return take_block(subject, ZONE_NORMAL, (unsigned)misuse->a) &&
           subject_is_pages(subject, mm_page_at(subject->block.addr), 1, subject->block.addr & PAGE_2M_MASK);
}

/* Not mm_page_at: of page 0 as of any other, there is an element of the array. */
static bool make_page_0(const struct misuse *misuse, struct subject *subject)
{
    (void)misuse;
    subject_is_low(subject);
    return subject_is_pages(subject, page_at(0), 1, 0);
}

/* A page of the array in a hole of RAM. */
static bool make_page_of_hole(const struct misuse *misuse, struct subject *subject)
{
    u32 index = 0;

    (void)misuse;
    while (index < mm.n_pages && page_at(index)->state != PAGE_ABSENT)
        index++;
    return index < mm.n_pages && subject_is_pages(subject, page_at(index), 1, index * PAGE_2M_SIZE);
}

/* The last page of RAM, and one behind it. */
static bool make_run_out_of_ram(const struct misuse *misuse, struct subject *subject)
{
    int n = 62; /* one more is a number that may be */

    (void)misuse;
    while (n > 1 && !take_pages(subject, ZONE_UNMAPPED_IN_PGT, n))
        n--;
    return subject->pages != NULL && subject->pages + subject->n_pages == page_at(mm.n_pages) &&
           subject_is_pages(subject, subject->pages, subject->n_pages + 1, (ul)mm.n_pages * PAGE_2M_SIZE);
}

static bool make_page_between(const struct misuse *misuse, struct subject *subject)
{
    return take_pages(subject, ZONE_NORMAL, 1) &&
           subject_is_pages(subject, (struct Page *)((ul)subject->pages + misuse->a), 1,
                     (ul)subject->pages + misuse->a);
}

/* a: how far.  Next to the last one, where the array would have an element if there were more RAM, its page is named. */
static bool make_page_behind_array(const struct misuse *misuse, struct subject *subject)
{
    const struct Page *page = page_at(mm.n_pages + (u32)misuse->a);

    return subject_is_pages(subject, page, 1, misuse->a == 0 ? mm.n_pages * PAGE_2M_SIZE : (ul)page);
}

static bool make_object_as_page(const struct misuse *misuse, struct subject *subject)
{
    return take_object(subject, misuse->a) && subject_is_pages(subject, subject->object, 1, (ul)subject->object);
}

static bool make_page_without_ram(const struct misuse *misuse, struct subject *subject)
{
    const struct Page *none = Phy_to_2M_Page(misuse->a);

    return subject_is_pages(subject, none, 1, (ul)none);
}

static bool make_number_as_page(const struct misuse *misuse, struct subject *subject)
{
    return subject_is_pages(subject, (const struct Page *)misuse->a, (int)misuse->b, misuse->a);
}

const struct misuse misuses[] = {
    {"a small object twice", BY_KFREE, make_freed_object, "already free", 32, 0, ALWAYS},
    {"an object of 2 KiB twice", BY_KFREE, make_freed_object, "already free", 2048, 0, ALWAYS},
    {"an object of a frame twice", BY_KFREE, make_freed_object, "already free", 4096, 0, ALWAYS},
    {"a large object twice", BY_KFREE, make_freed_object, "already free", MIB(1), 0, ALWAYS},
    {"1 byte into an object", BY_KFREE, make_inside_object, ANY, 32, 1, ALWAYS},
    {"the middle of an object", BY_KFREE, make_inside_object, ANY, 64, 32, ALWAYS},
    {"the last byte of an object", BY_KFREE, make_inside_object, ANY, 2048, -1UL, ALWAYS},
    {"8 bytes into an object of a frame", BY_KFREE, make_inside_object, ANY, 4096, 8, ALWAYS},
    {"the second frame of an object", BY_KFREE, make_inside_object, ANY, 32768, 4096, ALWAYS},
    {"the last frame of a large object", BY_KFREE, make_inside_object, ANY, MIB(1), -4096UL, ALWAYS},
    {"into a freed object", BY_KFREE, make_inside_freed_object, "never allocated", 2048, 8, ALWAYS},
    {"a frame of frame_alloc", BY_KFREE, make_held_frame, "never allocated", ZONE_NORMAL, 0, ALWAYS},
    {"into a frame of frame_alloc", BY_KFREE, make_held_frame, "never allocated", ZONE_DMA, 32, ALWAYS},
    {"a frame in no page table", BY_KFREE, make_held_frame, "not in the direct map", ZONE_UNMAPPED_IN_PGT,
     0, MAY_LACK},
    {"a free frame", BY_KFREE, make_freed_frame, "a free frame", 0, 0, ALWAYS},
    {"a free block", BY_KFREE, make_freed_frame, "a free frame", 5, 0, ALWAYS},
    {"a page of alloc_pages", BY_KFREE, make_owned_page, "a page of alloc_pages", ZONE_NORMAL, 0, ALWAYS},
    {"the end of a page of alloc_pages", BY_KFREE, make_owned_page, "a page of alloc_pages", ZONE_DMA,
     PAGE_2M_SIZE - 32, WITH_PAGES},
    {"a page in no page table", BY_KFREE, make_owned_page, "not in the direct map", ZONE_UNMAPPED_IN_PGT, 0,
     MAY_LACK},
    {"a freed page", BY_KFREE, make_freed_page_address, "a free frame", 0, 0, ALWAYS},
    {"the kernel image", BY_KFREE, make_image, "the kernel image", 0, 0, ALWAYS},
    {"the kernel image in the direct map", BY_KFREE, make_image, "the kernel image", 1, 0, ALWAYS},
    {"the top-level table", BY_KFREE, make_top_level, "a page table", 0, 0, ALWAYS},
    {"a page table", BY_KFREE, make_table, "a page table", 0, 0, ALWAYS},
    {"a role table", BY_KFREE, make_role_table, "allocator metadata", 0, 0, ALWAYS},
    {"a descriptor frame", BY_KFREE, make_descriptor, "allocator metadata", 0, 0, ALWAYS},
    {"a frame of the page array", BY_KFREE, make_page_array, "allocator metadata", 0, 0, ALWAYS},
    {"low memory", BY_KFREE, make_low_memory, "never allocated", 0, 0, ALWAYS},
    {"a small number", BY_KFREE, make_address, "not in the direct map", 8, 0, ALWAYS},
    {"a user address", BY_KFREE, make_address, "not in the direct map", 0x400000, 0, ALWAYS},
    {"the last user address", BY_KFREE, make_address, "not in the direct map", MM_USER_END - 32, 0, ALWAYS},
    {"a special mapping", BY_KFREE, make_address, "not in the direct map", SPECIAL_BORDER, 0, ALWAYS},
    {"the MMIO window", BY_KFREE, make_address, "not in the direct map", MM_MMIO_START, 0, ALWAYS},
    {"the last address", BY_KFREE, make_address, "not in the direct map", ~0UL, 0, ALWAYS},
    {"bit 47 alone", BY_KFREE, make_address, "not canonical", 1UL << 47, 0, ALWAYS},
    {"bit 63 alone", BY_KFREE, make_address, "not canonical", 1UL << 63, 0, ALWAYS},
    {"behind RAM", BY_KFREE, make_behind_ram, "no RAM there", 0, 0, ALWAYS},
    {"far behind RAM", BY_KFREE, make_address, "no RAM there", PAGE_OFFSET + (1UL << 44), 0, ALWAYS},
    {"a variable on the stack", BY_KFREE, make_local, "not in the direct map", 0, 0, ALWAYS},
    {"a struct Page", BY_KFREE, make_page_pointer, "not in the direct map", 0, 0, ALWAYS},

    {"a page twice", BY_FREE_PAGES, make_freed_pages, "already free", ZONE_NORMAL, 1, ALWAYS},
    {"a page in no page table twice", BY_FREE_PAGES, make_freed_pages, "already free", ZONE_UNMAPPED_IN_PGT,
     1, MAY_LACK},
    {"two pages twice", BY_FREE_PAGES, make_freed_pages, "already free", ZONE_NORMAL, 2, WITH_PAGES},
    {"no page", BY_FREE_PAGES, make_wrong_number, "a page of alloc_pages", 0, 0, ALWAYS},
    {"64 pages", BY_FREE_PAGES, make_wrong_number, "a page of alloc_pages", 64, 0, ALWAYS},
    {"-1 pages", BY_FREE_PAGES, make_wrong_number, "a page of alloc_pages", -1UL, 0, ALWAYS},
    {"2^31 - 1 pages", BY_FREE_PAGES, make_wrong_number, "a page of alloc_pages", INT32_MAX, 0, ALWAYS},
    {"-2^31 pages", BY_FREE_PAGES, make_wrong_number, "a page of alloc_pages", -(1UL << 31), 0, ALWAYS},
    {"a run whose last page is free", BY_FREE_PAGES, make_run_with_a_hole, "already free", 2, 0, WITH_PAGES},
    {"a run of which two pages are free", BY_FREE_PAGES, make_run_with_a_hole, "already free", 1, 0,
     WITH_PAGES},
    {"a run of two owners", BY_FREE_PAGES, make_run_of_two_owners, "never allocated", 0, 0, WITH_PAGES},
    {"the page of a small object", BY_FREE_PAGES, make_page_of_object, ANY, 64, 0, ALWAYS},
    {"the page of a large object", BY_FREE_PAGES, make_page_of_object, ANY, MIB(1), 0, ALWAYS},
    {"the page of a frame", BY_FREE_PAGES, make_page_of_block, ANY, 0, 0, ALWAYS},
    {"a page of frame_alloc", BY_FREE_PAGES, make_page_of_block, "never allocated", 9, 0, ALWAYS},
    {"a page of a hole", BY_FREE_PAGES, make_page_of_hole, "no RAM there", 0, 0, MAY_LACK},
    {"a run out of RAM", BY_FREE_PAGES, make_run_out_of_ram, "no RAM there", 0, 0, MAY_LACK},
    {"page 0", BY_FREE_PAGES, make_page_0, "never allocated", 0, 0, ALWAYS},
    {"8 bytes into a struct Page", BY_FREE_PAGES, make_page_between, "never allocated", 8, 0, ALWAYS},
    {"the end of a struct Page", BY_FREE_PAGES, make_page_between, "never allocated", 127, 0, ALWAYS},
    {"behind the page array", BY_FREE_PAGES, make_page_behind_array, "no RAM there", 0, 0, ALWAYS},
    {"far behind the page array", BY_FREE_PAGES, make_page_behind_array, "never allocated", 1UL << 31, 0,
     ALWAYS},
    {"an object", BY_FREE_PAGES, make_object_as_page, "never allocated", 128, 0, ALWAYS},
    {"an address without RAM", BY_FREE_PAGES, make_page_without_ram, "no RAM there", NO_MEMORY, 0, ALWAYS},
    {"NULL", BY_FREE_PAGES, make_number_as_page, "never allocated", 0, 1, ALWAYS},
    {"what is not canonical", BY_FREE_PAGES, make_number_as_page, "never allocated", 1UL << 63, 1, ALWAYS},

    {"a frame twice", BY_FRAME_FREE, make_freed_frame, "a free frame", 0, 0, ALWAYS},
    {"a block twice", BY_FRAME_FREE, make_freed_frame, "a free frame", 3, 0, ALWAYS},
    {"a frame as two", BY_FRAME_FREE, make_held_frame, ANY, ZONE_DMA, 1, ALWAYS},
    {"an order that there is not", BY_FRAME_FREE, make_held_frame, ANY, ZONE_NORMAL, FRAME_MAX_ORDER + 1,
     ALWAYS},
    {"8 bytes into a frame", BY_FRAME_FREE, make_unaligned_frame, "never allocated", ZONE_NORMAL, 0, ALWAYS},
    {"the frame of a small object", BY_FRAME_FREE, make_object_frame, ANY, 64, 0, ALWAYS},
    {"the first frame of an object", BY_FRAME_FREE, make_object_frame, ANY, 32768, 0, ALWAYS},
    {"the top-level table", BY_FRAME_FREE, make_top_level, "a page table", 0, 0, ALWAYS},
    {"a role table", BY_FRAME_FREE, make_role_table, "allocator metadata", 0, 0, ALWAYS},
    {"a page of alloc_pages", BY_FRAME_FREE, make_owned_page, "a page of alloc_pages", ZONE_NORMAL, 0,
     ALWAYS},
    {"behind RAM", BY_FRAME_FREE, make_behind_ram, "no RAM there", 0, 0, ALWAYS},
    {"the last frame there could be", BY_FRAME_FREE, make_address, "no RAM there", ~0xfffUL, 0, ALWAYS},
    {NULL, BY_KFREE, NULL, NULL, 0, 0, ALWAYS},
};
