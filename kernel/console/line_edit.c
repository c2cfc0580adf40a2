/* SPDX-License-Identifier: MIT */
/*
 * What the keys do to the text.  Everything goes through four small changes (insert, remove, move,
 * replace), each of which tells line_view.c what happened, so that it can do with the least output.
 *
 * A line that is too long is never cut in silence: the bell rings, what does not fit is counted, and Enter
 * then gives LINE_TOO_LONG.  Editing the line means that the person has seen it: the count starts afresh.
 */
#include <kernel/console/keys.h>
#include <kernel/console/line_complete.h>
#include <kernel/console/line_edit.h>
#include <kernel/console/line_view.h>
#include <lib/string.h>

#define COLUMNS_BESIDE_PROMPT 20

void line_edit_start(struct line_edit *edit, const struct line_callbacks *callbacks)
{
    memset(edit, 0, sizeof(*edit));
    edit->callbacks = *callbacks;
}

/* The columns that a prompt takes: its colours take none. */
static size_t visible_columns(const char *text)
{
    size_t n = 0;

    while (*text != '\0') {
        if (*text != '\033') {
            n++;
            text++;
            continue;
        }
        while (*text != '\0' && *text != 'm')
            text++;
        text += *text == 'm';
    }
    return n;
}

void line_edit_begin(struct line_edit *edit, const char *prompt, unsigned columns)
{
    edit->text[0] = '\0';
    edit->length = edit->cursor = edit->n_lost = 0;
    edit->prompt = prompt;
    edit->prompt_columns = visible_columns(prompt);
    edit->columns = edit->prompt_columns + COLUMNS_BESIDE_PROMPT;
    if (columns > edit->columns)
        edit->columns = columns;
    edit->spilled = edit->windowed = false;
    edit->window = 0;
    edit->recalled = 0;
    line_view_show(edit);
}

void line_edit_insert(struct line_edit *edit, const char *text, size_t n)
{
    size_t n_fitting = LINE_EDIT_BYTES - edit->length;

    if (n > n_fitting) {
        if (edit->n_lost == 0)
            line_view_write(edit, "\a");
        edit->n_lost += n - n_fitting;
        n = n_fitting;
    }
    if (n == 0)
        return;

    memmove(edit->text + edit->cursor + n, edit->text + edit->cursor, edit->length - edit->cursor + 1);
    memcpy(edit->text + edit->cursor, text, n);
    edit->cursor += n;
    edit->length += n;
    if (edit->cursor == edit->length)
        line_view_appended(edit, n);
    else
        line_view_changed(edit);
}

/* Removes [from, to); the cursor goes to `from`. */
static void edit_remove(struct line_edit *edit, size_t from, size_t to)
{
    bool last = to == edit->length && edit->cursor == to && to - from == 1;

    if (from == to)
        return;
    line_view_own_row(edit);
    memmove(edit->text + from, edit->text + to, edit->length - to + 1);
    edit->length -= to - from;
    edit->cursor = from;
    edit->n_lost = 0;
    if (last)
        line_view_rubbed_out(edit);
    else
        line_view_changed(edit);
}

static void edit_move(struct line_edit *edit, size_t to)
{
    size_t from = edit->cursor;

    if (to == from)
        return;
    line_view_own_row(edit);
    edit->cursor = to;
    line_view_moved(edit, from);
}

static void edit_replace(struct line_edit *edit, const char *text)
{
    line_view_own_row(edit);
    str_copy(edit->text, sizeof(edit->text), text);
    edit->length = edit->cursor = strlen(edit->text);
    edit->n_lost = 0;
    line_view_changed(edit);
}

/* Where the word before the cursor begins. */
static size_t word_start(const struct line_edit *edit)
{
    size_t at = edit->cursor;

    while (at > 0 && edit->text[at - 1] == ' ')
        at--;
    while (at > 0 && edit->text[at - 1] != ' ')
        at--;
    return at;
}

static void edit_older(struct line_edit *edit)
{
    if (edit->recalled == edit->history.n_lines)
        return;
    if (edit->recalled == 0)
        memcpy(edit->own, edit->text, edit->length + 1);
    edit->recalled++;
    edit_replace(edit, line_history_get(&edit->history, edit->history.n_lines - edit->recalled));
}

static void edit_newer(struct line_edit *edit)
{
    if (edit->recalled == 0)
        return;
    edit->recalled--;
    if (edit->recalled == 0)
        edit_replace(edit, edit->own);
    else
        edit_replace(edit, line_history_get(&edit->history, edit->history.n_lines - edit->recalled));
}

static void edit_clear_screen(struct line_edit *edit)
{
    line_view_write(edit, "\033[H\033[2J");
    line_view_show(edit);
}

static void edit_control(struct line_edit *edit, int key)
{
    size_t next = edit->cursor + (edit->cursor < edit->length), before = edit->cursor - (edit->cursor > 0);

    switch (key) {
    case KEY_CTRL('A'): case KEY_HOME: edit_move(edit, 0); break;
    case KEY_CTRL('E'): case KEY_END: edit_move(edit, edit->length); break;
    case KEY_CTRL('B'): case KEY_LEFT: edit_move(edit, before); break;
    case KEY_CTRL('F'): case KEY_RIGHT: edit_move(edit, next); break;
    case KEY_CTRL('P'): case KEY_UP: edit_older(edit); break;
    case KEY_CTRL('N'): case KEY_DOWN: edit_newer(edit); break;
    case KEY_BACKSPACE: case KEY_RUBOUT: edit_remove(edit, before, edit->cursor); break;
    case KEY_CTRL('D'): case KEY_DELETE: edit_remove(edit, edit->cursor, next); break;
    case KEY_CTRL('K'): edit_remove(edit, edit->cursor, edit->length); break;
    case KEY_CTRL('U'): edit_remove(edit, 0, edit->cursor); break;
    case KEY_CTRL('W'): edit_remove(edit, word_start(edit), edit->cursor); break;
    case KEY_CTRL('L'): edit_clear_screen(edit); break;
    case '\t': line_complete(edit); break;
    default: break;
    }
}

static enum line_result edit_finish(struct line_edit *edit)
{
    line_view_leave(edit, "", true);
    if (edit->n_lost > 0)
        return LINE_TOO_LONG;
    line_history_add(&edit->history, edit->text);
    return LINE_DONE;
}

static enum line_result edit_cancel(struct line_edit *edit)
{
    line_view_leave(edit, "^C", false);
    edit->text[0] = '\0';
    edit->length = edit->cursor = edit->n_lost = 0;
    return LINE_CANCELLED;
}

enum line_result line_edit_key(struct line_edit *edit, int key)
{
    char character = (char)key;

    if (key == '\r' || key == '\n')
        return edit_finish(edit);
    if (key == KEY_CTRL('C'))
        return edit_cancel(edit);
    if (key >= 0x20 && key < KEY_RUBOUT)
        line_edit_insert(edit, &character, 1);
    else
        edit_control(edit, key);
    return LINE_MORE;
}
