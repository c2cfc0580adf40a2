/* SPDX-License-Identifier: MIT */
/*
 * The event trace.  Where CPUs run side by side a seed alone does not bring a failure back; what each CPU did last, and
 * when, is the next best.  Each worker has a ring of its own, written by nobody else; they are merged by time when they are
 * printed, since the CPUs' counters agree, about.
 *
 *      -1834 us  CPU 2                 step 5123   make object 0xffff800001c40000, 18      2^18 bytes
 *       -912 us  CPU 0 in an interrupt step 424    burst objects 31 of order 6
 */
#include <kernel/cpu/registers.h>
#include <kernel/shell/out.h>
#include <kernel/stress/trace.h>
#include <kernel/stress/worker.h>
#include <kernel/time/time.h>

static const char *const whats[] = {
    [TRACE_MAKE] = "make",   [TRACE_DROP] = "drop", [TRACE_GIVE] = "give away",  [TRACE_TAKE] = "receive",
    [TRACE_BURST] = "burst", [TRACE_MAP] = "map",   [TRACE_UNMAP] = "unmap",     [TRACE_SHRINK] = "shrink",
    [TRACE_WRONG] = "wrong", [TRACE_DUEL] = "duel", [TRACE_SHORTAGE] = "take all",
    [TRACE_SPOIL] = "spoil",
};

void trace(struct worker *worker, enum trace_what what, unsigned kind, u64 at, u64 number)
{
    worker->event[worker->n_events++ % TRACE_EVENTS] =
        (struct trace_event){tsc_read(), at, (u32)worker->n_steps, (u16)number, (u8)what, (u8)kind};
}

/* The number of a ring's event that is not printed yet, ~0 when there is none. */
static u64 next_of(const struct worker *worker, u64 n_printed)
{
    u64 n = worker->n_events, first = n > TRACE_EVENTS ? n - TRACE_EVENTS : 0;

    return first + n_printed < n ? first + n_printed : ~0UL;
}

static const struct worker *ring(u32 i)
{
    return i % 2 == 0 ? stress.worker[i / 2] : stress.interrupt_worker[i / 2];
}

static const struct trace_event *event_of(u32 i, u64 n_printed)
{
    u64 next = ring(i) != NULL ? next_of(ring(i), n_printed) : ~0UL;

    return next != ~0UL ? &ring(i)->event[next % TRACE_EVENTS] : NULL;
}

static const char *kind_name(const struct trace_event *event)
{
    static const char *const things[N_THING_KINDS] = {"nothing", "object", "block", "pages", "mapping"};
    static const char *const bursts[] = {"objects", "blocks", "pages", "mappings"}; /* enum burst_kind */

    if (event->what == TRACE_BURST)
        return bursts[event->kind];
    return event->what <= TRACE_TAKE || event->what == TRACE_SPOIL ? things[event->kind] : "";
}

static void print_event(const struct worker *worker, const struct trace_event *event, u64 end_tsc)
{
    s64 us = (s64)(event->tsc - end_tsc) / (s64)(time_tsc_hz() / 1000000 | 1);

    out("%8ld us  CPU %u%-16s step %-6u %s %s", us, worker->number, worker->in_interrupt ? " in an interrupt" : "",
        event->step, whats[event->what], kind_name(event));
    if (event->at != 0)
        out(event->what == TRACE_BURST ? " %lu of order %u" : " 0x%lx, %u", event->at, event->number);
    out_text("\n");
}

void trace_print(void)
{
    u8 n_printed[2 * SMP_N_CPUS] = {0};

    out("the last %u events of each CPU, with the time to when the failure was noted:\n", TRACE_EVENTS);
    for (;;) {
        const struct trace_event *oldest = NULL;
        u32 oldest_ring = 0;

        for (u32 i = 0; i < 2 * stress.n_workers; i++) {
            const struct trace_event *event = event_of(i, n_printed[i]);

            if (event != NULL && (oldest == NULL || event->tsc < oldest->tsc)) {
                oldest = event;
                oldest_ring = i;
            }
        }
        if (oldest == NULL)
            return;
        n_printed[oldest_ring]++;
        print_event(ring(oldest_ring), oldest, stress.failed_tsc);
    }
}
