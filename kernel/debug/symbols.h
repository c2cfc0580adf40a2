/* SPDX-License-Identifier: MIT */
/* Names of the kernel's functions, from the table that the build puts into the image. */
#ifndef KERNEL_DEBUG_SYMBOLS_H
#define KERNEL_DEBUG_SYMBOLS_H

#include <lib/types.h>

/*
 * The function that `address` lies in: its name (constant), and the bytes from its start.  False outside the
 * kernel's text and when the image has no table.  Any context.  Cost: a binary search.
 */
bool symbol_find(u64 address, const char **name, u64 *offset);

/* Where the function `name` starts.  False when there is none (inlined, or misspelt).  Cost: linear. */
bool symbol_address(const char *name, u64 *address);

/* True for addresses of the kernel's instructions. */
bool symbol_is_text(u64 address);

/* "name+0x12", or "0xffffffff80123456" when it has no name.  Returns the length; never more than size - 1. */
size_t symbol_text(u64 address, char *text, size_t size);

#endif
