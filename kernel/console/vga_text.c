/* SPDX-License-Identifier: MIT */
/*
 * A cell is a character of the card's font (code page 437) and an attribute: foreground in bits 0..3,
 * background in bits 4..7.  VGA numbers colours with blue in bit 0, ANSI with red in bit 0.
 *
 * Registers: IBM VGA, as in the Intel OSRC "Volume 2c: PCI, VGA Registers"; the colour of attribute i is
 * the entry attribute_dac[i] of the palette (the mode's default).
 */
#include <kernel/console/cp437.h>
#include <kernel/console/vga_text.h>
#include <kernel/cpu/io.h>

#define PORT_ATTRIBUTE 0x3c0
#define PORT_ATTRIBUTE_READ 0x3c1
#define PORT_DAC_INDEX 0x3c8
#define PORT_DAC_DATA 0x3c9
#define PORT_MISC_READ 0x3cc
#define PORT_GRAPHICS 0x3ce
#define PORT_GRAPHICS_DATA 0x3cf
#define PORT_CRTC 0x3d4
#define PORT_CRTC_DATA 0x3d5
#define PORT_STATUS 0x3da

#define ATTRIBUTE_MODE 0x10
#define ATTRIBUTE_VIDEO_ON 0x20
#define ATTRIBUTE_BLINK 0x08
#define GRAPHICS_MISC 0x06
#define GRAPHICS_MISC_MASK 0x0d /* graphics mode, and which memory range */
#define GRAPHICS_MISC_TEXT 0x0c /* text, 32 KiB at b8000 */
#define MISC_COLOUR 0x01        /* the CRTC is at 3d4 */
#define CRTC_CURSOR_START 0x0a
#define CRTC_CURSOR_END 0x0b
#define CRTC_CURSOR_HIGH 0x0e
#define CRTC_CURSOR_LOW 0x0f
#define CURSOR_OFF 0x20
#define CURSOR_LAST_LINE 15

static const u8 attribute_dac[16] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
};

static struct {
    volatile u16 *memory;
    unsigned pitch_cells;
} vga;

bool vga_text_probe(volatile u16 *memory)
{
    u8 misc = inb(PORT_MISC_READ), mode;
    u16 kept, inverse;
    bool keeps;

    if (misc == 0xff || !(misc & MISC_COLOUR))
        return false;
    outb(PORT_GRAPHICS, GRAPHICS_MISC);
    mode = inb(PORT_GRAPHICS_DATA);
    if (mode == 0xff || (mode & GRAPHICS_MISC_MASK) != GRAPHICS_MISC_TEXT)
        return false;
    kept = memory[0];
    inverse = kept ^ 0xffff;
    memory[0] = inverse;
    keeps = memory[0] == inverse;
    memory[0] = kept;
    return keeps && memory[0] == kept;
}

/* ANSI and VGA swap red and blue. */
static u8 vga_colour(u8 index)
{
    u8 ansi = terminal_basic_colour(index);

    return (u8)((ansi & 0x0a) | (ansi & 1) << 2 | (ansi >> 2 & 1));
}

static void vga_load_colours(void)
{
    for (u8 i = 0; i < 16; i++) {
        u32 colour = terminal_colour(i);

        outb(PORT_DAC_INDEX, attribute_dac[vga_colour(i)]);
        outb(PORT_DAC_DATA, (u8)(colour >> 18 & 0x3f));
        outb(PORT_DAC_DATA, (u8)(colour >> 10 & 0x3f));
        outb(PORT_DAC_DATA, (u8)(colour >> 2 & 0x3f));
    }
}

/* Bit 7 of an attribute makes a bright background instead of blinking text. */
static void vga_stop_blinking(void)
{
    u8 mode;

    inb(PORT_STATUS); /* the next write to PORT_ATTRIBUTE is an index */
    outb(PORT_ATTRIBUTE, ATTRIBUTE_MODE | ATTRIBUTE_VIDEO_ON);
    mode = inb(PORT_ATTRIBUTE_READ);
    outb(PORT_ATTRIBUTE, (u8)(mode & ~ATTRIBUTE_BLINK));
}

static void crtc_write(u8 index, u8 value)
{
    outb(PORT_CRTC, index);
    outb(PORT_CRTC_DATA, value);
}

static void vga_draw(unsigned column, unsigned row, struct terminal_cell cell, bool cursor)
{
    unsigned attribute = (unsigned)vga_colour(cell.background) << 4 | vga_colour(cell.foreground);

    (void)cursor;
    vga.memory[row * vga.pitch_cells + column] = (u16)(attribute << 8 | cp437_from_unicode(cell.code));
}

static void vga_cursor(unsigned column, unsigned row, bool shown)
{
    unsigned at = row * vga.pitch_cells + column;

    crtc_write(CRTC_CURSOR_START, shown ? 0 : CURSOR_OFF);
    crtc_write(CRTC_CURSOR_END, CURSOR_LAST_LINE);
    crtc_write(CRTC_CURSOR_HIGH, (u8)(at >> 8));
    crtc_write(CRTC_CURSOR_LOW, (u8)at);
}

const struct screen_face *vga_text_start(volatile u16 *memory, unsigned pitch_bytes, unsigned columns)
{
    static const struct screen_face face = {.draw = vga_draw, .cursor = vga_cursor};

    vga.memory = memory;
    vga.pitch_cells = pitch_bytes / 2 >= columns ? pitch_bytes / 2 : columns;
    vga_load_colours();
    vga_stop_blinking();
    return &face;
}
