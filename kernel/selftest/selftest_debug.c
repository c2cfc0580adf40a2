/* SPDX-License-Identifier: MIT */
/*
 * The debug mode, when it is on: damage on purpose is found once and told with names, and what it notes is
 * right.
 *
 * mm_debug_check looks, so that between the damage and its report nothing else changes.  The sanitized build
 * does not look at the functions that do the damage.
 */
#include <kernel/debug/symbols.h>
#include <kernel/selftest/suites.h>
#include <lib/bits.h>
#include <lib/compiler.h>
#include <lib/string.h>
#include <mm/debug.h>
#include <mm/frame.h>
#include <mm/inspect.h>

/* True when the mode has this feature; else the test is skipped. */
static bool needs(u32 features)
{
    if ((mm_debug_features() & features) == features)
        return true;
    test_skip("it wants mm.debug=on");
    return false;
}

/* Expects one damage, at this address, and no second report of it. */
static void expect_damage(const u8 *at, const char *what)
{
    EXPECT_EQUAL(mm_debug_check(), 1);
    EXPECT_REPORT("write", (ul)at, what);
    EXPECT_EQUAL(mm_debug_check(), 0);
}

UNCHECKED static void a_byte_on_either_side_of_an_object_is_found(void)
{
    if (!needs(MM_DEBUG_REDZONE))
        return;
    for (ul bytes = 32; bytes <= 65536; bytes *= 2) {
        u8 *object = kmalloc(bytes, 0);

        if (!EXPECT(object != NULL))
            return;
        EXPECT(is_aligned((u64)object, bytes));
        test_watch();
        object[bytes] = 0x41;
        expect_damage(object + bytes, "past an object of ");
        test_watch();
        object[-1] = 0x42;
        expect_damage(object - 1, "before an object of ");
        EXPECT_EQUAL(kfree(object), 0);
    }
}

UNCHECKED static void a_write_to_a_freed_object_is_found(void)
{
    u8 *object = kmalloc(100, 0);

    EXPECT_EQUAL(kfree(object), 0);
    if (!needs(MM_DEBUG_POISON | MM_DEBUG_QUARANTINE))
        return;
    EXPECT_EQUAL(object[99], MM_DEBUG_FREE);
    test_watch();
    object[16] = 0x41;
    expect_damage(object + 16, "in a freed object of 100 bytes at ");
}

UNCHECKED static void a_write_to_a_free_frame_is_found(void)
{
    phys_t frame = frame_alloc(ZONE_NORMAL, 0);
    u8 *at = phys_pointer(frame);

    EXPECT_EQUAL(frame_free(frame, 0), 0);
    if (!needs(MM_DEBUG_POISON))
        return;
    test_watch();
    at[5] = 0x41;
    expect_damage(at + 5, "in a free");
}

static void a_new_object_is_filled(void)
{
    const u8 *object = kmalloc(256, 0);

    if (needs(MM_DEBUG_POISON))
        EXPECT(object != NULL && object[0] == MM_DEBUG_NEW && object[255] == MM_DEBUG_NEW);
    EXPECT_EQUAL(kfree((void *)object), 0);
}

/* The name of the function that an address is in. */
static const char *function_of(u64 address)
{
    const char *name;
    u64 offset;

    return symbol_find(address, &name, &offset) ? name : "no function";
}

static void owners_are_named(void)
{
    void *object = kmalloc(1000, 0);
    struct mm_owner owner;

    if (needs(MM_DEBUG_OWNER) && EXPECT(mm_debug_owner(phys_add(pointer_phys(object), 999), &owner))) {
        EXPECT_EQUAL(owner.asked_bytes, 1000);
        EXPECT_EQUAL(owner.start, pointer_phys(object).addr);
        EXPECT_TEXT(function_of(owner.taken.caller[0]), "owners_are_named");
        EXPECT_TEXT(function_of(owner.taken.caller[1]), "test_run_watched");
    }
    EXPECT_EQUAL(kfree(object), 0);
    if ((mm_debug_features() & MM_DEBUG_OWNER) && EXPECT(mm_debug_owner(pointer_phys(object), &owner)))
        EXPECT_TEXT(function_of(owner.freed.caller[0]), "owners_are_named");
}

static void what_is_not_given_back_is_summed_up(void)
{
    struct mm_debug_info info;
    struct mm_site total;
    const struct mm_site *site;
    void *object;
    unsigned n;

    if (!needs(MM_DEBUG_OWNER))
        return;
    mm_debug_info(&info);
    object = kmalloc(3000, 0);
    site = mm_debug_sites(info.sequence, 1, &n, &total);
    EXPECT_EQUAL(n, 1);
    EXPECT_EQUAL(total.bytes, 3000);
    EXPECT_TEXT(function_of(site->caller[0]), "what_is_not_given_back_is_summed_up");
    EXPECT_EQUAL(kfree(object), 0);
    mm_debug_sites(info.sequence, 1, &n, &total);
    EXPECT_EQUAL(n, 0);
}

static void the_trace_has_the_last_calls(void)
{
    struct mm_debug_info info;
    struct mm_event event;
    struct Page *page;

    if (!needs(MM_DEBUG_TRACE))
        return;
    mm_debug_info(&info);
    page = alloc_pages(ZONE_NORMAL, 2, 0);
    if (page == NULL) {
        test_skip("no two pages in a row are free");
        return;
    }
    EXPECT(mm_debug_event_next(info.sequence, &event));
    EXPECT_EQUAL(event.kind, MM_EVENT_ALLOC_PAGES);
    EXPECT_EQUAL(event.address, page->addr_phys);
    EXPECT_EQUAL(event.bytes, 2 * PAGE_2M_SIZE);
    EXPECT_TEXT(function_of(event.caller), "the_trace_has_the_last_calls");
    free_pages(page, 2);
    EXPECT(mm_debug_event_next(event.sequence, &event));
    EXPECT_EQUAL(event.kind, MM_EVENT_FREE_PAGES);
}

static const struct test tests[] = {
    TEST(a_byte_on_either_side_of_an_object_is_found),
    TEST(a_write_to_a_freed_object_is_found),
    TEST(a_write_to_a_free_frame_is_found),
    TEST(a_new_object_is_filled),
    TEST(owners_are_named),
    TEST(what_is_not_given_back_is_summed_up),
    TEST(the_trace_has_the_last_calls),
    TEST_END,
};

const struct test_suite selftest_debug = {
    "debug", "the debug mode, when it is on: damage is found, owners are named", tests};
