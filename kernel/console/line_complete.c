/* SPDX-License-Identifier: MIT */
/* Candidates come from the shell; here they are compared, put in, or listed. */
#include <kernel/console/line_complete.h>
#include <kernel/console/line_view.h>
#include <lib/printf.h>
#include <lib/string.h>

#define LIST_GAP 2u   /* columns around a name */
#define NAME_MAX 40u  /* longer names push their help to the right */

/* How many characters all candidates have in common. */
static size_t common_bytes(const struct line_candidate *list, size_t n)
{
    size_t common = strlen(list[0].text);

    for (size_t i = 1; i < n; i++) {
        size_t same = 0;
        while (same < common && list[i].text[same] == list[0].text[same])
            same++;
        common = same;
    }
    return common;
}

/* Drops candidates that do not begin with what is typed; returns how many are left. */
static size_t keep_matching(struct line_candidate *list, size_t n, const char *typed, size_t n_typed)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (strncmp(list[i].text, typed, n_typed) == 0)
            list[n_kept++] = list[i];
    }
    return n_kept;
}

static size_t widest(const struct line_candidate *list, size_t n)
{
    size_t width = 0;

    for (size_t i = 0; i < n; i++) {
        size_t n_bytes = strlen(list[i].text);
        if (n_bytes > width)
            width = n_bytes;
    }
    return width < NAME_MAX ? width : NAME_MAX;
}

/* One candidate, padded to `width`, cut to what the row has left; returns the columns it took. */
static size_t list_one(struct line_edit *edit, const struct line_candidate *candidate, size_t width)
{
    char text[256];
    size_t room = edit->columns - 1;
    int n = ksnprintf(text, sizeof(text), "%*s%-*s%*s%s", (int)LIST_GAP, "", (int)width, candidate->text,
                      (int)LIST_GAP, "", candidate->help ? candidate->help : "");

    if (room >= sizeof(text))
        room = sizeof(text) - 1;
    if ((size_t)n > room)
        text[room] = '\0';
    line_view_write(edit, text);
    return (size_t)n;
}

static bool any_help(const struct line_candidate *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].help && list[i].help[0] != '\0')
            return true;
    }
    return false;
}

/* With help one to a row, without as many as fit. */
static void list_candidates(struct line_edit *edit, const struct line_candidate *list, size_t n,
                            size_t n_more)
{
    size_t width = widest(list, n), used = 0;
    bool single = any_help(list, n);
    char more[48];

    for (size_t i = 0; i < n; i++) {
        used += list_one(edit, &list[i], width);
        if (single || used + width + 2 * LIST_GAP >= edit->columns || i + 1 == n) {
            line_view_write(edit, "\n");
            used = 0;
        }
    }
    if (n_more > 0) {
        ksnprintf(more, sizeof(more), "  ... and %zu more\n", n_more);
        line_view_write(edit, more);
    }
}

/* Puts in what is certain; false when that is nothing. */
static bool complete_common(struct line_edit *edit, const struct line_candidate *list, size_t n,
                            size_t n_typed)
{
    size_t common = common_bytes(list, n), length = edit->length;

    line_edit_insert(edit, list[0].text + n_typed, common - n_typed);
    if (n == 1 && common > 0 && list[0].text[common - 1] != '=' && edit->text[edit->cursor] != ' ')
        line_edit_insert(edit, " ", 1);
    return edit->length > length;
}

void line_complete(struct line_edit *edit)
{
    struct line_candidate list[LINE_EDIT_N_CANDIDATES];
    size_t start = edit->cursor, n_all, n;

    if (!edit->callbacks.complete)
        return;
    n_all = edit->callbacks.complete(edit->callbacks.context, edit->text, edit->cursor, &start, list,
                                     LINE_EDIT_N_CANDIDATES);
    n = n_all < LINE_EDIT_N_CANDIDATES ? n_all : LINE_EDIT_N_CANDIDATES;
    if (start > edit->cursor)
        start = edit->cursor;
    n_all -= n;
    n = keep_matching(list, n, edit->text + start, edit->cursor - start);

    if (n == 0) {
        line_view_write(edit, "\a");
        return;
    }
    if (n_all == 0 && complete_common(edit, list, n, edit->cursor - start))
        return;
    line_view_leave(edit, "", false);
    list_candidates(edit, list, n, n_all);
    line_view_show(edit);
}
