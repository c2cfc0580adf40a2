/* SPDX-License-Identifier: MIT */
/* Hints for the compiler that are not C. */
#ifndef LIB_COMPILER_H
#define LIB_COMPILER_H

/*
 * The same pointer, of which the compiler no longer knows how it was computed: what is derived from it starts from the
 * pointer, and is not computed anew from its parts.  No instruction.
 */
#define OPAQUE(pointer) \
    ({ \
        __typeof__(pointer) opaque_pointer = (pointer); \
        __asm__("" : "+r"(opaque_pointer)); \
        opaque_pointer; \
    })

/* A function whose accesses the sanitized build does not look at. */
#ifdef SANITIZED
#define UNCHECKED __attribute__((no_sanitize_address))
#else
#define UNCHECKED
#endif

#endif
