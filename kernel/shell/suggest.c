/* SPDX-License-Identifier: MIT */
/*
 * Edit distance with neighbour swaps ("optimal string alignment"), row by row: three rows of SUGGEST_N_BYTES
 * + 1.
 */
#include <kernel/shell/suggest.h>

#include <lib/string.h>

#define N_COLUMNS (SUGGEST_N_BYTES + 1)

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The same, be it capital or small. */
static bool same_letter(char a, char b)
{
    char lower_a = (char)(a | 0x20), lower_b = (char)(b | 0x20);
    return a == b || (lower_a == lower_b && lower_a >= 'a' && lower_a <= 'z');
}

/* One row: row[j] = distance of the first i bytes of a and the first j of b. */
static void next_row(const char *a, size_t i, const char *b, size_t n_b, unsigned rows[3][N_COLUMNS])
{
    unsigned *row = rows[i % 3];
    const unsigned *above = rows[(i + 2) % 3];
    const unsigned *two_above = rows[(i + 1) % 3];
    row[0] = (unsigned)i;
    for (size_t j = 1; j <= n_b; j++) {
        unsigned replace = above[j - 1] + !same_letter(a[i - 1], b[j - 1]);
        row[j] = least(replace, 1 + least(above[j], row[j - 1]));
        if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]))
            row[j] = least(row[j], two_above[j - 2] + 1);
    }
}

unsigned suggest_distance(const char *a, const char *b)
{
    unsigned rows[3][N_COLUMNS];
    size_t n_a = strnlen(a, SUGGEST_N_BYTES), n_b = strnlen(b, SUGGEST_N_BYTES);
    for (size_t j = 0; j <= n_b; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n_a; i++)
        next_row(a, i, b, n_b, rows);
    return rows[n_a % 3][n_b];
}

void suggest_start(struct suggestion *s, const char *word)
{
    /* A third of the letters may be wrong, at least one: "fere" is free, "xyzzy" is nothing. */
    size_t length = strnlen(word, SUGGEST_N_BYTES);
    *s = (struct suggestion){word, NULL, 2 + (unsigned)length / 3};
}

void suggest_try(struct suggestion *s, const char *candidate)
{
    unsigned distance = suggest_distance(s->word, candidate);
    /* Of equally near ones the first; a distance as long as the word would share nothing with it. */
    if (distance >= s->distance || distance >= strlen(candidate))
        return;
    s->best = candidate;
    s->distance = distance;
}
