/* SPDX-License-Identifier: MIT */
/* Reading a trace that may be damaged. */
#include <kernel/bench/trace.h>

#include <lib/string.h>

#define MAX_IDS (1U << 24) /* words for them fit what alloc_pages gives in one piece, 126 MiB */

struct header {
    u32 magic, n_events, highest_object, highest_block;
};

bool trace_open(const void *at, u64 n_bytes, struct trace *trace)
{
    const struct header *header = at;

    if (n_bytes < sizeof *header || header->magic != TRACE_MAGIC)
        return false;
    if (header->n_events > (n_bytes - sizeof *header) / sizeof(struct trace_event))
        return false;
    if (header->highest_object >= MAX_IDS - 1 || header->highest_block >= MAX_IDS - 1)
        return false;
    *trace = (struct trace){.event = (const struct trace_event *)(header + 1),
                            .n_events = header->n_events,
                            .n_objects = header->highest_object + 1,
                            .n_blocks = header->highest_block + 1};
    return true;
}

/* Whether one event makes sense after those before it; marks what is live. */
static bool event_is_sound(const struct trace *trace, const struct trace_event *event, u64 *object,
                           u64 *block)
{
    enum trace_operation operation = trace_operation(event->word);
    bool is_object = operation == TRACE_ALLOC || operation == TRACE_FREE;
    bool takes = operation == TRACE_ALLOC || operation == TRACE_TAKE_BLOCK;
    u64 *mark = is_object ? object : block;
    u32 id = trace_id(event->word);

    if (id >= (is_object ? trace->n_objects : trace->n_blocks) || mark[id] == takes)
        return false;
    mark[id] = takes;
    return operation != TRACE_TAKE_BLOCK || event->value <= TRACE_MAX_ORDER;
}

bool trace_is_sound(const struct trace *trace, u64 *object, u64 *block)
{
    bool sound = true;

    for (u32 i = 0; sound && i < trace->n_events; i++)
        sound = event_is_sound(trace, &trace->event[i], object, block);
    memset(object, 0, trace->n_objects * sizeof *object);
    memset(block, 0, trace->n_blocks * sizeof *block);
    return sound;
}
