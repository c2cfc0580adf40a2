/* SPDX-License-Identifier: MIT */
/*
 * A second splitter, in two steps: each byte of the line becomes a mark that says what it is, quotes and backslashes
 * being gone then; and the marks are cut into words at blanks, into a command at a semicolon.
 */
#include <words_model.h>

#include <string.h>

enum mark_kind { MARK_END, MARK_BLANK, MARK_SEMICOLON, MARK_QUOTE, MARK_BYTE, MARK_WRONG };

struct mark {
    enum mark_kind kind;
    char byte;
    bool is_quoted;
};

/* Where the line is read; `quote` is the one that is open, or 0. */
struct reader {
    const char *at;
    char quote;
    bool in_word;
};

static struct mark plain(struct reader *r)
{
    char c = *r->at;

    if (c == '\0' || (c == '#' && !r->in_word))
        return (struct mark){.kind = MARK_END};
    r->at++;
    if (strchr(" \t\r\n", c) != NULL)
        return (struct mark){.kind = MARK_BLANK};
    if (c == ';')
        return (struct mark){.kind = MARK_SEMICOLON};
    if (c == '\'' || c == '"') {
        r->quote = c;
        return (struct mark){.kind = MARK_QUOTE};
    }
    return (struct mark){.kind = (u8)c < ' ' ? MARK_WRONG : MARK_BYTE, .byte = c};
}

static struct mark quoted(struct reader *r)
{
    bool escapes = r->quote == '"' && r->at[0] == '\\' && (r->at[1] == '"' || r->at[1] == '\\');
    char c = r->at[escapes];

    if (c == '\0')
        return (struct mark){.kind = MARK_WRONG};
    r->at += escapes + 1;
    if (c == r->quote && !escapes) {
        r->quote = 0;
        return (struct mark){.kind = MARK_QUOTE};
    }
    return (struct mark){(u8)c < ' ' && c != '\t' ? MARK_WRONG : MARK_BYTE, c, true};
}

static struct mark next(struct reader *r)
{
    struct mark mark = r->quote != 0 ? quoted(r) : plain(r);

    r->in_word = mark.kind == MARK_QUOTE || mark.kind == MARK_BYTE;
    return mark;
}

/* One word; the mark that ended it. */
static struct mark take_word(struct reader *r, struct mark first, char *text, bool *is_quoted)
{
    size_t n = 0;

    *is_quoted = false;
    for (; r->in_word; first = next(r)) {
        *is_quoted |= first.kind == MARK_QUOTE;
        if (first.kind == MARK_BYTE)
            text[n++] = first.byte;
    }
    text[n] = '\0';
    return first;
}

/* The words of one command, each held against the n that were found; how many there are, or -1 when it is malformed. */
static int compare(struct reader *r, const struct words *words, bool *same)
{
    char text[SHELL_LINE_BYTES];
    struct mark mark = next(r);
    int n = 0;

    *same = true;
    while (mark.kind != MARK_END && mark.kind != MARK_WRONG && !(mark.kind == MARK_SEMICOLON && n > 0)) {
        bool is_quoted, is_word = r->in_word;

        if (!is_word) {
            mark = next(r);
            continue;
        }
        mark = take_word(r, mark, text, &is_quoted);
        *same = *same && n < (int)words->n && strcmp(words->word[n], text) == 0 && words->quoted[n] == is_quoted;
        n++;
    }
    return mark.kind == MARK_WRONG || n > SHELL_N_WORDS ? -1 : n;
}

bool words_model_agrees(const char **line, enum words_result result, const struct words *words)
{
    struct reader reader = {.at = *line};
    bool same;
    int n;

    if (strlen(*line) >= SHELL_LINE_BYTES)
        return result == WORDS_ERROR;
    n = compare(&reader, words, &same);
    *line = reader.at;
    if (n < 0)
        return result == WORDS_ERROR;
    return result == (n == 0 ? WORDS_END : WORDS_COMMAND) && (n == 0 || (same && n == (int)words->n));
}
