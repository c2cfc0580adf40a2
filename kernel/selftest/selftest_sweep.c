/* SPDX-License-Identifier: MIT */
/*
 * Every request for memory that a call makes fails once: objects, frames, pages.  For mappings see
 * sweep_maps.c.
 */
#include <kernel/selftest/suites.h>
#include <kernel/selftest/sweep.h>
#include <kernel/selftest/sweep_maps.h>
#include <kernel/selftest/tables.h>
#include <kernel/selftest/world.h>
#include <lib/bits.h>
#include <mm/cpu.h>
#include <mm/fail.h>
#include <mm/frame.h>

static void *object;
static struct Page *pages;
static phys_t block;

/* ---- objects ---- */

static bool call_kmalloc(ul bytes)
{
    object = kmalloc(bytes, 0);
    return object != NULL;
}

static void undo_kmalloc(ul bytes)
{
    (void)bytes;
    EXPECT_EQUAL(kfree(object), 0);
}

static bool call_kzalloc(ul bytes)
{
    const u64 *words = kzalloc(bytes, 0);
    u64 any = 0;

    object = (void *)words;
    for (ul i = 0; words != NULL && i < bytes / sizeof *words; i++)
        any |= words[i];
    EXPECT_EQUAL(any, 0);
    return words != NULL;
}

/* A slab with room for one more.  Blocks come in as many at a time as lie together: how many is not the same each time, so
 * those that came beside the first stay in the magazine. */
static bool prepare_room(ul bytes)
{
    return sweep_fill_slabs(bytes) && (object = kmalloc(bytes, 0)) != NULL &&
           (bytes >= FRAME_BYTES || sweep_fill_slabs(bytes)) && kfree(object) == 0;
}

/* Each of them for a class of slabs or blocks; the states of slabs make no difference to blocks. */
static void sweep_objects(ul bytes)
{
    const struct sweep cases[] = {
        {"kmalloc(%lu), no slab has room", sweep_fill_slabs, call_kmalloc, undo_kmalloc, sweep_release, bytes,
         SWEEP_ASKS | SWEEP_TELLS},
        {"kmalloc(%lu), no descriptor frame", sweep_fill_descriptors, call_kmalloc, undo_kmalloc,
         sweep_release, bytes, SWEEP_ASKS | SWEEP_TELLS},
        {"kmalloc(%lu), no frame in pages with roles", sweep_fill_role_pages, call_kmalloc, undo_kmalloc,
         sweep_release, bytes, SWEEP_ASKS | SWEEP_TELLS},
        {"kmalloc(%lu), scattered frames", sweep_scatter, call_kmalloc, undo_kmalloc, sweep_release, bytes,
         SWEEP_ASKS | SWEEP_TELLS | SWEEP_MAY_LACK},
        {"kmalloc(%lu), a slab has room", prepare_room, call_kmalloc, undo_kmalloc, sweep_release, bytes,
         mm_debug_slot_bytes(bytes) < PAGE_4K_SIZE ? SWEEP_NEVER_ASKS : SWEEP_ASKS | SWEEP_TELLS},
    };

    sweep_all(cases, ARRAY_LENGTH(cases));
}

static void kmalloc_of_small_objects(void)
{
    for (ul bytes = 32; bytes < PAGE_4K_SIZE; bytes *= world_has_time() ? 2 : 8)
        sweep_objects(bytes);
    sweep_tell();
}

static void kmalloc_of_large_objects(void)
{
    for (ul bytes = PAGE_4K_SIZE; bytes <= MIB(1); bytes *= world_has_time() ? 2 : 16)
        sweep_objects(bytes);
    sweep_tell();
}

static void kzalloc_of_small_and_large_objects(void)
{
    const struct sweep cases[] = {
        {"kzalloc(%lu)", sweep_fill_slabs, call_kzalloc, undo_kmalloc, sweep_release, 64,
         SWEEP_ASKS | SWEEP_TELLS},
        {"kzalloc(%lu)", sweep_fill_slabs, call_kzalloc, undo_kmalloc, sweep_release, 4096,
         SWEEP_ASKS | SWEEP_TELLS},
        {"kzalloc(%lu)", sweep_fill_slabs, call_kzalloc, undo_kmalloc, sweep_release, MIB(1),
         SWEEP_ASKS | SWEEP_TELLS},
    };

    sweep_all(cases, ARRAY_LENGTH(cases));
    sweep_tell();
}

/* ---- frames and pages ---- */

static const unsigned zones[] = {ZONE_DMA, ZONE_NORMAL, ZONE_UNMAPPED_IN_PGT};

/* The argument is the order, and a zone's place in the list from bit 8 on. */
static bool call_frame_alloc(ul argument)
{
    block = frame_alloc(zones[argument >> 8], argument & 0xff);
    return !phys_is_none(block);
}

static void undo_frame_alloc(ul argument)
{
    EXPECT_EQUAL(frame_free(block, argument & 0xff), 0);
}

/* A zone that has no such block asks all the same. */
static void frame_alloc_of_each_order(void)
{
    for (ul zone = 0; zone < ARRAY_LENGTH(zones); zone++)
        for (ul order = 0; order <= FRAME_MAX_ORDER; order += world_has_time() ? 1 : 4) {
            const struct sweep one = {"frame_alloc, zone and order 0x%lx",
                                      NULL,
                                      call_frame_alloc,
                                      undo_frame_alloc,
                                      NULL,
                                      zone << 8 | order,
                                      SWEEP_ASKS | SWEEP_MAY_LACK};

            sweep_all(&one, 1);
        }
    sweep_tell();
}

/* The argument is the number, and a zone's place in the list from bit 8 on. */
static bool call_alloc_pages(ul argument)
{
    pages = alloc_pages(zones[argument >> 8], (int)(argument & 0xff), PAGE_SHARED);
    return pages != NULL;
}

static void undo_alloc_pages(ul argument)
{
    free_pages(pages, (int)(argument & 0xff));
}

static void alloc_pages_of_each_zone(void)
{
    static const ul numbers[] = {1, 2, 63};

    for (ul zone = 0; zone < ARRAY_LENGTH(zones); zone++)
        for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++) {
            const struct sweep one = {"alloc_pages, zone and number 0x%lx",
                                      NULL,
                                      call_alloc_pages,
                                      undo_alloc_pages,
                                      NULL,
                                      zone << 8 | numbers[i],
                                      SWEEP_ASKS | SWEEP_TELLS | SWEEP_MAY_LACK};

            sweep_all(&one, 1);
        }
    sweep_tell();
}

/* ---- what frees ---- */

static bool call_kfree(ul bytes)
{
    (void)bytes;
    return kfree(object) == 0;
}

static void redo_kmalloc(ul bytes)
{
    EXPECT(call_kmalloc(bytes));
}

/* The object is the first of a slab of its own. */
static bool prepare_object(ul bytes)
{
    return sweep_fill_slabs(bytes) && call_kmalloc(bytes);
}

static void drop_object(ul bytes)
{
    (void)call_kfree(bytes);
    sweep_release(bytes);
}

static bool call_frame_free(ul argument)
{
    return frame_free(block, argument & 0xff) == 0;
}

static void redo_frame_alloc(ul argument)
{
    EXPECT(call_frame_alloc(argument));
}

/* What could not be prepared is not there. */
static void drop_block(ul argument)
{
    if (!phys_is_none(block))
        undo_frame_alloc(argument);
}

static void drop_pages(ul argument)
{
    if (pages != NULL)
        undo_alloc_pages(argument);
}

static bool call_free_pages(ul argument)
{
    undo_alloc_pages(argument);
    return true;
}

static void redo_alloc_pages(ul argument)
{
    EXPECT(call_alloc_pages(argument));
}

/* Giving back wants no memory: whatever fails meanwhile, it succeeds. */
static void calls_that_free(void)
{
    static const ul sizes[] = {32, 2048, 4096, MIB(1)}, orders[] = {0, 3, 8}, numbers[] = {1, 3};
    const enum sweep_flags flags = SWEEP_NEVER_ASKS | SWEEP_MOVES;

    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++)
        sweep_all(&(struct sweep){"kfree of %lu bytes", prepare_object, call_kfree, redo_kmalloc, drop_object, sizes[i], flags},
                  1);
    for (ul zone = 0; zone < ARRAY_LENGTH(zones); zone++)
        for (unsigned i = 0; i < ARRAY_LENGTH(orders); i++)
            sweep_all(&(struct sweep){"frame_free, zone and order 0x%lx", call_frame_alloc, call_frame_free, redo_frame_alloc,
                                      drop_block, zone << 8 | orders[i], flags | SWEEP_MAY_MISS},
                      1);
    for (ul zone = 0; zone < ARRAY_LENGTH(zones); zone++)
        for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++)
            sweep_all(&(struct sweep){"free_pages, zone and number 0x%lx", call_alloc_pages, call_free_pages, redo_alloc_pages,
                                      drop_pages, zone << 8 | numbers[i], flags | SWEEP_MAY_MISS},
                      1);
    sweep_tell();
}

/* ---- while another CPU is at work ---- */

#define N_TOGGLES 10
#define N_HELD    48

static bool toggles_are_over;

/* Refills and flushes of every kind; whatever is refused is left out. */
static void work_a_round(ul round)
{
    static void *held[N_HELD];
    static phys_t frames[N_HELD];

    for (ul i = 0; i < N_HELD; i++) {
        held[i] = kmalloc(32UL << (round + i) % 12, 0);
        frames[i] = frame_alloc(ZONE_NORMAL, (round + i) % 4);
    }
    for (ul i = 0; i < N_HELD; i++) {
        kfree(held[i]);
        if (!phys_is_none(frames[i]))
            (void)frame_free(frames[i], (round + i) % 4);
    }
}

/* The boot CPU arms and disarms, the other one works. */
static void toggle_or_work(void *unused)
{
    (void)unused;
    for (ul round = 0; platform_cpu() != mm_boot_cpu(MM_CONTEXT_CODE) &&
                       !__atomic_load_n(&toggles_are_over, __ATOMIC_ACQUIRE);
         round++)
        work_a_round(round);
    for (unsigned i = 0; platform_cpu() == mm_boot_cpu(MM_CONTEXT_CODE) && i < N_TOGGLES; i++) {
        EXPECT(fail_arm(FAIL_EVERY, 3 + i % 5, i % 4 == 0));
        EXPECT(fail_disarm());
    }
    if (platform_cpu() == mm_boot_cpu(MM_CONTEXT_CODE))
        __atomic_store_n(&toggles_are_over, true, __ATOMIC_RELEASE);
}

/* A CPU may be in the middle of a refill when its caches are cut to nothing. */
static void caches_go_out_of_use_while_another_cpu_works(void)
{
    toggles_are_over = false;
    world_hush_notes(true);
    if (!world_run_on_two(toggle_or_work, NULL))
        test_skip("there is one CPU");
    world_hush_notes(false);
}

static const struct test tests[] = {
    TEST(kmalloc_of_small_objects),
    TEST(kmalloc_of_large_objects),
    TEST(kzalloc_of_small_and_large_objects),
    TEST(frame_alloc_of_each_order),
    TEST(alloc_pages_of_each_zone),
    TEST(calls_that_free),
    TEST(mapping_calls),
    TEST(mapping_calls_with_the_kept_frames_in_use),
    TEST(unmapping_calls_that_split),
    TEST(address_spaces_and_device_memory),
    TEST(caches_go_out_of_use_while_another_cpu_works),
    TEST_END,
};

const struct test_suite selftest_sweep = {
    "sweep", "each request for memory of each call fails, one after the other", tests};
