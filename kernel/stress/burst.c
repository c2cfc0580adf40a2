/* SPDX-License-Identifier: MIT */
/*
 * Bursts: many of one kind taken one after the other, and freed in some order.
 *
 * Things live long and are written and checked from end to end, so most of the time goes into their content.
 * In a burst nearly all of it goes into mm: magazines and stacks run over and empty, so that locks are met
 * and interrupts come in the middle.  Each has a mark in its first word.
 */
#include <kernel/stress/worker.h>
#include <mm/frame.h>
#include <mm/mm.h>

#define BURST_MOST         160 /* more than two magazines */
#define BURST_IN_INTERRUPT 8
#define BURST_PAGES        12 /* more than a stack of pages */
#define SHIFT_MIN          5
#define SHIFTS             10 /* up to 16 KiB */
#define BURST_ORDERS       4
#define BUDGET_PARTS       4

enum burst_kind { BURST_OBJECTS, BURST_FRAMES, BURST_PAGE };

struct burst {
    enum burst_kind kind;
    unsigned order; /* of an object's size, of a block */
    u64 n;
    u64 tag;
    u64 *word[BURST_MOST]; /* the first of each */
};

/* One of them in the direct map; NULL when there is no memory. */
static u64 *take_one(const struct burst *burst)
{
    phys_t frame;
    struct Page *page;

    switch (burst->kind) {
    case BURST_OBJECTS:
        return kmalloc(1UL << burst->order, 0);
    case BURST_FRAMES:
        frame = frame_alloc(ZONE_NORMAL, burst->order);
        return phys_is_none(frame) ? NULL : phys_2_virt(frame.addr);
    default:
        page = alloc_pages(ZONE_NORMAL, 1, 0);
        return page != NULL ? phys_2_virt(page->addr_phys) : NULL;
    }
}

static bool give_one(const struct burst *burst, u64 *word)
{
    switch (burst->kind) {
    case BURST_OBJECTS:
        return kfree(word) == 0;
    case BURST_FRAMES:
        return frame_free(phys(virt_2_phys(word)), burst->order) == 0;
    default:
        free_pages(Virt_To_2M_Page(word), 1); /* does not tell; a refusal is counted as a misuse */
        return true;
    }
}

static u64 one_bytes(const struct burst *burst)
{
    return burst->kind == BURST_OBJECTS  ? 1UL << burst->order
           : burst->kind == BURST_FRAMES ? FRAME_BYTES << burst->order
                                         : PAGE_2M_SIZE;
}

static u64 has(enum stress_part part)
{
    return (stress.parts & part) != 0;
}

static u64 choose_order(struct worker *worker, enum burst_kind kind)
{
    u64 r = worker_random(worker);

    if (kind == BURST_FRAMES)
        return r % BURST_ORDERS;
    return stress.only_shift != 0 ? stress.only_shift : SHIFT_MIN + r % SHIFTS;
}

/* Chooses what; false when that is not to be done in this run. */
static bool burst_choose(struct worker *worker, struct burst *burst)
{
    u64 r = worker_random(worker) % 16, most = worker->in_interrupt ? BURST_IN_INTERRUPT : BURST_MOST;

    burst->kind = stress.only_shift != 0 || r >= 5 ? BURST_OBJECTS : r == 0 ? BURST_PAGE : BURST_FRAMES;
    burst->order = (unsigned)choose_order(worker, burst->kind);
    burst->tag = worker_random(worker);
    if (burst->kind == BURST_PAGE)
        most = min_u64(most, BURST_PAGES);
    most = min_u64(most, worker->budget_bytes / BUDGET_PARTS / one_bytes(burst));
    burst->n = most != 0 ? 1 + worker_random(worker) % most : 0;
    return burst->n != 0 && has(burst->kind == BURST_OBJECTS  ? STRESS_OBJECTS
                                : burst->kind == BURST_FRAMES ? STRESS_BLOCKS
                                                              : STRESS_PAGES);
}

static void burst_take(struct burst *burst)
{
    for (u64 i = 0; i < burst->n; i++) {
        burst->word[i] = take_one(burst);
        if (burst->word[i] == NULL)
            burst->n = i;
        else
            *burst->word[i] = content_word(burst->tag, i);
    }
}

/* Forwards, backwards, or by steps. */
static void burst_give(struct worker *worker, const struct burst *burst)
{
    u64 way = worker_random(worker) % 3, step = way == 0 ? 1 : way == 1 ? burst->n - 1 : 7;
    u64 at = worker_random(worker) % burst->n;

    if (burst->n % 7 == 0 && way == 2)
        step = 1;
    for (u64 i = 0; i < burst->n; i++, at = (at + step) % burst->n) {
        STRESS_EXPECT(worker, *burst->word[at] == content_word(burst->tag, at),
                      "number %lu of a burst at 0x%lx (kind %u, order %u) was written to: 0x%lx", at,
                      (ul)burst->word[at], burst->kind, burst->order, *burst->word[at]);
        STRESS_EXPECT(worker, give_one(burst, burst->word[at]),
                      "0x%lx of a burst (kind %u, order %u) was refused", (ul)burst->word[at], burst->kind,
                      burst->order);
    }
}

bool burst(struct worker *worker)
{
    struct burst it;

    if (!burst_choose(worker, &it))
        return true;
    trace(worker, TRACE_BURST, it.kind, it.n, it.order);
    burst_take(&it);
    if (it.n != 0)
        burst_give(worker, &it);
    worker->n_in_bursts += it.n;
    return it.n != 0;
}
