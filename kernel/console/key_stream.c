/* SPDX-License-Identifier: MIT */
/*
 * A terminal sends a key such as Home as several bytes: ESC [ H, ESC O H or ESC [ 1 ~.  This is the small
 * automaton that puts them together again, a byte at a time, without ever waiting.
 */
#include <kernel/console/key_stream.h>

#define ESC 0x1b
#define SEQUENCE_BYTES 32  /* longer than any key that exists: after that it is not a key */
#define PARAMETER_MAX 9999 /* enough to tell keys apart, far from overflow */

static int key_stream_leave(struct key_stream *stream, int key)
{
    stream->state = KEY_STREAM_GROUND;
    return key;
}

static void key_stream_enter(struct key_stream *stream, enum key_stream_state state)
{
    stream->state = state;
    stream->n_sequence = 0;
    stream->parameter = 0;
    stream->more = false;
}

/* The final letter that CSI and SS3 have in common. */
static int key_of_letter(u8 final)
{
    switch (final) {
    case 'A': return KEY_UP;
    case 'B': return KEY_DOWN;
    case 'C': return KEY_RIGHT;
    case 'D': return KEY_LEFT;
    case 'F': return KEY_END;
    case 'H': return KEY_HOME;
    default: return KEY_NONE;
    }
}

/* The number before a final ~. */
static int key_of_number(unsigned number)
{
    switch (number) {
    case 1: case 7: return KEY_HOME;
    case 2: return KEY_INSERT;
    case 3: return KEY_DELETE;
    case 4: case 8: return KEY_END;
    case 5: return KEY_PGUP;
    case 6: return KEY_PGDN;
    default: return KEY_NONE;
    }
}

static int key_stream_csi(struct key_stream *stream, u8 byte)
{
    if (byte == '[' && stream->n_sequence == 0) {
        stream->state = KEY_STREAM_FUNCTION;
        return KEY_NONE;
    }
    if (byte >= 0x40 && byte <= 0x7e)
        return key_stream_leave(stream, byte == '~' ? key_of_number(stream->parameter) : key_of_letter(byte));
    if (byte >= 0x80 || ++stream->n_sequence > SEQUENCE_BYTES)
        return key_stream_leave(stream, KEY_NONE);

    if (byte < '0' || byte > '9')
        stream->more = true;
    else if (!stream->more && stream->parameter < PARAMETER_MAX)
        stream->parameter = stream->parameter * 10 + (unsigned)(byte - '0');
    return KEY_NONE;
}

static int key_stream_control(struct key_stream *stream, u8 byte)
{
    bool after_cr = stream->after_cr;

    stream->after_cr = byte == '\r';
    if (byte == ESC) {
        key_stream_enter(stream, KEY_STREAM_ESCAPE);
        return KEY_NONE;
    }
    if (byte == '\n')
        return key_stream_leave(stream, after_cr ? KEY_NONE : KEY_ENTER);
    return key_stream_leave(stream, byte);
}

int key_stream_push(struct key_stream *stream, u8 byte)
{
    if (byte < 0x20)
        return key_stream_control(stream, byte);
    stream->after_cr = false;

    switch (stream->state) {
    case KEY_STREAM_ESCAPE:
        if (byte == '[' || byte == 'O') {
            key_stream_enter(stream, byte == '[' ? KEY_STREAM_CSI : KEY_STREAM_SS3);
            return KEY_NONE;
        }
        return key_stream_leave(stream, byte); /* Alt and a key: the key */
    case KEY_STREAM_CSI:
        return key_stream_csi(stream, byte);
    case KEY_STREAM_SS3:
        return key_stream_leave(stream, byte == 'M' ? KEY_ENTER : key_of_letter(byte));
    case KEY_STREAM_FUNCTION:
        return key_stream_leave(stream, KEY_NONE);
    case KEY_STREAM_GROUND:
    default:
        return byte;
    }
}

int key_stream_idle(struct key_stream *stream)
{
    bool lone = stream->state == KEY_STREAM_ESCAPE;

    stream->state = KEY_STREAM_GROUND;
    return lone ? KEY_ESCAPE : KEY_NONE;
}
