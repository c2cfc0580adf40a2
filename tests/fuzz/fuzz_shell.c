/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a typed line before a command runs: words, numbers, suggestions, completion.  Input: the line.
 *
 * Words are what a second splitter, written from the grammar in words.h, makes of the line; quoted again and split again
 * they are the same.  A number is what a second evaluator, written from the grammar in expression.h, makes of it.
 */
#include <expression_model.h>
#include <fuzz.h>
#include <words_model.h>

#include <kernel/shell/command.h>
#include <kernel/shell/complete.h>
#include <kernel/shell/expression.h>
#include <kernel/shell/names.h>
#include <kernel/shell/suggest.h>
#include <kernel/shell/words.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_BYTES 96

/* ---- words ---- */

/* Adds a word so that it is taken as it stands: in single quotes, a single quote itself in double ones. */
static void quote(char *line, const char *word)
{
    char *end = line + strlen(line);

    *end++ = '\'';
    for (; *word != '\0'; word++)
        end += sprintf(end, *word == '\'' ? "'\"%c\"'" : "%c", *word);
    strcpy(end, "' ");
}

static void same_after_quoting(const struct words *words)
{
    static struct words again;
    static char line[6 * SHELL_LINE_BYTES];
    char error[ERROR_BYTES];
    const char *rest = line;

    line[0] = '\0';
    for (unsigned i = 0; i < words->n; i++)
        quote(line, words->word[i]);
    if (strlen(line) >= SHELL_LINE_BYTES)
        return;
    expect(words_next(&rest, &again, error, sizeof(error)) == WORDS_COMMAND);
    expect(again.n == words->n && strspn(rest, " ") == strlen(rest));
    for (unsigned i = 0; i < words->n; i++)
        expect(again.quoted[i] && strcmp(again.word[i], words->word[i]) == 0);
}

static void judge_words(const struct words *words)
{
    expect(words->n >= 1 && words->n <= SHELL_N_WORDS);
    for (unsigned i = 0; i < words->n; i++) {
        const char *word = words->word[i];

        expect(word >= words->text && word < words->text + SHELL_LINE_BYTES);
        expect(fuzz_is_ended(word, (size_t)(words->text + SHELL_LINE_BYTES - word)));
        for (; *word != '\0'; word++)
            expect((u8)*word >= ' ' || *word == '\t');
    }
    same_after_quoting(words);
}

/* ---- numbers ---- */

static void judge_error(const char *error)
{
    expect(fuzz_is_ended(error, ERROR_BYTES) && error[0] != '\0');
}

static void judge_number(const char *word)
{
    char error[ERROR_BYTES] = "";
    expression_model_wide expected = 0;
    bool sound = expression_model(word, &expected);
    u64 value = 0x5a5a5a5a;
    s64 number = 0x5a5a5a5a;

    bool fits = sound && expected >= 0 && expected <= (expression_model_wide)UINT64_MAX;
    expect(expression_value(word, &expression_model_names, &value, error, sizeof(error)) == fits);
    expect(value == (fits ? (u64)expected : 0x5a5a5a5a));
    if (!fits)
        judge_error(error);

    fits = sound && expected >= INT64_MIN && expected <= INT64_MAX;
    error[0] = '\0';
    expect(expression_signed(word, &expression_model_names, &number, error, sizeof(error)) == fits);
    expect(number == (fits ? (s64)expected : 0x5a5a5a5a));
    if (!fits)
        judge_error(error);
    expect(!expression_is_negative(word) || word[0] == '-');
}

/* ---- names ---- */

static void judge_name(const char *word, const char *other)
{
    struct map_flags flags = MAP_FLAGS_DEFAULT;
    unsigned zone = 0, distance = suggest_distance(word, other);
    const char *nearest = command_nearest(word);
    ul attribute = 0;

    expect(names_zone(word, &zone) == (zone != 0));
    expect(names_attribute(word, &attribute) == (attribute != 0));
    names_map_flag(word, &flags);
    expect(names_mapping(flags.flags).s[0] != '\0');
    expect(nearest == NULL || command_find(nearest) != NULL);
    expect(distance == suggest_distance(other, word) && suggest_distance(word, word) == 0);
    expect(distance <= SUGGEST_N_BYTES);
}

/* ---- completion ---- */

static void judge_completion(const char *line, size_t cursor, size_t n_max)
{
    struct line_candidate list[LINE_EDIT_N_CANDIDATES];
    size_t start = ~(size_t)0, n = complete_word(NULL, line, cursor, &start, list, n_max);

    expect(start <= cursor);
    for (size_t i = 0; i < n && i < n_max; i++)
        expect(strncmp(list[i].text, line + start, cursor - start) == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    static struct words words;
    char error[ERROR_BYTES] = "", *line = fuzz_text(data, n);
    const char *rest = line, *before = line, *expected = line;
    enum words_result result;

    memset(&words, 0xa5, sizeof(words));
    while ((result = words_next(&rest, &words, error, sizeof(error))) == WORDS_COMMAND) {
        expect(words_model_agrees(&expected, result, &words));
        expect(rest > before && rest <= line + strlen(line));
        before = rest;
        judge_words(&words);
        for (unsigned i = 0; i < words.n; i++) {
            judge_number(words.word[i]);
            judge_name(words.word[i], words.word[words.n - 1 - i]);
        }
    }
    expect(words_model_agrees(&expected, result, &words));
    if (result == WORDS_ERROR)
        judge_error(error);
    for (size_t cursor = 0; cursor <= strlen(line) && cursor < 256; cursor++)
        judge_completion(line, cursor, cursor % LINE_EDIT_N_CANDIDATES);
    free(line);
    return 0;
}
