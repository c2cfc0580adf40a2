/* SPDX-License-Identifier: MIT */
/*
 * The line editor behind the decoder of a serial terminal's bytes.  Input: the width that the editor is told (a byte),
 * then bytes as a terminal sends them, with a few that stand for something else:
 *
 *     f0      the line is taken away, something else is written, and it is shown again
 *     f1      nothing came for a while
 *     f2 k    the key 256 + k (arrows and the like)
 *     f3 c n  the byte c, 8 n times
 *
 * The text is what a plain editor makes of the keys; and what a person sees on the terminal (of just that width) is the
 * text, the cursor in its place, whatever the editor saved itself from drawing.
 */
#include <fuzz.h>

#include <kernel/console/key_stream.h>
#include <kernel/console/line_edit.h>
#include <kernel/console/terminal.h>
#include <line_model.h>

#include <stdlib.h>
#include <string.h>

#define PROMPT         "\033[1;36mtessera> \033[0m"
#define PROMPT_COLUMNS 9u
#define ROWS           6u
#define COLUMNS_MAX    (256u + PROMPT_COLUMNS)

static struct terminal_cell cells[COLUMNS_MAX * ROWS];
static struct terminal terminal;
static struct line_edit edit;
static struct key_stream stream;
static struct line_model model;
static bool in_a_run; /* in the middle of many equal bytes: not every one is looked at */

#define LOOKED_AT 40u

static void show(void *context, const char *text, size_t n)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        expect((u8)text[i] < 0x80);
    terminal_write(&terminal, text, n);
}

static const struct line_candidate candidates[] = {
    {"kfree", "gives an object back"}, {"kmalloc", "takes an object"}, {"kzalloc", "takes a cleared object"},
    {"map", NULL}, {"option=", NULL}, {"a-name-that-is-longer-than-forty-columns-and-has-no-help", NULL},
};

/* Also more than there is room for, and a start behind the cursor, as a careless completer might give. */
static size_t complete(void *context, const char *line, size_t cursor, size_t *start, struct line_candidate *list,
                       size_t n_max)
{
    size_t n = 0;

    (void)context;
    expect(line[edit.length] == '\0' && cursor <= edit.length);
    for (*start = cursor; *start > 0 && line[*start - 1] != ' ';)
        --*start;
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]) && n < n_max; i++)
        if (strncmp(candidates[i].text, line + *start, cursor - *start) == 0)
            list[n++] = candidates[i];
    if (cursor - *start == 3 && line[*start] == 'x')
        *start = cursor + 7;
    return line[*start <= cursor ? *start : cursor] == 'z' ? n + (n == n_max ? 100 : 0) : n;
}

/* ---- what is seen ---- */

static char seen(unsigned row, unsigned column)
{
    u16 code = cells[row * terminal.columns + column].code;

    expect(code >= ' ' && code < 0x7f);
    return (char)code;
}

static void expect_prompt(unsigned row)
{
    for (unsigned i = 0; i < PROMPT_COLUMNS; i++)
        expect(seen(row, i) == "tessera> "[i]);
}

/* The line stands on one row, from character `first` on. */
static void expect_row(size_t first, bool cut)
{
    unsigned row = terminal.row;
    size_t room = terminal.columns - PROMPT_COLUMNS;

    expect_prompt(row);
    expect(terminal.column == PROMPT_COLUMNS + edit.cursor - first && !terminal.wrap_pending);
    for (size_t i = 0; i < room; i++) {
        size_t at = first + i;
        char found = seen(row, PROMPT_COLUMNS + (unsigned)i);
        bool left_mark = cut && i == 0 && first > 0, right_mark = cut && i + 2 == room && at + 1 < edit.length;

        if (left_mark)
            expect(found == '<' && at != edit.cursor);
        else if (right_mark)
            expect(found == '>' && at != edit.cursor);
        else
            expect(found == (at < edit.length && (!cut || i + 1 < room) ? edit.text[at] : ' '));
    }
}

/* The line runs over rows, the cursor behind it; as much of it as the screen has is looked at, from the end. */
static void expect_spilled(void)
{
    size_t n = PROMPT_COLUMNS + edit.length, columns = terminal.columns;
    size_t last_row = (n - 1) / columns, last_column = (n - 1) % columns;

    expect(edit.cursor == edit.length);
    expect(terminal.wrap_pending == (last_column + 1 == columns));
    expect(terminal.column == (terminal.wrap_pending ? columns - 1 : last_column + 1));
    for (size_t i = n; i-- > PROMPT_COLUMNS;) {
        size_t up = last_row - i / columns;

        if (up > terminal.row)
            return;
        expect(seen(terminal.row - (unsigned)up, (unsigned)(i % columns)) == edit.text[i - PROMPT_COLUMNS]);
    }
    expect(last_row <= terminal.row);
    expect_prompt(terminal.row - (unsigned)last_row);
}

static void check(void)
{
    if (in_a_run)
        return;
    expect(edit.length <= LINE_EDIT_BYTES && edit.cursor <= edit.length && strlen(edit.text) == edit.length);
    expect(edit.length == model.length && memcmp(edit.text, model.text, edit.length) == 0);
    expect(edit.cursor == model.cursor && edit.n_lost == model.n_lost);
    expect(!(edit.spilled && edit.windowed));
    if (edit.spilled)
        expect_spilled();
    else
        expect_row(edit.windowed ? edit.window : 0, edit.windowed);
}

/* ---- what is typed ---- */

/* The completion may add what it likes at the cursor, and must leave the rest alone. */
static void take_completion(void)
{
    size_t n_added = edit.length - model.length;

    expect(edit.length >= model.length && edit.cursor == model.cursor + n_added);
    expect(memcmp(edit.text, model.text, model.cursor) == 0);
    expect(memcmp(edit.text + edit.cursor, model.text + model.cursor, model.length - model.cursor) == 0);
    expect(edit.n_lost >= model.n_lost);
    line_model_insert(&model, edit.text + model.cursor, n_added);
    model.n_lost = edit.n_lost;
}

static void judge_end(enum line_result result, enum line_result expected)
{
    expect(result == expected);
    expect(terminal.column == 0 && !terminal.wrap_pending);
    if (result == LINE_CANCELLED)
        expect(edit.text[0] == '\0');
    else
        expect(strcmp(edit.text, model.text) == 0);
}

static void press(int key)
{
    enum line_result expected, result;

    if (key == KEY_NONE)
        return;
    expected = line_model_key(&model, key);
    result = line_edit_key(&edit, key);
    if (key == '\t')
        take_completion();
    if (result == LINE_MORE && expected == LINE_MORE) {
        check();
        return;
    }
    judge_end(result, expected);
    line_model_begin(&model);
    line_edit_begin(&edit, PROMPT, terminal.columns);
    check();
}

static void interrupt(void)
{
    line_edit_hide(&edit);
    expect(terminal.column == 0);
    terminal_write(&terminal, "a log line\n", 11);
    line_edit_show(&edit);
    check();
}

static void take(struct fuzz_bytes *bytes)
{
    u8 byte = (u8)fuzz_number(bytes, 1);
    u64 n = 1;

    if (byte == 0xf0) {
        interrupt();
        return;
    }
    if (byte == 0xf1) {
        press(key_stream_idle(&stream));
        return;
    }
    if (byte == 0xf2) {
        press(256 + (int)fuzz_number(bytes, 1));
        return;
    }
    if (byte == 0xf3) {
        byte = (u8)fuzz_number(bytes, 1);
        n = 8 * fuzz_number(bytes, 1);
    }
    for (u64 i = 0; i < n; i++) {
        in_a_run = i >= LOOKED_AT && i + 1 < n;
        press(key_stream_push(&stream, byte));
    }
}

/* Whatever came before: Ctrl-C gets through, and a line typed then is that line. */
static void type_as_usual(void)
{
    static const char line[] = "kmalloc 80";

    press(key_stream_push(&stream, KEY_CTRL('C')));
    expect(edit.length == 0);
    for (unsigned i = 0; line[i] != '\0'; i++)
        press(key_stream_push(&stream, (u8)line[i]));
    expect(strcmp(edit.text, line) == 0);
    expect(key_stream_push(&stream, '\r') == KEY_ENTER);
    expect(line_edit_key(&edit, KEY_ENTER) == LINE_DONE);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    static const struct line_callbacks callbacks = {.write = show, .complete = complete};
    struct fuzz_bytes bytes = {data, n};
    unsigned told = (unsigned)fuzz_number(&bytes, 1), least = PROMPT_COLUMNS + 20;

    memset(&stream, 0, sizeof(stream));
    line_model_start(&model);
    terminal_start(&terminal, cells, told < least ? least : told, ROWS);
    line_edit_start(&edit, &callbacks);
    line_edit_begin(&edit, PROMPT, told);
    while (bytes.left > 0)
        take(&bytes);
    type_as_usual();
    return 0;
}
