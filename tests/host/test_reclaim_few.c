/* SPDX-License-Identifier: MIT */
/*
 * With exactly 0, 1, 2 ... free frames, side by side or in different pages: whatever a call returns, all is
 * sound, a failure leaves no trace, what was given can be given back, and one frame more never makes a call
 * fail.
 */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/mmio.h>
#include <mm/slab.h>

#define RAM_BYTES  MIB(32)
#define N_LEFT_MAX 12 /* free frames with which calls are tried */
#define USER_AT    TIB(1)

static u64 used; /* once started and shrunk */
static phys_t taken[RAM_BYTES / FRAME_BYTES];
static u64 n_taken;

static int start_machine(void **state)
{
    (void)state;
    assert_null(machine_start_bytes(RAM_BYTES, NULL));
    mm_shrink();
    used = mm_stat().used;
    assert_sound();
    return 0;
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* Takes every frame that NORMAL can have but n: the last of them, or some from all over memory. */
static void take_all_but(u64 n, bool scattered)
{
    for (n_taken = 0; !phys_is_none(taken[n_taken] = frame_alloc(ZONE_NORMAL, 0));)
        n_taken++;
    for (u64 i = 0; i < n; i++) {
        u64 chosen = scattered ? (n_taken - 1) * i / n : n_taken - 1;

        assert_int_equal(frame_free(taken[chosen], 0), 0);
        taken[chosen] = taken[--n_taken];
    }
}

static void give_all(void)
{
    while (n_taken > 0)
        assert_int_equal(frame_free(taken[--n_taken], 0), 0);
}

/* Runs `call` with each n; it returns whether it succeeded, and has undone that. */
static void try_with(const char *name, bool (*call)(u64), u64 argument, bool scattered)
{
    bool succeeded = false;

    for (u64 n = 0; n <= N_LEFT_MAX; n++) {
        u64 n_free;

        take_all_but(n, scattered);
        n_free = mm_stat().available;
        if (call(argument))
            succeeded = true;
        else if (succeeded)
            fail_msg("%s(0x%lx) fails with %lu frames, but not with fewer", name, argument, n);
        assert_sound();
        mm_shrink();
        if (mm_stat().free != n_free)
            fail_msg("%s(0x%lx) with %lu frames: %lu bytes free, then %lu", name, argument, n, n_free,
                     mm_stat().free);
        give_all();
        assert_nothing_leaked(used);
    }
}

static void try_with_few_frames(const char *name, bool (*call)(u64), u64 argument)
{
    try_with(name, call, argument, false);
    try_with(name, call, argument, true);
}

static bool call_kmalloc(u64 size)
{
    u8 *object = kmalloc(size, 0);

    if (object == NULL)
        return false;
    memset(object, 0x5a, size);
    assert_int_equal(kfree(object), 0);
    return true;
}

static void kmalloc_with_few_frames(void **state)
{
    (void)state;
    for (u64 size = 32; size <= KMALLOC_MAX_BYTES; size *= 2)
        try_with_few_frames("kmalloc", call_kmalloc, size);
}

/* All of them at once, so that one's slabs and descriptors are in the way of the other. */
static bool call_kmalloc_of_all_sizes(u64 last)
{
    void *objects[MM_N_CLASSES] = {NULL};
    bool all = true;

    for (unsigned i = 0; i < MM_N_CLASSES; i++) {
        u64 size = 32UL << (i * 5 + last) % 8;

        objects[i] = kmalloc(size, 0);
        all &= objects[i] != NULL;
    }
    for (unsigned i = 0; i < MM_N_CLASSES; i++)
        assert_int_equal(kfree(objects[i]), 0);
    return all;
}

static void kmalloc_of_all_sizes_with_few_frames(void **state)
{
    (void)state;
    for (u64 first = 0; first < 8; first++)
        try_with_few_frames("kmalloc of all sizes", call_kmalloc_of_all_sizes, first);
}

static bool call_frame_alloc(u64 order)
{
    phys_t frame = frame_alloc(ZONE_NORMAL, (unsigned)order);

    return !phys_is_none(frame) && frame_free(frame, (unsigned)order) == 0;
}

static void frame_alloc_with_few_frames(void **state)
{
    (void)state;
    for (u64 order = 0; order <= FRAME_MAX_ORDER; order++)
        try_with_few_frames("frame_alloc", call_frame_alloc, order);
}

static bool call_alloc_pages(u64 argument)
{
    assert_null(alloc_pages((unsigned)argument & 7, (int)(argument >> 3), PAGE_SHARED));
    return false;
}

static void alloc_pages_with_few_frames(void **state)
{
    (void)state;
    try_with_few_frames("alloc_pages", call_alloc_pages, ZONE_NORMAL | 1 << 3);
    try_with_few_frames("alloc_pages", call_alloc_pages, ZONE_NORMAL | 63 << 3);
    try_with_few_frames("alloc_pages", call_alloc_pages, ZONE_UNMAPPED_IN_PGT | 1 << 3);
    try_with_few_frames("alloc_pages", call_alloc_pages, ZONE_DMA | 8 << 3);
}

/* Maps so many GiB borders apart that each page takes a page table, a page directory and more of its own. */
static bool call_map(u64 bytes)
{
    u64 top = (u64)get_CR3(), before = tables_hash(top);
    u64 start = USER_AT + GIB(1) - align_up(bytes / 2, KIB(4));

    if (mm_map_phys_addr(start, DEVICE_AT, bytes, PAGE_R_W, true) != 0) {
        assert_int_equal(tables_hash(top), before);
        return false;
    }
    assert_maps(top, start, DEVICE_AT, bytes, 4096);
    assert_int_equal(mm_unmap_range(top, true, start, bytes), 0);
    assert_int_equal(tables_hash(top), before);
    return true;
}

static void mapping_with_few_frames(void **state)
{
    (void)state;
    try_with_few_frames("mm_map_phys_addr", call_map, KIB(4));
    try_with_few_frames("mm_map_phys_addr", call_map, KIB(8));
    try_with_few_frames("mm_map_phys_addr", call_map, MIB(4));
    try_with_few_frames("mm_map_phys_addr", call_map, MIB(10));
}

static bool call_mmio_map(u64 bytes)
{
    void *pointer = mmio_map(phys(DEVICE_AT), bytes, MMIO_UNCACHED);

    return pointer != NULL && mmio_unmap(pointer);
}

static void mmio_map_with_few_frames(void **state)
{
    (void)state;
    try_with_few_frames("mmio_map", call_mmio_map, KIB(4));
    try_with_few_frames("mmio_map", call_mmio_map, MIB(3));
}

static bool call_address_space(u64 bytes)
{
    u64 *top = kzalloc(4096, 0);
    bool mapped;

    if (top == NULL)
        return false;
    mapped = mm_map_proc_page_table(virt_2_phys(top), true, MIB(2) - KIB(4), DEVICE_AT, bytes, PAGE_R_W, true,
                                    true, true) == 0;
    if (mapped)
        mm_unmap_proc_table((ul)top, false, MIB(2) - KIB(4), bytes);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(top[i], 0);
    assert_int_equal(kfree(top), 0);
    return mapped;
}

static void an_address_space_with_few_frames(void **state)
{
    (void)state;
    try_with_few_frames("an address space", call_address_space, KIB(4));
    try_with_few_frames("an address space", call_address_space, KIB(8));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kmalloc_with_few_frames),          TEST(kmalloc_of_all_sizes_with_few_frames),
        TEST(frame_alloc_with_few_frames),      TEST(alloc_pages_with_few_frames),
        TEST(mapping_with_few_frames),          TEST(mmio_map_with_few_frames),
        TEST(an_address_space_with_few_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
