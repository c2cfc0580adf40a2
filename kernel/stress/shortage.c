/* SPDX-License-Identifier: MIT */
/*
 * All memory that is left, taken and given back by one CPU while the others go on.
 *
 * The blocks are linked through themselves: the first word of each is the next one's address, the second its
 * order.
 */
#include <kernel/stress/worker.h>
#include <mm/frame.h>
#include <mm/inspect.h>

#define STEPS_WITHOUT 64

static u64 take_all(struct worker *worker)
{
    u64 last = 0;

    for (unsigned order = FRAME_MAX_ORDER + 1; order-- > 0 && !stress_look_up(worker);) {
        phys_t first;

        while (!stress_look_up(worker) && !phys_is_none(first = frame_alloc(ZONE_NORMAL, order))) {
            u64 *words = phys_2_virt(first.addr);

            words[0] = last;
            words[1] = order;
            words[2] = content_word(worker->random, order);
            last = first.addr;
        }
    }
    return last;
}

static void give_all(struct worker *worker, u64 last, u64 key)
{
    while (last != 0) {
        const u64 *words = phys_2_virt(last);
        u64 next = words[0], order = words[1];

        if (order > FRAME_MAX_ORDER || words[2] != content_word(key, order)) {
            stress_fail(worker, "the block at 0x%lx, taken when memory was short, was written to", last);
            return;
        }
        STRESS_EXPECT(worker, frame_free(phys(last), (unsigned)order) == 0, "frame_free refused 0x%lx", last);
        last = next;
    }
}

void shortage(struct worker *worker)
{
    u64 key = worker->random, last;

    trace(worker, TRACE_SHORTAGE, 0, 0, 0);
    last = take_all(worker);
    for (unsigned i = 0; i < STEPS_WITHOUT && !stress_look_up(worker); i++)
        worker_step(worker);
    give_all(worker, last, key);
}
