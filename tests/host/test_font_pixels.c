/* SPDX-License-Identifier: MIT */
/*
 * Tests of kernel/console/framebuffer.c: what it writes into a frame buffer of any shape, and that it writes nothing
 * else.  The font is made here: every glyph has its left half set.
 */
#include "cmocka_all.h"

#include <kernel/boot/boot_info.h>
#include <kernel/console/framebuffer.h>
#include <stdlib.h>
#include <string.h>

__asm__(".section .rodata\n"
        ".globl console_font_start, console_font_end\n"
        "console_font_start: .byte 0x36, 0x04, 0, 16\n"
        ".fill 4096, 1, 0xf0\n"
        "console_font_end:\n"
        ".text\n");

#define PADDING 0xa5

static struct boot_framebuffer rgb(u32 width, u32 height, u8 bits_per_pixel, u32 extra_pitch)
{
    struct boot_framebuffer screen = {
        .kind = BOOT_SCREEN_PIXELS, .width = width, .height = height, .bits_per_pixel = bits_per_pixel,
        .pitch_bytes = width * bits_per_pixel / 8 + extra_pitch, .red_shift = 16, .red_bits = 8,
        .green_shift = 8, .green_bits = 8, .blue_shift = 0, .blue_bits = 8,
    };
    return screen;
}

static u32 pixel(const struct boot_framebuffer *screen, const u8 *memory, unsigned x, unsigned y)
{
    const u8 *at = memory + (size_t)y * screen->pitch_bytes + (size_t)x * screen->bits_per_pixel / 8;

    return (u32)at[0] | (u32)at[1] << 8 | (u32)at[2] << 16;
}

/* A buffer of exactly the bytes that may be written, so that the sanitizer sees every other write. */
static u8 *make_memory(const struct boot_framebuffer *screen)
{
    u64 n = framebuffer_bytes(screen);
    u8 *memory = malloc(n);

    assert_true(n > 0);
    memset(memory, PADDING, n);
    return memory;
}

static void assert_padding_kept(const struct boot_framebuffer *screen, const u8 *memory)
{
    size_t row_bytes = (size_t)screen->width * screen->bits_per_pixel / 8;

    for (u32 y = 0; y + 1 < screen->height; y++) {
        for (size_t i = row_bytes; i < screen->pitch_bytes; i++)
            assert_int_equal(memory[y * screen->pitch_bytes + i], PADDING);
    }
}

static void every_shape_is_cleared_drawn_and_nothing_else(void **state)
{
    static const u32 shapes[][4] = {
        {640, 480, 32, 0}, {1024, 768, 32, 64}, {800, 600, 24, 0}, {801, 601, 24, 7}, {300, 150, 32, 4},
    };
    struct terminal_cell cell = {'A', 1, 4};

    (void)state;
    for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct boot_framebuffer screen = rgb(shapes[i][0], shapes[i][1], (u8)shapes[i][2], shapes[i][3]);
        u8 *memory = make_memory(&screen);
        unsigned columns, rows, left, top;
        const struct screen_face *face = framebuffer_start(&screen, memory, SCREEN_N_CELLS, &columns, &rows);

        assert_non_null(face);
        assert_true(columns * 8 + 24 <= screen.width && columns * 8 + 32 > screen.width);
        assert_true(rows * 16 + 24 <= screen.height && rows * 16 + 40 > screen.height);
        for (u32 y = 0; y < screen.height; y += 7)
            assert_int_equal(pixel(&screen, memory, screen.width - 1, y), terminal_colour(0));

        face->draw(columns - 1, rows - 1, cell, false);
        face->draw(0, 0, cell, true);
        left = (screen.width - columns * 8) / 2;
        top = (screen.height - rows * 16) / 2;
        assert_int_equal(pixel(&screen, memory, left + columns * 8 - 1, top + rows * 16 - 1), terminal_colour(4));
        assert_int_equal(pixel(&screen, memory, left + columns * 8 - 5, top + rows * 16 - 1), terminal_colour(1));
        assert_int_equal(pixel(&screen, memory, left, top), terminal_colour(4));
        assert_int_equal(pixel(&screen, memory, left - 1, top), terminal_colour(0));
        assert_padding_kept(&screen, memory);
        free(memory);
    }
}

static void channels_go_where_the_screen_has_them(void **state)
{
    struct boot_framebuffer screen = rgb(300, 150, 32, 0);
    u32 colour = terminal_colour(1), expected;
    struct terminal_cell cell = {'A', 1, 0};
    unsigned columns, rows;
    u8 *memory = make_memory(&screen);

    (void)state;
    screen.red_shift = 0;
    screen.green_shift = 5;
    screen.blue_shift = 11;
    screen.red_bits = 5;
    screen.green_bits = 6;
    screen.blue_bits = 5;
    framebuffer_start(&screen, memory, SCREEN_N_CELLS, &columns, &rows)->draw(0, 0, cell, false);
    expected = (colour >> 19 & 0x1f) | (colour >> 10 & 0x3f) << 5 | (colour >> 3 & 0x1f) << 11;
    assert_int_equal(pixel(&screen, memory, (300 - columns * 8) / 2, (150 - rows * 16) / 2), expected);
    free(memory);
}

static void wide_screens_get_larger_characters(void **state)
{
    static const u32 sizes[][3] = {{1920, 1200, 237}, {2560, 1440, 157}, {3840, 2160, 237}, {7680, 4320, 237}};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct boot_framebuffer screen = rgb(sizes[i][0], sizes[i][1], 32, 0);
        u8 *memory = make_memory(&screen);
        unsigned columns, rows;

        assert_non_null(framebuffer_start(&screen, memory, SCREEN_N_CELLS, &columns, &rows));
        assert_true(columns >= sizes[i][2] - 80 && columns <= 240);
        assert_true(columns * rows <= SCREEN_N_CELLS);
        free(memory);
    }
}

static void useless_screens_are_refused(void **state)
{
    struct boot_framebuffer screen = rgb(640, 480, 32, 0);
    unsigned columns, rows;
    u8 *memory;

    (void)state;
    screen.kind = BOOT_SCREEN_TEXT;
    assert_int_equal(framebuffer_bytes(&screen), 0);
    screen = rgb(640, 480, 16, 0);
    assert_int_equal(framebuffer_bytes(&screen), 0);
    screen = rgb(640, 480, 32, 0);
    screen.pitch_bytes--;
    assert_int_equal(framebuffer_bytes(&screen), 0);
    screen = rgb(0, 480, 32, 64);
    assert_int_equal(framebuffer_bytes(&screen), 0);
    screen = rgb(100, 60, 32, 0);
    memory = make_memory(&screen);
    assert_null(framebuffer_start(&screen, memory, SCREEN_N_CELLS, &columns, &rows));
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_is_cleared_drawn_and_nothing_else),
        cmocka_unit_test(channels_go_where_the_screen_has_them),
        cmocka_unit_test(wide_screens_get_larger_characters),
        cmocka_unit_test(useless_screens_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
