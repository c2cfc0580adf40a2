/* SPDX-License-Identifier: MIT */
/*
 * Splitting a line: one pass, one byte at a time, into the fixed buffer of struct words.  What is written is
 * never longer than what is read, so the length check at the start is the only one that the text needs.
 */
#include <kernel/shell/words.h>

#include <lib/printf.h>
#include <lib/string.h>

/* Where the split stands. */
struct splitter {
    const char *in;
    struct words *words;
    size_t n_text; /* bytes of words->text in use */
    bool in_word;
    char *error;
    size_t error_size;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool fail(struct splitter *s, const char *what, unsigned value)
{
    ksnprintf(s->error, s->error_size, what, value);
    return false;
}

static bool word_begin(struct splitter *s)
{
    struct words *words = s->words;
    if (s->in_word)
        return true;
    if (words->n == SHELL_N_WORDS)
        return fail(s, "more than %u words in one command", SHELL_N_WORDS);
    words->word[words->n] = words->text + s->n_text;
    words->quoted[words->n] = false;
    words->n++;
    s->in_word = true;
    return true;
}

static bool word_put(struct splitter *s, char c)
{
    if ((unsigned char)c < ' ' && c != '\t')
        return fail(s, "control character 0x%02x in the line", (unsigned char)c);
    s->words->text[s->n_text++] = c;
    return true;
}

static void word_end(struct splitter *s)
{
    if (s->in_word)
        s->words->text[s->n_text++] = 0;
    s->in_word = false;
}

/* A quoted part; s->in is at the opening quote and ends behind the closing one. */
static bool take_quoted(struct splitter *s)
{
    char quote = *s->in++;
    s->words->quoted[s->words->n - 1] = true;
    while (*s->in != quote) {
        if (quote == '"' && *s->in == '\\' && (s->in[1] == '"' || s->in[1] == '\\'))
            s->in++;
        if (!*s->in)
            return fail(s, "the quote %c is not closed", (unsigned char)quote);
        if (!word_put(s, *s->in++))
            return false;
    }
    s->in++;
    return true;
}

/* One byte, or one quoted part, of the command. */
static bool take(struct splitter *s)
{
    char c = *s->in;
    if (is_blank(c)) {
        word_end(s);
        s->in++;
        return true;
    }
    if (!word_begin(s))
        return false;
    if (c == '\'' || c == '"')
        return take_quoted(s);
    s->in++;
    return word_put(s, c);
}

static bool at_comment(const struct splitter *s)
{
    return *s->in == '#' && !s->in_word;
}

enum words_result words_next(const char **line, struct words *out, char *error, size_t error_size)
{
    struct splitter s = {.in = *line, .words = out, .error = error, .error_size = error_size};
    out->n = 0;
    if (strlen(*line) >= SHELL_LINE_BYTES) {
        fail(&s, "the line is longer than %u bytes", SHELL_LINE_BYTES - 1);
        return WORDS_ERROR;
    }
    while (*s.in && !(*s.in == ';' && out->n) && !at_comment(&s)) {
        if (*s.in == ';')
            s.in++;
        else if (!take(&s))
            return WORDS_ERROR;
    }
    word_end(&s);
    *line = at_comment(&s) ? s.in + strlen(s.in) : s.in;
    return out->n ? WORDS_COMMAND : WORDS_END;
}
