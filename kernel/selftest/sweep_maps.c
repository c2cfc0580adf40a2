/* SPDX-License-Identifier: MIT */
/*
 * Every request for memory that a mapping call makes fails once: tables across borders of 2 MiB, 1 GiB and
 * 512 GiB, leaves that have to be split, address spaces, device memory.
 */
#include <kernel/selftest/sweep.h>
#include <kernel/selftest/sweep_maps.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>
#include <mm/fail.h>
#include <mm/mmio.h>

#define DEVICE_BYTES GIB(4)
#define OTHERS_AT    (LOWER_BORDER + GIB(64)) /* mappings that use up the frames kept for tables */
#define N_OTHERS     12
#define SPLIT_AT     (LOWER_BORDER + GIB(32)) /* leaves that use up the spares by being split */
#define N_SPLIT      PAGING_N_SPLIT

/* By which of the calls. */
enum how { BY_CURRENT, BY_PHYSICAL, BY_VIRTUAL };

static const struct map_try {
    enum how how;
    ul virt, bytes;
    bool use4k;
} tries[] = {
    {BY_CURRENT, LOWER_BORDER - MIB(10), MIB(20), true},
    {BY_PHYSICAL, SPECIAL_BORDER - MIB(10) - PAGE_4K_SIZE, MIB(20), true},
    {BY_VIRTUAL, LOWER_BORDER + GIB(1) - MIB(6) - PAGE_4K_SIZE, MIB(12), false},
    {BY_CURRENT, LOWER_BORDER + GIB(2) - MIB(4) - PAGE_4K_SIZE, GIB(1) + MIB(7), false},
    {BY_PHYSICAL, LOWER_BORDER - PAGE_4K_SIZE, 2 * PAGE_4K_SIZE, true},
    {BY_VIRTUAL, SPECIAL_BORDER, PAGE_4K_SIZE, false},
};

#define N_TRIES       ARRAY_LENGTH(tries)
#define N_MANY_TABLES 2 /* the first so many want more tables than are kept */

static ul device; /* physical space without RAM */

static bool find_device(ul unused)
{
    (void)unused;
    device = space_without_ram(DEVICE_BYTES, GIB(1));
    return device != 0;
}

static ul current_table(enum how how)
{
    return how == BY_VIRTUAL ? (ul)phys_2_virt(current_top().addr) : current_top().addr;
}

/* Where in the device it leads to, so that large leaves fit. */
static ul device_for(ul virt)
{
    return device + virt % GIB(1);
}

static int map_by(enum how how, ul virt, ul bytes, bool use4k)
{
    if (how == BY_CURRENT)
        return mm_map_phys_addr(virt, device_for(virt), bytes, DEVICE_FLAGS, use4k);
    return mm_map_proc_page_table(current_table(how), how == BY_PHYSICAL, virt, device_for(virt), bytes,
                                  DEVICE_FLAGS, false, true, use4k);
}

static bool call_map(ul which)
{
    const struct map_try *try = &tries[which];
    int result = map_by(try->how, try->virt, try->bytes, try->use4k);

    if (result != 0)
        EXPECT_EQUAL(result, -EFAULT);
    else
        EXPECT_MAPPED(.virt = try->virt, .phys = device_for(try->virt), .bytes = try->bytes,
                      .flags = DEVICE_FLAGS);
    return result == 0;
}

static void undo_map(ul which)
{
    const struct map_try *try = &tries[which];

    if (try->how == BY_CURRENT)
        mm_unmap_addr(try->virt, try->bytes);
    else
        mm_unmap_proc_table(current_table(try->how), try->how == BY_PHYSICAL, try->virt, try->bytes);
    EXPECT_UNMAPPED(try->virt, try->bytes);
}

void mapping_calls(void)
{
    for (ul i = 0; i < N_TRIES; i++) {
        const struct sweep one = {
            "mapping %lu", find_device, call_map, undo_map, NULL, i, SWEEP_MAY_MISS | (i < N_MANY_TABLES ? SWEEP_ASKS : 0)};

        sweep_all(&one, 1);
    }
    sweep_tell();
}

/* ---- with the kept frames in use ---- */

static bool map_others(ul unused)
{
    bool mapped = find_device(unused);

    for (ul i = 0; i < N_OTHERS && mapped; i++)
        mapped = EXPECT_EQUAL(map_by(BY_CURRENT, OTHERS_AT + i * MIB(2), PAGE_4K_SIZE, true), 0);
    return mapped;
}

static void unmap_others(ul unused)
{
    (void)unused;
    EXPECT_UNMAP(OTHERS_AT, N_OTHERS * MIB(2));
}

/* The second MiB of a try is mapped already, and kept. */
static bool map_part(ul which)
{
    const struct map_try *try = &tries[which];

    return EXPECT_EQUAL(map_by(BY_CURRENT, try->virt + MIB(1), MIB(1), true), 0);
}

static bool map_others_and_a_part(ul which)
{
    return map_others(which) && map_part(which);
}

static void undo_map_but_a_part(ul which)
{
    undo_map(which);
    map_part(which);
}

static void unmap_others_and_a_part(ul which)
{
    EXPECT_UNMAP(tries[which].virt + MIB(1), MIB(1));
    unmap_others(which);
}

void mapping_calls_with_the_kept_frames_in_use(void)
{
    const struct sweep partly = {"mapping %lu, a part is there",
                                 map_others_and_a_part,
                                 call_map,
                                 undo_map_but_a_part,
                                 unmap_others_and_a_part,
                                 0,
                                 SWEEP_ASKS | SWEEP_MAY_MISS | SWEEP_MOVES};

    for (ul i = 0; i < N_TRIES; i++) {
        const struct sweep one = {
            "mapping %lu, no kept frames", map_others, call_map, undo_map, unmap_others, i, SWEEP_ASKS | SWEEP_MAY_MISS};

        sweep_all(&one, 1);
    }
    sweep_all(&partly, 1);
    sweep_tell();
}

/* ---- splits, with the spares in use ---- */

static bool map_leaves(void)
{
    return EXPECT_EQUAL(map_by(BY_CURRENT, SPLIT_AT, GIB(3), false), 0);
}

/* While all requests fail, splits take the spares, and there are no others for them. */
static bool use_up_spares(ul unused)
{
    bool done = map_others(unused) &&
                EXPECT_EQUAL(map_by(BY_CURRENT, OTHERS_AT + GIB(1), N_SPLIT * MIB(2), false), 0) &&
                map_leaves() && EXPECT(fail_arm(FAIL_FROM, 1, false));

    for (ul i = 0; i < N_SPLIT && done; i++)
        EXPECT_UNMAP(OTHERS_AT + GIB(1) + i * MIB(2) + MIB(1), PAGE_4K_SIZE);
    EXPECT(fail_disarm());
    return done;
}

static void unmap_leaves_and_others(ul unused)
{
    EXPECT_UNMAP(SPLIT_AT, GIB(3));
    EXPECT_UNMAP(OTHERS_AT + GIB(1), N_SPLIT * MIB(2));
    unmap_others(unused);
}

/* Holes in leaves of 1 GiB or, where the CPU has none, of 2 MiB. */
static const struct hole {
    ul from, bytes;
} holes[] = {
    {MIB(1), PAGE_4K_SIZE},                        /* a PD and a PT */
    {MIB(2), MIB(2)},                              /* a PD */
    {PAGE_4K_SIZE, GIB(3) - 2 * PAGE_4K_SIZE},     /* two of each */
    {GIB(1) - PAGE_4K_SIZE, GIB(1) + PAGE_4K_SIZE} /* of each at one end, nothing at the other */
};

static void expect_hole(const struct hole *hole)
{
    ul at = SPLIT_AT + hole->from, rest = at + hole->bytes;

    EXPECT_UNMAPPED(at, hole->bytes);
    EXPECT_MAPPED(.virt = SPLIT_AT, .phys = device_for(SPLIT_AT), .bytes = hole->from, .flags = DEVICE_FLAGS);
    EXPECT_MAPPED(.virt = rest, .phys = device_for(SPLIT_AT) + (rest - SPLIT_AT),
                  .bytes = SPLIT_AT + GIB(3) - rest, .flags = DEVICE_FLAGS);
}

/* The argument is the hole, and from bit 8 on by which call. */
static bool call_unmap(ul which)
{
    const struct hole *hole = &holes[which & 0xff];
    ul at = SPLIT_AT + hole->from;
    int result = -EFAULT;

    switch (which >> 8) {
    case 0:
        result = mm_unmap_range(current_top().addr, true, at, hole->bytes);
        EXPECT(result == 0 || result == -EFAULT);
        break;
    case 1:
        mm_unmap_proc_table((ul)phys_2_virt(current_top().addr), false, at, hole->bytes);
        break;
    default:
        mm_unmap_addr(at, hole->bytes);
    }
    if (mapped_leaf_bytes(at) != 0)
        return EXPECT(result != 0), false;
    expect_hole(hole);
    return true;
}

static void undo_unmap(ul unused)
{
    (void)unused;
    EXPECT_UNMAP(SPLIT_AT, GIB(3));
    map_leaves();
}

static bool call_shrink(ul unused)
{
    (void)unused;
    mm_shrink();
    return true;
}

void unmapping_calls_that_split(void)
{
    const struct sweep shrink = {
        "mm_shrink, no spares", use_up_spares, call_shrink, NULL, unmap_leaves_and_others, 0, SWEEP_ASKS | SWEEP_MAY_MISS};

    for (ul i = 0; i < ARRAY_LENGTH(holes); i++) {
        ul which = i | i % 3 << 8;
        const struct sweep one = {"unmapping 0x%lx, no spares",
                                  use_up_spares,
                                  call_unmap,
                                  undo_unmap,
                                  unmap_leaves_and_others,
                                  which,
                                  SWEEP_ASKS | SWEEP_TELLS | SWEEP_MAY_MISS};

        sweep_all(&one, 1);
    }
    sweep_all(&shrink, 1);
    sweep_tell();
}

/* ---- address spaces and device memory ---- */

static ul *top;

/* An address space of a caller, with a mapping that wants 2 PDPTs, 2 PDs and 8 PTs. */
static bool call_space(ul unused)
{
    ul any = 0;

    (void)unused;
    top = kzalloc(PAGE_4K_SIZE, 0);
    if (top == NULL)
        return false;
    if (mm_map_proc_page_table((ul)top, false, LOWER_BORDER - MIB(8), device, MIB(16), PAGE_R_W | PAGE_PCD,
                               true, true, true) == 0)
        return true;
    for (unsigned i = 0; i < PAGE_4K_SIZE / sizeof *top; i++)
        any |= top[i];
    EXPECT_EQUAL(any, 0);
    EXPECT_EQUAL(kfree(top), 0);
    return false;
}

static void undo_space(ul unused)
{
    (void)unused;
    EXPECT_EQUAL(mm_unmap_range(virt_2_phys(top), true, LOWER_BORDER - MIB(8), MIB(16)), 0);
    EXPECT_EQUAL(kfree(top), 0);
}

static void *window;

static bool call_mmio_map(ul bytes)
{
    window = mmio_map(phys(device + PAGE_4K_SIZE), bytes, MMIO_UNCACHED);
    return window != NULL;
}

static void undo_mmio_map(ul bytes)
{
    (void)bytes;
    EXPECT(mmio_unmap(window));
}

static bool call_mmio_unmap(ul bytes)
{
    (void)bytes;
    return mmio_unmap(window);
}

static void redo_mmio_map(ul bytes)
{
    EXPECT(call_mmio_map(bytes));
}

static bool prepare_mmio_unmap(ul bytes)
{
    window = NULL;
    return find_device(bytes) && call_mmio_map(bytes);
}

static bool prepare_mmio_unmap_without_spares(ul bytes)
{
    return prepare_mmio_unmap(bytes) && use_up_spares(bytes);
}

/* What could not be prepared is not there. */
static void drop_window(ul bytes)
{
    if (window != NULL)
        undo_mmio_map(bytes);
}

static void drop_window_and_leaves(ul bytes)
{
    unmap_leaves_and_others(bytes);
    drop_window(bytes);
}

/* mmio_map notes what it gave in an object of 32 bytes. */
static bool prepare_mmio_map(ul bytes)
{
    return find_device(bytes) && sweep_fill_slabs(32);
}

void address_spaces_and_device_memory(void)
{
    const struct sweep cases[] = {
        {"an address space", map_others, call_space, undo_space, unmap_others, 0, SWEEP_ASKS | SWEEP_MAY_MISS},
        {"mmio_map of %lu bytes", prepare_mmio_map, call_mmio_map, undo_mmio_map, sweep_release, 100,
         SWEEP_ASKS | SWEEP_MAY_MISS},
        {"mmio_map of %lu bytes", prepare_mmio_map, call_mmio_map, undo_mmio_map, sweep_release, MIB(5),
         SWEEP_ASKS | SWEEP_MAY_MISS},
        {"mmio_unmap of %lu bytes", prepare_mmio_unmap, call_mmio_unmap, redo_mmio_map, drop_window, 100,
         SWEEP_NEVER_ASKS | SWEEP_MAY_MISS | SWEEP_MOVES},
        {"mmio_unmap of %lu bytes", prepare_mmio_unmap, call_mmio_unmap, redo_mmio_map, drop_window, MIB(5),
         SWEEP_NEVER_ASKS | SWEEP_MAY_MISS | SWEEP_MOVES},
        {"mmio_unmap of %lu bytes, no spares", prepare_mmio_unmap_without_spares, call_mmio_unmap, redo_mmio_map,
         drop_window_and_leaves, MIB(5), SWEEP_ASKS | SWEEP_MAY_MISS | SWEEP_MOVES},
    };

    sweep_all(cases, ARRAY_LENGTH(cases));
    sweep_tell();
}
