/* SPDX-License-Identifier: MIT */
/*
 * Blocks of frame_alloc and pages of alloc_pages, of all zones.  Of each frame that the direct map shows the
 * first and the last word are written and checked; of pages, four frames each.
 */
#include <kernel/stress/worker.h>
#include <mm/frame.h>
#include <mm/inspect.h>

#define FRAME_WORDS (FRAME_BYTES / 8)
#define PAGE_STEP   (PAGE_2M_SIZE / FRAME_BYTES / 4)
#define ORDER_MAX   10
#define PAGE_ORDER  9

/* NORMAL mostly. */
static unsigned choose_zone(struct worker *worker)
{
    u64 r = worker_random(worker) % 8;

    return r == 0 ? ZONE_DMA : r == 1 ? ZONE_UNMAPPED_IN_PGT : ZONE_NORMAL;
}

static u64 *frame_words(const struct thing *thing, u64 frame)
{
    return phys_2_virt(thing->at + frame * FRAME_BYTES);
}

static void frames_fill(const struct thing *thing, u64 n_frames, u64 step)
{
    for (u64 i = 0; i < n_frames; i += step) {
        frame_words(thing, i)[0] = content_word(thing->tag, i);
        frame_words(thing, i)[FRAME_WORDS - 1] = ~content_word(thing->tag, i);
    }
}

static void frames_check(struct worker *worker, const struct thing *thing, u64 n_frames, u64 step)
{
    for (u64 i = 0; i < n_frames; i += step) {
        u64 first = frame_words(thing, i)[0], last = frame_words(thing, i)[FRAME_WORDS - 1];

        if (first != content_word(thing->tag, i) || last != ~content_word(thing->tag, i)) {
            stress_fail(worker, "frame %lu of %lu at 0x%lx: 0x%lx .. 0x%lx, not 0x%lx .. its complement", i,
                        n_frames, thing->at, first, last, content_word(thing->tag, i));
            return;
        }
    }
}

/* ---- blocks ---- */

static u64 block_bytes(const struct thing *thing)
{
    return FRAME_BYTES << thing->number;
}

static unsigned choose_order(struct worker *worker)
{
    if (worker_chance(worker, 2))
        return 0;
    return (unsigned)(worker_random(worker) % (worker_chance(worker, 32) ? ORDER_MAX + 1 : 6));
}

static bool block_make(struct worker *worker, struct thing *thing)
{
    unsigned order = choose_order(worker), zone = choose_zone(worker);
    phys_t first;

    if (FRAME_BYTES << order > worker->budget_bytes / 4)
        return true;
    first = frame_alloc(zone, order);
    if (phys_is_none(first))
        return false;
    *thing = (struct thing){.kind = THING_BLOCK,
                            .zone = (u8)zone,
                            .number = (u8)order,
                            .at = first.addr,
                            .tag = worker_random(worker)};
    STRESS_EXPECT(worker, first.addr % (FRAME_BYTES << order) == 0, "frame_alloc gave 0x%lx for order %u",
                  first.addr, order);
    if (zone != ZONE_UNMAPPED_IN_PGT)
        frames_fill(thing, 1UL << order, 1);
    return true;
}

static void block_check(struct worker *worker, const struct thing *thing)
{
    if (thing->zone != ZONE_UNMAPPED_IN_PGT)
        frames_check(worker, thing, 1UL << thing->number, 1);
}

/* Whole, or in two halves; but not the halves of a single page. */
static void block_drop(struct worker *worker, struct thing *thing)
{
    unsigned order = thing->number;
    int result;

    if (order != 0 && order != PAGE_ORDER && worker_chance(worker, 4)) {
        result = frame_free(phys(thing->at + (FRAME_BYTES << (order - 1))), order - 1);
        result |= frame_free(phys(thing->at), order - 1);
    } else {
        result = frame_free(phys(thing->at), order);
    }
    STRESS_EXPECT(worker, result == 0, "frame_free refused 0x%lx, order %u", thing->at, order);
}

const struct kind_of_thing kind_block = {"blocks of frames", block_make, block_check, block_drop,
                                         block_bytes};

/* ---- pages ---- */

static u64 pages_bytes(const struct thing *thing)
{
    return thing->number * PAGE_2M_SIZE;
}

static bool pages_make(struct worker *worker, struct thing *thing)
{
    unsigned zone = choose_zone(worker);
    int n = (int)(1 + worker_random(worker) % (worker_chance(worker, 16) ? 63 : 3));
    ul flags = worker_chance(worker, 2) ? PAGE_SHARED : PAGE_KERNEL;
    struct Page *first;

    if ((u64)n * PAGE_2M_SIZE > worker->budget_bytes / 2)
        return true;
    first = alloc_pages(zone, n, flags);
    if (first == NULL)
        return false;
    *thing = (struct thing){.kind = THING_PAGES,
                            .zone = (u8)zone,
                            .number = (u8)n,
                            .at = first->addr_phys,
                            .tag = worker_random(worker)};
    for (int i = 0; i < n; i++)
        STRESS_EXPECT(worker,
                      first[i].ref_counts == 1 && (first[i].attr & flags) == flags &&
                          first[i].addr_phys == thing->at + (u64)i * PAGE_2M_SIZE,
                      "alloc_pages gave page 0x%lx with attr 0x%lx, ref_counts %lu", first[i].addr_phys,
                      first[i].attr, first[i].ref_counts);
    if (zone != ZONE_UNMAPPED_IN_PGT)
        frames_fill(thing, pages_bytes(thing) / FRAME_BYTES, PAGE_STEP);
    return true;
}

static void pages_check(struct worker *worker, const struct thing *thing)
{
    if (thing->zone != ZONE_UNMAPPED_IN_PGT)
        frames_check(worker, thing, pages_bytes(thing) / FRAME_BYTES, PAGE_STEP);
}

/* At once, or a part and the rest. */
static void pages_drop(struct worker *worker, struct thing *thing)
{
    struct Page *first = Phy_to_2M_Page(thing->at);
    int n = thing->number, n_behind = worker_chance(worker, 4) ? (int)(worker_random(worker) % (u64)n) : 0;

    if (n_behind != 0)
        free_pages(first + (n - n_behind), n_behind);
    free_pages(first, n - n_behind);
}

const struct kind_of_thing kind_pages = {"runs of pages", pages_make, pages_check, pages_drop, pages_bytes};
