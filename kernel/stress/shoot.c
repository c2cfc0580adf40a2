/* SPDX-License-Identifier: MIT */
/*
 * Shooting mappings down while the others use them: one CPU maps and unmaps the only cell there is, as fast
 * as it can, all the others do nothing but look at it (cells.c).
 */
#include <kernel/cpu/registers.h>
#include <kernel/stress/worker.h>

#define PAUSES_BEFORE_UNMAP 400

static void shoot_once(struct worker *worker)
{
    struct thing thing = {.kind = THING_NONE};

    if (!kind_mapping.make(worker, &thing) || thing.kind == THING_NONE)
        return;
    worker->n_made[THING_MAPPING]++;
    for (u64 i = worker_random(worker) % PAUSES_BEFORE_UNMAP; i > 0; i--)
        cpu_pause();
    kind_mapping.drop(worker, &thing);
}

void shoot(struct worker *worker, u32 shooter)
{
    worker->n_steps++;
    if (worker->number == shooter)
        shoot_once(worker);
    else
        cells_peek(worker);
}
