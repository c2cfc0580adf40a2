/* SPDX-License-Identifier: MIT */
/*
 * Pixels are written left to right, row after row, so that the CPU can combine the writes; nothing is read
 * back.
 *
 * The colours of the theme are turned into the screen's own pixel format once.  On screens from 2560 pixels
 * width each pixel of the font becomes a square of two by two, and more on those that would hold more than
 * SCREEN_N_CELLS.
 */
#include <kernel/boot/boot_info.h>
#include <kernel/console/font.h>
#include <kernel/console/framebuffer.h>

#define MARGIN_PIXELS 12u
#define WIDE_PIXELS 2560u
#define SCALE_MAX 8u
#define COLUMNS_MIN 20u
#define ROWS_MIN 5u
#define CURSOR_COLOUR 14 /* the theme's bright cyan */

extern const u8 console_font_start[], console_font_end[];

static struct {
    u8 *memory;
    u32 pitch_bytes, width, height;
    unsigned pixel_bytes;
    unsigned scale;
    unsigned left, top; /* of the first character, pixels */
    u32 pixel[256];     /* of each colour */
    struct font font;
} framebuffer;

u64 framebuffer_bytes(const struct boot_framebuffer *screen)
{
    u64 row_bytes = (u64)screen->width * (screen->bits_per_pixel / 8u);

    if (screen->kind != BOOT_SCREEN_PIXELS || (screen->bits_per_pixel != 24 && screen->bits_per_pixel != 32))
        return 0;
    if (row_bytes == 0 || screen->height == 0 || screen->pitch_bytes < row_bytes)
        return 0;
    return (u64)screen->pitch_bytes * (screen->height - 1) + row_bytes;
}

/* Eight bits of a channel, widened or narrowed to the screen's. */
static u32 channel(u32 value, unsigned bits, unsigned shift)
{
    if (bits == 0 || bits > 16 || shift > 31)
        return 0;
    return (bits <= 8 ? value >> (8 - bits) : value << (bits - 8)) << shift;
}

static void framebuffer_load_colours(const struct boot_framebuffer *screen)
{
    for (unsigned i = 0; i < 256; i++) {
        u32 colour = terminal_colour((u8)i);

        framebuffer.pixel[i] = channel(colour >> 16, screen->red_bits, screen->red_shift) |
                               channel(colour >> 8 & 0xff, screen->green_bits, screen->green_shift) |
                               channel(colour & 0xff, screen->blue_bits, screen->blue_shift);
    }
}

/* Writes n equal pixels; returns where the next one goes. */
static u8 *put_pixels(u8 *at, u32 pixel, unsigned n)
{
    if (framebuffer.pixel_bytes == 4) {
        for (unsigned i = 0; i < n; i++, at += 4)
            *(u32 *)(void *)at = pixel;
        return at;
    }
    for (unsigned i = 0; i < n; i++) {
        *at++ = (u8)pixel;
        *at++ = (u8)(pixel >> 8);
        *at++ = (u8)(pixel >> 16);
    }
    return at;
}

static void framebuffer_clear(void)
{
    for (u32 y = 0; y < framebuffer.height; y++)
        put_pixels(framebuffer.memory + (size_t)y * framebuffer.pitch_bytes,
                   framebuffer.pixel[TERMINAL_BACKGROUND], framebuffer.width);
}

/* One row of a glyph, `scale` pixels for each bit. */
static void put_glyph_row(u8 *at, u32 bits, u32 ink, u32 paper)
{
    for (unsigned x = framebuffer.font.width; x-- > 0;)
        at = put_pixels(at, bits >> x & 1 ? ink : paper, framebuffer.scale);
}

static void framebuffer_draw(unsigned column, unsigned row, struct terminal_cell cell, bool cursor)
{
    const struct font *font = &framebuffer.font;
    u32 ink = framebuffer.pixel[cursor ? cell.background : cell.foreground];
    u32 paper = framebuffer.pixel[cursor ? CURSOR_COLOUR : cell.background];
    unsigned x = framebuffer.left + column * font->width * framebuffer.scale;
    unsigned y = framebuffer.top + row * font->height * framebuffer.scale;
    u8 *at = framebuffer.memory + (size_t)y * framebuffer.pitch_bytes + (size_t)x * framebuffer.pixel_bytes;
    u32 rows[FONT_HEIGHT_MAX];

    font_render(font, cell.code, rows);
    for (unsigned i = 0; i < font->height * framebuffer.scale; i++) {
        put_glyph_row(at, rows[i / framebuffer.scale], ink, paper);
        at += framebuffer.pitch_bytes;
    }
}

/* How many characters of `glyph` pixels fit between the margins. */
static unsigned characters(u32 pixels, unsigned glyph)
{
    u32 margins = 2 * MARGIN_PIXELS * framebuffer.scale;

    return pixels > margins ? (pixels - margins) / (glyph * framebuffer.scale) : 0;
}

static void framebuffer_divide(unsigned n_cells, unsigned *columns, unsigned *rows)
{
    const struct font *font = &framebuffer.font;

    framebuffer.scale = framebuffer.width >= WIDE_PIXELS ? 2 : 1;
    for (;;) {
        *columns = characters(framebuffer.width, font->width);
        *rows = characters(framebuffer.height, font->height);
        if ((u64)*columns * *rows <= n_cells || framebuffer.scale == SCALE_MAX)
            break;
        framebuffer.scale++;
    }
    framebuffer.left = (framebuffer.width - *columns * font->width * framebuffer.scale) / 2;
    framebuffer.top = (framebuffer.height - *rows * font->height * framebuffer.scale) / 2;
}

const struct screen_face *framebuffer_start(const struct boot_framebuffer *screen, void *memory, unsigned n_cells,
                                            unsigned *columns, unsigned *rows)
{
    static const struct screen_face face = {.draw = framebuffer_draw, .cursor = NULL};

    if (font_open(&framebuffer.font, console_font_start, console_font_end))
        return NULL;
    framebuffer.memory = memory;
    framebuffer.pitch_bytes = screen->pitch_bytes;
    framebuffer.width = screen->width;
    framebuffer.height = screen->height;
    framebuffer.pixel_bytes = screen->bits_per_pixel / 8u;
    framebuffer_divide(n_cells, columns, rows);
    if (*columns < COLUMNS_MIN || *rows < ROWS_MIN || (u64)*columns * *rows > n_cells)
        return NULL;
    framebuffer_load_colours(screen);
    framebuffer_clear();
    return &face;
}
