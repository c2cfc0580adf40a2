/* SPDX-License-Identifier: MIT */
/*
 * One buffer of strings end to end: taking one out closes the gap, so nothing is wasted and nothing is
 * allocated.
 */
#include <kernel/console/line_history.h>
#include <lib/string.h>

/* Takes out the line that starts at `at`. */
static void history_remove(struct line_history *history, size_t at)
{
    size_t n = strlen(history->text + at) + 1;

    memmove(history->text + at, history->text + at + n, history->n_bytes - at - n);
    history->n_bytes -= n;
    history->n_lines--;
}

static void history_remove_equal(struct line_history *history, const char *line)
{
    size_t at = 0;

    while (at < history->n_bytes) {
        if (strcmp(history->text + at, line) == 0) {
            history_remove(history, at);
            return;
        }
        at += strlen(history->text + at) + 1;
    }
}

static bool is_blank(const char *line)
{
    while (*line == ' ')
        line++;
    return *line == '\0';
}

void line_history_add(struct line_history *history, const char *line)
{
    size_t n = strlen(line) + 1;

    if (is_blank(line) || n > LINE_HISTORY_BYTES)
        return;
    history_remove_equal(history, line);
    while (history->n_lines >= LINE_HISTORY_N || history->n_bytes + n > LINE_HISTORY_BYTES)
        history_remove(history, 0);
    memcpy(history->text + history->n_bytes, line, n);
    history->n_bytes += n;
    history->n_lines++;
}

const char *line_history_get(const struct line_history *history, unsigned i)
{
    const char *line = history->text;

    if (i >= history->n_lines)
        return NULL;
    while (i-- > 0)
        line += strlen(line) + 1;
    return line;
}
