/* SPDX-License-Identifier: MIT */
/* Tests of kernel/boot/options.c: the kernel command line, friendly and hostile. */
#include "cmocka_all.h"

#include <string.h>

#include <kernel/boot/options.h>
#include <lib/bits.h>

#include "warning_log.h"

#define MIB ((u64)1 << 20)
#define GIB ((u64)1 << 30)

/* Parses and asserts which warnings come, one a line. */
static struct options parse_with(const char *line, const char *expected_warnings)
{
    struct warning_log log;
    struct boot_warnings warnings = warning_log_start(&log);
    struct options options;

    memset(&options, 0x5a, sizeof(options));
    options_parse(&options, line, &warnings);
    assert_string_equal(log.text, expected_warnings);
    return options;
}

static struct options parse(const char *line)
{
    return parse_with(line, "");
}

/* Asserts that the line gives this warning and leaves every default. */
static void assert_refused(const char *line, const char *expected_warnings)
{
    static const struct options defaults;
    struct options options = parse_with(line, expected_warnings);

    assert_memory_equal(options.autorun, defaults.autorun, sizeof(options.autorun));
    assert_int_equal(options.console, CONSOLE_AUTO);
    assert_int_equal(options.panic_action, PANIC_SHELL);
    assert_int_equal(options.zone_dma_bytes, 0);
    assert_int_equal(options.direct_map_bytes, 0);
    assert_int_equal(options.mem_bytes, 0);
    assert_int_equal(options.smp_cpus, 0);
    assert_false(options.onbug_panic || options.mm_debug || options.safe);
}

static void an_empty_line_gives_the_defaults(void **unused)
{
    (void)unused;
    assert_refused("", "");
    assert_refused("  \t \r\n ", "");
    assert_refused("\"\" \"\"", "");
}

static void every_option_is_understood(void **unused)
{
    struct options options =
        parse("console=serial panic=exit zone_dma=32M direct_map=2G mem=6g mm.onbug=panic "
              "mm.debug=on safe autorun=check");

    (void)unused;
    assert_int_equal(options.console, CONSOLE_SERIAL);
    assert_int_equal(options.panic_action, PANIC_EXIT);
    assert_int_equal(options.zone_dma_bytes, 32 * MIB);
    assert_int_equal(options.direct_map_bytes, 2 * GIB);
    assert_int_equal(options.mem_bytes, 6 * GIB);
    assert_true(options.onbug_panic && options.mm_debug && options.safe);
    assert_string_equal(options.autorun, "check");
}

static void every_choice_is_understood(void **unused)
{
    (void)unused;
    assert_int_equal(parse("console=auto").console, CONSOLE_AUTO);
    assert_int_equal(parse("console=screen").console, CONSOLE_SCREEN);
    assert_int_equal(parse("console=both").console, CONSOLE_BOTH);
    assert_int_equal(parse("panic=shell").panic_action, PANIC_SHELL);
    assert_int_equal(parse("panic=reboot").panic_action, PANIC_REBOOT);
    assert_int_equal(parse("panic=poweroff").panic_action, PANIC_POWEROFF);
    assert_false(parse("mm.onbug=report").onbug_panic);
    assert_false(parse("mm.debug=off").mm_debug);
    assert_int_equal(parse("direct_map=all").direct_map_bytes, OPTIONS_DIRECT_MAP_ALL);
}

static void smp_is_a_number_of_cpus(void **unused)
{
    (void)unused;
    assert_int_equal(parse("").smp_cpus, 0);
    assert_int_equal(parse("smp=1").smp_cpus, 1);
    assert_int_equal(parse("smp=0x10 smp=4").smp_cpus, 4);
    assert_refused("smp=0", "option 'smp=0' is too small\n");
    assert_refused("smp=-1", "option 'smp=-1' is not a size\n");
    assert_refused("smp=two", "option 'smp=two' is not a size\n");
    assert_refused("smp", "option 'smp' wants a value\n");
    assert_refused("smp=100000", "option 'smp=100000' is too large\n");
}

static void of_a_repeated_option_the_last_counts(void **unused)
{
    (void)unused;
    assert_int_equal(parse("console=serial console=both").console, CONSOLE_BOTH);
    assert_int_equal(parse_with("mem=64M mem=oops", "option 'mem=oops' is not a size\n").mem_bytes, 64 * MIB);
}

static void quotes_may_surround_the_value_or_the_whole_word(void **unused)
{
    (void)unused;
    assert_string_equal(parse("autorun=\"mm_stat; poweroff\" safe").autorun, "mm_stat; poweroff");
    assert_string_equal(parse("\"autorun=mm_stat; poweroff\" safe").autorun, "mm_stat; poweroff");
    assert_string_equal(parse("auto\"run=a b\"\" c\"").autorun, "a b c");
    assert_string_equal(parse("autorun=a;b").autorun, "a;b");
    assert_true(parse("\"autorun=mm_stat; poweroff\" safe").safe);
}

static void backslashes_that_grub_added_are_taken_away(void **unused)
{
    (void)unused;
    assert_string_equal(parse("\"autorun=say \\\"a b\\\" \\'c\\'\"").autorun, "say \"a b\" 'c'");
    assert_string_equal(parse("autorun=back\\\\slash").autorun, "back\\slash");
    assert_string_equal(parse("autorun=\\n\\").autorun, "\\n\\");
}

static void sizes_are_decimal_or_hex_with_a_suffix(void **unused)
{
    (void)unused;
    assert_int_equal(parse("mem=0x4000000").mem_bytes, 64 * MIB);
    assert_int_equal(parse("mem=0X40m").mem_bytes, 64 * MIB);
    assert_int_equal(parse("mem=65536K").mem_bytes, 64 * MIB);
    assert_int_equal(parse("mem=010M").mem_bytes, 10 * MIB);
    assert_int_equal(parse("mem=1T").mem_bytes, 1024 * GIB);
    assert_int_equal(parse("mem=67108864").mem_bytes, 64 * MIB);
}

static void bad_sizes_are_named_and_change_nothing(void **unused)
{
    (void)unused;
    assert_refused("mem=", "option 'mem=' is not a size\n");
    assert_refused("mem=0x", "option 'mem=0x' is not a size\n");
    assert_refused("mem=-1", "option 'mem=-1' is not a size\n");
    assert_refused("mem=64MB", "option 'mem=64MB' is not a size: a number and K, M, G or T\n");
    assert_refused("mem=64Q", "option 'mem=64Q' is not a size: a number and K, M, G or T\n");
    assert_refused("mem=18446744073709551616", "option 'mem=18446744073709551616' is too large\n");
    assert_refused("mem=0x10000000000000000", "option 'mem=0x10000000000000000' is too large\n");
    assert_refused("mem=99999999T", "option 'mem=99999999T' is too large\n");
    assert_refused("mem=16777217T", "option 'mem=16777217T' is too large\n");
    assert_refused("mem=1M", "option 'mem=1M' is too small\n");
    assert_refused("zone_dma=0", "option 'zone_dma=0' is too small\n");
    assert_refused("zone_dma=5G", "option 'zone_dma=5G' is too large\n");
    assert_refused("direct_map=64T", "option 'direct_map=64T' is too large\n");
    assert_refused("direct_map=ALL", "option 'direct_map=ALL' is not a size\n");
}

static void unknown_options_and_bad_choices_are_named_and_change_nothing(void **unused)
{
    (void)unused;
    assert_refused("quiet", "option 'quiet' is unknown\n");
    assert_refused("memory=64M", "option 'memory=64M' is unknown\n");
    assert_refused("=x", "option '=x' is unknown\n");
    assert_refused("mm.onbu", "option 'mm.onbu' is unknown\n");
    assert_refused("console=vga", "option 'console=vga' is not one of auto, serial, screen, both\n");
    assert_refused("console=", "option 'console=' is not one of auto, serial, screen, both\n");
    assert_refused("console", "option 'console' wants a value\n");
    assert_refused("panic=now", "option 'panic=now' is not one of shell, reboot, poweroff, exit\n");
    assert_refused("mm.onbug=1", "option 'mm.onbug=1' is neither report nor panic\n");
    assert_refused("mm.debug=yes", "option 'mm.debug=yes' is not on, off, or some of owner,poison,redzone,quarantine,trace\n");
    assert_refused("safe=1", "option 'safe=1' takes no value\n");
    assert_refused("a b", "option 'a' is unknown\noption 'b' is unknown\n");
}

static void an_open_quote_is_told_and_the_word_still_counts(void **unused)
{
    struct options options = parse_with("autorun=\"a b", "option 'autorun=a b': the quote is never closed\n");

    (void)unused;
    assert_string_equal(options.autorun, "a b");
    assert_refused("\"", "option '': the quote is never closed\n");
}

static void an_autorun_that_does_not_fit_is_dropped_as_a_whole(void **unused)
{
    char line[3000] = "autorun=";
    struct warning_log log;
    struct boot_warnings warnings = warning_log_start(&log);
    struct options options;

    (void)unused;
    memset(line + 8, 'x', OPTIONS_AUTORUN_BYTES - 1);
    options_parse(&options, line, &warnings);
    assert_int_equal(strlen(options.autorun), OPTIONS_AUTORUN_BYTES - 1);
    assert_int_equal(log.n_warnings, 0);

    for (size_t n = OPTIONS_AUTORUN_BYTES; n < sizeof(line) - 20; n += 7) {
        memset(line + 8, 'x', n);
        strcpy(line + 8 + n, " safe");
        warnings = warning_log_start(&log);
        options_parse(&options, line, &warnings);
        assert_int_equal(options.autorun[0], '\0');
        assert_int_equal(log.n_warnings, 1);
        assert_non_null(strstr(log.text, "is too long"));
        assert_true(options.safe);
    }
}

static void warnings_contain_only_printable_bytes_and_may_go_nowhere(void **unused)
{
    struct options options;

    (void)unused;
    assert_refused("\x1b[2J\x7f!", "option '?[2J?!' is unknown\n");
    options_parse(&options, "nonsense \" mem=x", NULL);
    assert_int_equal(options.mem_bytes, 0);
}

static void random_lines_are_survived(void **unused)
{
    static const char *const pieces[] = {
        "autorun=",    "console=", "mem=",      "zone_dma=",
        "direct_map=", "panic=",   "mm.onbug=", "safe",
        "\"",          "\\",       "'",         " ",
        "=",           "both",     "0x",        "99999999999999999999",
        "K",           "T",        "\t",        "\xff",
        "\x01",
    };
    struct options *options = test_malloc(sizeof(*options));
    u64 state = 77;

    (void)unused;
    for (int round = 0; round < 20000; round++) {
        u64 n_pieces = random_below(&state, 24);
        char *line = test_malloc(24 * 24 + 1);

        line[0] = '\0';
        for (u64 i = 0; i < n_pieces; i++)
            strcat(line, pieces[random_below(&state, ARRAY_LENGTH(pieces))]);
        options_parse(options, line, NULL);
        assert_true(options->console <= CONSOLE_BOTH && options->panic_action <= PANIC_EXIT);
        assert_true(options->mem_bytes == 0 || options->mem_bytes >= 8 * MIB);
        assert_non_null(memchr(options->autorun, '\0', sizeof(options->autorun)));
        test_free(line);
    }
    test_free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_line_gives_the_defaults),
        cmocka_unit_test(every_option_is_understood),
        cmocka_unit_test(every_choice_is_understood),
        cmocka_unit_test(smp_is_a_number_of_cpus),
        cmocka_unit_test(of_a_repeated_option_the_last_counts),
        cmocka_unit_test(quotes_may_surround_the_value_or_the_whole_word),
        cmocka_unit_test(backslashes_that_grub_added_are_taken_away),
        cmocka_unit_test(sizes_are_decimal_or_hex_with_a_suffix),
        cmocka_unit_test(bad_sizes_are_named_and_change_nothing),
        cmocka_unit_test(unknown_options_and_bad_choices_are_named_and_change_nothing),
        cmocka_unit_test(an_open_quote_is_told_and_the_word_still_counts),
        cmocka_unit_test(an_autorun_that_does_not_fit_is_dropped_as_a_whole),
        cmocka_unit_test(warnings_contain_only_printable_bytes_and_may_go_nowhere),
        cmocka_unit_test(random_lines_are_survived),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
