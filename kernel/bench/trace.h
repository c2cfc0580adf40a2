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

/* True when there is a trace of that length, or more, at `bytes`; looks at the header only. */
bool trace_open(const void *at, u64 n_bytes, struct trace *trace);

/*
 * True when nothing is freed that is not live, nothing taken that is, and ids and orders are in range: then
 * it can be played without looking.  `object` and `block` have a cleared word an id; they are left cleared.
 */
bool trace_is_sound(const struct trace *trace, u64 *object, u64 *block);

#endif
