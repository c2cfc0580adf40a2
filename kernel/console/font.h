/* SPDX-License-Identifier: MIT */
/*
 * Console fonts in PC Screen Font format, versions 1 and 2, with or without their Unicode table.  Pure C.
 * The bytes come from outside: everything is checked before it is used.
 */
#ifndef KERNEL_CONSOLE_FONT_H
#define KERNEL_CONSOLE_FONT_H

#include <lib/types.h>

#define FONT_WIDTH_MAX 32 /* pixels: a glyph row is one u32 */
#define FONT_HEIGHT_MAX 64

/*
 * Characters whose glyph is found by one look: Latin, punctuation and arrows, box drawing, blocks and
 * shapes.
 */
#define FONT_N_DIRECT (0x180 + 0x100)

struct font {
    unsigned width, height; /* of a glyph, pixels */
    unsigned n_glyphs;
    unsigned row_bytes, glyph_bytes;
    const u8 *glyphs;
    const u8 *table, *table_end; /* Unicode table; both NULL when there is none */
    bool wide_table;             /* version 1: 16-bit units; version 2: UTF-8 */
    u16 direct[FONT_N_DIRECT];   /* glyph number + 1; 0: not there */
};

/*
 * Reads the font in [start, end), which must outlive `font`.  Returns NULL, or what is wrong with it: then
 * `font` is not usable.
 */
const char *font_open(struct font *font, const u8 *start, const u8 *end);

/*
 * The glyph of a character, or -1.  Without a table characters are glyph numbers.  Cost: one look, or the
 * table.
 */
int font_find(const struct font *font, u32 code);

/*
 * The picture of a character: `height` rows, bit width-1 the leftmost pixel.  Block elements
 * (U+2580..U+259F), which console fonts have few of, are drawn here so that they meet without gaps; what
 * the font lacks becomes its replacement character, a question mark, or a box.
 */
void font_render(const struct font *font, u32 code, u32 rows[FONT_HEIGHT_MAX]);

#endif
