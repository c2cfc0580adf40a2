/* SPDX-License-Identifier: MIT */
/* Reading a trace that may be damaged. */
#include <kernel/bench/trace.h>

#include <lib/string.h>

#define MAX_IDS          (63U << 18) /* words for them fill what alloc_pages gives in one piece: 63 pages of 2 MiB */
#define OBJECT_MAX_BYTES (1U << 20)  /* what kmalloc gives */

/* trace_sum of tests/traces/linux-boot-kmem.trace.gz */
#define LINUX_EVENTS 1101217U
#define LINUX_SUM    0x5b16279c444b0c35UL

struct header {
    u32 magic, n_events, highest_object, highest_block;
};

bool trace_begins(const void *at, u64 n_bytes)
{
    return n_bytes >= sizeof(u32) && *(const u32 *)at == TRACE_MAGIC;
}

const char *trace_open(const void *at, u64 n_bytes, struct trace *trace)
{
    const struct header *header = at;

    if (!trace_begins(at, n_bytes))
        return "it does not begin with KTRC";
    if (n_bytes < sizeof *header || header->n_events > (n_bytes - sizeof *header) / sizeof(struct trace_event))
        return "it is shorter than its header says";
    if (header->highest_object >= MAX_IDS || header->highest_block >= MAX_IDS)
        return "its header has an id above 16515071";
    *trace = (struct trace){.event = (const struct trace_event *)(header + 1),
                            .n_events = header->n_events,
                            .n_objects = header->highest_object + 1,
                            .n_blocks = header->highest_block + 1};
    return NULL;
}

/* What is wrong with one event after those before it, or NULL; marks what is live. */
static const char *event_fault(const struct trace *trace, const struct trace_event *event, u64 *object,
                               u64 *block)
{
    enum trace_operation operation = trace_operation(event->word);
    bool is_object = operation == TRACE_ALLOC || operation == TRACE_FREE;
    bool takes = operation == TRACE_ALLOC || operation == TRACE_TAKE_BLOCK;
    u64 *mark = is_object ? object : block;
    u32 id = trace_id(event->word);

    if (id >= (is_object ? trace->n_objects : trace->n_blocks))
        return "an id above the highest that the header has";
    if (mark[id] == takes)
        return takes ? "an id is taken that is live" : "an id is freed that is not live";
    mark[id] = takes;
    if (operation == TRACE_TAKE_BLOCK && event->value > TRACE_MAX_ORDER)
        return "an order above 10";
    if (operation == TRACE_ALLOC && event->value > OBJECT_MAX_BYTES)
        return "an object of more than 1 MiB";
    return NULL;
}

const char *trace_fault(const struct trace *trace, u64 *object, u64 *block, u32 *event)
{
    const char *fault = NULL;

    for (*event = 0; *event < trace->n_events; ++*event) {
        fault = event_fault(trace, &trace->event[*event], object, block);
        if (fault != NULL)
            break;
    }
    memset(object, 0, trace->n_objects * sizeof *object);
    memset(block, 0, trace->n_blocks * sizeof *block);
    return fault;
}

/* FNV-1a over the events, a step each. */
static u64 trace_sum(const struct trace *trace)
{
    u64 sum = 0xcbf29ce484222325;

    for (u32 i = 0; i < trace->n_events; i++)
        sum = (sum ^ (trace->event[i].word | (u64)trace->event[i].value << 32)) * 0x100000001b3;
    return sum;
}

bool trace_is_linux_boot(const struct trace *trace)
{
    return trace->n_events == LINUX_EVENTS && trace_sum(trace) == LINUX_SUM;
}
