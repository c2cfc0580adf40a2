/* SPDX-License-Identifier: MIT */
/*
 * What mm says about addresses: one of every kind, byte by byte where it matters, values that are no
 * addresses, and the words for them.  And all of memory at once: the free blocks that single answers tell of
 * are those that are counted.
 */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <lib/string.h>
#include <mm/cpu.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/page.h>
#include <mm/role.h>

#include <stdio.h>

#define MODULE_PHYS  (MIB(20) + 100)
#define MODULE_BYTES KIB(10)
#define HOLE_PHYS    (MIB(40) + KIB(64)) /* in a page that has RAM */
#define HOLE_BYTES   KIB(32)
#define ABSENT_PHYS  MIB(100) /* a page without RAM */
#define ABSENT_BYTES MIB(4)
#define RAM_END      MIB(512)

static int start_machine(void **state)
{
    static const struct machine_ram ram[] = {
        {0, HOLE_PHYS},
        {HOLE_PHYS + HOLE_BYTES, ABSENT_PHYS - HOLE_PHYS - HOLE_BYTES},
        {ABSENT_PHYS + ABSENT_BYTES, RAM_END - ABSENT_PHYS - ABSENT_BYTES},
    };
    static const struct mm_reserved module = {MODULE_PHYS, MODULE_PHYS + MODULE_BYTES, "module"};
    static const struct machine_options options = {.reserved = &module, .n_reserved = 1};

    (void)state;
    assert_null(machine_start(ram, ARRAY_LENGTH(ram), &options));
    return 0;
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static struct mm_what describe_phys(u64 at)
{
    struct mm_what what;

    memset(&what, 0x55, sizeof(what));
    mm_describe_phys(phys(at), &what);
    return what;
}

static struct mm_what describe_virt(u64 at)
{
    struct mm_what what;

    memset(&what, 0x55, sizeof(what));
    mm_describe_virt(virt(at), &what);
    return what;
}

/* The physical byte, and the same through the direct map, is of this kind, in this block. */
static void assert_is(u64 at, enum mm_kind kind, u64 start, u64 bytes)
{
    const struct mm_what found[] = {describe_phys(at), describe_virt(at + PAGE_OFFSET)};

    for (unsigned i = 0; i < ARRAY_LENGTH(found); i++) {
        if (found[i].kind != kind || found[i].block_start != start || found[i].block_bytes != bytes)
            fail_msg("0x%lx is of kind %u in 0x%lx + 0x%lx, not of kind %u in 0x%lx + 0x%lx", at,
                     found[i].kind, found[i].block_start, found[i].block_bytes, kind, start, bytes);
        assert_int_equal(found[i].phys, at);
    }
}

/* The first and the last byte of a block, and one in between, are of this kind and in that block. */
static void assert_block_is(u64 start, u64 bytes, enum mm_kind kind)
{
    assert_is(start, kind, start, bytes);
    assert_is(start + bytes / 2 + 1, kind, start, bytes);
    assert_is(start + bytes - 1, kind, start, bytes);
}

static void assert_text(const struct mm_what *what, const char *expected)
{
    char text[96];

    assert_int_equal(mm_describe_text(what, text, sizeof(text)), strlen(expected));
    assert_string_equal(text, expected);
}

static void assert_virt_text(u64 at, const char *expected)
{
    struct mm_what what = describe_virt(at);

    assert_text(&what, expected);
}

static void objects_of_all_classes_to_their_last_byte(void **state)
{
    (void)state;
    for (u64 size = 32; size <= MIB(1); size *= 2) {
        void *object = kmalloc(size, 0);
        u64 at = virt_2_phys(object);

        assert_block_is(at, size, MM_LIVE_OBJECT);
        assert_int_equal(describe_phys(at).class_bytes, size);
        assert_int_equal(kfree(object), 0);
        assert_block_is(at, size, MM_FREE_OBJECT);
        assert_int_equal(describe_phys(at + size - 1).class_bytes, size);
    }
}

static void objects_in_words(void **state)
{
    u8 *small = kmalloc(64, 0), *large = kmalloc(65536, 0);
    char expected[96];

    (void)state;
    assert_virt_text((u64)small, "never allocated"); /* nothing is wrong with it */
    snprintf(expected, sizeof(expected), "inside an object of 64 bytes at 0x%lx", (u64)small);
    assert_virt_text((u64)small + 63, expected);
    snprintf(expected, sizeof(expected), "inside an object of 65536 bytes at 0x%lx", (u64)large);
    assert_virt_text((u64)large + 40960, expected);
    assert_int_equal(kfree(small) + kfree(large), 0);
    assert_virt_text((u64)small, "already free");
    assert_virt_text((u64)large, "already free");
    assert_virt_text((u64)small + 1, "never allocated");
}

static void pages_of_alloc_pages(void **state)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 2, PAGE_SHARED),
                *far = alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0);
    struct mm_what what;

    (void)state;
    assert_block_is(page[1].addr_phys, MIB(2), MM_PAGE);
    what = describe_phys(page[1].addr_phys + 77);
    assert_int_equal(what.attr, PAGE_SHARED | PAGE_PGT_MAPPED);
    assert_int_equal(what.ref_counts, 1);
    assert_int_equal(what.zone, 1);
    assert_text(&what, "a page of alloc_pages");
    what = describe_phys(far->addr_phys + 77);
    assert_int_equal(what.kind, MM_PAGE);
    assert_int_equal(what.zone, 2);
    assert_int_equal(describe_virt(far->addr_phys + PAGE_OFFSET).kind, MM_NOT_DIRECT);
    assert_virt_text(far->addr_phys + PAGE_OFFSET, "not in the direct map");
}

static void frames_held_and_cached(void **state)
{
    phys_t frame = frame_alloc(ZONE_NORMAL, 0), block = frame_alloc(ZONE_NORMAL, 10),
           dma = frame_alloc(ZONE_DMA, 1);
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

    (void)state;
    assert_block_is(frame.addr, FRAME_BYTES, MM_HELD_FRAME);
    assert_is(block.addr + MIB(3), MM_HELD_FRAME, block.addr + MIB(2), MIB(2));
    assert_int_equal(describe_phys(dma.addr).zone, 0);
    assert_virt_text(frame.addr + PAGE_OFFSET, "never allocated");
    assert_int_equal(frame_free(frame, 0), 0);
    free_pages(page, 1);
    assert_block_is(frame.addr, FRAME_BYTES, MM_CACHED_FRAME);
    assert_block_is(page->addr_phys, MIB(2), MM_CACHED_FRAME);
    assert_virt_text(frame.addr + PAGE_OFFSET, "a free frame");
    block = frame_alloc(ZONE_NORMAL, 2);
    assert_int_equal(frame_free(block, 2), 0);
    assert_block_is(block.addr + 3 * FRAME_BYTES, FRAME_BYTES, MM_CACHED_FRAME);
    assert_virt_text(page->addr_phys + PAGE_OFFSET + 5, "a free frame");
}

/* Of a block of 2^8 frames of which frame 0 is kept, the others are free blocks of 1, 1, 2, 4 ... frames. */
static void free_frames_and_their_maximal_blocks(void **state)
{
    phys_t block = frame_alloc(ZONE_UNMAPPED_IN_PGT, 8);

    (void)state;
    for (u64 i = 1; i < 256; i++)
        assert_int_equal(frame_free(phys(block.addr + i * FRAME_BYTES), 0), 0);
    for (unsigned order = 0; order < 8; order++)
        for (u64 i = 1UL << order; i < 2UL << order; i++) {
            struct mm_what what = describe_phys(block.addr + i * FRAME_BYTES + 9);

            assert_int_equal(what.kind, MM_FREE_FRAME);
            assert_int_equal(what.order, order);
            assert_int_equal(what.block_start, block.addr + (FRAME_BYTES << order));
            assert_int_equal(what.block_bytes, FRAME_BYTES << order);
            assert_int_equal(what.zone, 2);
        }
    assert_int_equal(describe_phys(block.addr).kind, MM_HELD_FRAME);
}

static void free_pages_and_their_blocks(void **state)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 4, 0);
    u64 at = page->addr_phys;

    (void)state;
    assert_true(is_aligned(at, MIB(8)));
    free_pages(page + 2, 2);
    assert_block_is(at + MIB(4), MIB(4), MM_FREE_FRAME);
    assert_int_equal(describe_phys(at + MIB(4)).order, 10);
    assert_int_equal(describe_phys(at).kind, MM_PAGE);
}

static void page_tables_of_all_levels(void **state)
{
    struct paging_path path;
    struct mm_what what;

    (void)state;
    paging_walk(paging_kernel_top(), virt(MM_IMAGE_START + MACHINE_TEXT_PHYS), &path);
    assert_int_equal(path.n_steps, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_block_is(path.step[i].table.addr, FRAME_BYTES, MM_TABLE);
        what = describe_phys(path.step[i].table.addr + 8);
        assert_int_equal(what.level, 4 - i);
        assert_true(what.n_used > 0 && what.n_used <= 512);
        assert_int_equal(what.n_used, table_frame_used(path.step[i].table));
        assert_text(&what, "a page table");
    }
}

static void metadata(void **state)
{
    void *object = kmalloc(64, 0);
    u64 roles = virt_2_phys(page_of(pointer_phys(object))->roles);
    struct mm_what what;

    (void)state;
    assert_block_is(roles, FRAME_BYTES, MM_METADATA);
    what = describe_phys(roles + 1);
    assert_text(&what, "allocator metadata");
    assert_int_equal(describe_phys((u64)mm_firmware_map()->entries - PAGE_OFFSET).kind, MM_METADATA);
}

static void reserved_ranges_and_the_image(void **state)
{
    struct mm_what what;

    (void)state;
    assert_is(MODULE_PHYS + 5, MM_RESERVED, MODULE_PHYS, MODULE_BYTES);
    assert_is(MODULE_PHYS - 100, MM_RESERVED, MODULE_PHYS, MODULE_BYTES); /* its frame is, as a whole */
    assert_is(MODULE_PHYS + MODULE_BYTES - 1, MM_RESERVED, MODULE_PHYS, MODULE_BYTES);
    assert_string_equal(describe_phys(MODULE_PHYS).name, "module");
    assert_virt_text(MODULE_PHYS + PAGE_OFFSET, "never allocated");
    assert_string_equal(describe_phys(0x1000).name, "low memory");
    assert_int_equal(describe_phys(0x1000).kind, MM_RESERVED);
    assert_virt_text(MACHINE_TEXT_PHYS + PAGE_OFFSET, "the kernel image");
    what = describe_virt(MM_IMAGE_START + MACHINE_DATA_PHYS + 17);
    assert_int_equal(what.kind, MM_RESERVED);
    assert_int_equal(what.phys, MACHINE_DATA_PHYS + 17);
    assert_int_equal(what.block_start, MACHINE_DATA_PHYS);
    assert_int_equal(what.block_bytes, MACHINE_DATA_BYTES);
    assert_text(&what, "the kernel image");
    assert_virt_text(MM_IMAGE_START + MACHINE_IMAGE_END - 1, "the kernel image");
    assert_virt_text(MM_IMAGE_START + MACHINE_IMAGE_END, "not in the direct map");
    assert_virt_text(MM_IMAGE_START + MACHINE_TEXT_PHYS - 1, "not in the direct map");
    mm_give_back("module");
    assert_int_equal(describe_phys(MODULE_PHYS).kind, MM_FREE_FRAME);
}

static void places_without_ram(void **state)
{
    static const u64 places[] = {KIB(640),         MIB(1) - 1,       HOLE_PHYS,
                                 HOLE_PHYS + 8191, ABSENT_PHYS,      ABSENT_PHYS + ABSENT_BYTES - 1,
                                 RAM_END,          RAM_END + GIB(5), TIB(31)};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(places); i++) {
        assert_is(places[i], MM_NO_RAM, align_down(places[i], FRAME_BYTES), FRAME_BYTES);
        assert_virt_text(places[i] + PAGE_OFFSET, "no RAM there");
    }
    assert_int_not_equal(describe_phys(HOLE_PHYS - 1).kind, MM_NO_RAM);
    assert_int_not_equal(describe_phys(HOLE_PHYS + HOLE_BYTES).kind, MM_NO_RAM);
    assert_int_equal(describe_phys(ABSENT_PHYS).zone, MM_N_ZONES);
}

static void values_that_are_no_addresses(void **state)
{
    static const u64 physical[] = {TIB(32), 1UL << 52, 1UL << 63, ~0UL, ~0UL - 4095};
    static const u64 not_canonical[] = {0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000,
                                        0x1234567812345678};
    static const u64 elsewhere[] = {
        0, 1, 8, 0x1000, 0x00007fffffffffff, PAGE_OFFSET - 1, PAGE_OFFSET + TIB(32), ~0UL};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(physical); i++) {
        assert_int_equal(describe_phys(physical[i]).kind, MM_NO_RAM);
        assert_int_equal(describe_phys(physical[i]).zone, MM_N_ZONES);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(not_canonical); i++)
        assert_virt_text(not_canonical[i], "not canonical");
    for (unsigned i = 0; i < ARRAY_LENGTH(elsewhere); i++) {
        assert_virt_text(elsewhere[i], "not in the direct map");
        assert_int_equal(describe_virt(elsewhere[i]).zone, MM_N_ZONES);
    }
}

static void words_fit_where_they_are_written(void **state)
{
    struct mm_what what = describe_virt((u64)kmalloc(4096, 0) + 1);
    char text[128], full[128];
    size_t length = mm_describe_text(&what, full, sizeof(full));

    (void)state;
    for (size_t size = 1; size <= length + 1; size++) {
        memset(text, '#', sizeof(text));
        assert_int_equal(mm_describe_text(&what, text, size), size - 1);
        assert_memory_equal(text, full, size - 1);
        assert_int_equal(text[size - 1], 0);
        assert_int_equal(text[size], '#');
    }
}

/* Grown pages say so. */
static void a_grown_page(void **state)
{
    struct Page *page;

    (void)state;
    while ((page = alloc_pages(ZONE_NORMAL, 1, 0)) != NULL && !page->grown)
        ;
    assert_non_null(page);
    assert_true(describe_phys(page->addr_phys).grown);
    assert_int_equal(describe_virt(page->addr_phys + PAGE_OFFSET).kind, MM_PAGE);
    assert_int_equal(describe_phys(page->addr_phys).zone, 1);
}

/* Takes and frees at random, so that there are blocks of all orders. */
static void fragment(void)
{
    static const unsigned zones[] = {ZONE_DMA, ZONE_NORMAL, ZONE_UNMAPPED_IN_PGT};
    u64 random = 0x5eed;

    for (unsigned i = 0; i < 4000; i++) {
        unsigned order = (unsigned)random_below(&random, random_below(&random, 20) == 0 ? 11 : 5);
        phys_t block = frame_alloc(zones[random_below(&random, 3)], order);

        if (!phys_is_none(block) && random_below(&random, 3) != 0)
            assert_int_equal(frame_free(block, order), 0);
        if (i % 16 == 0)
            kmalloc(32UL << random_below(&random, 12), 0);
    }
}

/* Counts the free block at `at`, and returns where it ends; or where the next frame is. */
static u64 count_block(u64 at, u64 n_blocks[MM_N_ZONES][MM_N_ORDERS], u64 *cached_bytes)
{
    struct mm_what what = describe_phys(at);

    if (what.kind == MM_CACHED_FRAME)
        *cached_bytes += FRAME_BYTES;
    if (what.kind != MM_FREE_FRAME)
        return at + FRAME_BYTES;
    assert_int_equal(what.block_start, at);
    assert_int_equal(what.block_bytes, FRAME_BYTES << what.order);
    assert_true(is_aligned(at, what.block_bytes));
    n_blocks[what.zone][what.order]++;
    for (u64 i = 0; i < what.block_bytes; i += FRAME_BYTES)
        assert_int_equal(describe_phys(at + i).block_start, at);
    return at + what.block_bytes;
}

static void all_free_blocks_are_those_that_are_counted(void **state)
{
    u64 n_blocks[MM_N_ZONES][MM_N_ORDERS] = {{0}}, cached_bytes = 0;
    struct mm_zone_info zone;

    (void)state;
    fragment();
    assert_sound();
    for (u64 at = 0; at < RAM_END;)
        at = count_block(at, n_blocks, &cached_bytes);
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        u64 free_bytes = 0;

        mm_zone_info(i, &zone);
        assert_memory_equal(n_blocks[i], zone.n_free_blocks, sizeof(n_blocks[i]));
        for (unsigned order = 0; order < MM_N_ORDERS; order++)
            free_bytes += n_blocks[i][order] * (FRAME_BYTES << order);
        assert_int_equal(free_bytes + zone.cached_bytes, zone.free_bytes);
        cached_bytes -= zone.cached_bytes;
    }
    assert_int_equal(cached_bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(objects_of_all_classes_to_their_last_byte),
        TEST(objects_in_words),
        TEST(pages_of_alloc_pages),
        TEST(frames_held_and_cached),
        TEST(free_frames_and_their_maximal_blocks),
        TEST(free_pages_and_their_blocks),
        TEST(page_tables_of_all_levels),
        TEST(metadata),
        TEST(reserved_ranges_and_the_image),
        TEST(places_without_ram),
        TEST(values_that_are_no_addresses),
        TEST(words_fit_where_they_are_written),
        TEST(a_grown_page),
        TEST(all_free_blocks_are_those_that_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
