/* SPDX-License-Identifier: MIT */
/* A character is a first byte that tells the length and continuation bytes of six bits each. */
#include <kernel/console/utf8.h>

static u32 utf8_begin(struct utf8_decoder *decoder, u32 code, u8 n_missing, u32 smallest)
{
    decoder->code = code;
    decoder->n_missing = n_missing;
    decoder->smallest = smallest;
    return UTF8_MORE;
}

static u32 utf8_first(struct utf8_decoder *decoder, u8 byte)
{
    if (byte < 0x80)
        return byte;
    if (byte >= 0xc0 && byte < 0xe0)
        return utf8_begin(decoder, byte & 0x1fu, 1, 0x80);
    if (byte >= 0xe0 && byte < 0xf0)
        return utf8_begin(decoder, byte & 0x0fu, 2, 0x800);
    if (byte >= 0xf0 && byte < 0xf8)
        return utf8_begin(decoder, byte & 0x07u, 3, 0x10000);
    return UTF8_INVALID;
}

u32 utf8_push(struct utf8_decoder *decoder, u8 byte, bool *again)
{
    *again = false;
    if (decoder->n_missing == 0)
        return utf8_first(decoder, byte);
    if ((byte & 0xc0) != 0x80) {
        decoder->n_missing = 0;
        *again = true;
        return UTF8_INVALID;
    }

    decoder->code = decoder->code << 6 | (byte & 0x3fu);
    if (--decoder->n_missing > 0)
        return UTF8_MORE;
    if (decoder->code < decoder->smallest || decoder->code > 0x10ffff)
        return UTF8_INVALID;
    if (decoder->code >= 0xd800 && decoder->code < 0xe000)
        return UTF8_INVALID;
    return decoder->code;
}
