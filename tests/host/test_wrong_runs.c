/* SPDX-License-Identifier: MIT */
/* A wrong free of several things has no effect, not even for a moment, on right calls that concern one of them elsewhere. */
#include <cmocka_all.h>
#include <host.h>
#include <machine.h>

#include <lib/bits.h>
#include <lib/string.h>
#include <mm/cpu.h>
#include <mm/frame.h>
#include <mm/page.h>

#include <pthread.h>

#define N_WRONG_FREES 30000

/* The last page of a run is somebody else's, the last frame of a block free: so all frees of the whole are wrong.  As many
 * as there can be, so that a wrong free takes long. */
#define N_PAGES     63
#define BLOCK_ORDER 8

struct run {
    struct Page *page;
    phys_t block;
    u64 n_wrong;
    u32 done;
    struct mm_cpu *cpu;
};

static void *free_wrongly(void *argument)
{
    struct run *run = argument;

    host_cpu = run->cpu;
    while (!__atomic_load_n(&run->done, __ATOMIC_ACQUIRE)) {
        if (run->page != NULL)
            free_pages(run->page, N_PAGES);
        else
            frame_free(run->block, BLOCK_ORDER);
        __atomic_fetch_add(&run->n_wrong, 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* Frees and takes one thing beside a thread that frees wrongly; returns how many frees were refused but those. */
static u64 refused_beside(struct run *run, void (*free_and_take)(struct run *))
{
    ul n_before = mm_misuse_count();
    pthread_t thread;

    assert_non_null(run->cpu = mm_cpu_create());
    assert_int_equal(pthread_create(&thread, NULL, free_wrongly, run), 0);
    while (__atomic_load_n(&run->n_wrong, __ATOMIC_ACQUIRE) == 0)
        continue;
    while (__atomic_load_n(&run->n_wrong, __ATOMIC_ACQUIRE) < N_WRONG_FREES)
        free_and_take(run);
    __atomic_store_n(&run->done, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return mm_misuse_count() - n_before - run->n_wrong;
}

/* The same page, since no other is free. */
static void page_free_and_take(struct run *run)
{
    free_pages(run->page, 1);
    assert_ptr_equal(alloc_pages(ZONE_NORMAL, 1, 0), run->page);
}

static void a_wrong_run_of_pages_does_not_disturb_a_right_one(void **state)
{
    struct Page *first = alloc_pages(ZONE_NORMAL, N_PAGES, 0);
    struct run run = {.page = first};

    (void)state;
    assert_non_null(first);
    while (alloc_pages(ZONE_NORMAL, 1, 0) != NULL)
        continue;
    free_pages(first + N_PAGES - 1, 1);
    mm_shrink();
    assert_int_equal(frame_alloc(ZONE_NORMAL, 9).addr, first[N_PAGES - 1].addr_phys);
    assert_int_equal(refused_beside(&run, page_free_and_take), 0);
    free_pages(first, N_PAGES - 1);
}

static void frame_free_and_take(struct run *run)
{
    assert_int_equal(frame_free(run->block, 0), 0);
    assert_int_equal(frame_alloc(ZONE_NORMAL, 0).addr, run->block.addr);
}

static void a_wrong_block_does_not_disturb_a_right_frame(void **state)
{
    phys_t block = frame_alloc(ZONE_NORMAL, BLOCK_ORDER);
    phys_t last = phys_add(block, (FRAME_BYTES << BLOCK_ORDER) - FRAME_BYTES);
    struct run run = {.block = block};

    (void)state;
    assert_false(phys_is_none(block));
    assert_int_equal(frame_free(last, 0), 0);
    assert_int_equal(refused_beside(&run, frame_free_and_take), 0);
    for (phys_t at = block; at.addr < last.addr; at = phys_add(at, FRAME_BYTES))
        assert_int_equal(frame_free(at, 0), 0);
}

/* Memory of a wrong free serves as a top-level table: mapping calls, right ones and a wrong one, go by what it is. */
static void map_with(u64 top)
{
    assert_int_equal(mm_map_proc_page_table(top, true, MIB(4), MIB(32), FRAME_BYTES, PAGE_USER_4K_PAGE, true, true, true), 0);
    assert_int_equal(mm_map_proc_page_table(top + 8, true, MIB(4), MIB(32), FRAME_BYTES, PAGE_USER_4K_PAGE, true, true, true),
                     -EFAULT);
}

static void map_with_page(struct run *run)
{
    map_with(run->page->addr_phys);
}

static void a_wrong_run_of_pages_does_not_disturb_a_mapping_call(void **state)
{
    struct Page *first = alloc_pages(ZONE_NORMAL, N_PAGES, 0);
    struct run run = {.page = first};

    (void)state;
    assert_non_null(first);
    free_pages(first + N_PAGES - 1, 1);
    memset(phys_pointer(phys(first->addr_phys)), 0, FRAME_BYTES);
    assert_int_equal(refused_beside(&run, map_with_page), 0);
    assert_int_equal(mm_unmap_range(first->addr_phys, true, MIB(4), FRAME_BYTES), 0);
    free_pages(first, N_PAGES - 1);
}

static void map_with_frame(struct run *run)
{
    map_with(run->block.addr);
}

static void a_wrong_block_does_not_disturb_a_mapping_call(void **state)
{
    static const unsigned zones[] = {ZONE_NORMAL, ZONE_DMA};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(zones); i++) {
        phys_t block = frame_alloc(zones[i], BLOCK_ORDER);
        phys_t last = phys_add(block, (FRAME_BYTES << BLOCK_ORDER) - FRAME_BYTES);
        struct run run = {.block = block};

        assert_false(phys_is_none(block));
        assert_int_equal(frame_free(last, 0), 0);
        memset(phys_pointer(block), 0, FRAME_BYTES);
        assert_int_equal(refused_beside(&run, map_with_frame), 0);
        assert_int_equal(mm_unmap_range(block.addr, true, MIB(4), FRAME_BYTES), 0);
        for (phys_t at = block; at.addr < last.addr; at = phys_add(at, FRAME_BYTES))
            assert_int_equal(frame_free(at, 0), 0);
    }
}

static int start(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(256), NULL));
    return 0;
}

static int stop(void **state)
{
    struct mm_violation violation;

    (void)state;
    mm_shrink();
    assert_true(mm_check(&violation));
    machine_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_wrong_run_of_pages_does_not_disturb_a_right_one, start, stop),
        cmocka_unit_test_setup_teardown(a_wrong_block_does_not_disturb_a_right_frame, start, stop),
        cmocka_unit_test_setup_teardown(a_wrong_run_of_pages_does_not_disturb_a_mapping_call, start, stop),
        cmocka_unit_test_setup_teardown(a_wrong_block_does_not_disturb_a_mapping_call, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
