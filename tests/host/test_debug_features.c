/* SPDX-License-Identifier: MIT */
/* The debug mode with some of its features only, and what it says of places in a slot that are not the object. */
#include <cmocka_all.h>
#include <check_tools.h>

#include <mm/debug.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/page.h>
#include <mm/state.h>
#include <string.h>

static int start_with(u32 features)
{
    struct machine_options options = {.debug = features};

    assert_null(machine_start_bytes(MIB(64), &options));
    host_reports_forget();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* Free memory is looked at also when nobody notes who had it; the report then says where, and no more. */
static void poison_without_owners(void **state)
{
    phys_t frame, block;
    struct Page *page;

    (void)state;
    start_with(MM_DEBUG_POISON);
    frame = frame_alloc(ZONE_NORMAL, 0);
    block = frame_alloc(ZONE_NORMAL, 4);
    page = alloc_pages(ZONE_NORMAL, 1, 0);
    assert_int_equal(frame_free(frame, 0) + frame_free(phys_add(block, 8 * FRAME_BYTES), 3), 0);
    free_pages(page, 1);
    ((u8 *)phys_pointer(frame))[7] = 1;
    assert_int_equal(mm_debug_check(), 1);
    assert_int_equal(host_n_reports(MM_MISUSE), 1);
    assert_non_null(strstr(host_last_report(), "in a free frame 0x"));
    assert_non_null(strstr(host_last_report(), "offset 7: expected df df df df, found 01 df df df"));
    assert_null(strstr(host_last_report(), " by "));
    assert_int_equal(mm_debug_check(), 0); /* mended */
    assert_int_equal(frame_free(block, 3), 0);
    assert_sound();
}

/* Objects without guards are whole, whatever is written beside what was asked for. */
static void owners_without_guards(void **state)
{
    struct mm_owner owner;
    u8 *p;

    (void)state;
    start_with(MM_DEBUG_OWNER);
    p = kmalloc(100, 0);
    p[100] = 1;
    assert_int_equal(mm_debug_check(), 0);
    assert_true(mm_debug_owner(pointer_phys(p), &owner));
    assert_int_equal(owner.bytes, 128);
    assert_int_equal(owner.asked_bytes, 100);
    assert_false(mm_debug_owner(phys(mm.ram_end), &owner));
    assert_int_equal(kfree(p), 0);
    assert_int_equal(host_n_reports(MM_MISUSE), 0);
    assert_sound();
}

/*
 *      slot of 256 bytes    | object of 128 | guard |   or   | guard | object of 128 |
 */
static void a_place_beside_an_object(void **state)
{
    struct mm_what what;
    u64 object, beside;
    void *p;

    (void)state;
    start_with(MM_DEBUG_ALL);
    p = kmalloc(100, 0);
    object = pointer_phys(p).addr;
    beside = object ^ 128;
    mm_describe_phys(phys(object + 99), &what);
    assert_int_equal(what.kind, MM_LIVE_OBJECT);
    assert_int_equal(what.block_start, object);
    assert_int_equal(what.block_bytes, 128);
    mm_describe_phys(phys(beside), &what);
    assert_int_equal(what.kind, MM_RED_ZONE);
    assert_int_equal(what.object_start, object);
    assert_int_equal(what.object_bytes, 100);
    assert_int_equal(what.block_start, beside);
    assert_int_equal(kfree(p), 0);
    mm_describe_phys(phys(object), &what);
    assert_int_equal(what.kind, MM_FREE_OBJECT);
    assert_int_equal(what.block_bytes, 128);
    mm_describe_phys(phys(beside), &what); /* nothing is guarded any more: a free slot */
    assert_int_equal(what.kind, MM_FREE_OBJECT);
    assert_int_equal(what.block_bytes, 256);
    assert_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(poison_without_owners, stop),
        cmocka_unit_test_teardown(owners_without_guards, stop),
        cmocka_unit_test_teardown(a_place_beside_an_object, stop),
    };
    return cmocka_run_group_tests_name("debug_features", tests, NULL, NULL);
}
