/* SPDX-License-Identifier: MIT */
/* Rounds of a batch.  The items are put into the order of their frees before the frees are timed. */
#include <kernel/bench/batch.h>

#include <kernel/bench/generator.h>

/* The lists of one batch. */
struct lists {
    u64 *taken, *given; /* items as they came, and as they go */
    u32 *order;         /* given[i] = taken[order[i]] */
    struct series alloc, free;
};

static void lists_end(struct lists *lists, unsigned n)
{
    list_give(lists->taken, n * sizeof *lists->taken);
    list_give(lists->given, n * sizeof *lists->given);
    list_give(lists->order, n * sizeof *lists->order);
    series_end(&lists->alloc);
    series_end(&lists->free);
}

static bool lists_start(struct lists *lists, unsigned n)
{
    bool has_alloc = series_start(&lists->alloc, BATCH_ROUNDS);
    bool has_free = series_start(&lists->free, BATCH_ROUNDS);

    lists->taken = list_take(n * sizeof *lists->taken);
    lists->given = list_take(n * sizeof *lists->given);
    lists->order = list_take(n * sizeof *lists->order);
    return has_alloc && has_free && lists->taken != NULL && lists->given != NULL && lists->order != NULL;
}

static void lists_order(struct lists *lists, const struct batch *batch)
{
    if (batch->order == BATCH_RANDOM) {
        generator_shuffle(lists->order, batch->n);
        return;
    }
    for (u32 i = 0; i < batch->n; i++)
        lists->order[i] = batch->order == BATCH_FIFO ? i : batch->n - 1 - i;
}

/* Whether a whole round is to be had: takes one item after the other, up to the first that fails. */
static bool has_room(struct lists *lists, const struct batch *batch)
{
    unsigned n = 0;

    while (n < batch->n) {
        batch->alloc(&lists->taken[n], 1, batch->param);
        if (lists->taken[n] == batch->nothing)
            break;
        n++;
    }
    batch->free(lists->taken, n, batch->param);
    return n == batch->n;
}

static void round_run(struct lists *lists, const struct batch *batch)
{
    series_add(&lists->alloc, batch->alloc(lists->taken, batch->n, batch->param));
    for (unsigned i = 0; i < batch->n; i++)
        lists->given[i] = lists->taken[lists->order[i]];
    series_add(&lists->free, batch->free(lists->given, batch->n, batch->param));
}

enum outcome batch_run(struct bench *bench, const struct batch *batch)
{
    struct lists lists;
    bool ok = lists_start(&lists, batch->n) && has_room(&lists, batch);

    if (ok) {
        lists_order(&lists, batch);
        for (unsigned i = 0; i < BATCH_ROUNDS + 1; i++)
            round_run(&lists, batch);
        bench_figure(bench, batch->alloc_name, batch->param, batch->n, &lists.alloc);
        bench_figure(bench, batch->free_name, batch->param, batch->n, &lists.free);
    }
    lists_end(&lists, batch->n);
    return ok ? OUTCOME_DONE : OUTCOME_NO_ROOM;
}
