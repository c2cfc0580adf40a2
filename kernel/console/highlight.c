/* SPDX-License-Identifier: MIT */
/*
 * Errors red, warnings yellow, success green, test diagnostics dim: commands need not know about colours,
 * and what goes to the serial line stays free of them.
 */
#include <kernel/console/highlight.h>
#include <lib/string.h>

#define RED "\033[91m"
#define GREEN "\033[92m"
#define YELLOW "\033[93m"
#define DIM "\033[90m"

static const struct {
    const char *start;
    bool word; /* the line must end, or a space follow */
    const char *colour;
} rules[] = {
    {"error:", false, RED},
    {"panic:", false, RED},
    {"not ok", true, RED},
    {"warning:", false, YELLOW},
    {"mm: bad ", false, YELLOW},
    {"ok", true, GREEN},
    {"# ", false, DIM},
};

/* Test results may be indented. */
static bool begins_with(const char *text, size_t n, const char *start, bool word)
{
    size_t n_start = strlen(start);

    for (; word && n > 0 && *text == ' '; text++)
        n--;
    if (n < n_start || strncmp(text, start, n_start) != 0)
        return false;
    return !word || n == n_start || text[n_start] == ' ' || text[n_start] == '\n';
}

const char *highlight_line(const char *text, size_t n)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (begins_with(text, n, rules[i].start, rules[i].word))
            return rules[i].colour;
    }
    return NULL;
}
