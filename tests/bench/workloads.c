/* SPDX-License-Identifier: MIT */
/* The workloads; every list they need comes from the C library's memory map, not from the allocator that is
 * timed. */
#define _GNU_SOURCE
#include <workloads.h>

#include <kernel/bench/mixed_list.h>
#include <kernel/bench/trace.h>

#include <sys/mman.h>
#include <time.h>

#define PAIRS 4096
#define BATCH 1024

enum batch_order { FIFO, LIFO, RANDOM };

static u64 now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

static void *list_take(u64 bytes)
{
    void *list = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    return list == MAP_FAILED ? NULL : list;
}

static bool run_pair(const struct worker *worker, u64 size, u64 ns[2])
{
    const struct allocator *allocator = worker->allocator;
    u64 begin = now();

    for (unsigned i = 0; i < PAIRS; i++) {
        void *object = allocator->take(size);

        if (object == NULL)
            return false;
        allocator->give(object);
    }
    ns[0] = now() - begin;
    return true;
}

/* 1024 taken, then given back as `which` says. */
static bool run_batch(const struct worker *worker, u64 size, enum batch_order which, u64 ns[2])
{
    const struct allocator *allocator = worker->allocator;
    void *object[BATCH], *given[BATCH];
    u64 begin = now();

    for (unsigned i = 0; i < BATCH; i++)
        object[i] = allocator->take(size);
    ns[0] = now() - begin;
    for (unsigned i = 0; i < BATCH; i++)
        given[i] = object[which == FIFO ? i : which == LIFO ? BATCH - 1 - i : worker->order[i]];
    begin = now();
    for (unsigned i = 0; i < BATCH; i++)
        allocator->give(given[i]);
    ns[1] = now() - begin;
    for (unsigned i = 0; i < BATCH; i++) {
        if (object[i] == NULL)
            return false;
    }
    return true;
}

static bool run_fifo(const struct worker *worker, u64 size, u64 ns[2])
{
    return run_batch(worker, size, FIFO, ns);
}

static bool run_lifo(const struct worker *worker, u64 size, u64 ns[2])
{
    return run_batch(worker, size, LIFO, ns);
}

static bool run_random(const struct worker *worker, u64 size, u64 ns[2])
{
    return run_batch(worker, size, RANDOM, ns);
}

static bool run_mixed(const struct worker *worker, u64 param, u64 ns[2])
{
    const struct allocator *allocator = worker->allocator;
    void **object = list_take(MIXED_SLOTS * sizeof *object);
    bool ok = object != NULL;
    u64 begin = now();

    (void)param;
    for (u32 i = 0; ok && i < MIXED_STEPS; i++) {
        void **slot = &object[mixed_slot(worker->steps[i])];

        if (*slot != NULL)
            allocator->give(*slot);
        *slot = allocator->take(mixed_size(worker->steps[i]));
        ok = *slot != NULL;
        if (ok)
            *(u64 *)*slot = i;
    }
    ns[0] = now() - begin;
    for (u32 i = 0; object != NULL && i < MIXED_SLOTS; i++)
        allocator->give(object[i]);
    if (object != NULL)
        munmap(object, MIXED_SLOTS * sizeof *object);
    return ok;
}

/* What is live in a replay. */
struct block {
    void *at;
    u64 order;
};

static bool play(const struct worker *worker, void **object, struct block *block)
{
    const struct allocator *allocator = worker->allocator;
    bool ok = true;

    for (u32 i = 0; ok && i < worker->trace->n_events; i++) {
        const struct trace_event *event = &worker->trace->event[i];
        u32 id = trace_id(event->word);

        switch (trace_operation(event->word)) {
        case TRACE_ALLOC:
            object[id] = allocator->take(event->value);
            ok = object[id] != NULL;
            break;
        case TRACE_FREE:
            allocator->give(object[id]);
            object[id] = NULL;
            break;
        case TRACE_TAKE_BLOCK:
            block[id] = (struct block){allocator->take_block(event->value), event->value};
            ok = block[id].at != NULL;
            break;
        case TRACE_GIVE_BLOCK:
            allocator->give_block(block[id].at, (unsigned)block[id].order);
            block[id].at = NULL;
            break;
        }
    }
    return ok;
}

static bool run_replay(const struct worker *worker, u64 param, u64 ns[2])
{
    const struct allocator *allocator = worker->allocator;
    const struct trace *trace = worker->trace;
    void **object = list_take(trace->n_objects * sizeof *object);
    struct block *block = list_take(trace->n_blocks * sizeof *block);
    u64 begin = now();
    bool ok = object != NULL && block != NULL && play(worker, object, block);

    (void)param;
    ns[0] = now() - begin;
    for (u32 i = 0; object != NULL && i < trace->n_objects; i++)
        allocator->give(object[i]);
    for (u32 i = 0; block != NULL && i < trace->n_blocks; i++) {
        if (block[i].at != NULL)
            allocator->give_block(block[i].at, (unsigned)block[i].order);
    }
    munmap(object, trace->n_objects * sizeof *object);
    munmap(block, trace->n_blocks * sizeof *block);
    return ok;
}

const struct workload workloads[] = {
    {"kmalloc_pair", 32, PAIRS, run_pair, NULL, 101},
    {"kmalloc_pair", 64, PAIRS, run_pair, NULL, 101},
    {"kmalloc_pair", 512, PAIRS, run_pair, NULL, 101},
    {"kmalloc_pair", 4096, PAIRS, run_pair, NULL, 101},
    {"kmalloc_pair", 65536, PAIRS, run_pair, NULL, 31},
    {"kmalloc_pair", 1048576, PAIRS, run_pair, NULL, 31},
    {"batch_fifo_alloc", 64, BATCH, run_fifo, "batch_fifo_free", 101},
    {"batch_lifo_alloc", 64, BATCH, run_lifo, "batch_lifo_free", 101},
    {"batch_random_alloc", 64, BATCH, run_random, "batch_random_free", 101},
    {"batch_random_alloc", 4096, BATCH, run_random, "batch_random_free", 101},
    {"mixed_server", 100, MIXED_STEPS, run_mixed, NULL, 21},
    {"replay", 1024, 0, run_replay, NULL, 7},
};

const unsigned n_workloads = sizeof workloads / sizeof workloads[0];
