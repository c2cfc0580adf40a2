/* SPDX-License-Identifier: MIT */
/*
 * Version 1: 36 04, mode, bytes per glyph; 8 pixels wide; 256 glyphs, or 512 with mode bit 0; mode bits 1
 * and 2: a table of 16-bit little-endian units follows.  Version 2: a header of eight 32-bit words (magic,
 * version, header bytes, flags, glyphs, bytes per glyph, height, width), flag bit 0: a table in UTF-8
 * follows.
 *
 * The table has one entry per glyph: its characters, then sequences of characters (which a console never
 * prints), then a terminator.  It is walked once when the font is opened, to fill the direct index; rare
 * characters walk it again.
 */
#include <kernel/console/font.h>
#include <kernel/console/utf8.h>
#include <lib/string.h>

#define PSF1_HEADER_BYTES 4u
#define PSF1_MODE_512 0x01
#define PSF1_MODE_TABLE 0x06
#define PSF1_SEQUENCE 0xfffe
#define PSF1_END 0xffff

#define PSF2_MAGIC 0x864ab572u
#define PSF2_HEADER_BYTES 32u
#define PSF2_FLAG_TABLE 0x01
#define PSF2_SEQUENCE 0xfe
#define PSF2_END 0xff

#define N_GLYPHS_MAX 65535u

enum table_item { ITEM_CHARACTER, ITEM_SEQUENCE, ITEM_END_OF_GLYPH, ITEM_NOTHING, ITEM_END_OF_TABLE };

static u32 read_u32(const u8 *at)
{
    return (u32)at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24;
}

/* Takes the next item off a table at *at, and the character that it is. */
static enum table_item table_next(const struct font *font, const u8 **at, struct utf8_decoder *utf8,
                                  u32 *code)
{
    bool again;

    if (font->table_end - *at < (font->wide_table ? 2 : 1))
        return ITEM_END_OF_TABLE;
    if (font->wide_table) {
        *code = (u32)(*at)[0] | (u32)(*at)[1] << 8;
        *at += 2;
        if (*code == PSF1_END)
            return ITEM_END_OF_GLYPH;
        return *code == PSF1_SEQUENCE ? ITEM_SEQUENCE : ITEM_CHARACTER;
    }

    switch (*(*at)++) {
    case PSF2_END: return ITEM_END_OF_GLYPH;
    case PSF2_SEQUENCE: return ITEM_SEQUENCE;
    default: break;
    }
    *code = utf8_push(utf8, (*at)[-1], &again);
    return *code == UTF8_MORE ? ITEM_NOTHING : ITEM_CHARACTER;
}

/* The place of a character in the direct index, or -1. */
static int direct_slot(u32 code)
{
    if (code < 0x180)
        return (int)code;
    if (code >= 0x2500 && code < 0x2600)
        return (int)(0x180 + (code - 0x2500));
    return -1;
}

/*
 * Walks the table.  With `index` it fills that direct index and returns -1; without, it returns the glyph
 * of `wanted` or -1.
 */
static int table_walk(const struct font *font, u16 *index, u32 wanted)
{
    const u8 *at = font->table;
    struct utf8_decoder utf8 = {0};
    unsigned glyph = 0;
    bool in_sequence = false;
    u32 code = 0;

    while (glyph < font->n_glyphs) {
        enum table_item item = table_next(font, &at, &utf8, &code);
        int slot = item == ITEM_CHARACTER ? direct_slot(code) : -1;

        if (item == ITEM_END_OF_TABLE)
            break;
        if (item == ITEM_CHARACTER && !in_sequence && !index && code == wanted)
            return (int)glyph;
        if (!in_sequence && index && slot >= 0 && index[slot] == 0)
            index[slot] = (u16)(glyph + 1);
        in_sequence = (in_sequence || item == ITEM_SEQUENCE) && item != ITEM_END_OF_GLYPH;
        glyph += item == ITEM_END_OF_GLYPH;
    }
    return -1;
}

static const char *font_header_1(struct font *font, const u8 *start, size_t n)
{
    font->width = 8;
    font->height = font->glyph_bytes = start[3];
    font->row_bytes = 1;
    font->n_glyphs = start[2] & PSF1_MODE_512 ? 512 : 256;
    font->wide_table = true;
    font->glyphs = start + PSF1_HEADER_BYTES;
    font->table = start[2] & PSF1_MODE_TABLE ? start : NULL; /* font_check sets its place */
    return n < PSF1_HEADER_BYTES ? "cut short" : NULL;
}

static const char *font_header_2(struct font *font, const u8 *start, size_t n)
{
    u32 header_bytes = read_u32(start + 8);

    if (header_bytes < PSF2_HEADER_BYTES || header_bytes > n)
        return "impossible header size";
    font->n_glyphs = read_u32(start + 16);
    font->glyph_bytes = read_u32(start + 20);
    font->height = read_u32(start + 24);
    font->width = read_u32(start + 28);
    font->glyphs = start + header_bytes;
    font->table = read_u32(start + 12) & PSF2_FLAG_TABLE ? start : NULL;
    if (font->width > FONT_WIDTH_MAX)
        return "glyphs too wide";
    font->row_bytes = (font->width + 7) / 8;
    return NULL;
}

static const char *font_check(struct font *font, const u8 *end)
{
    if (font->width == 0 || font->height == 0 || font->height > FONT_HEIGHT_MAX)
        return "impossible glyph size";
    if (font->glyph_bytes != font->row_bytes * font->height)
        return "glyph bytes do not match width and height";
    if (font->n_glyphs == 0 || font->n_glyphs > N_GLYPHS_MAX)
        return "impossible number of glyphs";
    if ((size_t)(end - font->glyphs) / font->glyph_bytes < font->n_glyphs)
        return "cut short";
    if (font->table) {
        font->table = font->glyphs + (size_t)font->n_glyphs * font->glyph_bytes;
        font->table_end = end;
        table_walk(font, font->direct, 0);
    }
    return NULL;
}

const char *font_open(struct font *font, const u8 *start, const u8 *end)
{
    const char *error = "not a PSF font";
    size_t n = (size_t)(end - start);

    memset(font, 0, sizeof(*font));
    if (n >= PSF2_HEADER_BYTES && read_u32(start) == PSF2_MAGIC)
        error = font_header_2(font, start, n);
    else if (n >= PSF1_HEADER_BYTES && start[0] == 0x36 && start[1] == 0x04)
        error = font_header_1(font, start, n);
    return error ? error : font_check(font, end);
}

int font_find(const struct font *font, u32 code)
{
    int slot = direct_slot(code);

    if (!font->table)
        return code < font->n_glyphs ? (int)code : -1;
    if (slot >= 0)
        return (int)font->direct[slot] - 1;
    return table_walk(font, NULL, code);
}

static void glyph_rows(const struct font *font, unsigned glyph, u32 *rows)
{
    const u8 *at = font->glyphs + (size_t)glyph * font->glyph_bytes;

    for (unsigned y = 0; y < font->height; y++) {
        u32 bits = 0;
        for (unsigned i = 0; i < font->row_bytes; i++)
            bits = bits << 8 | *at++;
        rows[y] = bits >> (font->row_bytes * 8 - font->width);
    }
}

/* Sets the pixels [left, right) x [top, bottom), given in eighths of the cell. */
static void fill_eighths(const struct font *font, u32 *rows, unsigned left, unsigned right, unsigned top,
                         unsigned bottom)
{
    unsigned from = font->width * left / 8, to = font->width * right / 8;
    u32 bits = (u32)((1ull << (font->width - from)) - 1) & ~(u32)((1ull << (font->width - to)) - 1);

    for (unsigned y = font->height * top / 8; y < font->height * bottom / 8; y++)
        rows[y] |= bits;
}

/*
 * U+2596..U+259F: which quarters are filled; bits 0 upper left, 1 upper right, 2 lower left, 3 lower right.
 */
static const u8 quadrants[] = {0x4, 0x8, 0x1, 0xd, 0x9, 0x7, 0xb, 0x2, 0x6, 0xe};

static void quadrant_rows(const struct font *font, unsigned quarters, u32 *rows)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned x = i % 2 * 4, y = i / 2 * 4;
        if (quarters >> i & 1)
            fill_eighths(font, rows, x, x + 4, y, y + 4);
    }
}

/* U+2591..U+2593: a quarter, a half, three quarters of the pixels. */
static void shade_rows(const struct font *font, unsigned quarters, u32 *rows)
{
    static const u32 patterns[4][2] = {
        {0, 0}, {0x88888888u, 0x22222222u}, {0xaaaaaaaau, 0x55555555u}, {0x77777777u, 0xddddddddu},
    };
    u32 mask = (u32)((1ull << font->width) - 1);

    for (unsigned y = 0; y < font->height; y++)
        rows[y] = patterns[quarters][y % 2] & mask;
}

static void block_rows(const struct font *font, u32 code, u32 *rows)
{
    unsigned i = code - 0x2580;

    memset(rows, 0, font->height * sizeof(*rows));
    if (i == 0)
        fill_eighths(font, rows, 0, 8, 0, 4); /* upper half */
    else if (i <= 8)
        fill_eighths(font, rows, 0, 8, 8 - i, 8); /* lower eighths, full at 8 */
    else if (i <= 0xf)
        fill_eighths(font, rows, 0, 0x10 - i, 0, 8); /* left seven eighths down to one */
    else if (i == 0x10)
        fill_eighths(font, rows, 4, 8, 0, 8); /* right half */
    else if (i <= 0x13)
        shade_rows(font, i - 0x10, rows);
    else if (i == 0x14)
        fill_eighths(font, rows, 0, 8, 0, 1); /* upper eighth */
    else if (i == 0x15)
        fill_eighths(font, rows, 7, 8, 0, 8); /* right eighth */
    else
        quadrant_rows(font, quadrants[i - 0x16], rows);
}

/* What is shown for a character that the font does not have. */
static void missing_rows(const struct font *font, u32 *rows)
{
    int glyph = font_find(font, UTF8_INVALID);

    if (glyph < 0)
        glyph = font_find(font, '?');
    memset(rows, 0, font->height * sizeof(*rows));
    if (glyph >= 0)
        glyph_rows(font, (unsigned)glyph, rows);
    else
        fill_eighths(font, rows, 1, 7, 1, 7);
}

void font_render(const struct font *font, u32 code, u32 rows[FONT_HEIGHT_MAX])
{
    int glyph;

    if (code >= 0x2580 && code < 0x25a0) {
        block_rows(font, code, rows);
        return;
    }
    glyph = font_find(font, code);
    if (glyph >= 0)
        glyph_rows(font, (unsigned)glyph, rows);
    else
        missing_rows(font, rows);
}
