/* SPDX-License-Identifier: MIT */
/* Memory that runs out: what is given back before a call fails, and calls that fail with next to nothing
 * left. */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <lib/string.h>
#include <mm/cpu.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/page.h>
#include <mm/slab.h>

static u64 used; /* once started and shrunk */

static int start_machine(u64 bytes)
{
    assert_null(machine_start_bytes(bytes, NULL));
    mm_shrink();
    used = mm_stat().used;
    assert_sound();
    return 0;
}

static int start_32m(void **state)
{
    (void)state;
    return start_machine(MIB(32));
}

static int start_512m(void **state)
{
    (void)state;
    return start_machine(MIB(512));
}

static int stop_machine(void **state)
{
    (void)state;
    hoard_give();
    assert_nothing_leaked(used);
    machine_stop();
    return 0;
}

/* What is still free when NORMAL gives no frame any more. */
static u64 free_when_empty(void)
{
    u64 left;

    hoard_take(0);
    left = mm_stat().free;
    hoard_give();
    return left;
}

/* Takes all single frames of a zone, from frames[n] on; returns how many there are then. */
static u64 take_all(unsigned zone, phys_t *frames, u64 n)
{
    while (!phys_is_none(frames[n] = frame_alloc(zone, 0)))
        n++;
    return n;
}

/* Fills the caches of the running context: every magazine, the stacks of frames, of blocks, of pages. */
static void fill_caches(void)
{
    void *objects[2 * MAGAZINE_ROUNDS];
    struct Page *pages[STACK_PAGES];
    phys_t frames[STACK_FRAMES];

    for (unsigned class = 0; class < MM_N_CLASSES; class ++) {
        for (unsigned i = 0; i < ARRAY_LENGTH(objects); i++)
            objects[i] = kmalloc(32UL << class, 0);
        for (unsigned i = 0; i < ARRAY_LENGTH(objects); i++)
            assert_int_equal(kfree(objects[i]), 0);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(pages); i++)
        assert_non_null(pages[i] = alloc_pages(ZONE_NORMAL, 1, 0));
    for (unsigned i = 0; i < ARRAY_LENGTH(pages); i++)
        free_pages(pages[i], 1);
    for (unsigned i = 0; i < ARRAY_LENGTH(frames); i++)
        assert_false(phys_is_none(frames[i] = frame_alloc(ZONE_NORMAL, 0)));
    for (unsigned i = 0; i < ARRAY_LENGTH(frames); i++)
        assert_int_equal(frame_free(frames[i], 0), 0);
    for (unsigned order = 1; order <= STACK_ORDERS; order++) {
        for (unsigned i = 0; i < STACK_BLOCKS; i++)
            assert_false(phys_is_none(frames[i] = frame_alloc(ZONE_NORMAL, order)));
        for (unsigned i = 0; i < STACK_BLOCKS; i++)
            assert_int_equal(frame_free(frames[i], order), 0);
    }
}

static void shrink_returns_the_bytes_that_became_free(void **state)
{
    u64 before, gave;

    (void)state;
    fill_caches();
    before = mm_stat().free;
    gave = mm_shrink();
    assert_true(gave > 0);
    assert_int_equal(mm_stat().free, before + gave);
    assert_int_equal(mm_stat().cache_free, 0);
    assert_int_equal(mm_shrink(), 0);
}

static void full_caches_do_not_take_a_frame_from_anybody(void **state)
{
    u64 left = free_when_empty();

    (void)state;
    fill_caches();
    assert_true(mm_stat().cache_free > MIB(1));
    assert_int_equal(free_when_empty(), left);
    fill_caches();
    host_cpu_select(MM_CONTEXT_INTERRUPT);
    fill_caches();
    host_cpu_select(MM_CONTEXT_CODE);
    assert_int_equal(free_when_empty(), left);
}

static void full_caches_do_not_take_a_page_from_anybody(void **state)
{
    static struct Page *pages[300];
    u64 n[2];

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (n[round] = 0; (pages[n[round]] = alloc_pages(ZONE_NORMAL, 1, 0)) != NULL;)
            n[round]++;
        assert_sound();
        for (u64 i = 0; i < n[round]; i++)
            free_pages(pages[i], 1);
        fill_caches();
    }
    assert_int_equal(n[0], n[1]);
}

/* It may have come in the middle of something on code's caches: memory runs out for it with these full. */
static void an_interrupt_handler_leaves_the_caches_of_code_alone(void **state)
{
    struct mm_cpu *code = mm_boot_cpu(MM_CONTEXT_CODE), before;

    (void)state;
    fill_caches();
    before = *code;
    assert_true(magazine_count(&before, 3) > 0 && before.stacked.n_frames > 0 &&
                before.stacked.n_pages > 0 && *mm_cpu_n_blocks(&before, 1) > 0);
    host_cpu_select(MM_CONTEXT_INTERRUPT);
    fill_caches();
    hoard_take(0);
    assert_null(kmalloc(1 << 20, 0));
    assert_memory_equal(code, &before, sizeof(before));
    hoard_give();
    host_cpu_select(MM_CONTEXT_CODE);
    assert_sound();
}

/* Empties memory by kmalloc into a list that runs through the objects. */
static void **kmalloc_all(u64 size)
{
    void **list = NULL;

    for (void **p; (p = kmalloc(size, 0)) != NULL; list = p)
        *p = list;
    return list;
}

static void kfree_all(void **list)
{
    while (list != NULL) {
        void **next = *list;

        assert_int_equal(kfree(list), 0);
        list = next;
    }
}

static void normal_leaves_dma_its_quarter(void **state)
{
    struct mm_zone_info dma;
    static phys_t frames[MIB(32) / FRAME_BYTES];
    u64 n_frames;

    (void)state;
    for (unsigned size = 32; size <= KMALLOC_MAX_BYTES; size *= 8) {
        void **list = kmalloc_all(size);

        hoard_take(0);
        assert_null(alloc_pages(ZONE_NORMAL, 1, 0));
        mm_zone_info(0, &dma);
        assert_in_range(dma.free_bytes, dma.managed_bytes / 4, dma.managed_bytes / 4 + KMALLOC_MAX_BYTES);
        assert_sound();
        hoard_give();
        kfree_all(list);
    }
    hoard_take(0);
    mm_zone_info(0, &dma);
    n_frames = take_all(ZONE_DMA, frames, 0);
    assert_int_equal(n_frames, dma.free_bytes / FRAME_BYTES);
    while (n_frames > 0)
        assert_int_equal(frame_free(frames[--n_frames], 0), 0);
}

/* A frame for the role table of the page, and frames for a whole magazine, are borrowed, too. */
static void what_is_borrowed_at_once_leaves_dma_its_quarter(void **state)
{
    struct mm_zone_info dma;
    phys_t lent[6];

    (void)state;
    for (unsigned size = 2048; size <= 8192; size *= 2)
        for (unsigned n = 1; n <= ARRAY_LENGTH(lent); n++) {
            void *object;

            for (unsigned i = 0; i < n; i++)
                assert_false(phys_is_none(lent[i] = frame_alloc(ZONE_DMA, 0)));
            hoard_take(0);
            for (unsigned i = 0; i < n; i++)
                assert_int_equal(frame_free(lent[i], 0), 0);
            object = kmalloc(size, 0);
            mm_zone_info(0, &dma);
            assert_in_range(dma.free_bytes, dma.managed_bytes / 4, dma.managed_bytes);
            assert_true(object != NULL || n < ARRAY_LENGTH(lent));
            assert_int_equal(kfree(object), 0);
            hoard_give();
        }
    assert_sound();
}

/* What kmalloc borrowed from DMA and caches comes back before a DMA request fails. */
static void dma_gets_back_what_lies_in_caches(void **state)
{
    struct mm_zone_info dma;
    static phys_t frames[MIB(32) / FRAME_BYTES];
    static void *objects[MIB(32) / FRAME_BYTES];
    u64 n_frames, n_objects = 0;

    (void)state;
    hoard_take(0);
    mm_zone_info(0, &dma);
    hoard_give();
    assert_true(dma.free_bytes < dma.managed_bytes / 2); /* so some was borrowed */
    mm_zone_info(0, &dma);
    while ((objects[n_objects] = kmalloc(4096, 0)) != NULL)
        assert_true(++n_objects < ARRAY_LENGTH(objects));
    for (u64 i = 0; i < n_objects; i++) /* the borrowed ones last, so that they stay in the magazine */
        assert_int_equal(kfree(objects[i]), 0);
    n_frames = take_all(ZONE_DMA, frames, 0);
    assert_int_equal(n_frames, dma.free_bytes / FRAME_BYTES);
    while (n_frames > 0)
        assert_int_equal(frame_free(frames[--n_frames], 0), 0);
}

static void unmapped_gets_grown_pages_back(void **state)
{
    struct mm_zone_info before, zone;
    struct mm_start_info info;
    void **list;

    (void)state;
    mm_zone_info(2, &before);
    list = kmalloc_all(2048);
    mm_zone_info(2, &zone);
    assert_true(zone.managed_bytes < PAGE_BYTES);
    assert_true(phys_is_none(frame_alloc(ZONE_UNMAPPED_IN_PGT, 0)));
    assert_null(alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0));
    assert_sound();
    kfree_all(list);
    for (unsigned n = 1; n <= before.managed_bytes / PAGE_BYTES && n < 64; n *= 2) {
        struct Page *page;

        kfree_all(kmalloc_all(4096));
        assert_non_null(page = alloc_pages(ZONE_UNMAPPED_IN_PGT, (int)n, 0));
        assert_sound();
        free_pages(page, (int)n);
    }
    kfree_all(kmalloc_all(65536));
    phys_t frame = frame_alloc(ZONE_UNMAPPED_IN_PGT, 0);
    assert_false(phys_is_none(frame));
    assert_int_equal(frame_free(frame, 0), 0);
    mm_shrink();
    mm_start_info(&info);
    assert_int_equal(info.n_grown_pages, 0);
    mm_zone_info(2, &zone);
    assert_int_equal(zone.managed_bytes, before.managed_bytes);
    assert_int_equal(zone.free_bytes, before.free_bytes);
}

/* Frees, of all memory taken, the first 2^order frames of each aligned 2^(order + 1); or takes these again.
 */
static void fragment(unsigned order, phys_t *frames, u64 n_frames)
{
    for (u64 i = 0; i < n_frames; i++) {
        if (!phys_is_none(frames[i]) && (frames[i].addr / FRAME_BYTES >> order & 1) == 0) {
            assert_int_equal(frame_free(frames[i], 0), 0);
            frames[i] = PHYS_NONE;
        }
    }
}

/* With free blocks of 2^order frames at most, kmalloc of a block gives that and no more; small objects
 * always. */
static void try_all_classes(unsigned order)
{
    for (unsigned class = 0; class < MM_N_CLASSES; class ++) {
        u64 size = 32UL << class;
        void *object = kmalloc(size, 0);

        if ((object != NULL) != (size <= FRAME_BYTES << order))
            fail_msg("kmalloc(%lu) with blocks of 2^%u frames: %p", size, order, object);
        assert_sound();
        assert_int_equal(kfree(object), 0);
    }
}

static void every_class_that_fits_is_served_when_memory_is_fragmented(void **state)
{
    static phys_t frames[MIB(32) / FRAME_BYTES];
    u64 n_frames;

    (void)state;
    for (unsigned order = 0; order <= 7; order++) {
        n_frames = take_all(ZONE_NORMAL, frames, 0);
        n_frames = take_all(ZONE_DMA, frames, n_frames);
        fragment(order, frames, n_frames);
        mm_shrink();
        try_all_classes(order);
        for (u64 i = 0; i < n_frames; i++)
            if (!phys_is_none(frames[i]))
                assert_int_equal(frame_free(frames[i], 0), 0);
        assert_nothing_leaked(used);
    }
}

/* Tables and the frames kept for splitting come from wherever memory is; in the end all is where it was. */
static void mapping_and_unmapping_leave_no_trace(void **state)
{
    static void *objects[2000];
    u64 top = (u64)get_CR3(), at = TIB(1);

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(objects); i++) /* so that tables lie in pages of their own */
        assert_non_null(objects[i] = kmalloc(4096, 0));
    assert_int_equal(mm_map_phys_addr(at, DEVICE_AT, MIB(12), PAGE_R_W, true), 0);
    assert_int_equal(mm_map_phys_addr(at + TIB(1), DEVICE_AT, MIB(8), PAGE_R_W, true), 0);
    for (u64 i = 2; i < 12; i++)
        assert_int_equal(mm_map_phys_addr(at + TIB(i), DEVICE_AT, MIB(2), PAGE_R_W, false), 0);
    for (u64 i = 2; i < 12; i++)
        assert_int_equal(mm_unmap_range(top, true, at + TIB(i) + KIB(64), MIB(1)), 0);
    for (u64 i = 0; i < 12; i++)
        assert_int_equal(mm_unmap_range(top, true, at + TIB(i), MIB(12)), 0);
    for (unsigned i = 0; i < ARRAY_LENGTH(objects); i++)
        assert_int_equal(kfree(objects[i]), 0);
    assert_nothing_leaked(used);
}

#define TEST(name, start) cmocka_unit_test_setup_teardown(name, start, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shrink_returns_the_bytes_that_became_free, start_512m),
        TEST(full_caches_do_not_take_a_frame_from_anybody, start_512m),
        TEST(full_caches_do_not_take_a_page_from_anybody, start_512m),
        TEST(an_interrupt_handler_leaves_the_caches_of_code_alone, start_512m),
        TEST(normal_leaves_dma_its_quarter, start_32m),
        TEST(what_is_borrowed_at_once_leaves_dma_its_quarter, start_32m),
        TEST(dma_gets_back_what_lies_in_caches, start_32m),
        TEST(unmapped_gets_grown_pages_back, start_512m),
        TEST(every_class_that_fits_is_served_when_memory_is_fragmented, start_32m),
        TEST(mapping_and_unmapping_leave_no_trace, start_32m),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
