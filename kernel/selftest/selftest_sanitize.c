/* SPDX-License-Identifier: MIT */
/*
 * The sanitizers see what they are there for: each mistake is made on purpose, and must be reported once, at the address
 * where it happens, and for what it is.  Only in the sanitized build.
 *
 * Pointers and numbers go through volatile variables, or the compiler would see the mistakes first.
 */
#include <kernel/sanitize/report.h>
#include <kernel/selftest/suites.h>
#include <lib/bits.h>
#include <lib/compiler.h>
#include <lib/string.h>
#include <mm/debug.h>
#include <mm/frame.h>

#define FREE_OBJECT  "an object that is free"
#define RED_ZONE     "behind what was asked for of an object"
#define FREE_FRAME   "a frame that is free"
#define GLOBAL       "behind a global"
#define STACK        "beside a variable on the stack"

static u8 global_before[40], global_array[20], global_behind[40];
static volatile u64 outside = 20; /* what no array of 20 has */

/* An access to be made. */
struct touch {
    u64 at, bytes;
    bool write;
};

static void touch(void *argument)
{
    const struct touch *t = argument;
    volatile u8 *at = (volatile u8 *)t->at;

    if (t->bytes > 8)
        memset((void *)t->at, 0, t->bytes);
    else if (t->bytes == 8 && t->write)
        *(volatile u64 *)at = 0;
    else if (t->bytes == 8)
        (void)*(volatile u64 *)at;
    else if (t->write)
        *at = 0;
    else
        (void)*at;
}

/*
 * The bytes of an access that are perhaps not the test's own, its first 32 and its last: the debug mode would rightly report
 * that they have changed.
 */
#define N_KEPT 33

UNCHECKED static void keep(const struct touch *t, u8 kept[N_KEPT], bool back)
{
    volatile u8 *at = (volatile u8 *)t->at;

    for (unsigned i = 0; i < N_KEPT; i++) {
        u64 offset = i == N_KEPT - 1 ? t->bytes - 1 : i;

        if (offset >= t->bytes)
            continue;
        if (back)
            at[offset] = kept[i];
        else
            kept[i] = at[offset];
    }
}

#define EXPECT_CAUGHT(at, bytes, write, what) expect_touch(TEST_HERE, (u64)(at), (bytes), (write), (what))
#define EXPECT_ALLOWED(at, bytes)             expect_touch(TEST_HERE, (u64)(at), (bytes), false, NULL)

/* One access, and its report; `what` NULL: none. */
static void expect_touch(struct test_place place, u64 at, u64 bytes, bool write, const char *what)
{
    struct touch t = {at, bytes, write};
    struct sanitize_catch caught;
    u8 kept[N_KEPT];

    if (write)
        keep(&t, kept, false);
    caught = sanitize_catch(touch, &t);
    if (write)
        keep(&t, kept, true);
    if (!test_expect_equal(place, "reports", caught.n, what != NULL) || what == NULL)
        return;
    test_expect_text(place, caught.what, what);
    test_expect_equal(place, "address", caught.at, at);
    test_expect_equal(place, "bytes", caught.bytes, bytes);
    test_expect_equal(place, "is a write", caught.write, write);
}

static void an_object_is_open_to_the_byte_that_was_asked_for(void)
{
    static const ul sizes[] = {1, 7, 8, 31, 32, 33, 100, 128, 1000, 2048, 3000, 4096, 5000, 32768, 300000, 524288, 1000000};

    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
        u8 *object;

        if (mm_debug_features() != 0 && sizes[i] == 524288) /* fills the upper half of the largest slot: nothing behind it */
            continue;
        object = i % 2 == 0 ? kmalloc(sizes[i], 0) : kzalloc(sizes[i], 0);
        if (!EXPECT(object != NULL))
            return;
        EXPECT_ALLOWED(object, 1);
        EXPECT_ALLOWED(object + sizes[i] - 1, 1);
        EXPECT_CAUGHT(object + sizes[i], 1, true, RED_ZONE);
        EXPECT_CAUGHT(object + sizes[i], 1, false, RED_ZONE);
        if (sizes[i] > 8)
            EXPECT_CAUGHT(object, sizes[i] + 1, true, RED_ZONE); /* memset */
        EXPECT_EQUAL(kfree(object), 0);
    }
}

/* What lies below an object of a slab is another one's red zone, or free. */
static void the_byte_below_an_object_is_out_of_bounds(void)
{
    u8 *objects[64];
    unsigned n_red_zones = 0;

    for (unsigned i = 0; i < 64; i++)
        EXPECT((objects[i] = kmalloc(64, 0)) != NULL);
    for (unsigned i = 0; i < 64; i++) {
        struct touch below = {(u64)objects[i] - 1, 1, false};
        struct sanitize_catch caught;

        if ((u64)objects[i] % PAGE_4K_SIZE == 0) /* anything may lie below its frame */
            continue;
        caught = sanitize_catch(touch, &below);
        EXPECT_EQUAL(caught.n, 1);
        n_red_zones += caught.n != 0 && strcmp(caught.what, RED_ZONE) == 0;
    }
    EXPECT(n_red_zones > 16);
    for (unsigned i = 0; i < 64; i++)
        EXPECT_EQUAL(kfree(objects[i]), 0);
}

static void an_object_that_was_freed_may_not_be_touched(void)
{
    static const ul sizes[] = {1, 32, 100, 2048, 4096, 40000, 1048576};

    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
        u8 *object = kmalloc(sizes[i], 0);

        EXPECT_EQUAL(kfree(object), 0);
        EXPECT_CAUGHT(object, 1, false, FREE_OBJECT);
        EXPECT_CAUGHT(object + sizes[i] - 1, 1, true, FREE_OBJECT);
        mm_shrink();
        if (mm_debug_slot_bytes(sizes[i]) >= PAGE_4K_SIZE) /* a slab may hold others' objects; but this one's frames go back */
            EXPECT_CAUGHT(object, 1, true, FREE_FRAME);
    }
}

static void a_wrong_free_opens_and_poisons_nothing(void)
{
    u8 *object = kmalloc(100, 0);

    test_watch();
    EXPECT(kfree(object + 8) != 0);
    EXPECT_REPORT("kfree", object + 8, "inside an object");
    EXPECT_ALLOWED(object, 1);
    EXPECT_CAUGHT(object + 100, 1, true, RED_ZONE);
    EXPECT_EQUAL(kfree(object), 0);
    test_watch();
    EXPECT(kfree(object) != 0);
    EXPECT_REPORT("kfree", object, "already free");
    EXPECT_CAUGHT(object, 1, true, FREE_OBJECT);
}

static void a_frame_that_was_freed_may_not_be_touched(void)
{
    for (unsigned order = 0; order <= 10; order++) {
        phys_t first = frame_alloc(ZONE_NORMAL, order);
        u8 *start = phys_pointer(first), *last = start + (PAGE_4K_SIZE << order) - 1;

        if (phys_is_none(first))
            continue;
        EXPECT_ALLOWED(start, 1);
        EXPECT_ALLOWED(last, 1);
        EXPECT_EQUAL(frame_free(first, order), 0);
        EXPECT_CAUGHT(start, 8, false, FREE_FRAME);
        EXPECT_CAUGHT(last, 1, true, FREE_FRAME);
    }
}

static void the_byte_behind_a_block_is_out_of_bounds(void)
{
    phys_t first = frame_alloc(ZONE_NORMAL, 1), second;

    if (!EXPECT(!phys_is_none(first)))
        return;
    second = phys_add(first, PAGE_4K_SIZE);
    EXPECT_EQUAL(frame_free(second, 0), 0);
    EXPECT_ALLOWED(phys_pointer(first), 8);
    EXPECT_CAUGHT((u64)phys_pointer(second), 1, true, FREE_FRAME);
    EXPECT_CAUGHT((u64)phys_pointer(first) + PAGE_4K_SIZE - 16, 32, true, FREE_FRAME); /* memset over the border */
    EXPECT_EQUAL(frame_free(first, 0), 0);
}

static void a_page_that_was_freed_may_not_be_touched(void)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 2, 0);
    u8 *start, *second;

    if (page == NULL) {
        test_skip("no two pages in a row are free");
        return;
    }
    start = (u8 *)phys_2_virt(page->addr_phys);
    second = start + PAGE_2M_SIZE;
    EXPECT_ALLOWED(start, 1);
    EXPECT_ALLOWED(second + PAGE_2M_SIZE - 1, 1);
    free_pages(page + 1, 1);
    EXPECT_CAUGHT(second, 1, true, FREE_FRAME); /* a step past the first */
    EXPECT_ALLOWED(second - 1, 1);
    free_pages(page, 1);
    EXPECT_CAUGHT(second - 8, 8, false, FREE_FRAME);
}

static void a_step_past_a_global_is_seen(void)
{
    EXPECT_ALLOWED(global_array, 1);
    EXPECT_ALLOWED(&global_array[19], 1);
    EXPECT_CAUGHT(global_array + 20, 1, true, GLOBAL);
    EXPECT_CAUGHT((u64)global_array - 1, 1, true, GLOBAL); /* whatever lies there has its own */
    EXPECT_CAUGHT(global_before + 40, 1, false, GLOBAL);
    EXPECT_CAUGHT((u64)global_behind + 40, 8, false, GLOBAL);
}

static void a_step_past_an_array_on_the_stack_is_seen(void)
{
    volatile u8 array[20] = {0};

    EXPECT_ALLOWED(array, 1);
    EXPECT_CAUGHT(array + outside, 1, true, STACK);
    EXPECT_CAUGHT((u64)array - 1, 1, true, STACK);
}

/* ---- undefined behaviour ---- */

static volatile int number = INT32_MAX, places = 33;
static volatile u64 any;

static void do_add(void *unused)
{
    (void)unused;
    any = (u64)(number + 1);
}

static void do_subtract(void *unused)
{
    (void)unused;
    any = (u64)(-number - 2);
}

static void do_multiply(void *unused)
{
    (void)unused;
    any = (u64)(number * 2);
}

static void do_negate(void *unused)
{
    volatile int least = INT32_MIN;

    (void)unused;
    any = (u64)-least;
}

static void do_shift(void *unused)
{
    (void)unused;
    any = 1u << places;
}

static void do_index(void *unused)
{
    (void)unused;
    any = global_array[outside + outside];
}

static void do_misalign(void *unused)
{
    (void)unused;
    any = *(volatile u64 *)(global_before + 1 + (8 - (u64)global_before % 8));
}

static void do_null(void *unused)
{
    u64 *volatile nowhere = NULL;

    (void)unused;
    any = *nowhere;
}

static void do_bool(void *unused)
{
    volatile u8 two = 2;

    (void)unused;
    any = *(volatile bool *)&two;
}

static void do_pointer(void *unused)
{
    u8 *volatile high = (u8 *)(~0UL - 8);

    (void)unused;
    any = (u64)(high + outside);
}

static void do_unreachable(void *unused)
{
    (void)unused;
    if (outside == 20)
        __builtin_unreachable();
    any = 0;
}

static void undefined_behaviour_is_seen(void)
{
    static const struct {
        void (*fn)(void *);
        const char *what;
    } cases[] = {
        {do_add, "overflow"},   {do_subtract, "overflow"},     {do_multiply, "overflow"},
        {do_negate, "overflow"}, {do_shift, "shift"},          {do_index, "index"},
        {do_misalign, "alignment"}, {do_null, "null pointer"}, {do_bool, "value"},
        {do_pointer, "pointer overflow"}, {do_unreachable, "unreachable"},
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct sanitize_catch caught = sanitize_catch(cases[i].fn, NULL);

        EXPECT(caught.n >= 1); /* the index is out of bounds, and so is the access */
        EXPECT_TEXT(caught.n != 0 ? caught.what : "nothing", cases[i].what);
    }
}

static const struct test tests[] = {
    TEST(an_object_is_open_to_the_byte_that_was_asked_for),
    TEST(the_byte_below_an_object_is_out_of_bounds),
    TEST(an_object_that_was_freed_may_not_be_touched),
    TEST(a_wrong_free_opens_and_poisons_nothing),
    TEST(a_frame_that_was_freed_may_not_be_touched),
    TEST(the_byte_behind_a_block_is_out_of_bounds),
    TEST(a_page_that_was_freed_may_not_be_touched),
    TEST(a_step_past_a_global_is_seen),
    TEST(a_step_past_an_array_on_the_stack_is_seen),
    TEST(undefined_behaviour_is_seen),
    TEST_END,
};

const struct test_suite selftest_sanitize = {"sanitize", "every wrong access is seen where it happens", tests};
