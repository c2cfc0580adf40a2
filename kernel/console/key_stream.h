/* SPDX-License-Identifier: MIT */
/* Bytes of a serial terminal to keys: escape sequences, and the three kinds of Enter.  Pure C. */
#ifndef KERNEL_CONSOLE_KEY_STREAM_H
#define KERNEL_CONSOLE_KEY_STREAM_H

#include <kernel/console/keys.h>
#include <lib/types.h>

enum key_stream_state {
    KEY_STREAM_GROUND,
    KEY_STREAM_ESCAPE,   /* after ESC */
    KEY_STREAM_CSI,      /* after ESC [ */
    KEY_STREAM_SS3,      /* after ESC O */
    KEY_STREAM_FUNCTION, /* after ESC [ [, as Linux' console sends for F1..F5 */
};

/* One per line.  All zero is the start. */
struct key_stream {
    enum key_stream_state state;
    unsigned n_sequence; /* bytes of the sequence so far: a runaway one is given up */
    unsigned parameter;  /* first number of a CSI sequence */
    bool more;           /* past the first number */
    bool after_cr;       /* an LF that comes now belongs to the CR before it */
};

/*
 * Takes one byte; returns the key that it completes, or KEY_NONE.  CR, LF and CR LF give one KEY_ENTER
 * each. Cursor and editing keys come as CSI or SS3 sequences, with or without modifiers (ECMA-48 section
 * 5.4; the key assignments are those of the VT220 and of xterm).  Unknown sequences vanish whole.  A
 * control character inside a sequence ends it and counts as itself, so that Ctrl-C and Enter always get
 * through.
 */
int key_stream_push(struct key_stream *stream, u8 byte);

/*
 * Nothing came for a while: a lone ESC was the Escape key.  Returns KEY_ESCAPE or KEY_NONE, and starts
 * afresh.
 */
int key_stream_idle(struct key_stream *stream);

#endif
