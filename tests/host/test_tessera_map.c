/* SPDX-License-Identifier: MIT */
/* Tests of the program tessera-map: its main is compiled in here and called with a file, its output read
 * back. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <unistd.h>

int tessera_map_main(int n_words, char **words);

#define main tessera_map_main
#include "tessera_map.c"
#undef main

#define OUTPUT_BYTES 4096

struct outcome {
    int status;
    char out[OUTPUT_BYTES];
    char err[OUTPUT_BYTES];
};

static const char mixed_map[] = "# a comment\n"
                                "0x100000 0x10000 1\n"
                                "0x104800 0x800 2\n"
                                "0x0 0x9fc00 1\n"
                                "0x200000 0x0 1\n"
                                "0xfffffffffffff000 0x2000 1\n";

/* Makes `fd` write to a new nameless file until restored; gives the old one. */
static int divert(int fd, FILE **file)
{
    int old = dup(fd);

    *file = tmpfile();
    assert_non_null(*file);
    assert_true(old >= 0 && dup2(fileno(*file), fd) >= 0);
    return old;
}

static void restore(int fd, int old, FILE *file, char *text)
{
    assert_true(dup2(old, fd) >= 0);
    close(old);
    rewind(file);
    text[fread(text, 1, OUTPUT_BYTES - 1, file)] = '\0';
    fclose(file);
}

/* Runs the program on a map in a temporary file ("MAP" among the words stands for its path). */
static struct outcome run(const char *map, char **words, int n_words)
{
    char path[] = "/tmp/tessera-map-XXXXXX";
    struct outcome outcome = {0};
    int fd = mkstemp(path);
    FILE *out, *err;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, map, strlen(map)), strlen(map));
    close(fd);
    for (int i = 0; i < n_words; i++)
        if (strcmp(words[i], "MAP") == 0)
            words[i] = path;
    fflush(stdout);
    int old_out = divert(STDOUT_FILENO, &out), old_err = divert(STDERR_FILENO, &err);
    outcome.status = tessera_map_main(n_words, words);
    fflush(stdout);
    restore(STDOUT_FILENO, old_out, out, outcome.out);
    restore(STDERR_FILENO, old_err, err, outcome.err);
    unlink(path);
    return outcome;
}

#define RUN(map, ...)                                                                                        \
    run(map, (char *[]){"tessera-map", __VA_ARGS__},                                                         \
        (int)(sizeof((char *[]){"", __VA_ARGS__}) / sizeof(char *)))

static void json_is_one_line_with_the_total_and_the_ranges(void **unused)
{
    struct outcome outcome = RUN(mixed_map, "MAP", "-j");

    (void)unused;
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "{\"usable_bytes\": 712704, \"ranges\": [[0, 651264], [1048576, 16384], "
                                     "[1069056, 45056]]}\n");
    assert_string_equal(RUN(mixed_map, "-j", "MAP").out, outcome.out);
}

static void json_of_no_usable_memory_has_no_ranges(void **unused)
{
    (void)unused;
    assert_string_equal(RUN("", "MAP", "-j").out, "{\"usable_bytes\": 0, \"ranges\": []}\n");
    assert_string_equal(RUN("0x0 0x1000 2\n", "MAP", "-j").out, "{\"usable_bytes\": 0, \"ranges\": []}\n");
}

static void ignored_entries_are_warned_of_with_their_line(void **unused)
{
    struct outcome outcome = RUN(mixed_map, "MAP", "-j");

    (void)unused;
    assert_non_null(strstr(outcome.err, ":5: warning: 0x200000 0x0 1 length is zero: ignored\n"));
    assert_non_null(
        strstr(outcome.err, ":6: warning: 0xfffffffffffff000 0x2000 1 ends past 2^64: ignored\n"));
    assert_null(strstr(outcome.err, ":2:"));
}

static void the_readable_form_shows_all_three_stages(void **unused)
{
    struct outcome outcome = RUN(mixed_map, "MAP");

    (void)unused;
    assert_int_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.out, "raw: 5 entries, 2 ignored\n"));
    assert_non_null(strstr(outcome.out, "  0x0000000000104800 - 0x0000000000105000  type 2, reserved\n"));
    assert_non_null(strstr(outcome.out, "  0x0000000000100000 - 0x0000000000104000  16 KiB\n"));
    assert_non_null(strstr(outcome.out, "total: 712704 bytes, 696 KiB, 174 frames\n"));
}

static void a_bad_map_is_an_error_and_prints_nothing_else(void **unused)
{
    struct outcome outcome = RUN("0x0 0x1000 1\n0x1000 4096 1\n", "MAP", "-j");

    (void)unused;
    assert_int_equal(outcome.status, 1);
    assert_string_equal(outcome.out, "");
    assert_non_null(strstr(outcome.err, ":2: length does not begin with 0x\n"));
    outcome = RUN("", "/no/such/file");
    assert_int_equal(outcome.status, 1);
    assert_string_equal(outcome.err, "error: /no/such/file: No such file or directory\n");
}

static void a_wrong_command_line_shows_the_usage(void **unused)
{
    (void)unused;
    assert_int_equal(RUN("", "-j").status, 2);
    assert_int_equal(RUN("", "MAP", "-x").status, 2);
    assert_int_equal(RUN("", "MAP", "MAP").status, 2);
    assert_int_equal(RUN("", "-h").status, 0);
    assert_non_null(strstr(RUN("", "-j").err, "usage: tessera-map FILE [-j]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_one_line_with_the_total_and_the_ranges),
        cmocka_unit_test(json_of_no_usable_memory_has_no_ranges),
        cmocka_unit_test(ignored_entries_are_warned_of_with_their_line),
        cmocka_unit_test(the_readable_form_shows_all_three_stages),
        cmocka_unit_test(a_bad_map_is_an_error_and_prints_nothing_else),
        cmocka_unit_test(a_wrong_command_line_shows_the_usage),
    };
    return cmocka_run_group_tests_name("tessera_map", tests, NULL, NULL);
}
