/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets have in common.
 *
 * A target is a file fuzz_NAME.c with one function that takes any bytes and judges what the kernel's code makes of
 * them.  It is built twice: by clang with libFuzzer, which makes up inputs (preset fuzz, scripts/fuzz), and by every
 * host build with replay.c, which runs the inputs kept in tests/fuzz/corpus/NAME.
 *
 * A target is deterministic: the same bytes give the same verdict, whatever ran before.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <lib/types.h>
#include <stddef.h>

/* The target.  Returns 0; a fault, a sanitizer or `expect` ends the process. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t n);

/* Ends the process with a message unless the condition holds. */
#define expect(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *what, const char *file, int line);

/* The input as a stream of little-endian numbers; behind its end come zeros. */
struct fuzz_bytes {
    const u8 *at;
    size_t left;
};

/* The next number of n_bytes (1 .. 8). */
u64 fuzz_number(struct fuzz_bytes *bytes, unsigned n_bytes);

/* The next number, below `below` (which is not 0), from as few bytes as that takes. */
u64 fuzz_below(struct fuzz_bytes *bytes, u64 below);

/* A copy of exactly n bytes, so that AddressSanitizer sees a step past its end; a text also gets a 0 behind them and
 * ends at the first 0.  The caller frees it. */
u8 *fuzz_copy(const u8 *data, size_t n);
char *fuzz_text(const u8 *data, size_t n);

/* True when there is a 0 among the `size` bytes at `text`. */
bool fuzz_is_ended(const char *text, size_t size);

#endif
