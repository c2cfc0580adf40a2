/* SPDX-License-Identifier: MIT */
/* The debug mode: red zones, poison, quarantine, owners, the trace; and that all else is as without it. */
#include <check_tools.h>
#include <cmocka_all.h>

#include <lib/bits.h>
#include <mm/cpu.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/state.h>
#include <stdio.h>
#include <string.h>

#define SEED 88172645463325252UL

static struct mm_stat_t at_start;

static int start_with(u64 bytes, u32 features)
{
    struct machine_options options = {.debug = features};

    assert_null(machine_start_bytes(bytes, &options));
    mm_shrink();
    at_start = mm_stat();
    host_reports_forget();
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with(MIB(64), MM_DEBUG_ALL);
}

static int stop(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static void assert_as_at_start(void)
{
    struct mm_stat_t now;

    assert_sound();
    mm_shrink();
    now = mm_stat();
    assert_memory_equal(&at_start, &now, sizeof now);
    assert_sound();
}

static ul class_of(ul size)
{
    return size <= 32 ? 32 : 1UL << log2_ceil(size);
}

/* Exactly one report since the last one, of this severity, with these words; forgets it. */
static void assert_one_report(enum mm_severity severity, const char *words)
{
    if (host_n_reports(severity) != 1 || host_n_reports(MM_NOTE) + host_n_reports(MM_MISUSE) != 1 ||
        strstr(host_last_report(), words) == NULL)
        fail_msg("%u misuses, %u notes, the last '%s'; expected one that says '%s'",
                 host_n_reports(MM_MISUSE), host_n_reports(MM_NOTE), host_last_report(), words);
    host_reports_forget();
}

static void assert_no_report(void)
{
    if (host_n_reports(MM_NOTE) + host_n_reports(MM_MISUSE) != 0)
        fail_msg("reported: %s", host_last_report());
}

/* ---- what holds without the mode holds with it ---- */

static void objects_have_the_size_and_the_alignment_of_their_class(void **state)
{
    (void)state;
    for (ul size = 1; size <= KMALLOC_MAX_BYTES; size = size * 3 / 2 + 1) {
        u8 *p = kmalloc(size, 0), *q = kzalloc(size, 0);
        struct mm_what what;

        assert_non_null(p);
        assert_non_null(q);
        assert_int_equal((ul)p % class_of(size) + (ul)q % class_of(size), 0);
        for (ul i = 0; i < class_of(size); i++)
            assert_int_equal(q[i], 0);
        for (ul i = 0; i < size; i++)
            assert_int_equal(p[i], MM_DEBUG_NEW);
        memset(p, 0x11, class_of(size));
        memset(q, 0x22, class_of(size));
        mm_describe_virt(virt((u64)p + size - 1), &what);
        assert_int_equal(what.kind, MM_LIVE_OBJECT);
        assert_int_equal(what.class_bytes, class_of(size));
        assert_int_equal(what.block_start + PAGE_OFFSET, p);
        assert_int_equal(p[class_of(size) - 1], 0x11);
        assert_int_equal(kfree(p) + kfree(q), 0);
    }
    assert_int_equal(mm_misuse_count(),
                     0); /* what lies past the size asked for is told, but it is the caller's */
    assert_as_at_start();
}

static void expect_misuse(void *p, const char *words)
{
    struct mm_stat_t before = mm_stat(), after;

    host_reports_forget();
    assert_int_not_equal(kfree(p), 0);
    assert_one_report(MM_MISUSE, words);
    after = mm_stat();
    assert_memory_equal(&before, &after, sizeof before);
    assert_sound();
}

static void every_wrong_kfree_is_reported_and_changes_nothing(void **state)
{
    char *small = kmalloc(64, 0), *large = kmalloc(65536, 0), *dead = kmalloc(100, 0),
         *dead_large = kmalloc(8192, 0);
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
    phys_t frame = frame_alloc(ZONE_NORMAL, 0);

    (void)state;
    assert_int_equal(kfree(dead) + kfree(dead_large), 0);
    expect_misuse(dead, "already free; freed by ");
    expect_misuse(dead_large, "already free; freed by ");
    expect_misuse(small + 8, "inside an object of 64 bytes at 0x");
    expect_misuse(small + 63, "inside an object of 64 bytes at 0x");
    expect_misuse(small - 64, "allocator metadata, the red zone of an object of 64 bytes at 0x"); /* the start of its slot */
    expect_misuse(small + 64, "allocator metadata, the red zone of an object of 64 bytes at 0x");
    expect_misuse(large + 4096, "inside an object of 65536 bytes at 0x");
    expect_misuse(large - 65536, "allocator metadata, the red zone of an object of 65536 bytes at 0x");
    expect_misuse(large + 65536, "allocator metadata, the red zone of an object of 65536 bytes at 0x");
    expect_misuse((char *)phys_2_virt(page->addr_phys), "a page of alloc_pages; allocated by ");
    expect_misuse(phys_pointer(frame), "never allocated; allocated by ");
    expect_misuse(phys_pointer(mm.debug.area), "allocator metadata");
    assert_int_equal(frame_free(pointer_phys(large), 0), -EFAULT);
    assert_int_equal(frame_free(pointer_phys(large + 8192), 1), -EFAULT);
    assert_int_equal(frame_free(mm.debug.area, 0), -EFAULT);
    assert_int_equal(frame_free(frame, 0), 0);
    expect_misuse(phys_pointer(frame), "a free frame; freed by ");
    assert_int_equal(kfree(small) + kfree(large), 0);
    free_pages(page, 1);
    host_reports_forget();
    free_pages(page, 1);
    assert_one_report(MM_MISUSE, "already free; freed by ");
    mm_shrink();
    expect_misuse(dead, "freed by "); /* also when its quarantine is over */
    assert_as_at_start();
}

static void a_loaded_top_level_is_not_freed(void **state)
{
    struct mm_cpu *other = mm_cpu_create();
    u64 *top = kmalloc(4096, 0);
    phys_t at = pointer_phys(top);

    (void)state;
    memcpy(top, phys_pointer(paging_kernel_top()), 4096);
    assert_int_equal(
        mm_map_proc_page_table(at.addr, true, MIB(4), MIB(32), MIB(2), PAGE_USER_PAGE, true, true, false), 0);
    platform_load_table(at);
    expect_misuse(top, "a page table");
    platform_load_table(paging_kernel_top());
    assert_non_null(other);
    other->loaded_top = at.addr; /* what it says when it is asked to flush */
    expect_misuse(top, "a page table");
    other->loaded_top = 0;
    mm_unmap_proc_table(at.addr, true, MIB(4), MIB(2));
    assert_int_equal(kfree(top), 0);
    expect_misuse(top, "already free");
    assert_sound();
}

#define N_SLOTS 2000

struct slot {
    u8 *p;
    ul size;
    u8 mark;
};

static void slot_step(struct slot *slot, u64 *x)
{
    if (slot->p != NULL) {
        assert_int_equal(slot->p[0], slot->mark);
        assert_int_equal(slot->p[slot->size - 1], slot->mark);
        assert_int_equal(kfree(slot->p), 0);
        slot->p = NULL;
        return;
    }
    slot->size = 1 + random_next(x) % (32UL << random_next(x) % 13);
    slot->mark = (u8)random_next(x);
    slot->p = kmalloc(slot->size, random_next(x) % 2 == 0 ? __GFP_ZERO : 0);
    if (slot->p != NULL)
        memset(slot->p, slot->mark, slot->size);
}

static void random_operations(u64 bytes, u32 features, unsigned n_steps)
{
    static struct slot slots[N_SLOTS];
    u64 x = SEED;

    start_with(bytes, features);
    memset(slots, 0, sizeof slots);
    for (unsigned step = 0; step < n_steps; step++) {
        host_cpu_select(random_next(&x) % 4 == 0 ? MM_CONTEXT_INTERRUPT : MM_CONTEXT_CODE);
        slot_step(&slots[random_next(&x) % N_SLOTS], &x);
        host_cpu_select(MM_CONTEXT_CODE);
        if (step % 4003 == 0)
            assert_sound();
        if (step % 9001 == 0)
            mm_shrink();
    }
    for (unsigned i = 0; i < N_SLOTS; i++)
        assert_int_equal(kfree(slots[i].p), 0);
    assert_int_equal(mm_debug_check(), 0);
    assert_int_equal(mm_misuse_count(), 0);
    assert_as_at_start();
    machine_stop();
}

static void random_operations_with_each_feature_alone_and_with_all(void **state)
{
    (void)state;
    for (u32 feature = 1; feature < MM_DEBUG_ALL; feature *= 2)
        random_operations(MIB(64), feature, 10000);
    random_operations(MIB(64), MM_DEBUG_ALL, 40000);
}

/* 16 MiB: memory runs out again and again, and so do the records. */
static void random_operations_on_a_small_machine(void **state)
{
    (void)state;
    random_operations(MIB(16), MM_DEBUG_ALL, 40000);
}

static void the_last_byte_of_memory_can_be_had_and_given_back(void **state)
{
    struct mm_debug_info info;
    void **list = NULL;
    unsigned n = 0;

    (void)state;
    for (void **p; (p = kmalloc(2048, 0)) != NULL; n++) {
        *p = list;
        list = p;
    }
    mm_debug_info(&info);
    assert_true(n > 7000); /* of 8192 bytes each, until that does not work any more */
    assert_true(info.n_unguarded > 0 && info.n_untracked == 0);
    assert_true(mm_stat().free <= mm_stat().total / 16); /* what DMA keeps */
    assert_sound();
    while (list != NULL) {
        void **next = *list;

        assert_int_equal(kfree(list), 0);
        list = next;
    }
    assert_as_at_start();
}

/* ---- red zones ---- */

/* One byte beside an object is overwritten; kfree tells. */
static void damage(ul size, s64 offset, enum mm_severity severity, const char *words)
{
    u8 *p = kmalloc(size, 0);
    char address[64];

    assert_non_null(p);
    p[offset] = 0x41;
    assert_int_equal(kfree(p), 0);
    snprintf(address, sizeof address, "write(0x%lx): %s", (ul)(p + offset), words);
    assert_one_report(severity, address);
}

static void a_byte_beside_an_object_is_seen_on_both_sides(void **state)
{
    (void)state;
    for (ul size = 1; size <= KMALLOC_MAX_BYTES / 4; size = size * 3 / 2 + 1) {
        ul class = class_of(size);

        damage(size, -1, MM_MISUSE, "before an object of ");
        damage(size, -32, MM_MISUSE, "before an object of ");
        if (class - size < 16) {
            damage(size, (s64) class, MM_MISUSE, "past an object of ");
            damage(size, (s64) class + 31, MM_MISUSE, "past an object of ");
        }
        if (size != class)
            damage(size, (s64)size, MM_NOTE, "past what was asked for of an object of ");
    }
    for (ul size = 32; size <= KMALLOC_MAX_BYTES / 4; size *= 2)
        damage(size, (s64)size, MM_MISUSE, "past an object of ");
    assert_as_at_start();
}

/* What has no slot large enough for guards on both sides has the one above; and what fills 1 MiB (nearly) none. */
static void the_largest_objects_have_what_guards_there_is_room_for(void **state)
{
    struct mm_debug_info before, after;
    void *p;

    (void)state;
    damage(KIB(512) - 16, -1, MM_MISUSE, "before an object of 524272 bytes");
    damage(KIB(512) - 16, KIB(512) - 16, MM_NOTE, "past what was asked for of an object of 524272 bytes");
    mm_debug_info(&before);
    damage(KIB(512) - 15, KIB(512), MM_MISUSE, "past an object of 524273 bytes");
    damage(KIB(512), KIB(512), MM_MISUSE, "past an object of 524288 bytes");
    damage(KIB(512), KIB(512) + 511, MM_MISUSE, "past an object of 524288 bytes");
    damage(KIB(512) + 1, KIB(512) + 1, MM_NOTE, "past what was asked for of an object of 524289 bytes");
    damage(KIB(512) + 1, KIB(512) + 512, MM_NOTE, "past what was asked for of an object of 524289 bytes");
    damage(MIB(1) - 8, MIB(1) - 1, MM_NOTE, "past what was asked for of an object of 1048568 bytes");
    p = kmalloc(MIB(1), 0);
    assert_int_equal((ul)p % MIB(1), 0);
    assert_int_equal(kfree(p), 0);
    mm_debug_info(&after);
    assert_int_equal(after.n_unguarded - before.n_unguarded, 7);
    assert_as_at_start();
}

static void a_step_through_the_slack_and_past_the_class_is_one_report(void **state)
{
    u8 *p = kmalloc(60, 0);

    (void)state;
    memset(p + 60, 0, 8);
    assert_int_equal(kfree(p), 0);
    assert_one_report(MM_MISUSE, "past an object of 60 bytes at ");
    p = kzalloc(40, 0);
    p[45] = 7;
    assert_int_equal(kfree(p), 0);
    assert_one_report(MM_NOTE, "offset 45: expected 00 00 00 00, found 07 00 00 00");
    assert_as_at_start();
}

static void a_check_of_all_objects_finds_damage_once(void **state)
{
    u8 *p = kmalloc(64, 0), *q = kmalloc(10000, 0), *whole = kmalloc(64, 0);

    (void)state;
    assert_int_equal(mm_debug_check(), 0);
    p[64] = 1;
    q[-3] = 2;
    assert_int_equal(mm_debug_check(), 2);
    assert_int_equal(mm_misuse_count(), 2);
    assert_int_equal(mm_debug_check(), 0);
    assert_int_equal(kfree(p) + kfree(q) + kfree(whole), 0);
    assert_int_equal(mm_misuse_count(), 2);
    assert_as_at_start();
}

/* ---- poison and quarantine ---- */

static void a_write_to_a_freed_object_is_seen(void **state)
{
    u8 *p = kmalloc(100, 0), *q = kmalloc(5000, 0);
    char words[80];

    (void)state;
    assert_int_equal(kfree(p) + kfree(q), 0);
    assert_int_equal(p[0], MM_DEBUG_FREE);
    p[16] = 0x41;
    assert_int_equal(mm_debug_check(), 1);
    snprintf(words, sizeof words,
             "write(0x%lx): in a freed object of 100 bytes at 0x%lx: offset 16: ", (ul)p + 16, (ul)p);
    assert_one_report(MM_MISUSE, words);
    q[4999] = 0x42;
    mm_shrink(); /* ends the quarantine */
    assert_one_report(MM_MISUSE, "offset 4999: expected df df df df, found 42 df df df; freed by ");
    assert_as_at_start();
}

/* A stale pointer is used when the slab has long been given back: the frame is looked at when it is handed
 * out. */
static void a_write_to_what_was_an_object_once_is_seen(void **state)
{
    u8 *p = kmalloc(100, 0), *q;

    (void)state;
    assert_int_equal(kfree(p), 0);
    mm_shrink();
    p[3] = 0x41;
    q = kmalloc(100, 0);
    assert_one_report(MM_MISUSE, "in a freed object of 100 bytes at ");
    assert_int_equal(kfree(q), 0);
    assert_as_at_start();
}

static void a_freed_object_is_not_handed_out_again_at_once(void **state)
{
    struct mm_debug_info info;
    void *p = kmalloc(64, 0);

    (void)state;
    assert_int_equal(kfree(p), 0);
    for (unsigned i = 0; i < 1000; i++) {
        void *q = kmalloc(64, 0);

        assert_ptr_not_equal(p, q);
        assert_int_equal(kfree(q), 0);
    }
    mm_debug_info(&info);
    assert_int_equal(info.n_waiting, 1001);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(kfree(kmalloc(4096, 0)), 0);
    mm_debug_info(&info);
    assert_true(info.waiting_bytes <= info.waiting_limit_bytes);
    assert_as_at_start();
}

static void a_write_to_a_free_frame_is_seen(void **state)
{
    phys_t frame = frame_alloc(ZONE_NORMAL, 0), block = frame_alloc(ZONE_NORMAL, 4);
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
    u8 *in_page = (u8 *)phys_2_virt(page->addr_phys) + 12345;

    (void)state;
    assert_int_equal(*(u8 *)phys_pointer(frame), MM_DEBUG_FREE);
    assert_int_equal(frame_free(frame, 0) + frame_free(block, 4), 0);
    free_pages(page, 1);
    ((u8 *)phys_pointer(frame))[5] = 1;
    assert_int_equal(mm_debug_check(), 1);
    assert_one_report(MM_MISUSE, "in a free frame 0x");
    ((u8 *)phys_pointer(block))[0x3005] = 1;
    while (host_n_reports(MM_MISUSE) == 0)
        assert_int_equal(phys_is_none(frame_alloc(ZONE_NORMAL, 0)), 0);
    assert_one_report(MM_MISUSE, "offset 5: expected df df df df, found 01 df df df; freed by ");
    *in_page = 0;
    while (host_n_reports(MM_MISUSE) == 0)
        assert_non_null(alloc_pages(ZONE_NORMAL, 1, 0));
    assert_one_report(MM_MISUSE, "found 00 df df df; freed by ");
    assert_sound();
}

/* ---- owners ---- */

static void each_thing_has_its_owner(void **state)
{
    void *p = kmalloc(1000, 0);
    phys_t block = frame_alloc(ZONE_NORMAL, 3);
    struct Page *page = alloc_pages(ZONE_NORMAL, 3, 0);
    struct mm_owner owner;

    (void)state;
    assert_true(mm_debug_owner(phys_add(pointer_phys(p), 999), &owner));
    assert_int_equal(owner.kind, MM_OWNER_OBJECT);
    assert_int_equal(owner.state, MM_OWNER_LIVE);
    assert_int_equal(owner.asked_bytes, 1000);
    assert_int_equal(owner.bytes, 1024);
    assert_int_equal(owner.start, pointer_phys(p).addr);
    assert_int_not_equal(owner.taken.caller[0], 0);
    assert_true(mm_debug_owner(phys_add(block, 5 * FRAME_BYTES + 1), &owner));
    assert_int_equal(owner.kind, MM_OWNER_FRAMES);
    assert_int_equal(owner.bytes, 8 * FRAME_BYTES);
    assert_true(mm_debug_owner(phys(page->addr_phys + 2 * PAGE_BYTES), &owner));
    assert_int_equal(owner.kind, MM_OWNER_PAGES);
    assert_int_equal(kfree(p), 0);
    assert_true(mm_debug_owner(pointer_phys(p), &owner));
    assert_int_equal(owner.state, MM_OWNER_WAITING);
    assert_true(owner.freed.sequence > owner.taken.sequence);
    mm_shrink();
    assert_true(mm_debug_owner(pointer_phys(p), &owner));
    assert_int_equal(owner.state, MM_OWNER_GONE);
    assert_false(mm_debug_owner(phys(mm.ram_end), &owner));
    assert_int_equal(frame_free(block, 3), 0);
    free_pages(page, 3);
    assert_as_at_start();
}

static void parts_of_blocks_and_runs_can_be_freed(void **state)
{
    phys_t block = frame_alloc(ZONE_NORMAL, 4);
    struct Page *page = alloc_pages(ZONE_NORMAL, 7, 0), *next = alloc_pages(ZONE_NORMAL, 1, 0);
    struct mm_debug_info before, after;
    struct mm_owner owner;

    (void)state;
    assert_int_equal(frame_free(phys_add(block, 5 * FRAME_BYTES), 0), 0);
    assert_sound();
    assert_true(mm_debug_owner(phys_add(block, 5 * FRAME_BYTES), &owner));
    assert_int_equal(owner.state, MM_OWNER_GONE);
    assert_true(mm_debug_owner(phys_add(block, 4 * FRAME_BYTES), &owner));
    assert_int_equal(owner.state, MM_OWNER_LIVE);
    free_pages(page + 2, 2);
    assert_sound();
    mm_debug_info(&before);
    assert_int_equal(frame_free(block, 2) + frame_free(phys_add(block, 8 * FRAME_BYTES), 3), 0);
    assert_int_equal(frame_free(phys_add(block, 4 * FRAME_BYTES), 0), 0);
    assert_int_equal(frame_free(phys_add(block, 6 * FRAME_BYTES), 1), 0);
    free_pages(page, 2);
    free_pages(page + 4, 3);
    free_pages(next, 1);
    mm_debug_info(&after);
    assert_true(before.n_live > 0);
    assert_int_equal(after.n_live, 0);
    assert_no_report();
    assert_as_at_start();
}

/* Called from two places: two sites. */
static NOINLINE void *take_here(void)
{
    void *p = kmalloc(100, 0);

    __asm__ volatile("" : : "r"(p)); /* so that the call is no jump */
    return p;
}

static void sums_by_call_site_and_since_a_mark(void **state)
{
    void *p[5];
    struct mm_debug_info info;
    const struct mm_site *site;
    struct mm_site total;
    unsigned n;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        p[i] = take_here();
    mm_debug_info(&info);
    for (unsigned i = 3; i < 5; i++)
        p[i] = kmalloc(5000, 0);
    site = mm_debug_sites(0, 1, &n, &total);
    assert_int_equal(total.n, 5);
    assert_int_equal(total.bytes, 10300);
    assert_true(n >= 1);
    assert_true(n == 1 || site[0].bytes >= site[1].bytes);
    mm_debug_sites(info.sequence, 1, &n, &total);
    assert_int_equal(total.n, 2);
    assert_int_equal(total.bytes, 10000);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(kfree(p[i]), 0);
    mm_debug_sites(0, 1, &n, &total);
    assert_int_equal(n + total.n, 0);
    assert_as_at_start();
}

static void runs_side_by_side_are_two(void **state)
{
    struct Page *page[2] = {alloc_pages(ZONE_NORMAL, 2, 0), alloc_pages(ZONE_NORMAL, 2, 0)};
    struct mm_site total;
    unsigned n;

    (void)state;
    assert_true(page[0] + 2 == page[1] || page[1] + 2 == page[0]);
    mm_debug_sites(0, 1, &n, &total);
    assert_int_equal(total.n, 2);
    assert_int_equal(total.bytes, 4 * PAGE_BYTES);
    free_pages(page[0], 2);
    free_pages(page[1], 2);
    assert_as_at_start();
}

/* A run is one, however many pieces it is noted as and whichever of them are left; two when its middle is gone. */
static void what_is_left_of_a_run_is_counted(void **state)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 7, 0);
    struct mm_site total;
    unsigned n;

    (void)state;
    assert_non_null(page);
    mm_debug_sites(0, 1, &n, &total);
    assert_int_equal(total.n, 1);
    assert_int_equal(total.bytes, 7 * PAGE_BYTES);
    free_pages(page, 1);
    mm_debug_sites(0, 1, &n, &total);
    assert_int_equal(total.n, 1);
    assert_int_equal(total.bytes, 6 * PAGE_BYTES);
    free_pages(page + 3, 1);
    mm_debug_sites(0, 1, &n, &total);
    assert_int_equal(total.n, 2);
    assert_int_equal(total.bytes, 5 * PAGE_BYTES);
    free_pages(page + 1, 2);
    free_pages(page + 4, 3);
    assert_as_at_start();
}

static void assert_pages_were_asked_for(u64 first, unsigned n, unsigned n_asked)
{
    for (unsigned i = 0; i < n; i++) {
        struct mm_owner owner;

        assert_true(mm_debug_owner(phys(first + i * PAGE_BYTES + 5), &owner));
        assert_int_equal(owner.asked_bytes, n_asked * PAGE_BYTES);
    }
}

/* Whichever address of a run is asked about, and whatever else of it is gone. */
static void all_of_a_run_tells_the_same_was_asked_for(void **state)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 13, 0);
    u64 first;

    (void)state;
    assert_non_null(page);
    first = page->addr_phys;
    assert_pages_were_asked_for(first, 13, 13);
    free_pages(page + 6, 3);
    assert_pages_were_asked_for(first, 13, 13);
    free_pages(page, 6);
    free_pages(page + 9, 4);
    assert_pages_were_asked_for(first, 13, 13);
    assert_as_at_start();
}

static void when_all_records_are_in_use_the_rest_has_none(void **state)
{
    struct mm_debug_info info;
    void **list = NULL;
    unsigned n = 0;

    (void)state;
    mm_debug_info(&info);
    host_reports_forget();
    for (; n < info.n_records + 1000; n++) {
        void **p = kmalloc(32, 0);

        assert_non_null(p);
        *p = list;
        list = p;
    }
    mm_debug_info(&info);
    assert_int_equal(info.n_untracked, 1000);
    assert_one_report(MM_NOTE, "records are in use");
    assert_sound();
    expect_misuse((u8 *)list + 8, "inside an object of 32 bytes at ");
    while (list != NULL) {
        void **next = *list;

        assert_int_equal(kfree(list), 0);
        list = next;
    }
    assert_int_equal(mm_debug_check(), 0);
    assert_as_at_start();
}

/* ---- the trace ---- */

static void the_trace_tells_the_last_calls_in_order(void **state)
{
    static const u8 kinds[] = {MM_EVENT_KMALLOC, MM_EVENT_KFREE, MM_EVENT_MAP, MM_EVENT_UNMAP};
    struct mm_debug_info info;
    struct mm_event event;
    u64 after;
    void *p;

    (void)state;
    kfree(kmalloc(64, 0)); /* its slab */
    mm_debug_info(&info);
    p = kmalloc(64, 0);
    assert_int_equal(kfree(p), 0);
    assert_int_equal(mm_map_phys_addr(MM_SPECIAL_START, GIB(5), MIB(2), PAGE_KERNEL_PAGE | PAGE_PCD, false),
                     0);
    mm_unmap_addr(MM_SPECIAL_START, MIB(2));
    after = info.sequence;
    for (unsigned i = 0; i < ARRAY_LENGTH(kinds); i++) {
        do
            assert_true(mm_debug_event_next(after, &event));
        while (after = event.sequence,
               event.kind == MM_EVENT_FRAME_ALLOC || event.kind == MM_EVENT_FRAME_FREE);
        assert_int_equal(event.kind, kinds[i]);
        assert_int_equal(event.address, i < 2 ? (u64)p : MM_SPECIAL_START);
        assert_int_equal(event.bytes, i < 2 ? 64 : MIB(2));
    }
    for (unsigned i = 0; i < 5000; i++)
        kfree(kmalloc(64, 0));
    after = 0;
    for (info.n_live = 0; mm_debug_event_next(after, &event); info.n_live++) {
        assert_true(event.sequence > after);
        after = event.sequence;
    }
    assert_int_equal(info.n_live, mm.debug.n_ring_events);
    assert_as_at_start();
}

/* The next event after *after that is not frame_alloc's, which slabs make; moves on. */
static struct mm_event next_event(u64 *after)
{
    struct mm_event event;

    do {
        assert_true(mm_debug_event_next(*after, &event));
        *after = event.sequence;
    } while (event.kind == MM_EVENT_FRAME_ALLOC);
    return event;
}

static void assert_refused(u64 *after, enum mm_event_kind kind, u64 address, u64 bytes, const char *why)
{
    struct mm_event event = next_event(after);

    assert_int_equal(event.kind, kind);
    assert_int_equal(event.address, address);
    assert_int_equal(event.bytes, bytes);
    assert_non_null(event.refused);
    assert_string_equal(event.refused, why);
    assert_true(event.caller != 0);
}

static void the_trace_tells_of_what_was_refused_and_why(void **state)
{
    char *p = kmalloc(64, 0);
    struct Page *page = alloc_pages(ZONE_NORMAL, 3, 0);
    phys_t frame = frame_alloc(ZONE_NORMAL, 0), block = frame_alloc(ZONE_NORMAL, 9);
    struct mm_debug_info info;
    u64 after, at = page->addr_phys;

    (void)state;
    free_pages(page + 2, 1);
    mm_debug_info(&info);
    after = info.sequence;
    assert_int_not_equal(kfree(p + 8), 0);
    assert_refused(&after, MM_EVENT_KFREE, (u64)p + 8, 0, "inside an object");
    assert_int_not_equal(kfree(p - 8), 0);
    assert_refused(&after, MM_EVENT_KFREE, (u64)p - 8, 0, "allocator metadata, the red zone of an object");
    assert_int_equal(kfree(p), 0);
    assert_null(next_event(&after).refused);
    assert_int_not_equal(kfree(p), 0);
    assert_refused(&after, MM_EVENT_KFREE, (u64)p, 0, "already free");
    assert_int_not_equal(kfree((void *)8), 0);
    assert_refused(&after, MM_EVENT_KFREE, 8, 0, "not in the direct map");
    free_pages(page, 64);
    assert_refused(&after, MM_EVENT_FREE_PAGES, at, 0, "a page of alloc_pages, but the number of pages is not 1 to 63");
    free_pages(page, 3);
    assert_refused(&after, MM_EVENT_FREE_PAGES, at + 2 * PAGE_BYTES, 3 * PAGE_BYTES, "already free");
    free_pages(page, 2);
    assert_null(next_event(&after).refused);
    free_pages((struct Page *)p, 1);
    assert_refused(&after, MM_EVENT_FREE_PAGES, (u64)p, PAGE_BYTES, "never allocated (no element of the page array)");
    assert_int_equal(frame_free(frame, 1), -EFAULT);
    assert_refused(&after, MM_EVENT_FRAME_FREE, frame.addr, 2 * FRAME_BYTES, "never allocated");
    assert_int_equal(frame_free(block, 10), -EFAULT);
    assert_refused(&after, MM_EVENT_FRAME_FREE, block.addr, 1024 * FRAME_BYTES, "never allocated");
    assert_int_equal(mm_map_phys_addr(MM_USER_END, GIB(5), MIB(2), PAGE_KERNEL_PAGE, false), -EFAULT);
    assert_refused(&after, MM_EVENT_MAP, MM_USER_END, MIB(2), "-EFAULT");
    mm_unmap_addr(MM_KERNEL_HALF, MIB(2));
    assert_refused(&after, MM_EVENT_UNMAP, MM_KERNEL_HALF, MIB(2), "-EFAULT");
    assert_int_equal(frame_free(frame, 0) + frame_free(block, 9), 0);
    assert_as_at_start();
}

/* ---- mm_check ---- */

static void each_broken_invariant_is_named(void **state)
{
    void *p = kmalloc(100, 0), *waiting = kmalloc(3000, 0);
    phys_t frame = frame_alloc(ZONE_NORMAL, 0), block = frame_alloc(ZONE_NORMAL, 2);
    struct debug_record *live = record_live_object(pointer_phys(p).addr),
                        *blocks = record_live_block(block.addr);
    struct debug_record *waits = record_live_object(pointer_phys(waiting).addr);

    (void)state;
    assert_int_equal(kfree(waiting), 0);
    assert_sound();
    BREAK(501, live->state, RECORD_GONE);
    BREAK(501, live->state, 17);
    BREAK(501, live->chain, mm.debug.n_used);
    BREAK(501, live->base, live->base + 4096);
    BREAK(501, live->chain, live - mm.debug.record);
    BREAK(501, mm.debug.n_live, 0);
    BREAK(501, mm.debug.n_waiting, mm.debug.n_waiting + 1);
    BREAK(501, mm.debug.n_gone, mm.debug.n_gone + 1);
    mm.debug.n_gone++;
    mm.debug.n_waiting--;
    assert_broken_as(501, "records of what is gone");
    mm.debug.n_gone--;
    mm.debug.n_waiting++;
    waits->state = RECORD_MOVING; /* what waits, but for the one number */
    mm.debug.waiting_bytes = mm.debug.n_waiting_of_class[waits->order] = 0;
    assert_broken_as(501, "records of what waits");
    waits->state = RECORD_WAITING;
    mm.debug.waiting_bytes = 32UL << waits->order;
    mm.debug.n_waiting_of_class[waits->order] = 1;
    assert_sound();
    BREAK(501, mm.debug.free.next, &live->link);
    BREAK(501, waits->link.prev, &waits->link);
    BREAK(501, mm.debug.n_waiting, 0);
    BREAK(501, mm.debug.waiting.next, &mm.debug.waiting);
    BREAK(501, mm.debug.head[0], mm.debug.n_used);
    BREAK(502, ((u64 *)MM_HELD_ARRAY)[block.addr / FRAME_BYTES / 64], 0);
    BREAK(502, live->order, live->order + 1);
    BREAK(502, blocks->order, FRAME_MAX_ORDER);
    BREAK(503, mm.debug.waiting_bytes, 1);
    BREAK(503, mm.debug.n_waiting_of_class[waits->order], 0);
    BREAK(504, mm.debug.filled[frame.addr / FRAME_BYTES / 64], ~0UL);
    assert_int_equal(frame_free(frame, 0) + frame_free(block, 2) + (int)kfree(p), 0);
    assert_as_at_start();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(objects_have_the_size_and_the_alignment_of_their_class),
        TEST(every_wrong_kfree_is_reported_and_changes_nothing),
        TEST(a_loaded_top_level_is_not_freed),
        cmocka_unit_test(random_operations_with_each_feature_alone_and_with_all),
        cmocka_unit_test(random_operations_on_a_small_machine),
        TEST(the_last_byte_of_memory_can_be_had_and_given_back),
        TEST(a_byte_beside_an_object_is_seen_on_both_sides),
        TEST(the_largest_objects_have_what_guards_there_is_room_for),
        TEST(a_step_through_the_slack_and_past_the_class_is_one_report),
        TEST(a_check_of_all_objects_finds_damage_once),
        TEST(a_write_to_a_freed_object_is_seen),
        TEST(a_write_to_what_was_an_object_once_is_seen),
        TEST(a_freed_object_is_not_handed_out_again_at_once),
        TEST(a_write_to_a_free_frame_is_seen),
        TEST(each_thing_has_its_owner),
        TEST(parts_of_blocks_and_runs_can_be_freed),
        TEST(sums_by_call_site_and_since_a_mark),
        TEST(runs_side_by_side_are_two),
        TEST(what_is_left_of_a_run_is_counted),
        TEST(all_of_a_run_tells_the_same_was_asked_for),
        TEST(when_all_records_are_in_use_the_rest_has_none),
        TEST(the_trace_tells_the_last_calls_in_order),
        TEST(the_trace_tells_of_what_was_refused_and_why),
        TEST(each_broken_invariant_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
