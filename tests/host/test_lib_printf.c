/* SPDX-License-Identifier: MIT */
/* Tests of lib/printf.c: against the C library's snprintf where both mean the same, by hand where not. */
#include "cmocka_all.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <lib/bits.h>
#include <lib/printf.h>

#define N_RANDOM 20000

/* Formats come from variables here, on purpose. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

#define assert_prints(expected, ...)                                                                         \
    do {                                                                                                     \
        char printed[128];                                                                                   \
        assert_int_equal(ksnprintf(printed, sizeof(printed), __VA_ARGS__), (int)strlen(expected));           \
        assert_string_equal(printed, expected);                                                              \
    } while (0)

/* A random conversion without its letter, "%-08.3l" say, in text. */
static void random_spec(char *text, u64 *state, const char *flags)
{
    *text++ = '%';
    for (u64 n = random_below(state, 4); n > 0; n--)
        *text++ = flags[random_below(state, strlen(flags))];
    if (random_below(state, 2) == 0)
        text += sprintf(text, "%d", (int)random_below(state, 30));
    if (random_below(state, 2) == 0)
        text += sprintf(text, ".%d", (int)random_below(state, 26));
    *text = '\0';
}

/* Small and large magnitudes of both signs. */
static u64 random_value(u64 *state)
{
    u64 value = random_next(state) >> random_below(state, 64);

    return random_below(state, 2) == 0 ? value : 0 - value;
}

static void assert_same_number(const char *spec, const char *length, char letter, u64 value)
{
    char fmt[64], ours[128], theirs[128];

    snprintf(fmt, sizeof(fmt), "<%s%s%c>", spec, length, letter);

    int our_length = ksnprintf(ours, sizeof(ours), fmt, value);
    int their_length = snprintf(theirs, sizeof(theirs), fmt, value);

    assert_string_equal(ours, theirs);
    assert_int_equal(our_length, their_length);
}

static void numbers_print_as_the_c_library_prints_them(void **unused)
{
    static const char *const lengths[] = {"", "hh", "h", "l", "ll", "z"};
    u64 state = 11;
    char spec[32];

    (void)unused;
    for (int i = 0; i < N_RANDOM; i++) {
        const char *length = lengths[random_below(&state, ARRAY_LENGTH(lengths))];
        u64 value = random_below(&state, 8) == 0 ? 0 : random_value(&state);

        random_spec(spec, &state, "-0+ ");
        assert_same_number(spec, length, "di"[random_below(&state, 2)], value);
        random_spec(spec, &state, "-0");
        assert_same_number(spec, length, 'u', value);
        random_spec(spec, &state, "-0#");
        assert_same_number(spec, length, "xX"[random_below(&state, 2)], value);
    }
}

static void texts_print_as_the_c_library_prints_them(void **unused)
{
    u64 state = 12;
    char spec[32], fmt[64], ours[128], theirs[128];

    (void)unused;
    for (int i = 0; i < N_RANDOM; i++) {
        random_spec(spec, &state, "-");
        snprintf(fmt, sizeof(fmt), "[%ss]", spec);
        assert_int_equal(ksnprintf(ours, sizeof(ours), fmt, "some text"),
                         snprintf(theirs, sizeof(theirs), fmt, "some text"));
        assert_string_equal(ours, theirs);
    }
    assert_prints("  x|y  ", "%3c|%-3c", 'x', 'y');
    assert_prints("100%", "%d%%", 100);
}

static void extremes_print_in_full(void **unused)
{
    (void)unused;
    assert_prints("-9223372036854775808", "%lld", LLONG_MIN);
    assert_prints("18446744073709551615", "%llu", ULLONG_MAX);
    assert_prints("ffffffffffffffff", "%lx", ULONG_MAX);
    assert_prints("-2147483648", "%d", INT_MIN);
    assert_prints("-128 255", "%hhd %hhu", (signed char)-128, (unsigned char)255);
    assert_prints("", "%.0d", 0);
    assert_prints("0", "%#x", 0);
}

static void pointers_are_0x_and_hex_even_when_null(void **unused)
{
    (void)unused;
    assert_prints("0xffff800000001000", "%p", (void *)0xffff800000001000);
    assert_prints("0x0", "%p", NULL);
    assert_prints("    0x10|", "%8p|", (void *)0x10);
}

static void width_and_precision_come_from_arguments(void **unused)
{
    (void)unused;
    assert_prints("   7|7   |007", "%*d|%*d|%.*d", 4, 7, -4, 7, 3, 7);
    assert_prints("abc|abcdef", "%.*s|%.*s", 3, "abcdef", -1, "abcdef");
}

static void a_precision_bounds_what_is_read_of_a_text(void **unused)
{
    char *exact = test_malloc(3);

    (void)unused;
    memcpy(exact, "abc", 3);
    assert_prints("abc", "%.3s", exact);
    assert_prints("ab", "%.*s", 2, exact);
    test_free(exact);
}

static void null_text_and_unknown_conversions_are_harmless(void **unused)
{
    char text[32];
    const char *volatile no_text = NULL;
    const char *unknown = "%y %-5k|%", *unfinished = "%-05.3l";

    (void)unused;
    assert_prints("(null)", "%s", no_text);
    ksnprintf(text, sizeof(text), unknown, 1, 2);
    assert_string_equal(text, unknown);
    ksnprintf(text, sizeof(text), unfinished, 1);
    assert_string_equal(text, unfinished);
}

static void output_is_cut_and_terminated_at_every_size(void **unused)
{
    const char *whole = "left  [ 12 0x00ff] right";
    char text[40];

    (void)unused;
    for (size_t size = 0; size < sizeof(text); size++) {
        memset(text, '#', sizeof(text));
        assert_int_equal(ksnprintf(text, size, "%-6s[%3d %#06x] %s", "left", 12, 255, "right"),
                         (int)strlen(whole));

        size_t kept = size == 0 ? 0 : min_u64(size - 1, strlen(whole));

        assert_memory_equal(text, whole, kept);
        if (size > 0)
            assert_int_equal(text[kept], '\0');
        for (size_t i = size; i < sizeof(text); i++)
            assert_int_equal(text[i], '#');
    }
}

static void no_buffer_is_needed_to_measure(void **unused)
{
    (void)unused;
    assert_int_equal(ksnprintf(NULL, 0, "%s %d", "abc", 42), 6);
}

static void absurd_widths_are_bounded(void **unused)
{
    volatile int most = INT_MAX, least = INT_MIN;
    char text[8];

    (void)unused;
    assert_int_equal(ksnprintf(text, sizeof(text), "%*d", most, 1), 1000000);
    assert_int_equal(ksnprintf(text, sizeof(text), "%*d", least, 1), 1000000);
    assert_int_equal(ksnprintf(text, sizeof(text), "%.*d", most, 1), 1000000);
    assert_string_equal(text, "0000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_print_as_the_c_library_prints_them),
        cmocka_unit_test(texts_print_as_the_c_library_prints_them),
        cmocka_unit_test(extremes_print_in_full),
        cmocka_unit_test(pointers_are_0x_and_hex_even_when_null),
        cmocka_unit_test(width_and_precision_come_from_arguments),
        cmocka_unit_test(a_precision_bounds_what_is_read_of_a_text),
        cmocka_unit_test(null_text_and_unknown_conversions_are_harmless),
        cmocka_unit_test(output_is_cut_and_terminated_at_every_size),
        cmocka_unit_test(no_buffer_is_needed_to_measure),
        cmocka_unit_test(absurd_widths_are_bounded),
    };
    return cmocka_run_group_tests_name("lib_printf", tests, NULL, NULL);
}
