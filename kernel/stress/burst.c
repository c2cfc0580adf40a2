/* SPDX-License-Identifier: MIT */
/*
 * Bursts: many of one kind taken one after the other, and freed in some order.
 *
 * Things live long and are written and checked from end to end, so most of the time goes into their content.
 * In a burst nearly all of it goes into mm: magazines and stacks run over and empty, so that locks are met
 * and interrupts come in the middle.  Each has a mark in its first word.
 *
 * Mappings, one frame each, come in bursts only in a crowd (stress.c).  Those of all CPUs lie between one
 * another, so that they make, share and empty the same tables:
 *
 *      CROWD_START   | CPU 0 | CPU 1 | .. | CPU n-1 | CPU 0 | CPU 1 | ..      4 KiB << order from one to the next
 */
#include <kernel/cpu/probe.h>
#include <kernel/stress/worker.h>
#include <mm/frame.h>
#include <mm/mm.h>

#define BURST_MOST         160 /* more than two magazines */
#define BURST_IN_INTERRUPT 8
#define BURST_PAGES        12 /* more than a stack of pages */
#define BURST_MAPPINGS     16
#define CROWD_START        (MM_SPECIAL_START + (600UL << 30)) /* behind the cells */
#define SHIFT_MIN          5
#define SHIFTS             10 /* up to 16 KiB */
#define BURST_ORDERS       4
#define BUDGET_PARTS       4

struct burst {
    enum burst_kind kind;
    unsigned order; /* of an object's size, of a block; of the distance of mappings */
    u32 number;     /* the CPU's */
    u64 n;
    u64 tag;
    u64 *word[BURST_MOST];       /* the first of each */
    phys_t frame[BURST_MAPPINGS]; /* behind a mapping */
};

static u64 *map_one(struct burst *burst, u64 i)
{
    u64 at = CROWD_START + ((i * stress.n_workers + burst->number) * FRAME_BYTES << burst->order);
    phys_t frame = frame_alloc(ZONE_NORMAL, 0);

    if (phys_is_none(frame))
        return NULL;
    if (mm_map_phys_addr(at, frame.addr, FRAME_BYTES, PAGE_R_W | PAGE_XD, true) != 0)
        return frame_free(frame, 0) == 0 ? NULL : (u64 *)at;
    burst->frame[i] = frame;
    return (u64 *)at;
}

/* It must have shown its frame, and show nothing any more. */
static bool unmap_one(const struct burst *burst, u64 i)
{
    u64 at = (u64)burst->word[i], now;

    return *(u64 *)phys_pointer(burst->frame[i]) == content_word(burst->tag, i) &&
           mm_unmap_range((ul)get_CR3(), true, at, FRAME_BYTES) == 0 && !probe_read(at, &now, 8) &&
           frame_free(burst->frame[i], 0) == 0;
}

/* One of them; NULL when there is no memory. */
static u64 *take_one(struct burst *burst, u64 i)
{
    phys_t frame;
    struct Page *page;

    switch (burst->kind) {
    case BURST_OBJECTS:
        return kmalloc(1UL << burst->order, 0);
    case BURST_FRAMES:
        frame = frame_alloc(ZONE_NORMAL, burst->order);
        return phys_is_none(frame) ? NULL : phys_2_virt(frame.addr);
    case BURST_MAPPING:
        return map_one(burst, i);
    default:
        page = alloc_pages(ZONE_NORMAL, 1, 0);
        return page != NULL ? phys_2_virt(page->addr_phys) : NULL;
    }
}

static bool give_one(const struct burst *burst, u64 i)
{
    u64 *word = burst->word[i];

    switch (burst->kind) {
    case BURST_OBJECTS:
        return kfree(word) == 0;
    case BURST_FRAMES:
        return frame_free(phys(virt_2_phys(word)), burst->order) == 0;
    case BURST_MAPPING:
        return unmap_one(burst, i);
    default:
        free_pages(Virt_To_2M_Page(word), 1); /* does not tell; a refusal is counted as a misuse */
        return true;
    }
}

static u64 one_bytes(const struct burst *burst)
{
    return burst->kind == BURST_OBJECTS   ? 1UL << burst->order
           : burst->kind == BURST_FRAMES  ? FRAME_BYTES << burst->order
           : burst->kind == BURST_MAPPING ? FRAME_BYTES
                                          : PAGE_2M_SIZE;
}

static u64 most_of(enum burst_kind kind)
{
    return kind == BURST_PAGE ? BURST_PAGES : kind == BURST_MAPPING ? BURST_MAPPINGS : BURST_MOST;
}

static bool has_kind(enum burst_kind kind)
{
    static const enum stress_part parts[] = {STRESS_OBJECTS, STRESS_BLOCKS, STRESS_PAGES, STRESS_MAPPINGS};

    return (stress.parts & parts[kind]) != 0;
}

static u64 choose_order(struct worker *worker, enum burst_kind kind)
{
    u64 r = worker_random(worker);

    if (kind == BURST_FRAMES)
        return r % BURST_ORDERS;
    return SHIFT_MIN + r % SHIFTS;
}

/* What the crowd does, or anything.  Interrupt handlers may not map: they take frames, which tables want, too. */
static void choose_kind(struct worker *worker, struct burst *burst)
{
    const struct crowd *crowd = stress.crowd;
    u64 r = worker_random(worker) % 16;

    if (crowd == NULL) {
        burst->kind = r >= 5 ? BURST_OBJECTS : r == 0 ? BURST_PAGE : BURST_FRAMES;
        burst->order = (unsigned)choose_order(worker, burst->kind);
        return;
    }
    burst->kind = crowd->kind == BURST_MAPPING && worker->in_interrupt ? BURST_FRAMES : crowd->kind;
    burst->order = burst->kind == crowd->kind ? crowd->order : 0;
}

/* Chooses what; false when that is not to be done in this run. */
static bool burst_choose(struct worker *worker, struct burst *burst)
{
    u64 most = worker->in_interrupt ? BURST_IN_INTERRUPT : BURST_MOST;

    choose_kind(worker, burst);
    burst->number = worker->number;
    burst->tag = worker_random(worker);
    most = min_u64(most, most_of(burst->kind));
    most = min_u64(most, worker->budget_bytes / BUDGET_PARTS / one_bytes(burst));
    burst->n = most != 0 ? 1 + worker_random(worker) % most : 0;
    return burst->n != 0 && has_kind(burst->kind);
}

static void burst_take(struct worker *worker, struct burst *burst)
{
    for (u64 i = 0; i < burst->n; i++) {
        u64 word = content_word(burst->tag, i);

        burst->word[i] = take_one(burst, i);
        if (burst->word[i] == NULL)
            burst->n = i;
        else if (burst->kind != BURST_MAPPING)
            *burst->word[i] = word;
        else
            STRESS_EXPECT(worker, probe_write((u64)burst->word[i], &word, 8), "0x%lx is mapped and faults",
                          (ul)burst->word[i]);
    }
}

/* A mapping that is not there is a failure, not a panic. */
static u64 read_one(const struct burst *burst, u64 i)
{
    u64 word;

    if (burst->kind != BURST_MAPPING)
        return *burst->word[i];
    return probe_read((u64)burst->word[i], &word, 8) ? word : ~content_word(burst->tag, i);
}

/* Forwards, backwards, or by steps. */
static void burst_give(struct worker *worker, const struct burst *burst)
{
    u64 way = worker_random(worker) % 3, step = way == 0 ? 1 : way == 1 ? burst->n - 1 : 7;
    u64 at = worker_random(worker) % burst->n;

    if (burst->n % 7 == 0 && way == 2)
        step = 1;
    for (u64 i = 0; i < burst->n; i++, at = (at + step) % burst->n) {
        u64 seen = read_one(burst, at);

        STRESS_EXPECT(worker, seen == content_word(burst->tag, at),
                      "number %lu of a burst at 0x%lx (kind %u, order %u) was written to: 0x%lx", at,
                      (ul)burst->word[at], burst->kind, burst->order, seen);
        STRESS_EXPECT(worker, give_one(burst, at),
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
    burst_take(worker, &it);
    if (it.n != 0)
        burst_give(worker, &it);
    worker->n_in_bursts += it.n;
    return it.n != 0;
}
