/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings for a kernel without a C library.
 *
 * Blocks are filled and copied by REP STOSQ and REP MOVSQ: a few cycles to start, then the widest stores the
 * CPU has, also on CPUs whose byte-wise forms are slow and in emulators.  What is no multiple of eight is
 * done by one more 8-byte access that overlaps the last whole one, so there is no loop over single bytes from
 * eight bytes up:
 *
 *      |--------|--------|-- ... --|--------|
 *                                      |--------|   the tail, from dst + n - 8
 *
 * The compiler knows these loops and would replace them by calls of the very functions that they are in; gcc
 * is told not to below, and clang does not under -ffreestanding.
 *
 * In the sanitized build calls of memset, memcpy and memmove are checked as a whole, by their callers
 * (kernel/sanitize/access.c).
 */
#include <lib/compiler.h>
#include <lib/string.h>

bool str_copy(char *dst, size_t size, const char *src)
{
    size_t i = 0;

    if (size == 0)
        return false;
    while (i < size - 1 && src[i] != '\0') {
        dst[i] = src[i];
        i++;
    }
    dst[i] = '\0';
    return src[i] == '\0';
}

/* The rest are the C library's in a hosted build; the test of this file asks for them under other names. */
#if !__STDC_HOSTED__ || defined(STRING_UNDER_TEST)

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#if !__STDC_HOSTED__
#undef memset
#undef memcpy
#undef memmove
#endif

/* Eight bytes at any address. */
typedef u64 __attribute__((aligned(1), may_alias)) loose_u64;

UNCHECKED void *memset(void *dst, int byte, size_t n)
{
    u8 *to = dst;
    u64 word = (u8)byte * 0x0101010101010101u;

    if (n < sizeof(u64)) {
        while (n-- > 0)
            *to++ = (u8)byte;
        return dst;
    }
    *(loose_u64 *)(to + n - sizeof(u64)) = word;
    u64 n_words = n / sizeof(u64);
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(n_words) : "a"(word) : "memory");
    return dst;
}

UNCHECKED void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    u8 *to = dst;
    const u8 *from = src;

    if (n < sizeof(u64)) {
        while (n-- > 0)
            *to++ = *from++;
        return dst;
    }
    *(loose_u64 *)(to + n - sizeof(u64)) = *(const loose_u64 *)(from + n - sizeof(u64));
    u64 n_words = n / sizeof(u64);
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n_words) : : "memory");
    return dst;
}

/* From the last byte to the first, for a target that begins inside the source. */
UNCHECKED static void copy_backwards(u8 *to, const u8 *from, size_t n)
{
    while (n >= sizeof(u64)) {
        n -= sizeof(u64);
        *(loose_u64 *)(to + n) = *(const loose_u64 *)(from + n);
    }
    while (n-- > 0)
        to[n] = from[n];
}

/* From the first byte to the last, for a source that begins inside the target; no early tail here. */
UNCHECKED static void copy_forwards(u8 *to, const u8 *from, size_t n)
{
    u64 n_words = n / sizeof(u64);

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n_words) : : "memory");
    for (n %= sizeof(u64); n > 0; n--)
        *to++ = *from++;
}

void *memmove(void *dst, const void *src, size_t n)
{
    if ((uintptr_t)dst - (uintptr_t)src < n)
        copy_backwards(dst, src, n);
    else
        copy_forwards(dst, src, n);
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const u8 *x = a, *y = b;

    while (n >= sizeof(u64) && *(const loose_u64 *)x == *(const loose_u64 *)y) {
        x += sizeof(u64);
        y += sizeof(u64);
        n -= sizeof(u64);
    }
    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x < *y ? -1 : 1;
    return 0;
}

size_t strnlen(const char *s, size_t n_max)
{
    size_t n = 0;

    while (n < n_max && s[n] != '\0')
        n++;
    return n;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0')
        n++;
    return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        if (*a != *b)
            return (u8)*a < (u8)*b ? -1 : 1;
        if (*a == '\0')
            break;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (*s == '\0')
            return NULL;
    return (char *)(uintptr_t)s;
}

#endif
