/* SPDX-License-Identifier: MIT */
/*
 * kmalloc, kzalloc, kfree: classes, alignment, content, limits.
 *
 * An object is tagged with its own number at both ends; when all tags are right at the end, no two objects
 * overlap and none is shorter than its class.  Small ones are filled throughout.
 */
#include <kernel/cpu/probe.h>
#include <kernel/selftest/suites.h>
#include <kernel/time/time.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/debug.h>
#include <mm/inspect.h>
#include <mm/sanitize.h>

#define N_OBJECTS           1000
#define CLASS_BYTES(number) (32UL << (number))
#define MAX_BYTES           CLASS_BYTES(MM_N_CLASSES - 1)
#define FILLED_BYTES        4096 /* objects up to this size are filled throughout */

static u8 *objects[N_OBJECTS];

static void tag(u8 *object, u64 bytes, u64 number)
{
    u64 *words = (u64 *)object, n_words = bytes / sizeof(u64);

    if (bytes <= FILLED_BYTES) {
        for (u64 i = 0; i < n_words; i++)
            words[i] = number << 32 | i;
        return;
    }
    words[0] = words[n_words / 2] = words[n_words - 1] = number;
}

static bool is_tagged(const u8 *object, u64 bytes, u64 number)
{
    const u64 *words = (const u64 *)object;
    u64 n_words = bytes / sizeof(u64);

    if (bytes > FILLED_BYTES)
        return words[0] == number && words[n_words / 2] == number && words[n_words - 1] == number;
    for (u64 i = 0; i < n_words; i++)
        if (words[i] != (number << 32 | i))
            return false;
    return true;
}

/* A thousand objects, or as many as are half of what is available and 128 MiB: an emulator is slow at memory
 * that is touched for the first time. */
static unsigned n_for_class(unsigned number)
{
    u64 bytes = min_u64(mm_stat().available / 2, 128UL << 20);

    return (unsigned)min_u64(N_OBJECTS, bytes / mm_debug_slot_bytes(CLASS_BYTES(number)));
}

static void free_objects(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        EXPECT_EQUAL(kfree(objects[i]), 0);
}

static void try_class(unsigned number)
{
    u64 bytes = CLASS_BYTES(number);
    unsigned n = n_for_class(number);

    EXPECT(n > 0);
    for (unsigned i = 0; i < n; i++) {
        objects[i] = kmalloc(bytes, 0);
        if (!EXPECT(objects[i] != NULL)) {
            free_objects(i);
            return;
        }
        EXPECT(is_aligned((u64)objects[i], bytes));
        tag(objects[i], bytes, i + 1);
    }
    for (unsigned i = 0; i < n; i++)
        EXPECT(is_tagged(objects[i], bytes, i + 1));
    free_objects(n);
}

static void a_thousand_objects_of_each_class_are_aligned_distinct_and_keep_their_content(void)
{
    for (unsigned number = 0; number < MM_N_CLASSES; number++)
        try_class(number);
}

static void expect_class_of(ul size, u64 class_bytes)
{
    u8 *object = kmalloc(size, 0);
    struct mm_what what;

    if (!EXPECT(object != NULL))
        return;
    mm_describe_virt(virt((u64)object), &what);
    EXPECT_EQUAL(what.kind, MM_LIVE_OBJECT);
    EXPECT_EQUAL(what.class_bytes, class_bytes);
    EXPECT_EQUAL(what.block_start + PAGE_OFFSET, object);
    EXPECT_EQUAL(kfree(object), 0);
}

static void each_size_gets_the_smallest_class_that_holds_it(void)
{
    for (unsigned number = 0; number < MM_N_CLASSES; number++) {
        u64 bytes = CLASS_BYTES(number);

        expect_class_of(bytes, bytes);
        expect_class_of(bytes - 1, bytes);
        if (number > 0)
            expect_class_of(bytes / 2 + 1, bytes);
    }
    expect_class_of(80, 128);
    expect_class_of(1, 32);
}

static void kmalloc_of_0_gives_32_bytes(void)
{
    u8 *first, *second;

    expect_class_of(0, 32);
    first = kmalloc(0, 0);
    second = kmalloc(0, 0);
    EXPECT(first != NULL && second != NULL && first != second);
    EXPECT_EQUAL(kfree(first), 0);
    EXPECT_EQUAL(kfree(second), 0);
}

static void an_object_of_32_kib_is_found_by_masking_any_address_in_it(void)
{
    u8 *stack = kmalloc(32768, 0);

    if (!EXPECT(stack != NULL))
        return;
    EXPECT_EQUAL((u64)(stack + 32767) & ~32767UL, stack);
    EXPECT_EQUAL(kfree(stack), 0);
}

static void more_than_1_mib_is_refused_with_one_log_line(void)
{
    const ul sizes[] = {MAX_BYTES + 1, 2 * MAX_BYTES, 1UL << 32, 1UL << 63, ~0UL};

    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
        test_watch();
        EXPECT(kmalloc(sizes[i], 0) == NULL);
        EXPECT_ONE_LOG_LINE();
        test_watch();
        EXPECT(kzalloc(sizes[i], 0) == NULL);
        EXPECT_ONE_LOG_LINE();
    }
}

static bool is_clear(const u8 *object, u64 bytes)
{
    for (u64 i = 0; i < bytes; i++)
        if (object[i] != 0)
            return false;
    return true;
}

/* Dirties what the next object of this class will be made of, and frees it. */
static void leave_dirt(u64 bytes)
{
    u8 *object = kmalloc(bytes, 0);

    if (EXPECT(object != NULL))
        memset(object, 0xa5, bytes);
    EXPECT_EQUAL(kfree(object), 0);
}

static void the_whole_object_is_cleared_not_just_the_bytes_asked_for(void)
{
    for (unsigned number = 0; number < MM_N_CLASSES; number++) {
        u64 bytes = CLASS_BYTES(number);
        u8 *object;

        leave_dirt(bytes);
        object = kzalloc(bytes / 2 + 1, 0);
        sanitize_object_opened(object, bytes);
        EXPECT(object != NULL && is_clear(object, bytes));
        EXPECT_EQUAL(kfree(object), 0);
        leave_dirt(bytes);
        object = kmalloc(bytes / 2 + 1, __GFP_ZERO);
        sanitize_object_opened(object, bytes);
        EXPECT(object != NULL && is_clear(object, bytes));
        EXPECT_EQUAL(kfree(object), 0);
    }
}

static void kfree_of_null_does_nothing(void)
{
    struct mm_stat_t before = mm_stat();
    u64 n_misuses = mm_misuse_count();

    EXPECT_EQUAL(kfree(NULL), 0);
    EXPECT_SAME_STAT(before);
    EXPECT_EQUAL(mm_misuse_count(), n_misuses);
}

static void a_freed_object_is_not_written_to(void)
{
    u64 *object, sum = 0, word = 0;

    if (mm_debug_features() & MM_DEBUG_POISON) {
        test_skip("mm.debug=poison fills it");
        return;
    }
    object = kmalloc(64, 0);
    if (!EXPECT(object != NULL))
        return;
    for (unsigned i = 0; i < 8; i++)
        object[i] = 0x1111111111111111UL * i;
    EXPECT_EQUAL(kfree(object), 0);
    for (unsigned i = 0; i < 8 && EXPECT(probe_read((u64)&object[i], &word, 8)); i++) /* as nobody else may */
        sum += word;
    EXPECT_EQUAL(sum, 28 * 0x1111111111111111UL); /* 0 + 1 + ... + 7 */
}

static void freed_memory_leaves_its_class(void)
{
    struct mm_stat_t before = mm_stat();

    for (unsigned number = 0; number < 8; number++) {
        for (unsigned i = 0; i < 250; i++)
            objects[i] = kmalloc(CLASS_BYTES(number), 0);
        free_objects(250);
        mm_shrink();
        EXPECT_SAME_STAT(before);
    }
}

static void random_order_of_sizes_and_frees_leaves_every_object_whole(void)
{
    static unsigned shifts[N_OBJECTS];
    const unsigned n_slots = N_OBJECTS / 4;
    u64 random = 2463534242UL;

    memset(objects, 0, sizeof objects);
    for (unsigned step = 0; step < 10000; step++) {
        unsigned i = (unsigned)(test_random(&random) % n_slots), shift = 5 + (unsigned)(random >> 32) % 11;

        if (objects[i] != NULL) {
            EXPECT(is_tagged(objects[i], 1UL << shifts[i], i + 1));
            EXPECT_EQUAL(kfree(objects[i]), 0);
            objects[i] = NULL;
        } else if ((objects[i] = kmalloc(1UL << shift, 0)) != NULL) {
            shifts[i] = shift;
            tag(objects[i], 1UL << shift, i + 1);
        }
    }
    for (unsigned i = 0; i < n_slots; i++) {
        EXPECT(objects[i] == NULL || is_tagged(objects[i], 1UL << shifts[i], i + 1));
        EXPECT_EQUAL(kfree(objects[i]), 0);
    }
}

/* What the timer's interrupt does in the next test. */
static struct {
    volatile u64 n_runs;
    volatile u64 n_failed;
    void *held;
} tick;

static void allocate_in_interrupt(void)
{
    u64 bytes = CLASS_BYTES(tick.n_runs % 9);
    u8 *object = kmalloc(bytes, 0);
    struct Page *page;
    struct mm_stat_t stat;

    tick.n_failed += object == NULL;
    if (object != NULL)
        tag(object, bytes, tick.n_runs);
    tick.n_failed += kfree(tick.held) != 0;
    tick.held = object;
    page = alloc_pages(ZONE_NORMAL, 1, 0);
    tick.n_failed += page == NULL;
    if (page != NULL)
        free_pages(page, 1);
    stat = mm_stat();
    tick.n_failed += stat.used + stat.free != stat.total || stat.free + stat.cache_free != stat.available;
    tick.n_runs++;
}

static void interrupt_handlers_allocate_while_code_does(void)
{
    u64 end = time_ms() + 40, random = 1234567, n_ticks = time_n_ticks();

    tick.n_runs = tick.n_failed = 0;
    tick.held = NULL;
    time_set_tick_hook(allocate_in_interrupt);
    while (time_ms() < end) {
        u64 bytes = CLASS_BYTES(test_random(&random) % 9);
        u8 *object = kmalloc(bytes, 0);

        if (!EXPECT(object != NULL))
            break;
        tag(object, bytes, random >> 32);
        EXPECT(is_tagged(object, bytes, random >> 32));
        EXPECT_EQUAL(kfree(object), 0);
    }
    time_set_tick_hook(NULL);
    EXPECT_EQUAL(kfree(tick.held), 0);
    EXPECT_EQUAL(tick.n_failed, 0);
    if (time_n_ticks() == n_ticks)
        test_skip("no timer interrupt comes");
    else
        EXPECT(tick.n_runs != 0);
}

static const struct test tests[] = {
    TEST(a_thousand_objects_of_each_class_are_aligned_distinct_and_keep_their_content),
    TEST(each_size_gets_the_smallest_class_that_holds_it),
    TEST(kmalloc_of_0_gives_32_bytes),
    TEST(an_object_of_32_kib_is_found_by_masking_any_address_in_it),
    TEST(more_than_1_mib_is_refused_with_one_log_line),
    TEST(the_whole_object_is_cleared_not_just_the_bytes_asked_for),
    TEST(kfree_of_null_does_nothing),
    TEST(a_freed_object_is_not_written_to),
    TEST(freed_memory_leaves_its_class),
    TEST(random_order_of_sizes_and_frees_leaves_every_object_whole),
    TEST(interrupt_handlers_allocate_while_code_does),
    TEST_END,
};

const struct test_suite selftest_kmalloc = {"kmalloc", "objects of every class: alignment, content, limits",
                                            tests};
