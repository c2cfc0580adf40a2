/* SPDX-License-Identifier: MIT */
/* A typed line into commands and words. */
#include "cmocka_all.h"

#include <kernel/shell/words.h>
#include <lib/string.h>

static struct words words;
static char error[128];

static void expect_words(const char **line, unsigned n, const char *const *expected)
{
    assert_int_equal(words_next(line, &words, error, sizeof error), WORDS_COMMAND);
    assert_int_equal(words.n, n);
    for (unsigned i = 0; i < n; i++)
        assert_string_equal(words.word[i], expected[i]);
}

static void expect_error(const char *line, const char *expected)
{
    error[0] = 0;
    assert_int_equal(words_next(&line, &words, error, sizeof error), WORDS_ERROR);
    assert_string_equal(error, expected);
}

static void blanks_separate_words(void **state)
{
    const char *line = "  alloc_pages\tnormal   4 ";
    (void)state;
    expect_words(&line, 3, (const char *const[]){"alloc_pages", "normal", "4"});
    assert_int_equal(words_next(&line, &words, error, sizeof error), WORDS_END);
}

static void semicolons_separate_commands(void **state)
{
    const char *line = ";; zones;buddy -j ;; ; poweroff;";
    (void)state;
    expect_words(&line, 1, (const char *const[]){"zones"});
    expect_words(&line, 2, (const char *const[]){"buddy", "-j"});
    expect_words(&line, 1, (const char *const[]){"poweroff"});
    assert_int_equal(words_next(&line, &words, error, sizeof error), WORDS_END);
}

static void quotes_hold_blanks_and_semicolons(void **state)
{
    const char *line = "repeat 3 \"a; b\" 'c \"d\"' e\" f\"g ''";
    (void)state;
    expect_words(&line, 6, (const char *const[]){"repeat", "3", "a; b", "c \"d\"", "e fg", ""});
    assert_false(words.quoted[1]);
    assert_true(words.quoted[2]);
    assert_true(words.quoted[4]);
    assert_true(words.quoted[5]);
}

static void backslash_escapes_in_double_quotes_only(void **state)
{
    const char *line = "\"a\\\"b\\\\c\\d\" 'e\\' f\\g";
    (void)state;
    expect_words(&line, 3, (const char *const[]){"a\"b\\c\\d", "e\\", "f\\g"});
}

static void a_comment_ends_the_line(void **state)
{
    const char *line = "check # ; poweroff", *inside = "find a#b";
    (void)state;
    expect_words(&line, 1, (const char *const[]){"check"});
    assert_int_equal(words_next(&line, &words, error, sizeof error), WORDS_END);
    expect_words(&inside, 2, (const char *const[]){"find", "a#b"});
}

static void errors_name_the_bad_thing(void **state)
{
    char longest[SHELL_LINE_BYTES + 1], many[2 * SHELL_N_WORDS + 3];
    (void)state;
    expect_error("find 1 2 \"abc", "the quote \" is not closed");
    expect_error("'abc\\'d'", "the quote ' is not closed");
    expect_error("zo\001nes", "control character 0x01 in the line");
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = 0;
    expect_error(longest, "the line is longer than 2047 bytes");
    for (size_t i = 0; i < sizeof many - 1; i++)
        many[i] = i % 2 ? ' ' : 'a';
    many[sizeof many - 1] = 0;
    expect_error(many, "more than 48 words in one command");
}

static void the_longest_line_fits(void **state)
{
    char line[SHELL_LINE_BYTES];
    const char *at = line;
    (void)state;
    memset(line, 'a', sizeof line);
    line[sizeof line - 1] = 0;
    assert_int_equal(words_next(&at, &words, error, sizeof error), WORDS_COMMAND);
    assert_int_equal(strlen(words.word[0]), SHELL_LINE_BYTES - 1);
}

/* Whatever comes in: words lie inside the text, and the line ends after finitely many steps. */
static void any_bytes_are_survived(void **state)
{
    static const char alphabet[] = "ab ;;\"\"''\\ \t#-$0\x01\xff";
    u64 seed = 11;
    (void)state;
    for (unsigned round = 0; round < 50000; round++) {
        char text[96];
        const char *line = text;
        size_t n = random_below(&seed, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = alphabet[random_below(&seed, sizeof alphabet - 1)];
        text[n] = 0;
        unsigned n_commands = 0;
        while (words_next(&line, &words, error, sizeof error) == WORDS_COMMAND) {
            assert_in_range(words.n, 1, SHELL_N_WORDS);
            assert_true(line <= text + n);
            assert_true(words.word[words.n - 1] + strlen(words.word[words.n - 1]) <
                        words.text + sizeof words.text);
            assert_true(++n_commands <= n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_separate_words),
        cmocka_unit_test(semicolons_separate_commands),
        cmocka_unit_test(quotes_hold_blanks_and_semicolons),
        cmocka_unit_test(backslash_escapes_in_double_quotes_only),
        cmocka_unit_test(a_comment_ends_the_line),
        cmocka_unit_test(errors_name_the_bad_thing),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
