/* SPDX-License-Identifier: MIT */
/*
 * Memory maps as text.  Strict on purpose: what is not exactly a map is an error that names the line, because
 * a map that is silently read wrong would make every answer about it wrong.
 */
#define _GNU_SOURCE
#include "map_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

/* The value of a digit, or a number that is no digit in any base. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 255;
}

/* Reads one number, at most `most`, that ends at a blank or at the end.  NULL, or what is wrong. */
static const char *read_number(const char **s, unsigned base, u64 most, u64 *value)
{
    const char *at = skip_blanks(*s);

    if (*at == '\0')
        return "is missing";
    if (base == 16) {
        if (at[0] != '0' || (at[1] != 'x' && at[1] != 'X'))
            return "does not begin with 0x";
        at += 2;
    }
    if (digit_value(*at) >= base)
        return "is not a number";
    for (*value = 0; digit_value(*at) < base; at++) {
        unsigned digit = digit_value(*at);

        if (*value > (most - digit) / base)
            return "is too large";
        *value = *value * base + digit;
    }
    if (*at != '\0' && strchr(" \t\r\n", *at) == NULL)
        return "is not a number";
    *s = at;
    return NULL;
}

/* One line into an entry: NULL, or what is wrong, and with which of its parts. */
static const char *read_entry(const char *line, struct memory_map_entry *entry, const char **part)
{
    const char *wrong;
    u64 type = 0;

    *part = "base";
    if ((wrong = read_number(&line, 16, UINT64_MAX, &entry->base)) != NULL)
        return wrong;
    *part = "length";
    if ((wrong = read_number(&line, 16, UINT64_MAX, &entry->length)) != NULL)
        return wrong;
    *part = "type";
    if ((wrong = read_number(&line, 10, UINT32_MAX, &type)) != NULL)
        return wrong;
    entry->type = (u32)type;
    *part = "end of the line";
    return *skip_blanks(line) == '\0' ? NULL : "is not where it should be: more than three numbers";
}

/* Makes room for one entry more. */
static bool make_room(struct map_text *text)
{
    if (text->map.n_entries < text->n_room)
        return true;

    u64 n_room = text->n_room == 0 ? 64 : 2 * text->n_room;
    struct memory_map_entry *entries = realloc(text->entries, n_room * sizeof(*entries));

    if (entries == NULL)
        return false;
    text->entries = entries;

    unsigned *lines = realloc(text->lines, n_room * sizeof(*lines));

    if (lines == NULL)
        return false;
    text->lines = lines;
    text->n_room = n_room;
    return true;
}

/* Reads one line of n_bytes; false with `error` filled. */
static bool take_line(struct map_text *text, const char *line, size_t n_bytes, const char *name,
                      unsigned number, char *error)
{
    const char *start = skip_blanks(line), *part = "line", *wrong = NULL;

    if (strlen(line) != n_bytes)
        wrong = "contains a zero byte";
    else if (*start == '\0' || *start == '#')
        return true;
    else if (!make_room(text))
        wrong = "finds no memory";
    else
        wrong = read_entry(line, &text->entries[text->map.n_entries], &part);
    if (wrong != NULL) {
        snprintf(error, MAP_TEXT_ERROR_BYTES, "%s:%u: %s %s", name, number, part, wrong);
        return false;
    }
    text->lines[text->map.n_entries++] = number;
    return true;
}

bool map_text_read(struct map_text *text, FILE *file, const char *name, char error[MAP_TEXT_ERROR_BYTES])
{
    char *line = NULL;
    size_t line_room = 0;
    ssize_t n_bytes;
    unsigned number = 0;
    bool good = true;

    *text = (struct map_text){.map.stride_bytes = sizeof(struct memory_map_entry)};
    while (good && (n_bytes = getline(&line, &line_room, file)) >= 0)
        good = take_line(text, line, (size_t)n_bytes, name, ++number, error);
    if (good && !feof(file)) {
        snprintf(error, MAP_TEXT_ERROR_BYTES, "%s: %s", name, strerror(errno));
        good = false;
    }
    free(line);
    text->map.entries = text->entries;
    if (!good)
        map_text_free(text);
    return good;
}

void map_text_free(struct map_text *text)
{
    free(text->entries);
    free(text->lines);
    *text = (struct map_text){0};
}
