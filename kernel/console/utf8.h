/* SPDX-License-Identifier: MIT */
/* Bytes to characters, one byte at a time (RFC 3629).  Pure C. */
#ifndef KERNEL_CONSOLE_UTF8_H
#define KERNEL_CONSOLE_UTF8_H

#include <lib/types.h>

#define UTF8_INVALID 0xfffdu /* REPLACEMENT CHARACTER */
#define UTF8_MORE 0xffffffffu

/* All zero is the start. */
struct utf8_decoder {
    u32 code;     /* the bits so far */
    u32 smallest; /* what this length is for: anything below is an overlong form */
    u8 n_missing; /* continuation bytes still to come */
};

/*
 * Takes one byte.  Returns the character that it ends, UTF8_MORE when more bytes are needed, or
 * UTF8_INVALID for a byte that cannot stand here, an overlong form, a surrogate, or a code beyond 0x10ffff.
 * `*again` is set when the byte ended a broken character without being part of it: push it once more.
 */
u32 utf8_push(struct utf8_decoder *decoder, u8 byte, bool *again);

#endif
