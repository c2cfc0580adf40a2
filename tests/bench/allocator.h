/* SPDX-License-Identifier: MIT */
/* What is timed: mm's functions, or the malloc of the process. */
#ifndef TESTS_BENCH_ALLOCATOR_H
#define TESTS_BENCH_ALLOCATOR_H

#include <lib/types.h>

struct allocator {
    const char *name;
    void *(*take)(u64 bytes);
    void (*give)(void *object);
    void *(*take_block)(unsigned order); /* 2^order frames of 4 KiB, aligned to a frame at least */
    void (*give_block)(void *block, unsigned order);
    void (*start)(void);      /* before all else */
    void (*add_thread)(void); /* at the start of every thread but the first */
};

/* "tessera", or "malloc": the C library's or what is loaded in its place.  NULL: there is no such. */
const struct allocator *allocator_find(const char *name);

#endif
