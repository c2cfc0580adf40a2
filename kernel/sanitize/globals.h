/* SPDX-License-Identifier: MIT */
/* Globals with red zones, as gcc describes them (gcc 12: asan.cc, asan_add_global). */
#ifndef KERNEL_SANITIZE_GLOBALS_H
#define KERNEL_SANITIZE_GLOBALS_H

#include <lib/types.h>

#define SANITIZE_N_FILES 512

struct sanitize_global {
    u64 start;
    u64 bytes;
    u64 whole_bytes; /* with the red zone behind it */
    const char *name;
    const char *file;
    u64 has_constructor; /* C++ */
    u64 location;
    u64 indicator; /* of double definitions */
};

/* The global that this address lies in, or in whose red zone; NULL when in none. */
const struct sanitize_global *sanitize_global_at(u64 at);

#endif
