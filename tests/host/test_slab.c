/* SPDX-License-Identifier: MIT */
/* kmalloc, kzalloc, kfree: every class, every wrong free, running empty, interrupts, and a random model. */
#include <cmocka_all.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <machine.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/role.h>
#include <mm/slab.h>
#include <string.h>

#define SEED 88172645463325252UL

static void assert_sound(void)
{
    struct mm_violation v;

    if (!mm_check(&v))
        fail_msg("I%u: %s at 0x%lx: expected 0x%lx, found 0x%lx", v.number, v.text, v.where, v.expected, v.found);
}

static int start(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(64), NULL));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static ul class_of(ul size)
{
    return size <= 32 ? 32 : 1UL << log2_ceil(size);
}

static void an_object_is_as_large_as_its_class_and_aligned_to_it(void **state)
{
    (void)state;
    for (ul size = 1; size <= KMALLOC_MAX_BYTES; size = size * 3 / 2 + 1) {
        char *p = kmalloc(size, 0);

        assert_non_null(p);
        assert_int_equal((ul)p % class_of(size), 0);
        memset(p, 0xa5, class_of(size));
        assert_int_equal(mm_stat().cache_used, class_of(size));
        assert_int_equal(kfree(p), 0);
    }
    assert_sound();
}

static void odd_sizes_are_32_bytes_or_null(void **state)
{
    void *p = kmalloc(0, 0);

    (void)state;
    assert_int_equal(mm_stat().cache_used, 32);
    assert_int_equal(kfree(p), 0);
    host_reports_forget();
    assert_null(kmalloc(KMALLOC_MAX_BYTES + 1, 0));
    assert_null(kmalloc(~0UL, 0));
    assert_int_equal(host_n_reports(MM_NOTE), 2);
    assert_int_equal(kfree(NULL), 0);
    assert_int_equal(mm_misuse_count(), 0);
}

static void kzalloc_clears_the_whole_object(void **state)
{
    (void)state;
    for (ul size = 32; size <= KMALLOC_MAX_BYTES; size *= 2) {
        u8 *p = kmalloc(size, 0);
        u8 *q;

        memset(p, 0xff, size);
        assert_int_equal(kfree(p), 0);
        q = kzalloc(size - size / 4, 0);
        assert_ptr_equal(q, p); /* last freed, first handed out */
        for (ul i = 0; i < size; i++)
            if (q[i] != 0)
                fail_msg("byte %lu of an object of %lu is 0x%x", i, size, q[i]);
        assert_int_equal(kfree(q), 0);
    }
}

static void expect_misuse(void *p, const char *words)
{
    struct mm_stat_t before = mm_stat(), after;
    ul count = mm_misuse_count();

    host_reports_forget();
    assert_int_not_equal(kfree(p), 0);
    assert_int_equal(mm_misuse_count(), count + 1);
    assert_int_equal(host_n_reports(MM_MISUSE), 1);
    if (strstr(host_last_report(), words) == NULL)
        fail_msg("'%s' does not say '%s'", host_last_report(), words);
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    assert_sound();
}

static void every_wrong_kfree_is_reported_and_changes_nothing(void **state)
{
    char *small = kmalloc(64, 0), *large = kmalloc(65536, 0), *dead = kmalloc(100, 0), *dead_large = kmalloc(8192, 0);
    char *top = phys_pointer(paging_kernel_top());
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0), *far = alloc_pages(ZONE_UNMAPPED_IN_PGT, 1, 0);
    phys_t frame = frame_alloc(ZONE_NORMAL, 0);

    (void)state;
    assert_int_equal(kfree(dead), 0);
    assert_int_equal(kfree(dead_large), 0);
    expect_misuse(dead, "already free");
    expect_misuse(dead_large, "already free");
    expect_misuse(small + 8, "inside an object of 64 bytes at 0x");
    expect_misuse(small + 63, "inside an object of 64 bytes at 0x");
    expect_misuse(large + 4096, "inside an object of 65536 bytes at 0x");
    expect_misuse(large + 1, "inside an object of 65536 bytes at 0x");
    expect_misuse(dead + 16, "never allocated");
    expect_misuse(top, "a page table");
    expect_misuse((char *)phys_2_virt(page->addr_phys), "a page of alloc_pages");
    expect_misuse((char *)phys_2_virt(far->addr_phys), "not in the direct map");
    expect_misuse((char *)phys_2_virt(MACHINE_TEXT_PHYS), "the kernel image");
    expect_misuse((char *)MM_IMAGE_START + MACHINE_TEXT_PHYS, "the kernel image");
    expect_misuse((char *)phys_2_virt(GIB(100)), "no RAM there");
    expect_misuse((char *)0x1000, "not in the direct map");
    expect_misuse((char *)0x8000000000000000, "not canonical");
    expect_misuse(phys_pointer(frame), "never allocated");
    expect_misuse((char *)role_word(pointer_phys(small)), "allocator metadata");
    assert_int_equal(frame_free(frame, 0), 0);
    expect_misuse(phys_pointer(frame), "a free frame");
    assert_int_equal(kfree(small), 0);
    assert_int_equal(kfree(large), 0);
    free_pages(page, 1);
    free_pages(far, 1);
    expect_misuse((char *)phys_2_virt(page->addr_phys), "a free frame");
}

static void a_loaded_top_level_is_not_freed(void **state)
{
    struct mm_cpu *other = mm_cpu_create();
    u64 *top = kmalloc(4096, 0);
    phys_t at = pointer_phys(top);

    (void)state;
    memcpy(top, phys_pointer(paging_kernel_top()), 4096);
    assert_int_equal(mm_map_proc_page_table(at.addr, true, MIB(4), MIB(32), MIB(2), PAGE_USER_PAGE, true, true, false), 0);
    platform_load_table(at);
    expect_misuse(top, "a page table");
    platform_load_table(paging_kernel_top());
    assert_non_null(other);
    other->loaded_top = at.addr; /* what it says when it is asked to flush */
    expect_misuse(top, "a page table");
    other->loaded_top = paging_kernel_top().addr;
    mm_unmap_proc_table(at.addr, true, MIB(4), MIB(2));
    assert_int_equal(kfree(top), 0);
    expect_misuse(top, "already free");
    assert_sound();
}

static void an_object_with_a_loaded_top_level_inside_is_not_freed(void **state)
{
    struct mm_cpu *other = mm_cpu_create();
    u8 *object = kzalloc(16384, 0);
    phys_t top = pointer_phys(object + 12288);

    (void)state;
    assert_non_null(other);
    memcpy(phys_pointer(top), phys_pointer(paging_kernel_top()), 4096);
    assert_int_equal(mm_map_proc_page_table(top.addr, true, MM_SPECIAL_START, MIB(32), 4096, 0, false, true, false), 0);
    platform_load_table(top);
    expect_misuse(object, "a page table");
    platform_load_table(paging_kernel_top());
    other->loaded_top = top.addr;
    expect_misuse(object, "a page table");
    expect_misuse(object + 12288, "inside an object of 16384 bytes at 0x");
    other->loaded_top = 0;
    mm_unmap_addr(MM_SPECIAL_START, 4096);
    assert_int_equal(kfree(object), 0);
    assert_sound();
}

/* One that no mapping call has met: seen when the magazine is full, and noted then. */
static void a_loaded_top_level_is_noticed_by_a_full_magazine(void **state)
{
    static void *objects[1000];
    u64 *top = kmalloc(4096, 0);
    unsigned n = 0;

    (void)state;
    memcpy(top, phys_pointer(paging_kernel_top()), 4096);
    for (unsigned i = 0; i < ARRAY_LENGTH(objects); i++)
        objects[i] = kmalloc(4096, 0);
    while (platform_cpu()->top[12] < platform_cpu()->limit[12])
        assert_int_equal(kfree(objects[n++]), 0);
    platform_load_table(pointer_phys(top));
    expect_misuse(top, "a page table");
    while (n < ARRAY_LENGTH(objects))
        assert_int_equal(kfree(objects[n++]), 0);
    expect_misuse(top, "a page table");
    platform_load_table(paging_kernel_top());
    assert_int_equal(kfree(top), 0);
    expect_misuse(top, "already free");
    assert_sound();
}

/* kfree reads where the live byte is, and then looks at the byte: a wrong one may be as late as it likes. */
static void a_late_second_free_finds_nothing_live_in_a_table(void **state)
{
    void *p = kmalloc(4096, 0);
    phys_t frame = pointer_phys(p), tables = PHYS_NONE, table;
    const u8 *live = (u8 *)role_word(frame) + 1;

    (void)state;
    assert_int_equal(*live, 1);
    assert_int_equal(kfree(p), 0);
    mm_shrink();
    while ((table = table_frame_alloc(1)).addr != frame.addr) {
        assert_false(phys_is_none(table));
        *(phys_t *)phys_pointer(table) = tables;
        tables = table;
    }
    for (unsigned n = 1; n <= 512; n++) {
        table_frame_use(frame, 1);
        assert_int_equal(table_frame_used(frame), n);
        assert_int_equal(*live, 0);
    }
    table_frame_use(frame, -512);
    assert_int_equal(table_frame_used(frame), 0);
    table_frame_free(frame);
    while (!phys_is_none(tables)) {
        table = tables;
        tables = *(phys_t *)phys_pointer(table);
        table_frame_free(table);
    }
    assert_sound();
}

static void after_freeing_everything_and_a_shrink_all_is_as_at_boot(void **state)
{
    static void *objects[MM_N_CLASSES][1000];
    struct mm_stat_t before, after;
    u64 x = SEED;

    (void)state;
    mm_shrink();
    before = mm_stat();
    for (unsigned class = 0; class < MM_N_CLASSES; class++)
        for (unsigned i = 0; i < ARRAY_LENGTH(objects[0]); i++) {
            objects[class][i] = kmalloc(32UL << class, 0);
            if (objects[class][i] == NULL)
                assert_true(class >= 8); /* 64 MiB run out */
            else
                *(void **)objects[class][i] = &objects[class][i];
        }
    assert_sound();
    for (unsigned n = 0; n < 20 * MM_N_CLASSES * 1000; n++) {
        void **slot = &objects[random_next(&x) % MM_N_CLASSES][random_next(&x) % 1000];

        if (*slot == NULL)
            continue;
        assert_ptr_equal(*(void **)*slot, slot);
        assert_int_equal(kfree(*slot), 0);
        *slot = NULL;
    }
    for (unsigned class = 0; class < MM_N_CLASSES; class++)
        for (unsigned i = 0; i < 1000; i++)
            assert_int_equal(kfree(objects[class][i]), 0);
    assert_sound();
    mm_shrink();
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    assert_sound();
}

static void the_last_byte_of_memory_can_be_had_and_given_back(void **state)
{
    struct mm_stat_t before, after;
    void **list = NULL;
    unsigned n = 0;

    (void)state;
    mm_shrink();
    before = mm_stat();
    for (void **p; (p = kmalloc(2048, 0)) != NULL; n++) {
        *p = list;
        list = p;
    }
    assert_true(n > 20000);
    assert_true(mm_stat().free <= mm_stat().total / 16); /* what DMA keeps */
    assert_sound();
    while (list != NULL) {
        void **next = *list;

        assert_int_equal(kfree(list), 0);
        list = next;
    }
    mm_shrink();
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    assert_sound();
}

static void interrupt_handlers_have_magazines_of_their_own(void **state)
{
    struct mm_stat_t before, after;
    void *p, *q;

    (void)state;
    mm_shrink();
    before = mm_stat();
    p = kmalloc(128, 0);
    host_cpu_select(MM_CONTEXT_INTERRUPT);
    q = kmalloc(128, 0);
    assert_ptr_not_equal(p, q);
    assert_int_equal(kfree(p), 0);
    host_cpu_select(MM_CONTEXT_CODE);
    assert_int_equal(kfree(q), 0);
    assert_sound();
    mm_shrink();
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
}

static int start_large(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(MIB(512), NULL));
    return 0;
}

/* What the running CPU's magazine of a size holds. */
static u32 n_held(ul size)
{
    return magazine_count(mm_boot_cpu(MM_CONTEXT_CODE), (unsigned)log2_ceil(size) - CLASS_MIN_SHIFT);
}

static void take_and_give(ul size)
{
    void *p = kmalloc(size, 0);

    assert_non_null(p);
    assert_int_equal(kfree(p), 0);
}

static void rare_large_objects_do_not_drive_out_common_ones(void **state)
{
    void *common[4];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(common); i++)
        assert_non_null(common[i] = kmalloc(4096, 0));
    for (unsigned i = 0; i < ARRAY_LENGTH(common); i++)
        assert_int_equal(kfree(common[i]), 0);
    for (ul size = 32 << 10; size <= KMALLOC_MAX_BYTES; size *= 2) {
        take_and_give(size);
        assert_int_equal(n_held(size), 1); /* the last one of them stays, and takes the place of the one before */
        assert_int_equal(n_held(size / 2), 0);
        assert_int_equal(n_held(4096), ARRAY_LENGTH(common));
        assert_sound();
    }
}

static struct slab *slab_of(const void *object, unsigned class)
{
    return slab_of_word(role_word_now(pointer_phys(object)), class);
}

/* One slab has a place free already, and the object of another one is the oldest in a magazine that gets full. */
static void what_would_open_a_full_slab_stays_in_the_magazine(void **state)
{
    const unsigned class = 10 - CLASS_MIN_SHIFT;
    void *object[16], *open[4], *full;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(object); i++)
        assert_non_null(object[i] = kmalloc(1024, 0));
    for (unsigned i = 0; i < ARRAY_LENGTH(open); i++) { /* a slab's neighbours, which came one after the other */
        open[i] = (void *)(align_down((u64)object[4], FRAME_BYTES) + i * 1024);
        assert_ptr_equal(slab_of(open[i], class), slab_of(object[4], class));
    }
    full = object[12];
    assert_ptr_not_equal(slab_of(full, class), slab_of(open[0], class));
    assert_int_equal(kfree(open[0]), 0);
    mm_shrink();
    assert_false(slab_is_full(slab_of(open[1], class)));
    assert_true(slab_is_full(slab_of(full, class)));
    assert_int_equal(kfree(full), 0);
    for (unsigned i = 1; i < ARRAY_LENGTH(open); i++)
        assert_int_equal(kfree(open[i]), 0);
    assert_int_equal(n_held(1024), 4);
    assert_int_equal(kfree(object[0]), 0); /* no room: three of the four go */
    assert_int_equal(n_held(1024), 2);
    assert_true(slab_is_full(slab_of(full, class)));
    assert_sound();
}

#define N_SLOTS 2000

static void random_operations_keep_content_and_invariants(void **state)
{
    static struct { u8 *p; ul size; u8 mark; } slots[N_SLOTS];
    struct mm_stat_t before, after;
    ul live = 0;
    u64 x = SEED;

    (void)state;
    mm_shrink();
    before = mm_stat();
    for (unsigned step = 0; step < 100000; step++) {
        unsigned i = (unsigned)(random_next(&x) % N_SLOTS);

        host_cpu_select(random_next(&x) % 4 == 0 ? MM_CONTEXT_INTERRUPT : MM_CONTEXT_CODE);
        if (slots[i].p != NULL) {
            assert_int_equal(slots[i].p[0], slots[i].mark);
            assert_int_equal(slots[i].p[slots[i].size - 1], slots[i].mark);
            assert_int_equal(kfree(slots[i].p), 0);
            live -= class_of(slots[i].size);
            slots[i].p = NULL;
        } else {
            slots[i].size = 1 + random_next(&x) % (32UL << random_next(&x) % 12);
            slots[i].mark = (u8)random_next(&x);
            slots[i].p = kmalloc(slots[i].size, 0);
            if (slots[i].p != NULL) {
                live += class_of(slots[i].size);
                slots[i].p[0] = slots[i].p[slots[i].size - 1] = slots[i].mark;
            }
        }
        assert_int_equal(mm_stat().cache_used, live);
        if (step % 2503 == 0)
            assert_sound();
        if (step % 30011 == 0) {
            host_cpu_select(MM_CONTEXT_CODE);
            mm_shrink();
        }
    }
    host_cpu_select(MM_CONTEXT_CODE);
    for (unsigned i = 0; i < N_SLOTS; i++)
        assert_int_equal(kfree(slots[i].p), 0);
    mm_shrink();
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(mm_misuse_count(), 0);
    assert_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_is_as_large_as_its_class_and_aligned_to_it, start, stop),
        cmocka_unit_test_setup_teardown(odd_sizes_are_32_bytes_or_null, start, stop),
        cmocka_unit_test_setup_teardown(kzalloc_clears_the_whole_object, start, stop),
        cmocka_unit_test_setup_teardown(every_wrong_kfree_is_reported_and_changes_nothing, start, stop),
        cmocka_unit_test_setup_teardown(a_loaded_top_level_is_not_freed, start, stop),
        cmocka_unit_test_setup_teardown(an_object_with_a_loaded_top_level_inside_is_not_freed, start, stop),
        cmocka_unit_test_setup_teardown(a_loaded_top_level_is_noticed_by_a_full_magazine, start, stop),
        cmocka_unit_test_setup_teardown(a_late_second_free_finds_nothing_live_in_a_table, start, stop),
        cmocka_unit_test_setup_teardown(after_freeing_everything_and_a_shrink_all_is_as_at_boot, start, stop),
        cmocka_unit_test_setup_teardown(the_last_byte_of_memory_can_be_had_and_given_back, start, stop),
        cmocka_unit_test_setup_teardown(interrupt_handlers_have_magazines_of_their_own, start, stop),
        cmocka_unit_test_setup_teardown(rare_large_objects_do_not_drive_out_common_ones, start_large, stop),
        cmocka_unit_test_setup_teardown(what_would_open_a_full_slab_stays_in_the_magazine, start, stop),
        cmocka_unit_test_setup_teardown(random_operations_keep_content_and_invariants, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
