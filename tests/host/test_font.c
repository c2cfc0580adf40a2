/* SPDX-License-Identifier: MIT */
/* Tests of kernel/console/font.c with small fonts made here, whole and broken. */
#include "cmocka_all.h"

#include <kernel/console/font.h>
#include <stdlib.h>
#include <string.h>

#define PSF1_GLYPHS 256u
#define PSF1_HEIGHT 16u
#define PSF1_BYTES (4 + PSF1_GLYPHS * PSF1_HEIGHT)

/*
 * Version 1, 8 x 16; row y of glyph g is (g + y) & 0xff; the table gives glyph g the character 'A' + g and
 * 0x2500 + g.
 */
static size_t make_psf1(u8 *at)
{
    u8 *start = at;

    memcpy(at, "\x36\x04\x02\x10", 4);
    at += 4;
    for (unsigned i = 0; i < PSF1_GLYPHS * PSF1_HEIGHT; i++)
        *at++ = (u8)(i / PSF1_HEIGHT + i % PSF1_HEIGHT);
    for (unsigned g = 0; g < PSF1_GLYPHS; g++) {
        u16 units[] = {(u16)('A' + g), (u16)(0x2500 + g), 0xfffe, 'e', 0x301, 0xffff};
        for (unsigned i = 0; i < 6; i++) {
            *at++ = (u8)units[i];
            *at++ = (u8)(units[i] >> 8);
        }
    }
    return (size_t)(at - start);
}

static void put_u32(u8 *at, u32 value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (u8)(value >> 8 * i);
}

/* Version 2, 10 x 4, three glyphs: '?', e acute, and U+4E00; each row of glyph g is 0x200 >> g. */
static size_t make_psf2(u8 *at)
{
    static const u32 header[8] = {0x864ab572, 0, 32, 1, 3, 8, 4, 10};
    static const char table[] = "?\xff\xc3\xa9\xfe" "e\xcc\x81\xff\xe4\xb8\x80\xff";

    for (unsigned i = 0; i < 8; i++)
        put_u32(at + 4 * i, header[i]);
    for (unsigned i = 0; i < 12; i++) {
        at[32 + 2 * i] = (u8)(0x8000 >> i / 4 >> 8);
        at[33 + 2 * i] = (u8)(0x8000 >> i / 4);
    }
    memcpy(at + 56, table, sizeof(table) - 1);
    return 56 + sizeof(table) - 1;
}

static void version_1_is_read(void **state)
{
    u8 bytes[PSF1_BYTES + 4096];
    u32 rows[FONT_HEIGHT_MAX];
    struct font font;
    size_t n = make_psf1(bytes);

    (void)state;
    assert_null(font_open(&font, bytes, bytes + n));
    assert_int_equal(font.width, 8);
    assert_int_equal(font.height, 16);
    assert_int_equal(font_find(&font, 'C'), 2);
    assert_int_equal(font_find(&font, 0x2505), 5);
    assert_int_equal(font_find(&font, 'e'), 'e' - 'A');
    assert_int_equal(font_find(&font, 0x301), -1);
    font_render(&font, 'C', rows);
    assert_int_equal(rows[0], 2);
    assert_int_equal(rows[15], 17);
}

static void version_2_is_read(void **state)
{
    u8 bytes[256];
    u32 rows[FONT_HEIGHT_MAX];
    struct font font;
    size_t n = make_psf2(bytes);

    (void)state;
    assert_null(font_open(&font, bytes, bytes + n));
    assert_int_equal(font_find(&font, 0xe9), 1);
    assert_int_equal(font_find(&font, 'e'), -1);
    assert_int_equal(font_find(&font, 0x4e00), 2);
    assert_int_equal(font_find(&font, 0x4e01), -1);
    font_render(&font, 0xe9, rows);
    assert_int_equal(rows[0], 0x100);
    font_render(&font, 0x4e01, rows);
    assert_int_equal(rows[3], 0x200);
}

static void without_a_table_characters_are_numbers(void **state)
{
    u8 bytes[PSF1_BYTES + 4096];
    struct font font;

    (void)state;
    make_psf1(bytes);
    bytes[2] = 0;
    assert_null(font_open(&font, bytes, bytes + PSF1_BYTES));
    assert_int_equal(font_find(&font, 65), 65);
    assert_int_equal(font_find(&font, 0x2500), -1);
}

static void broken_headers_are_refused(void **state)
{
    static const struct {
        unsigned word;
        u32 value;
    } breaks[] = {
        {0, 0}, {2, 31}, {2, 1000}, {2, 0xffffffff}, {4, 0}, {4, 1000}, {4, 0xffffffff}, {5, 9}, {5, 0},
        {6, 0}, {6, 65}, {6, 0xffffffff}, {7, 0}, {7, 33}, {7, 0xffffffff},
    };
    u8 bytes[256];
    struct font font;
    size_t n;

    (void)state;
    for (unsigned i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        n = make_psf2(bytes);
        put_u32(bytes + 4 * breaks[i].word, breaks[i].value);
        assert_non_null(font_open(&font, bytes, bytes + n));
    }
}

static void every_cut_is_noticed_or_harmless(void **state)
{
    u8 bytes[PSF1_BYTES + 4096];
    struct font font;
    size_t n = make_psf2(bytes);

    (void)state;
    for (size_t cut = 0; cut < n; cut++) {
        u8 *copy = malloc(cut + 1);

        memcpy(copy, bytes, cut);
        if (font_open(&font, copy, copy + cut) == NULL) {
            u32 rows[FONT_HEIGHT_MAX];
            font_render(&font, 0x4e00, rows);
            assert_true(cut >= 56);
        }
        free(copy);
    }
    n = make_psf1(bytes);
    assert_non_null(font_open(&font, bytes, bytes + PSF1_BYTES - 1));
    assert_null(font_open(&font, bytes, bytes + n - 1));
}

static void random_damage_does_no_harm(void **state)
{
    u8 bytes[256];
    u64 seed = 0xf0e1;
    struct font font;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t n = make_psf2(bytes);
        u8 *copy;

        for (int k = 0; k < 3; k++)
            bytes[random_below(&seed, n)] = (u8)random_next(&seed);
        copy = malloc(n);
        memcpy(copy, bytes, n);
        if (font_open(&font, copy, copy + n) == NULL) {
            u32 rows[FONT_HEIGHT_MAX];
            font_render(&font, 'A', rows);
            font_render(&font, 0x4e00, rows);
            font_render(&font, 0x2593, rows);
        }
        free(copy);
    }
}

static void blocks_meet_without_gaps(void **state)
{
    u8 bytes[PSF1_BYTES + 4096];
    u32 lower[FONT_HEIGHT_MAX], upper[FONT_HEIGHT_MAX], left[FONT_HEIGHT_MAX], right[FONT_HEIGHT_MAX];
    struct font font;
    size_t n = make_psf1(bytes);

    (void)state;
    assert_null(font_open(&font, bytes, bytes + n));
    font_render(&font, 0x2584, lower);
    font_render(&font, 0x2580, upper);
    font_render(&font, 0x258c, left);
    font_render(&font, 0x2590, right);
    for (unsigned y = 0; y < font.height; y++) {
        assert_int_equal(lower[y] ^ upper[y], 0xff);
        assert_int_equal(left[y] ^ right[y], 0xff);
        assert_int_equal(left[y], 0xf0);
    }
    font_render(&font, 0x2588, lower);
    font_render(&font, 0x259a, upper);
    font_render(&font, 0x259e, left);
    for (unsigned y = 0; y < font.height; y++) {
        assert_int_equal(lower[y], 0xff);
        assert_int_equal(upper[y] ^ left[y], 0xff);
    }
    font_render(&font, 0x258f, left);
    font_render(&font, 0x2581, lower);
    assert_int_equal(left[0], 0x80);
    assert_int_equal(lower[13], 0);
    assert_int_equal(lower[14], 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_is_read),
        cmocka_unit_test(version_2_is_read),
        cmocka_unit_test(without_a_table_characters_are_numbers),
        cmocka_unit_test(broken_headers_are_refused),
        cmocka_unit_test(every_cut_is_noticed_or_harmless),
        cmocka_unit_test(random_damage_does_no_harm),
        cmocka_unit_test(blocks_meet_without_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
