/* SPDX-License-Identifier: MIT */
/*
 * Mapping and unmapping.  The model is a flat list of 4 KiB cells for a few windows, which lie around borders of large
 * leaves: one in the kernel half, one in the user half, one in a second address space.  A call is right when it answers
 * what the rules in mm.h say of its arguments and of the cells; what the MMU sees, its caches warm, is the cells.
 */
#include <mm_play.h>

#include <lib/bits.h>
#include <mm/paging.h>
#include <paging_tools.h>

#include <string.h>

#define CELL_BYTES KIB(4)
#define N_CELLS    2048u
#define N_LOOKS    24u
#define DEVICE_PHYS GIB(8) /* no machine has RAM there */
#define FLAG_BITS  (PAGE_R_W | PAGE_U_S | PAGE_PWT | PAGE_PCD | PAGE_PS | PAGE_WC | PAGE_XD | PAGE_PRESENT)
#define CACHE_BITS (PAGE_PWT | PAGE_PCD | PAGE_WC)

struct cell {
    u64 phys; /* 0: nothing is mapped */
    ul flags;
};

struct window {
    u64 start;
    bool kernel_half, second_space;
    struct cell cell[N_CELLS];
};

static struct window windows[] = {
    {.start = MM_SPECIAL_START + GIB(1) - MIB(4), .kernel_half = true},
    {.start = GIB(1) - MIB(4)},
    {.start = GIB(512) - MIB(4), .second_space = true},
};
#define N_WINDOWS ARRAY_LENGTH(windows)

static u64 space_top;

u64 play_mapping_space(void)
{
    return space_top;
}

void play_mapping_start(void)
{
    space_top = 0;
    for (unsigned i = 0; i < N_WINDOWS; i++)
        memset(windows[i].cell, 0, sizeof(windows[i].cell));
}

static u64 top_of(const struct window *window)
{
    return window->second_space ? space_top : (u64)get_CR3();
}

/* A second address space is made, as callers make one; or it is emptied and taken away. */
void play_space(struct mm_play *play)
{
    struct window *window = &windows[N_WINDOWS - 1];

    if (space_top != 0) {
        expect(mm_unmap_range(space_top, true, window->start, N_CELLS * CELL_BYTES) == 0 || play->failing);
        mm_unmap_proc_table(space_top, true, window->start, N_CELLS * CELL_BYTES);
        memset(window->cell, 0, sizeof(window->cell));
        expect(kfree(phys_2_virt(space_top)) == 0);
        space_top = 0;
        return;
    }

    u64 *top = kmalloc(4096, 0);

    expect(top != NULL || mm_play_may_fail(play));
    if (top == NULL)
        return;
    memset(top, 0, 2048);
    memcpy(top + 256, phys_2_virt(get_CR3()) + 256, 2048);
    space_top = virt_2_phys(top);
}

/* ---- arguments ---- */

struct range {
    struct window *window;
    u64 first, n; /* cells */
};

static const u64 lengths[] = {1, 2, 15, 511, 512, 513, 1024, N_CELLS};

static struct range take_range(struct mm_play *play)
{
    struct range range = {.window = &windows[fuzz_below(&play->bytes, N_WINDOWS)]};
    u64 how = fuzz_number(&play->bytes, 1);

    range.first = fuzz_below(&play->bytes, N_CELLS);
    if (how & 8)
        range.first = align_down(range.first, 512);
    range.n = min_u64(lengths[how & 7], N_CELLS - range.first);
    return range;
}

/* Where a cell goes: devices in three ways that do or do not allow large leaves, or RAM. */
static u64 phys_of(const struct mm_play *play, unsigned way, u64 cell)
{
    switch (way) {
    case 0:
        return DEVICE_PHYS + cell * CELL_BYTES;
    case 1:
        return DEVICE_PHYS + MIB(64) + CELL_BYTES + cell * CELL_BYTES;
    case 2:
        return DEVICE_PHYS + GIB(1) - MIB(4) + cell * CELL_BYTES;
    default:
        return play->ram_bytes - MIB(16) + cell * CELL_BYTES;
    }
}

static ul take_flags(struct mm_play *play)
{
    static const ul bits[] = {PAGE_R_W, PAGE_U_S, PAGE_PWT, PAGE_PCD, PAGE_PS, PAGE_WC, PAGE_XD, PAGE_PRESENT};
    unsigned chosen = (unsigned)fuzz_number(&play->bytes, 1);
    ul flags = 0;

    for (unsigned i = 0; i < 8; i++)
        flags |= chosen >> i & 1 ? bits[i] : 0;
    return flags;
}

/* ---- judging ---- */

/* What becomes of flags on this CPU, as far as a translation shows it. */
static ul effective(const struct mm_play *play, ul flags)
{
    flags &= PAGE_R_W | PAGE_U_S | PAGE_XD | CACHE_BITS;
    if (!play->options.old_cpu)
        return flags;
    flags &= ~(ul)PAGE_XD;
    return flags & PAGE_WC ? (flags & ~(ul)PAGE_WC) | PAGE_PCD : flags;
}

static bool allowed(const struct range *range, unsigned way, ul flags)
{
    if (range->window->kernel_half && (flags & PAGE_U_S))
        return false;
    if ((flags & PAGE_WC) && (flags & (PAGE_PWT | PAGE_PCD)))
        return false;
    return way != 3 || (flags & CACHE_BITS) == 0;
}

static bool nothing_else_there(const struct mm_play *play, const struct range *range, unsigned way, ul flags)
{
    for (u64 i = range->first; i < range->first + range->n; i++) {
        const struct cell *cell = &range->window->cell[i];

        if (cell->phys != 0 && (cell->phys != phys_of(play, way, i) || cell->flags != effective(play, flags)))
            return false;
    }
    return true;
}

static enum host_cache cache_of(ul flags)
{
    static const enum host_cache by_bits[] = {HOST_WB, HOST_WT, HOST_UC_MINUS, HOST_UC};

    return flags & PAGE_WC ? HOST_WC : by_bits[(flags & PAGE_PWT ? 1 : 0) + (flags & PAGE_PCD ? 2 : 0)];
}

/* One cell through the MMU: the current space with its caches, the other by a walk. */
static void look(const struct mm_play *play, const struct window *window, u64 i)
{
    const struct cell *cell = &window->cell[i];
    u64 at = window->start + i * CELL_BYTES;
    struct host_translation got;
    bool mapped = window->second_space ? host_walk(space_top, at, &got) : host_translate(at, &got);

    expect(mapped == (cell->phys != 0));
    if (!mapped)
        return;
    expect(got.phys == cell->phys && got.cache == cache_of(cell->flags));
    expect(got.writable == ((cell->flags & PAGE_R_W) != 0) && got.user == ((cell->flags & PAGE_U_S) != 0));
    expect(play->options.old_cpu || got.executable == ((cell->flags & PAGE_XD) == 0));
}

/* Cells around and in a range. */
static void look_around(const struct mm_play *play, const struct range *range)
{
    u64 step = max_u64(range->n / N_LOOKS, 1);

    if (range->first > 0)
        look(play, range->window, range->first - 1);
    if (range->first + range->n < N_CELLS)
        look(play, range->window, range->first + range->n);
    for (u64 i = 0; i < range->n; i += step)
        look(play, range->window, range->first + i);
    look(play, range->window, range->first + range->n - 1);
}

/* ---- calls ---- */

void play_map(struct mm_play *play)
{
    struct range range = take_range(play);
    unsigned way = (unsigned)fuzz_below(&play->bytes, 8), skew = (unsigned)fuzz_number(&play->bytes, 1);
    ul flags = take_flags(play);
    bool use4k = way >= 4, user = flags & PAGE_U_S, right, may_fail = mm_play_may_fail(play);
    u64 start = range.window->start + range.first * CELL_BYTES, top = top_of(range.window);

    way %= 4;
    if (top == 0)
        return;
    right = allowed(&range, way, flags) && nothing_else_there(play, &range, way, flags);

    /* Ragged ends and low bits of the physical address change nothing: whole cells are mapped. */
    u64 inside = skew * 16, length = range.n * CELL_BYTES - inside - skew % 16;
    int result = mm_map_proc_page_table(top, true, start + inside, phys_of(play, way, range.first) + skew, length,
                                        skew & 1 ? flags & ~(ul)PAGE_U_S : flags, user, true, use4k);

    expect(result == 0 || result == -EFAULT);
    expect(result == 0 ? right : !right || may_fail);
    for (u64 i = range.first; result == 0 && i < range.first + range.n; i++)
        range.window->cell[i] = (struct cell){phys_of(play, way, i), effective(play, flags)};
    look_around(play, &range);
}

void play_unmap(struct mm_play *play)
{
    struct range range = take_range(play);
    u64 start = range.window->start + range.first * CELL_BYTES, top = top_of(range.window);
    bool may_fail = mm_play_may_fail(play);

    if (top == 0)
        return;

    int result = mm_unmap_range(top, true, start, range.n * CELL_BYTES);

    expect(result == 0 || (result == -EFAULT && may_fail));
    if (result == 0)
        memset(&range.window->cell[range.first], 0, range.n * sizeof(struct cell));
    look_around(play, &range);
}

/* True when callers may use all of [start, start + length): such a range is not played with here. */
static bool is_callers(u64 start, u64 length)
{
    u64 last = start + length - 1;

    if (last < start)
        return false;
    return (start >= MM_USER_START && last < MM_USER_END) || (start >= MM_SPECIAL_START && last < MM_SPECIAL_END);
}

static u64 take_edge(struct mm_play *play)
{
    static const u64 edges[] = {0, MM_USER_END, MM_SPECIAL_START, MM_SPECIAL_END, MM_MMIO_END, MM_STACKS_START,
                                MM_IMAGE_START, MM_KERNEL_HALF};
    unsigned kind = (unsigned)fuzz_number(&play->bytes, 1);

    if (kind >= 0x80)
        return fuzz_number(&play->bytes, 8);
    return edges[kind & 7] + ((u64)(s64)(s8)fuzz_number(&play->bytes, 1) << (kind >> 3));
}

/* A range where callers have no business, a top level that is none, physical memory that cannot be. */
void play_map_wrong(struct mm_play *play)
{
    unsigned kind = (unsigned)fuzz_below(&play->bytes, 3);
    u64 start = take_edge(play), length = fuzz_number(&play->bytes, 5), other = take_edge(play);
    u64 top = (u64)get_CR3(), good = GIB(2);
    ul flags = take_flags(play);
    int result;

    if (kind == 0) {
        if (is_callers(start, length) && length != 0)
            return;
        result = mm_map_phys_addr(start, DEVICE_PHYS, length, flags, other & 1);
        expect(result == (length == 0 ? 0 : -EFAULT));
    } else if (kind == 1) {
        if (start == top || start == space_top || play_memory_owns(start, start + 1))
            return;
        result = mm_map_proc_page_table(start, true, good, DEVICE_PHYS, CELL_BYTES, PAGE_R_W, false, true, false);
        expect(result == -EFAULT);
    } else {
        u64 limit = 1UL << (play->options.old_cpu ? 36 : 46);
        u64 at = start < limit ? limit - start % MIB(1) : start;

        result = mm_map_phys_addr(good, at, (length & 0xffffff) + MIB(1), flags & ~(ul)PAGE_U_S, false);
        expect(result == -EFAULT);
    }
}

void play_unmap_wrong(struct mm_play *play)
{
    u64 start = take_edge(play), length = fuzz_number(&play->bytes, 5);
    struct mm_stat_t before = mm_play_before();

    if (is_callers(start, length) && length != 0)
        return;
    expect(mm_unmap_range((u64)get_CR3(), true, start, length) == (length == 0 ? 0 : -EFAULT));
    if (length != 0)
        mm_play_misused(play, &before);
}

void play_mapping_end(struct mm_play *play)
{
    if (space_top != 0)
        play_space(play);
    for (unsigned i = 0; i + 1 < N_WINDOWS; i++) {
        for (u64 k = 0; k < N_CELLS; k += 13)
            look(play, &windows[i], k);
        expect(mm_unmap_range((u64)get_CR3(), true, windows[i].start, N_CELLS * CELL_BYTES) == 0);
    }
}
