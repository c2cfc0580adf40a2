/* SPDX-License-Identifier: MIT */
/*
 * The line is in one of three states on the terminal:
 *
 *     fitting    tessera> kmalloc 80_            prompt and line leave at least one column of the row free
 *     spilled    tessera> fill 0xffff8000012     typed past the edge; the terminal wrapped it, the cursor is
 *                34000 2M 0x5a_                  at the end; which row the prompt is on is not known
 *     windowed   tessera> <8000012340_0 2M>      one row shows a part; < and > say that there is more
 *
 * Only the row that the cursor is on is ever rewritten: \r goes to its start, CSI K clears what is left over.
 */
#include <kernel/console/line_view.h>
#include <lib/printf.h>
#include <lib/string.h>

static void view_bytes(struct line_edit *edit, const char *text, size_t n)
{
    if (n > 0)
        edit->callbacks.write(edit->callbacks.context, text, n);
}

void line_view_write(struct line_edit *edit, const char *text)
{
    view_bytes(edit, text, strlen(text));
}

static bool view_fits(const struct line_edit *edit)
{
    return edit->prompt_columns + edit->length < edit->columns;
}

/* Columns for text in a windowed row; one stays free for the cursor. */
static size_t view_room(const struct line_edit *edit)
{
    return edit->columns - edit->prompt_columns - 1;
}

static void view_back(struct line_edit *edit, size_t n)
{
    char sequence[24];

    if (n == 0)
        return;
    if (n <= 3) {
        view_bytes(edit, "\b\b\b", n);
        return;
    }
    ksnprintf(sequence, sizeof(sequence), "\033[%zuD", n);
    line_view_write(edit, sequence);
}

/* Can the cursor stand where it is without touching a < or > of the window? */
static bool view_in_window(const struct line_edit *edit)
{
    size_t end = edit->window + view_room(edit);

    if (edit->cursor < edit->window || (edit->window > 0 && edit->cursor == edit->window))
        return false;
    return end >= edit->length ? edit->cursor <= end : edit->cursor + 2 <= end;
}

static void view_draw_window(struct line_edit *edit)
{
    size_t room = view_room(edit), end;

    if (!view_in_window(edit))
        edit->window = edit->cursor > room / 2 ? edit->cursor - room / 2 : 0;
    end = edit->window + room < edit->length ? edit->window + room : edit->length;

    if (edit->window > 0)
        line_view_write(edit, "<");
    view_bytes(edit, edit->text + edit->window + (edit->window > 0),
               end - edit->window - (edit->window > 0) - (end < edit->length));
    if (end < edit->length)
        line_view_write(edit, ">");
    line_view_write(edit, "\033[K");
    view_back(edit, end - edit->cursor);
}

/* Draws the row that the cursor is at the start of. */
static void view_draw_row(struct line_edit *edit)
{
    line_view_write(edit, edit->prompt);
    edit->windowed = !view_fits(edit);
    if (edit->windowed) {
        view_draw_window(edit);
        return;
    }
    edit->window = 0;
    view_bytes(edit, edit->text, edit->length);
    line_view_write(edit, "\033[K");
    view_back(edit, edit->length - edit->cursor);
}

void line_view_show(struct line_edit *edit)
{
    if (!edit->spilled && edit->length > 0) {
        view_draw_row(edit);
        return;
    }
    line_view_write(edit, edit->prompt);
    view_bytes(edit, edit->text, edit->length);
}

void line_view_own_row(struct line_edit *edit)
{
    if (!edit->spilled)
        return;
    edit->spilled = false;
    line_view_write(edit, "\n");
    view_draw_row(edit);
}

void line_view_appended(struct line_edit *edit, size_t n)
{
    if (edit->windowed && edit->length > edit->window + view_room(edit)) {
        line_view_changed(edit);
        return;
    }
    view_bytes(edit, edit->text + edit->length - n, n);
    edit->spilled = !edit->windowed && !view_fits(edit);
}

void line_view_rubbed_out(struct line_edit *edit)
{
    if (edit->windowed)
        line_view_changed(edit);
    else
        line_view_write(edit, "\b \b");
}

void line_view_moved(struct line_edit *edit, size_t from)
{
    if (edit->windowed && !view_in_window(edit))
        line_view_changed(edit);
    else if (from > edit->cursor)
        view_back(edit, from - edit->cursor);
    else
        view_bytes(edit, edit->text + from, edit->cursor - from);
}

void line_view_changed(struct line_edit *edit)
{
    line_view_write(edit, "\r");
    view_draw_row(edit);
}

void line_view_leave(struct line_edit *edit, const char *mark, bool whole)
{
    if (edit->windowed && whole) {
        line_view_write(edit, "\r\033[K");
        line_view_write(edit, edit->prompt);
        view_bytes(edit, edit->text, edit->length);
    } else if (!edit->windowed && mark[0] != '\0') {
        view_bytes(edit, edit->text + edit->cursor, edit->length - edit->cursor);
    }
    line_view_write(edit, mark);
    line_view_write(edit, "\n");
}

void line_edit_hide(struct line_edit *edit)
{
    line_view_write(edit, edit->spilled ? "\n" : "\r\033[K");
}

void line_edit_show(struct line_edit *edit)
{
    line_view_show(edit);
}
