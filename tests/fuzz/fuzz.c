/* SPDX-License-Identifier: MIT */
/* What the fuzz targets have in common: see fuzz.h. */
#include <fuzz.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void fuzz_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

u64 fuzz_number(struct fuzz_bytes *bytes, unsigned n_bytes)
{
    u64 value = 0;

    for (unsigned i = 0; i < n_bytes && bytes->left > 0; i++, bytes->left--)
        value |= (u64)*bytes->at++ << (8 * i);
    return value;
}

u64 fuzz_below(struct fuzz_bytes *bytes, u64 below)
{
    unsigned n_bytes = 1;

    while (n_bytes < 8 && (below - 1) >> (8 * n_bytes) != 0)
        n_bytes++;
    return fuzz_number(bytes, n_bytes) % below;
}

static void *allocate(size_t n)
{
    void *memory = malloc(n);

    if (memory == NULL)
        fuzz_fail("there is memory", __FILE__, __LINE__);
    return memory;
}

u8 *fuzz_copy(const u8 *data, size_t n)
{
    u8 *copy = allocate(n != 0 ? n : 1);

    if (n != 0)
        memcpy(copy, data, n);
    return copy;
}

char *fuzz_text(const u8 *data, size_t n)
{
    size_t length = n != 0 ? strnlen((const char *)data, n) : 0;
    char *text = allocate(length + 1);

    if (length != 0)
        memcpy(text, data, length);
    text[length] = '\0';
    return text;
}

bool fuzz_is_ended(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}
