/* SPDX-License-Identifier: MIT */
/* Numbers as they are typed. */
#include "cmocka_all.h"

#include <kernel/shell/expression.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <stdio.h>

static char error[200];

static bool test_result(u64 n, u64 *value, char *why, size_t why_size)
{
    if (n > 2) {
        ksnprintf(why, why_size, "is no result yet: the last is $2");
        return false;
    }
    *value = n == 1 ? 0x1000 : 0xffff800000002000;
    return true;
}

static bool test_symbol(const char *name, u64 *value)
{
    *value = 0xffffffff80000000;
    return !strcmp(name, "kernel_main");
}

static const struct expression_names names = {test_result, test_symbol};

static void expect(const char *text, u64 expected)
{
    u64 value = 1;
    if (!expression_value(text, &names, &value, error, sizeof error))
        fail_msg("%s: %s", text, error);
    assert_int_equal(value, expected);
}

static void expect_error(const char *text, const char *expected)
{
    u64 value = 77;
    assert_false(expression_value(text, &names, &value, error, sizeof error));
    assert_string_equal(error, expected);
    assert_int_equal(value, 77);
}

static void numbers_are_decimal_or_hex_never_octal(void **state)
{
    (void)state;
    expect("0", 0);
    expect("010", 10);
    expect("0x10", 16);
    expect("0XfF", 255);
    expect("18446744073709551615", UINT64_MAX);
    expect("0xffffffffffffffff", UINT64_MAX);
    expect("0x00000000000000000000001", 1);
}

static void suffixes_multiply(void **state)
{
    (void)state;
    expect("4k", 4096);
    expect("4K", 4096);
    expect("2M", 2u << 20);
    expect("0x10g", 16UL << 30);
    expect("1T", 1UL << 40);
    expect("0T", 0);
    expect("16777215T", 0xffffff0000000000);
}

static void terms_are_added_and_subtracted(void **state)
{
    (void)state;
    expect("1+2-3+4", 4);
    expect("-1+2", 1);
    expect("+7", 7);
    expect("2M-1", 0x1fffff);
    expect("18446744073709551615+1-1", UINT64_MAX);
    expect("0xffffffffffffffff-0xffffffffffffffff", 0);
}

static void results_and_symbols_are_values(void **state)
{
    (void)state;
    expect("$1", 0x1000);
    expect("$2+4K", 0xffff800000003000);
    expect("$$", 0xffff800000002000);
    expect("$$-$2+1", 1);
    expect("$1-1", 0xfff);
    expect("kernel_main+16", 0xffffffff80000010);
}

static void overflow_is_an_error(void **state)
{
    (void)state;
    expect_error("18446744073709551616", "'18446744073709551616' does not fit in 64 bits");
    expect_error("0x10000000000000000", "'0x10000000000000000' does not fit in 64 bits");
    expect_error("99999999999999999999999999", "'99999999999999999999999999' does not fit in 64 bits");
    expect_error("1234567890123456789012345678901234567890123456789012345678901234",
                 "'1234567890123456789012345678901234567890123456789012345678901234' does not fit in 64 bits");
    expect_error("12345678901234567890123456789012345678901234567890123456789012345",
                 "'1234567890123456789012345678901234567890123456789012345678901...' does not fit in 64 bits");
    expect_error("16777216T", "'16777216T' does not fit in 64 bits");
    expect_error("0xffffffffffffffff+1", "'0xffffffffffffffff+1' does not fit in 64 bits");
    expect_error("1-2", "'1-2' is negative");
    expect_error("-1", "'-1' is negative");
}

static void errors_say_what_is_wrong(void **state)
{
    (void)state;
    expect_error("", "'' is empty where a number is wanted");
    expect_error("1+", "'1+' ends where a number is wanted");
    expect_error("-", "'-' ends where a number is wanted");
    expect_error("1++2", "'1++2' is not a number");
    expect_error("12x", "'12x' is not a number: suffixes are K M G T, hex begins with 0x");
    expect_error("12KB", "'12KB' is not a number");
    expect_error("0x", "'0x' has no digits after 0x");
    expect_error("0xg", "'0xg' has no digits after 0x");
    expect_error("xyz", "'xyz' is not a number: there is no symbol xyz");
    expect_error("1+kernel_mian-2", "'1+kernel_mian-2' is not a number: there is no symbol kernel_mian");
    expect_error("ffff8000", "'ffff8000' is not a number: hex begins with 0x");
    expect_error("1 2", "'1 2' is not a number");
    expect_error("3*4", "'3*4' is not a number");
    expect_error("$", "'$' is no result: write $1, $2 ... or $$ for the last");
    expect_error("$x", "'$x' is no result: write $1, $2 ... or $$ for the last");
    expect_error("$$1", "'$$1' is no result: write $1, $2 ... or $$ for the last");
    expect_error("$0", "'$0' is no result: the first is $1");
    expect_error("$3", "'$3' is no result yet: the last is $2");
}

static void signed_values_may_be_negative(void **state)
{
    s64 value;
    (void)state;
    assert_true(expression_signed("-1", &names, &value, error, sizeof error));
    assert_int_equal(value, -1);
    assert_true(expression_signed("-9223372036854775808", &names, &value, error, sizeof error));
    assert_true(value == INT64_MIN);
    assert_false(expression_signed("9223372036854775808", &names, &value, error, sizeof error));
    assert_string_equal(error, "'9223372036854775808' does not fit in 63 bits and a sign");
    assert_true(expression_is_negative("-1"));
    assert_true(expression_is_negative("-$1"));
    assert_false(expression_is_negative("-j"));
    assert_false(expression_is_negative("-"));
}

static void without_names_there_are_none(void **state)
{
    u64 value;
    (void)state;
    assert_false(expression_value("$1", NULL, &value, error, sizeof error));
    assert_false(expression_value("kernel_main", NULL, &value, error, sizeof error));
}

/* Sums of small random terms agree with the same sum done in C. */
static void random_sums_agree(void **state)
{
    u64 seed = 5;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char text[200];
        size_t length = 0;
        s64 sum = 0;
        for (u64 i = 0, n = 1 + random_below(&seed, 8); i < n; i++) {
            s64 term = (s64)random_below(&seed, 1u << 20);
            bool minus = random_below(&seed, 2);
            const char *sign = minus ? "-" : i ? "+" : "";
            const char *format = random_below(&seed, 2) ? "%s%ld" : "%s0x%lx";
            length += (size_t)snprintf(text + length, sizeof text - length, format, sign, (long)term);
            sum += minus ? -term : term;
        }
        s64 value = 0;
        assert_true(expression_signed(text, NULL, &value, error, sizeof error));
        assert_int_equal(value, sum);
    }
}

static void any_bytes_are_survived(void **state)
{
    static const char alphabet[] = "0123456789xXabfFkKmMgGtT+-$$ _z\xff";
    u64 seed = 3;
    (void)state;
    for (unsigned round = 0; round < 100000; round++) {
        char text[40];
        u64 value;
        size_t n = random_below(&seed, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = alphabet[random_below(&seed, sizeof alphabet - 1)];
        text[n] = 0;
        error[0] = 0;
        if (!expression_value(text, &names, &value, error, sizeof error))
            assert_true(error[0] == '\'');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal_or_hex_never_octal),
        cmocka_unit_test(suffixes_multiply),
        cmocka_unit_test(terms_are_added_and_subtracted),
        cmocka_unit_test(results_and_symbols_are_values),
        cmocka_unit_test(overflow_is_an_error),
        cmocka_unit_test(errors_say_what_is_wrong),
        cmocka_unit_test(signed_values_may_be_negative),
        cmocka_unit_test(without_names_there_are_none),
        cmocka_unit_test(random_sums_agree),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
