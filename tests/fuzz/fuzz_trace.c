/* SPDX-License-Identifier: MIT */
/*
 * The trace of allocations that `replay` plays from a boot module.  Input: the module.  A trace that is called sound
 * must be one by a count that is made here; then it can be played without looking.
 */
#include <fuzz.h>

#include <kernel/bench/trace.h>

#include <stdlib.h>
#include <string.h>

#define IDS_MAX 4096U /* a larger table is only more of the same */

static u8 live_object[IDS_MAX], live_block[IDS_MAX];

/* By the rule: an id is taken when it is free and given back when it is live, and nothing is out of range. */
static bool is_sound(const struct trace *trace)
{
    memset(live_object, 0, sizeof(live_object));
    memset(live_block, 0, sizeof(live_block));
    for (u32 i = 0; i < trace->n_events; i++) {
        u32 word = trace->event[i].word, id = word & 0x3fffffff, operation = word >> 30;
        bool of_blocks = operation >= 2, takes = operation % 2 == 0;
        u8 *live = of_blocks ? live_block : live_object;

        if (id >= (of_blocks ? trace->n_blocks : trace->n_objects) || live[id] == takes)
            return false;
        if (trace->event[i].value > (operation == 0 ? 1U << 20 : operation == 2 ? 10 : ~0U))
            return false;
        live[id] = takes;
    }
    return true;
}

static void expect_cleared(const u64 *words, u32 n)
{
    for (u32 i = 0; i < n; i++)
        expect(words[i] == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    u8 *module = fuzz_copy(data, n);
    struct trace trace;
    u32 event;

    if (trace_open(module, n, &trace) == NULL) {
        expect(trace_begins(module, n));
        expect((u64)trace.n_events * sizeof(struct trace_event) + 16 <= n);
        expect(trace.n_objects >= 1 && trace.n_blocks >= 1);
    } else {
        trace.n_objects = IDS_MAX + 1;
    }
    if (trace.n_objects <= IDS_MAX && trace.n_blocks <= IDS_MAX) {
        u64 *object = calloc(trace.n_objects, sizeof(u64)), *block = calloc(trace.n_blocks, sizeof(u64));

        expect(object != NULL && block != NULL);
        expect((trace_fault(&trace, object, block, &event) == NULL) == is_sound(&trace));
        expect(event <= trace.n_events);
        expect_cleared(object, trace.n_objects);
        expect_cleared(block, trace.n_blocks);
        free(object);
        free(block);
    }
    free(module);
    return 0;
}
