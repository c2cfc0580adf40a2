/* SPDX-License-Identifier: MIT */
/* Tests of kernel/console/terminal.c, utf8.c, theme.c, cp437.c and highlight.c. */
#include "cmocka_all.h"

#include <kernel/console/cp437.h>
#include <kernel/console/highlight.h>
#include <kernel/console/terminal.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 10u
#define ROWS 4u

static struct terminal_cell cells[COLUMNS * ROWS];
static struct terminal terminal;

static int fresh(void **state)
{
    (void)state;
    terminal_start(&terminal, cells, COLUMNS, ROWS);
    return 0;
}

static void write(const char *text)
{
    terminal_write(&terminal, text, strlen(text));
}

/* Row `row` must read `text`, blanks after it. */
static void assert_row(unsigned row, const char *text)
{
    char got[COLUMNS + 1];

    for (unsigned i = 0; i < COLUMNS; i++) {
        u16 code = cells[row * COLUMNS + i].code;
        got[i] = code < 0x80 ? (char)code : '#';
    }
    got[COLUMNS] = '\0';
    for (unsigned i = COLUMNS; i > 0 && got[i - 1] == ' ' && i > strlen(text); i--)
        got[i - 1] = '\0';
    assert_string_equal(got, text);
}

static void assert_cursor(unsigned column, unsigned row)
{
    assert_int_equal(terminal.column, column);
    assert_int_equal(terminal.row, row);
}

static void text_goes_down_row_by_row(void **state)
{
    (void)state;
    write("one\ntwo\r\nx\ty\b!z");
    assert_row(0, "one");
    assert_row(1, "two");
    assert_row(2, "x       !z");
}

static void full_row_wraps_only_with_the_next_character(void **state)
{
    (void)state;
    write("0123456789");
    assert_cursor(9, 0);
    write("\nnext");
    assert_row(1, "next");
    write("\r0123456789x");
    assert_row(1, "0123456789");
    assert_row(2, "x");
}

/* A terminal of 20 columns, the least that is wrapped by words; its rows are read with assert_wide_row. */
#define WIDE_COLUMNS 20u

static struct terminal_cell wide_cells[WIDE_COLUMNS * ROWS];

static void write_wide(const char *text)
{
    terminal_start(&terminal, wide_cells, WIDE_COLUMNS, ROWS);
    terminal.word_wrap = true;
    write(text);
}

static void assert_wide_row(unsigned row, const char *text)
{
    for (unsigned i = 0; i < WIDE_COLUMNS; i++)
        assert_int_equal(wide_cells[row * WIDE_COLUMNS + i].code, i < strlen(text) ? text[i] : ' ');
}

static void words_go_to_the_next_row_as_a_whole(void **state)
{
    (void)state;
    write_wide("one two three fourtyfive six");
    assert_wide_row(0, "one two three");
    assert_wide_row(1, "  fourtyfive six");
    write_wide("one two three four_5 six\nseven");
    assert_wide_row(0, "one two three four_5"); /* the blank that does not fit is the break */
    assert_wide_row(1, "  six");
    assert_wide_row(2, "seven");
    write_wide("a\nb\nc\none two three fourtyfive"); /* the bottom row scrolls */
    assert_wide_row(2, "one two three");
    assert_wide_row(3, "  fourtyfive");
}

static void a_long_word_stays_where_it_is(void **state)
{
    (void)state;
    write_wide("one two34567890123456789");
    assert_wide_row(0, "one two3456789012345");
    assert_wide_row(1, "6789");
    write_wide("12345678901234567890\nnext");
    assert_wide_row(1, "next");
}

static void last_row_scrolls(void **state)
{
    (void)state;
    write("1\n2\n3\n4\n5\n6");
    assert_row(0, "3");
    assert_row(3, "6");
    assert_int_equal(terminal.n_scrolled, 2);
}

static void cursor_moves_stay_inside(void **state)
{
    (void)state;
    write("\033[3;5H");
    assert_cursor(4, 2);
    write("\033[2A\033[C\033[2D");
    assert_cursor(3, 0);
    write("\033[9999B\033[9999C");
    assert_cursor(9, 3);
    write("\033[99999999A\033[7G\033[2d");
    assert_cursor(6, 1);
    write("\033[s\033[H\033[u");
    assert_cursor(6, 1);
    write("\033[0;0H");
    assert_cursor(0, 0);
    write("\033[2E");
    assert_cursor(0, 2);
}

static void erasing_takes_the_right_part(void **state)
{
    (void)state;
    write("aaaaaaaaa\nbbbbbbbbb\nccccccccc\033[2;4H\033[K");
    assert_row(1, "bbb");
    write("\033[1K");
    assert_row(1, "");
    write("\033[J");
    assert_row(0, "aaaaaaaaa");
    assert_row(2, "");
    write("\033[2J");
    assert_row(0, "");
}

static void colours_follow_renditions(void **state)
{
    (void)state;
    write("\033[31ma\033[1mb\033[0;44mc\033[7md\033[27;39;49;93me\033[38;5;200mf\033[mg\033[38;2;1;2;3;32mh");
    assert_int_equal(cells[0].foreground, 1);
    assert_int_equal(cells[1].foreground, 9);
    assert_int_equal(cells[2].foreground, TERMINAL_FOREGROUND);
    assert_int_equal(cells[2].background, 4);
    assert_int_equal(cells[3].foreground, 4);
    assert_int_equal(cells[3].background, TERMINAL_FOREGROUND);
    assert_int_equal(cells[4].foreground, 11);
    assert_int_equal(cells[5].foreground, 200);
    assert_int_equal(cells[6].foreground, TERMINAL_FOREGROUND);
    assert_int_equal(cells[7].foreground, 2);
}

static void unknown_sequences_leave_no_trace(void **state)
{
    (void)state;
    write("a\033[5n\033[?2004h\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18r\033cb\a\x7f\x01");
    assert_row(0, "ab");
    write("\033[?25l");
    assert_true(terminal.cursor_hidden);
    write("\033[?25h");
    assert_false(terminal.cursor_hidden);
}

static void broken_sequence_does_not_eat_the_next_line(void **state)
{
    (void)state;
    write("\033[12\nnext");
    assert_row(1, "next");
}

static void utf8_becomes_characters(void **state)
{
    (void)state;
    write("\xc3\xa9\xe2\x94\x80\xe2\x96\x88\xf0\x9f\x98\x80z");
    assert_int_equal(cells[0].code, 0xe9);
    assert_int_equal(cells[1].code, 0x2500);
    assert_int_equal(cells[2].code, 0x2588);
    assert_int_equal(cells[3].code, UTF8_INVALID);
    assert_int_equal(cells[4].code, 'z');
}

static void broken_utf8_costs_one_character_and_no_more(void **state)
{
    (void)state;
    write("\xe2\x94" "a\xff" "b\xc0\x80" "c\xed\xa0\x80");
    assert_int_equal(cells[0].code, UTF8_INVALID);
    assert_int_equal(cells[1].code, 'a');
    assert_int_equal(cells[2].code, UTF8_INVALID);
    assert_int_equal(cells[3].code, 'b');
    assert_int_equal(cells[4].code, UTF8_INVALID);
    assert_int_equal(cells[5].code, 'c');
    assert_int_equal(cells[6].code, UTF8_INVALID);
}

static void any_bytes_keep_the_cursor_inside(void **state)
{
    static const char likely[] = "\033[[;0123456789ABCDHJKmsu?hl\n\r\t\b az";
    u64 seed = 0x5eed;

    (void)state;
    for (unsigned columns = 1; columns <= COLUMNS; columns += 3) {
        struct terminal_cell *grid = malloc(columns * ROWS * sizeof(*grid));

        terminal_start(&terminal, grid, columns, ROWS);
        for (int i = 0; i < 100000; i++) {
            char byte = likely[random_below(&seed, sizeof(likely) - 1)];

            if (random_below(&seed, 4) == 0)
                byte = (char)random_next(&seed);
            terminal_write(&terminal, &byte, 1);
            assert_true(terminal.column < columns && terminal.row < ROWS);
        }
        free(grid);
    }
}

/* Relative luminance as the web's contrast rule has it, with a gamma of 2 instead of 2.2. */
static double luminance(u32 colour)
{
    double red = (colour >> 16) / 255.0, green = (colour >> 8 & 0xff) / 255.0, blue = (colour & 0xff) / 255.0;

    return 0.2126 * red * red + 0.7152 * green * green + 0.0722 * blue * blue;
}

static void every_colour_can_carry_text(void **state)
{
    (void)state;
    for (u8 i = 1; i < 16; i++)
        assert_true((luminance(terminal_colour(i)) + 0.05) / (luminance(terminal_colour(0)) + 0.05) >= 4.5);
}

static void colours_are_theme_cube_and_greys(void **state)
{
    (void)state;
    assert_int_equal(terminal_colour(16), 0x000000);
    assert_int_equal(terminal_colour(196), 0xff0000);
    assert_int_equal(terminal_colour(231), 0xffffff);
    assert_int_equal(terminal_colour(255), 0xeeeeee);
    for (u8 i = 0; i < 16; i++)
        assert_int_equal(terminal_basic_colour(i), i);
    assert_int_equal(terminal_basic_colour(16), 0);
    assert_int_equal(terminal_basic_colour(231), 15);
}

static void cp437_has_boxes_and_says_what_it_lacks(void **state)
{
    (void)state;
    assert_int_equal(cp437_from_unicode('A'), 'A');
    assert_int_equal(cp437_from_unicode(0x2500), 0xc4);
    assert_int_equal(cp437_from_unicode(0x2588), 0xdb);
    assert_int_equal(cp437_from_unicode(0xe9), 0x82);
    assert_int_equal(cp437_from_unicode(0x2192), 0x1a);
    assert_int_equal(cp437_from_unicode(0x4e00), '?');
    assert_int_equal(cp437_from_unicode(7), '?');
}

static void lines_are_coloured_by_their_beginning(void **state)
{
    (void)state;
    assert_non_null(highlight_line("error: no such command", 22));
    assert_non_null(highlight_line("ok\n", 3));
    assert_non_null(highlight_line("ok 1 frame", 10));
    assert_non_null(highlight_line("not ok 2", 8));
    assert_non_null(highlight_line("    ok 3\n", 9));
    assert_null(highlight_line("    ", 4));
    assert_null(highlight_line("okay", 4));
    assert_null(highlight_line("erro", 4));
    assert_null(highlight_line("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(text_goes_down_row_by_row, fresh),
        cmocka_unit_test_setup(full_row_wraps_only_with_the_next_character, fresh),
        cmocka_unit_test(words_go_to_the_next_row_as_a_whole),
        cmocka_unit_test(a_long_word_stays_where_it_is),
        cmocka_unit_test_setup(last_row_scrolls, fresh),
        cmocka_unit_test_setup(cursor_moves_stay_inside, fresh),
        cmocka_unit_test_setup(erasing_takes_the_right_part, fresh),
        cmocka_unit_test_setup(colours_follow_renditions, fresh),
        cmocka_unit_test_setup(unknown_sequences_leave_no_trace, fresh),
        cmocka_unit_test_setup(broken_sequence_does_not_eat_the_next_line, fresh),
        cmocka_unit_test_setup(utf8_becomes_characters, fresh),
        cmocka_unit_test_setup(broken_utf8_costs_one_character_and_no_more, fresh),
        cmocka_unit_test_setup(any_bytes_keep_the_cursor_inside, fresh),
        cmocka_unit_test(every_colour_can_carry_text),
        cmocka_unit_test(colours_are_theme_cube_and_greys),
        cmocka_unit_test(cp437_has_boxes_and_says_what_it_lacks),
        cmocka_unit_test(lines_are_coloured_by_their_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
