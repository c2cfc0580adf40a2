/* SPDX-License-Identifier: MIT */
/*
 * Shooting mappings down while the others use them: one CPU maps and unmaps the only cell there is, as fast
 * as it can, all the others do nothing but look at it (cells.c).
 */
#include <kernel/cpu/registers.h>
#include <kernel/stress/worker.h>

#define PAUSE_BITS_MOST    9  /* before an unmap: up to 2^9 pauses, but fewer mostly */
#define PEEKS_BEFORE_PAUSE 16 /* a pause lets CPUs on that take turns under emulation */

static void shoot_once(struct worker *worker)
{
    struct thing thing = {.kind = THING_NONE};

    if (!kind_mapping.make(worker, &thing) || thing.kind == THING_NONE)
        return;
    worker->n_made[THING_MAPPING]++;
    for (u64 i = worker_random(worker) % (1UL << worker_random(worker) % PAUSE_BITS_MOST); i > 0; i--)
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
    if (worker->n_steps % PEEKS_BEFORE_PAUSE == 0)
        cpu_pause();
}
