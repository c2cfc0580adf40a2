/* SPDX-License-Identifier: MIT */
/*
 * A recorded trace of allocations in its binary form, little endian:
 *
 *     u32 "KTRC", u32 events, u32 highest object id, u32 highest block id
 *     per event: u32 operation << 30 | id, u32 size in bytes or order
 *
 * Objects are kmalloc's, blocks are 2^order frames; their ids are counted apart and used again after their
 * free. tests/traces/ holds one, and the script that writes this form.  Pure C: also measured on the host.
 */
#ifndef KERNEL_BENCH_TRACE_H
#define KERNEL_BENCH_TRACE_H

#include <lib/types.h>

#define TRACE_MAGIC     0x4352544bU /* "KTRC" */
#define TRACE_CHUNK     1024        /* events of a sample */
#define TRACE_MAX_ORDER 10          /* of a block */

enum trace_operation { TRACE_ALLOC, TRACE_FREE, TRACE_TAKE_BLOCK, TRACE_GIVE_BLOCK };

struct trace_event {
    u32 word, value;
};

struct trace {
    const struct trace_event *event;
    u32 n_events;
    u32 n_objects, n_blocks; /* ids are below these */
};

static inline enum trace_operation trace_operation(u32 word)
{
    return (enum trace_operation)(word >> 30);
}

static inline u32 trace_id(u32 word)
{
    return word & 0x3fffffff;
}

/* True when the n_bytes at `at` are meant to be a trace. */
bool trace_begins(const void *at, u64 n_bytes);

/* NULL when there is a trace of n_bytes, or less, at `at`; otherwise what is wrong.  Looks at the header only. */
const char *trace_open(const void *at, u64 n_bytes, struct trace *trace);

/*
 * NULL when nothing is freed that is not live, nothing taken that is, and ids, orders and sizes are in range: then
 * it can be played without looking.  Otherwise what is wrong with *event, the first wrong one, from 0 on.
 * `object` and `block` have a cleared word an id; they are left cleared.
 */
const char *trace_fault(const struct trace *trace, u64 *object, u64 *block, u32 *event);

/* True for the trace in tests/traces/, the one that was played on Linux, too. */
bool trace_is_linux_boot(const struct trace *trace);

#endif
