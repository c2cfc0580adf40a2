/* SPDX-License-Identifier: MIT */
/* cmocka with the headers that it wants before itself, and a small random generator for the model tests. */
#ifndef TESTS_HOST_CMOCKA_ALL_H
#define TESTS_HOST_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lib/types.h>

/* xorshift64*: the same sequence everywhere for the same seed, which must not be 0. */
static inline u64 random_next(u64 *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

/* A number in 0..n-1; n must not be 0. */
static inline u64 random_below(u64 *state, u64 n)
{
    return (random_next(state) >> 11) % n;
}

#endif
