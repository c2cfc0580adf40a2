/* SPDX-License-Identifier: MIT */
/*
 * The symbol table: sorted by offset from SYMBOL_BASE, made by the build from the linked image.  An address
 * belongs to the last symbol at or before it.
 */
#include <kernel/debug/symbols.h>
#include <lib/printf.h>
#include <lib/string.h>

#define SYMBOL_BASE 0xffffffff80000000UL

struct symbol_entry {
    u32 offset; /* from SYMBOL_BASE */
    u32 name;   /* where in symbol_names it begins; and IS_PART */
};

/* A part of a function that the compiler put elsewhere: has the name, but is not the function's address. */
#define IS_PART 0x80000000u

extern const u32 symbol_count;
extern const struct symbol_entry symbol_table[];
extern const char symbol_names[];

/* Set by the linker script. */
extern const u8 image_text_start[], image_text_end[];

static const char *symbol_name(u32 i)
{
    return symbol_names + (symbol_table[i].name & ~IS_PART);
}

bool symbol_is_text(u64 address)
{
    return address >= (u64)image_text_start && address < (u64)image_text_end;
}

bool symbol_find(u64 address, const char **name, u64 *offset)
{
    if (!symbol_is_text(address))
        return false;
    u64 wanted = address - SYMBOL_BASE;
    u32 low = 0,
        high = symbol_count; /* entries before low are at or before it, those from high on behind it */
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        if (symbol_table[middle].offset <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    *name = symbol_name(low - 1);
    *offset = wanted - symbol_table[low - 1].offset;
    return true;
}

bool symbol_address(const char *name, u64 *address)
{
    for (u32 i = 0; i < symbol_count; i++) {
        if ((symbol_table[i].name & IS_PART) || strcmp(symbol_name(i), name) != 0)
            continue;
        *address = SYMBOL_BASE + symbol_table[i].offset;
        return true;
    }
    return false;
}

size_t symbol_text(u64 address, char *text, size_t size)
{
    const char *name;
    u64 offset;
    int n;
    if (symbol_find(address, &name, &offset))
        n = ksnprintf(text, size, "%s+0x%lx", name, offset);
    else
        n = ksnprintf(text, size, "0x%016lx", address);
    return (size_t)n < size ? (size_t)n : size - 1;
}
