/* SPDX-License-Identifier: MIT */
/* What TAB offers, and finding commands: complete.h and command.h over a small set of commands. */
#include "cmocka_all.h"

#include <kernel/shell/commands.h>
#include <kernel/shell/complete.h>
#include <kernel/shell/results.h>
#include <lib/string.h>

static char offered[512];

/* The words offered for a line with the cursor at its end, separated by blanks. */
static const char *complete(const char *line)
{
    struct line_candidate list[64];
    size_t start = 0, n = complete_word(NULL, line, strlen(line), &start, list, 64), length = 0;
    assert_true(start <= strlen(line));
    offered[0] = 0;
    for (size_t i = 0; i < n && i < 64; i++) {
        assert_int_equal(strncmp(list[i].text, line + start, strlen(line + start)), 0);
        assert_true(str_copy(offered + length, sizeof offered - length, list[i].text));
        length += strlen(list[i].text);
        offered[length++] = ' ';
        offered[length] = 0;
    }
    if (length)
        offered[length - 1] = 0;
    return offered;
}

static void the_first_word_is_a_command(void **state)
{
    (void)state;
    assert_string_equal(complete(""), "mm_stat free memmap alloc_pages kfree pt selftest repeat");
    assert_string_equal(complete("m"), "mm_stat memmap");
    assert_string_equal(complete("  fr"), "free");
    assert_string_equal(complete("memmap;al"), "alloc_pages");
    assert_string_equal(complete("memmap ; kf"), "kfree");
    assert_string_equal(complete("zzz"), "");
}

static void options_follow_their_command(void **state)
{
    (void)state;
    assert_string_equal(complete("mm_stat "), "-h -j -w");
    assert_string_equal(complete("free -"), "-h -j -w");
    assert_string_equal(complete("mm_stat -h -j"), "-j");
    assert_string_equal(complete("mm_stat -w "), "");
    assert_string_equal(complete("mm_stat -w 2 -"), "-h -j -w");
    assert_string_equal(complete("unknown -"), "");
}

static void arguments_are_offered_by_their_kind(void **state)
{
    (void)state;
    assert_string_equal(complete("alloc_pages "), "dma normal unmapped");
    assert_string_equal(complete("alloc_pages n"), "normal");
    assert_string_equal(complete("alloc_pages normal "), "");
    assert_string_equal(complete("alloc_pages normal 1 sh"), "shared");
    assert_string_equal(complete("alloc_pages normal 1 shared ke"), "kernel kernel-init");
    assert_string_equal(complete("pt "), "new map");
    assert_string_equal(complete("pt map "), "3 kernel current");
    assert_string_equal(complete("pt map 3 0x1000 ro u"), "user uc");
    assert_string_equal(complete("selftest "), "slab");
    assert_string_equal(complete("selftest slab "), "");
}

static void results_are_offered_newest_first(void **state)
{
    (void)state;
    assert_string_equal(complete("kfree "), "");
    for (u64 i = 0; i < 9; i++)
        results_add(i, RESULT_OBJECT, 0);
    assert_string_equal(complete("kfree "), "$9 $8 $7 $6 $5 $4 $3 $2 $$");
    assert_string_equal(complete("kfree $$"), "$$");
    assert_string_equal(complete("kfree $1 "), "");
}

static void behind_repeat_the_next_command_begins(void **state)
{
    (void)state;
    assert_string_equal(complete("repeat "), "");
    assert_string_equal(complete("repeat 3 me"), "memmap");
    assert_string_equal(complete("repeat 3 mm_stat -"), "-h -j -w");
    assert_string_equal(complete("repeat 3 repeat 2 alloc_pages d"), "dma");
    assert_string_equal(complete("repeat 3 nothing "), "");
}

static void commands_are_found_by_name_and_alias(void **state)
{
    (void)state;
    assert_string_equal(command_find("free")->name, "mm_stat");
    assert_null(command_find("fre"));
    assert_string_equal(command_nearest("fre"), "free");
    assert_string_equal(command_nearest("mmstat"), "mm_stat");
    assert_string_equal(command_nearest("rpeeat"), "repeat");
    assert_null(command_nearest(""));
}

static void any_line_is_survived(void **state)
{
    static const char alphabet[] = "mfat3 ;-$r\"";
    u64 seed = 21;
    (void)state;
    for (unsigned round = 0; round < 50000; round++) {
        char line[120];
        size_t n = random_below(&seed, sizeof line);
        for (size_t i = 0; i < n; i++)
            line[i] = alphabet[random_below(&seed, sizeof alphabet - 1)];
        line[n] = 0;
        complete(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_word_is_a_command),
        cmocka_unit_test(options_follow_their_command),
        cmocka_unit_test(arguments_are_offered_by_their_kind),
        cmocka_unit_test(results_are_offered_newest_first),
        cmocka_unit_test(behind_repeat_the_next_command_begins),
        cmocka_unit_test(commands_are_found_by_name_and_alias),
        cmocka_unit_test(any_line_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
