/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings: the names of the C library with the C library's meaning, and str_copy.
 *
 * The kernel has no C library, so string.c defines them, also for the calls that the compiler makes on its
 * own.  In a hosted build (the tests) the C library's are used and string.c defines str_copy alone.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <lib/types.h>

void *memset(void *dst, int byte, size_t n);
void *memcpy(void *restrict dst, const void *restrict src, size_t n); /* no overlap */
void *memmove(void *dst, const void *src, size_t n);                  /* any overlap */
int memcmp(const void *a, const void *b, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n_max); /* never reads past n_max bytes */
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/*
 * Copies `src` into the `size` bytes at `dst`, cut to fit and always terminated (size 0: nothing is written).
 * True when all of it fitted.  The two must not overlap.
 */
bool str_copy(char *dst, size_t size, const char *src);

/* A freestanding compiler does not know these names; this gives the inline code of small copies back.
 * Not to the sanitized kernel, which wants to see each of them; but for files that it leaves alone
 * (kernel/CMakeLists.txt). */
#if !__STDC_HOSTED__ && !defined(SANITIZED)
#define memset(dst, byte, n) __builtin_memset((dst), (byte), (n))
#define memcpy(dst, src, n)  __builtin_memcpy((dst), (src), (n))
#define memmove(dst, src, n) __builtin_memmove((dst), (src), (n))
#endif
#ifdef SANITIZE_LEAVES_ALONE
void *__real_memset(void *dst, int byte, size_t n);
#define memset __real_memset
#endif

#endif
