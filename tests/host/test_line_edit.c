/* SPDX-License-Identifier: MIT */
/*
 * Tests of the line editor.  What it writes goes to a terminal in memory (terminal.c), as wide as, or other
 * than, the editor believes; the tests look at what a person would see there, and at the bytes that a
 * script would.
 */
#include "cmocka_all.h"

#include <kernel/console/key_stream.h>
#include <kernel/console/line_edit.h>
#include <kernel/console/terminal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROMPT "tessera> "
#define PROMPT_BYTES (sizeof(PROMPT) - 1)
#define ROWS 12u
#define COLUMNS_MAX 200u

static struct terminal_cell cells[COLUMNS_MAX * ROWS];
static struct terminal terminal;
static struct line_edit edit;
static struct key_stream stream;
static enum line_result last_result;
static char output[65536];
static size_t n_output;

static void show(void *context, const char *text, size_t n)
{
    (void)context;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            terminal_write(&terminal, "\r\n", 2);
        else
            terminal_write(&terminal, &text[i], 1);
    }
    assert_true(n_output + n < sizeof(output));
    memcpy(output + n_output, text, n);
    n_output += n;
    output[n_output] = '\0';
}

static const struct line_candidate words[] = {
    {"kfree", "gives an object back"}, {"kmalloc", "takes an object"}, {"kzalloc", "takes a cleared object"},
    {"mm_stat", "the seven numbers"},  {"map", NULL},                  {"option=", NULL},
};

static size_t complete(void *context, const char *line, size_t cursor, size_t *start,
                       struct line_candidate *list, size_t n_max)
{
    size_t n = 0;

    (void)context;
    *start = cursor;
    while (*start > 0 && line[*start - 1] != ' ')
        (*start)--;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(words[i].text, line + *start, cursor - *start) == 0 && n < n_max)
            list[n++] = words[i];
    }
    return n;
}

static void begin(unsigned columns)
{
    n_output = 0;
    output[0] = '\0';
    last_result = LINE_MORE;
    line_edit_begin(&edit, PROMPT, columns);
}

static void restart(unsigned terminal_columns, unsigned columns)
{
    static const struct line_callbacks callbacks = {.write = show, .complete = complete};

    memset(&stream, 0, sizeof(stream));
    terminal_start(&terminal, cells, terminal_columns, ROWS);
    line_edit_start(&edit, &callbacks);
    begin(columns);
}

static int fresh(void **state)
{
    (void)state;
    restart(80, 80);
    return 0;
}

/* Bytes as a serial terminal sends them; stops after the first result. */
static void type(const char *bytes)
{
    for (; *bytes != '\0'; bytes++) {
        int key = key_stream_push(&stream, (u8)*bytes);

        if (key == KEY_NONE)
            continue;
        last_result = line_edit_key(&edit, key);
        if (last_result != LINE_MORE)
            return;
    }
}

static void row_text(unsigned row, char *text)
{
    unsigned n = 0;

    for (unsigned i = 0; i < terminal.columns; i++) {
        text[i] = (char)cells[row * terminal.columns + i].code;
        if (text[i] != ' ')
            n = i + 1;
    }
    text[n] = '\0';
}

static void assert_row(unsigned row, const char *expected)
{
    char text[COLUMNS_MAX + 1];

    row_text(row, text);
    assert_string_equal(text, expected);
}

static void assert_line(const char *text)
{
    assert_int_equal(last_result, LINE_DONE);
    assert_string_equal(edit.text, text);
}

static void typed_line_is_echoed_and_nothing_else(void **state)
{
    (void)state;
    type("mm_stat -j\r");
    assert_line("mm_stat -j");
    assert_string_equal(output, PROMPT "mm_stat -j\n");
}

static void every_enter_ends_one_line(void **state)
{
    (void)state;
    type("one\r");
    assert_line("one");
    begin(80);
    type("\ntwo\n");
    assert_line("two");
    begin(80);
    type("three\r");
    begin(80);
    type("\r");
    assert_line("");
}

static void long_typed_line_is_echoed_plainly(void **state)
{
    char line[302], expected[400];

    (void)state;
    for (int i = 0; i < 300; i++)
        line[i] = (char)('a' + i % 26);
    strcpy(line + 300, "\r");
    type(line);
    line[300] = '\0';
    assert_line(line);
    strcpy(expected, PROMPT);
    strcat(expected, line);
    strcat(expected, "\n");
    assert_string_equal(output, expected);
}

static void editing_in_the_middle_shows_the_line(void **state)
{
    (void)state;
    type("kmaloc 80\001\033[C\033[C\033[C\033[Cl");
    assert_row(0, PROMPT "kmalloc 80");
    assert_int_equal(terminal.column, PROMPT_BYTES + 5);
    type("\033[F\177\177" "96\033[H\033[3~K\r");
    assert_line("Kmalloc 96");
    assert_row(0, PROMPT "Kmalloc 96");
    assert_int_equal(terminal.row, 1);
    assert_int_equal(terminal.column, 0);
}

static void killing_takes_the_right_part(void **state)
{
    (void)state;
    type("one two  three\027");
    assert_row(0, PROMPT "one two");
    type("\027\027\027x y z\002\002\013");
    assert_row(0, PROMPT "x y");
    type("\002\025");
    assert_row(0, PROMPT "y");
    type("\004\004\004");
    assert_row(0, "tessera>");
    assert_int_equal(last_result, LINE_MORE);
}

static void ctrl_c_gives_the_line_up(void **state)
{
    (void)state;
    type("abc\033[D\033[D\003");
    assert_int_equal(last_result, LINE_CANCELLED);
    assert_string_equal(edit.text, "");
    assert_row(0, PROMPT "abc^C");
    assert_int_equal(terminal.row, 1);
    assert_int_equal(edit.history.n_lines, 0);
}

static void history_recalls_without_duplicates(void **state)
{
    static const char *const lines[] = {"one\r", "two\r", "one\r", "  \r", "three\r", "three\r"};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        type(lines[i]);
        begin(80);
    }
    assert_int_equal(edit.history.n_lines, 3);
    type("own\033[A");
    assert_string_equal(edit.text, "three");
    type("\020");
    assert_string_equal(edit.text, "one");
    type("\033[A\033[A\033[A");
    assert_string_equal(edit.text, "two");
    type("\033[B\016\016");
    assert_string_equal(edit.text, "own");
    type("\033[B");
    assert_string_equal(edit.text, "own");
}

static void history_keeps_the_last_64(void **state)
{
    char line[16];

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof(line), "line %d\r", i);
        type(line);
        begin(80);
    }
    assert_int_equal(edit.history.n_lines, 64);
    assert_string_equal(line_history_get(&edit.history, 0), "line 36");
    assert_string_equal(line_history_get(&edit.history, 63), "line 99");
    assert_null(line_history_get(&edit.history, 64));
}

static void history_of_long_lines_forgets_the_oldest(void **state)
{
    char line[LINE_EDIT_BYTES + 1];
    struct line_history *history = &edit.history;

    (void)state;
    for (int i = 0; i < 200; i++) {
        size_t n = 1 + (size_t)i * 5;

        memset(line, 'a' + i % 26, n);
        line[n] = '\0';
        line_history_add(history, line);
        assert_string_equal(line_history_get(history, history->n_lines - 1), line);
        assert_true(history->n_bytes <= LINE_HISTORY_BYTES);
    }
    assert_true(history->n_lines >= 15);
}

static void tab_completes_what_is_certain(void **state)
{
    (void)state;
    type("kf\t");
    assert_string_equal(edit.text, "kfree ");
    assert_string_equal(output, PROMPT "kfree ");
    type("\025help mm\t");
    assert_string_equal(edit.text, "help mm_stat ");
    type("\025o\t");
    assert_string_equal(edit.text, "option=");
    type("\025z\t");
    assert_string_equal(edit.text, "z");
    assert_int_equal(output[n_output - 1], '\a');
}

static void tab_lists_what_is_not_certain(void **state)
{
    (void)state;
    type("k\t");
    assert_row(0, PROMPT "k");
    assert_row(1, "  kfree    gives an object back");
    assert_row(3, "  kzalloc  takes a cleared object");
    assert_row(4, PROMPT "k");
    assert_int_equal(terminal.column, PROMPT_BYTES + 1);
    type("m\t8\r");
    assert_line("kmalloc 8");
}

static void tab_in_the_middle_keeps_the_rest(void **state)
{
    (void)state;
    type("x 5\001kz\004\t");
    assert_string_equal(edit.text, "kzalloc 5");
    assert_row(0, PROMPT "kzalloc 5");
}

static void too_long_a_line_is_refused_aloud(void **state)
{
    (void)state;
    for (int i = 0; i < LINE_EDIT_BYTES; i++)
        type("x");
    assert_null(strchr(output, '\a'));
    type("yz");
    assert_int_equal(edit.n_lost, 2);
    assert_int_equal(output[n_output - 1], '\a');
    type("\r");
    assert_int_equal(last_result, LINE_TOO_LONG);
    assert_int_equal(edit.length, LINE_EDIT_BYTES);
    assert_int_equal(edit.history.n_lines, 0);
    begin(80);
    type("ok\r");
    assert_line("ok");
}

static void strange_bytes_are_ignored(void **state)
{
    (void)state;
    type("a\xc3\xa9\xff\001\005\007\016\017\021\022\023\024\030\031\032\034\035\036\037\033[15~b\033Oq");
    assert_string_equal(edit.text, "ab");
    line_edit_key(&edit, 0);
    line_edit_key(&edit, KEY_PGUP);
    line_edit_key(&edit, KEY_INSERT);
    line_edit_key(&edit, 5000);
    line_edit_key(&edit, KEY_NONE);
    assert_row(0, PROMPT "ab");
}

static void ctrl_l_starts_at_the_top(void **state)
{
    (void)state;
    type("one\r");
    begin(80);
    type("two\014");
    assert_row(0, PROMPT "two");
    assert_row(1, "");
}

static void other_text_can_come_in_between(void **state)
{
    (void)state;
    type("abc\033[D");
    line_edit_hide(&edit);
    assert_row(0, "");
    show(NULL, "log line\n", 9);
    line_edit_show(&edit);
    assert_row(0, "log line");
    assert_row(1, PROMPT "abc");
    assert_int_equal(terminal.column, PROMPT_BYTES + 2);
}

static void other_text_can_come_into_a_long_line(void **state)
{
    (void)state;
    restart(40, 40);
    type("0123456789012345678901234567890123456789");
    line_edit_hide(&edit);
    show(NULL, "log line\n", 9);
    line_edit_show(&edit);
    assert_row(2, "log line");
    assert_row(3, PROMPT "0123456789012345678901234567890");
    assert_row(4, "123456789");
    type("\033[D\177x\r");
    assert_line("01234567890123456789012345678901234567x9");
}

static void edited_long_line_gets_a_row_of_its_own(void **state)
{
    (void)state;
    restart(40, 40);
    type("fill 0xffff800001234000 0x200000 0x5a");
    assert_row(0, PROMPT "fill 0xffff800001234000 0x20000");
    type("\001");
    assert_row(2, PROMPT "fill 0xffff800001234000 0x200>");
    assert_int_equal(terminal.column, PROMPT_BYTES);
    type("\005");
    assert_int_equal(terminal.row, 2);
    type("\177b\001F\004\r");
    assert_line("Fill 0xffff800001234000 0x200000 0x5b");
    assert_row(2, PROMPT "Fill 0xffff800001234000 0x20000");
    assert_row(3, "0 0x5b");
}

/* ---- random keys against a model that is a plain string ---- */

static void model_key(char *text, size_t *cursor, int key)
{
    size_t n = strlen(text);

    switch (key) {
    case KEY_LEFT: *cursor -= *cursor > 0; break;
    case KEY_RIGHT: *cursor += *cursor < n; break;
    case KEY_HOME: *cursor = 0; break;
    case KEY_END: *cursor = n; break;
    case KEY_BACKSPACE:
        if (*cursor > 0) {
            memmove(text + *cursor - 1, text + *cursor, n - *cursor + 1);
            (*cursor)--;
        }
        break;
    case KEY_DELETE:
        if (*cursor < n)
            memmove(text + *cursor, text + *cursor + 1, n - *cursor);
        break;
    default:
        memmove(text + *cursor + 1, text + *cursor, n - *cursor + 1);
        text[(*cursor)++] = (char)key;
        break;
    }
}

/* The row with the cursor shows the text around it: all of it, or the window with its marks. */
static void assert_shown(const char *text, size_t cursor)
{
    char row[COLUMNS_MAX + 1];
    size_t shift, n_row;

    row_text(terminal.row, row);
    n_row = strlen(row);
    if (edit.spilled)
        return;
    assert_memory_equal(row, PROMPT, PROMPT_BYTES - 1);
    assert_true(terminal.column >= PROMPT_BYTES);
    shift = cursor - (terminal.column - PROMPT_BYTES);
    for (size_t i = PROMPT_BYTES; i < n_row; i++) {
        char expected = text[shift + i - PROMPT_BYTES];

        if (i == PROMPT_BYTES && shift > 0)
            expected = '<';
        if (i + 1 == n_row && shift + n_row - PROMPT_BYTES < strlen(text))
            expected = '>';
        assert_int_equal(row[i], expected);
    }
}

static void random_editing_matches_a_plain_string(void **state)
{
    static const int moves[] = {
        KEY_LEFT, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_END, KEY_BACKSPACE, KEY_BACKSPACE, KEY_DELETE,
    };
    static const unsigned widths[][2] = {{80, 80}, {40, 40}, {120, 80}, {30, 29}};
    u64 seed = 0x11e;

    (void)state;
    for (int round = 0; round < 400; round++) {
        char text[512] = "";
        size_t cursor = 0;

        restart(widths[round % 4][0], widths[round % 4][1]);
        for (int i = 0; i < 250; i++) {
            int key = moves[random_below(&seed, 8)];

            if (random_below(&seed, 5) < 3)
                key = (int)('a' + random_below(&seed, 26));
            model_key(text, &cursor, key);
            assert_int_equal(line_edit_key(&edit, key), LINE_MORE);
            assert_string_equal(edit.text, text);
            assert_int_equal(edit.cursor, cursor);
            assert_shown(text, cursor);
        }
    }
}

static void any_bytes_do_no_harm(void **state)
{
    u64 seed = 0xabad1dea;

    (void)state;
    for (int i = 0; i < 300000; i++) {
        char byte[2] = {(char)(1 + random_below(&seed, 255)), '\0'};

        n_output = 0;
        type(byte);
        assert_true(edit.length <= LINE_EDIT_BYTES && edit.cursor <= edit.length);
        assert_int_equal(strlen(edit.text), edit.length);
        if (last_result != LINE_MORE)
            begin(20 + (unsigned)random_below(&seed, 100));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(typed_line_is_echoed_and_nothing_else, fresh),
        cmocka_unit_test_setup(every_enter_ends_one_line, fresh),
        cmocka_unit_test_setup(long_typed_line_is_echoed_plainly, fresh),
        cmocka_unit_test_setup(editing_in_the_middle_shows_the_line, fresh),
        cmocka_unit_test_setup(killing_takes_the_right_part, fresh),
        cmocka_unit_test_setup(ctrl_c_gives_the_line_up, fresh),
        cmocka_unit_test_setup(history_recalls_without_duplicates, fresh),
        cmocka_unit_test_setup(history_keeps_the_last_64, fresh),
        cmocka_unit_test_setup(history_of_long_lines_forgets_the_oldest, fresh),
        cmocka_unit_test_setup(tab_completes_what_is_certain, fresh),
        cmocka_unit_test_setup(tab_lists_what_is_not_certain, fresh),
        cmocka_unit_test_setup(tab_in_the_middle_keeps_the_rest, fresh),
        cmocka_unit_test_setup(too_long_a_line_is_refused_aloud, fresh),
        cmocka_unit_test_setup(strange_bytes_are_ignored, fresh),
        cmocka_unit_test_setup(ctrl_l_starts_at_the_top, fresh),
        cmocka_unit_test_setup(other_text_can_come_in_between, fresh),
        cmocka_unit_test_setup(other_text_can_come_into_a_long_line, fresh),
        cmocka_unit_test_setup(edited_long_line_gets_a_row_of_its_own, fresh),
        cmocka_unit_test_setup(random_editing_matches_a_plain_string, fresh),
        cmocka_unit_test_setup(any_bytes_do_no_harm, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
