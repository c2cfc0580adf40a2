/* SPDX-License-Identifier: MIT */
/* What the shell's helpers make of numbers, names and values: format.h, suggest.h, json.h, results.h. */
#include "cmocka_all.h"

#include <kernel/shell/format.h>
#include <kernel/shell/json.h>
#include <kernel/shell/results.h>
#include <kernel/shell/suggest.h>
#include <lib/string.h>

/* ---- format ---- */

static void sizes_have_three_digits_and_a_unit(void **state)
{
    (void)state;
    assert_string_equal(format_size(0).s, "0");
    assert_string_equal(format_size(1).s, "1 B");
    assert_string_equal(format_size(1023).s, "1023 B");
    assert_string_equal(format_size(1024).s, "1 KiB");
    assert_string_equal(format_size(1536).s, "1.50 KiB");
    assert_string_equal(format_size(639 * 1024).s, "639 KiB");
    assert_string_equal(format_size(12 * 1024 + 512).s, "12.5 KiB");
    assert_string_equal(format_size(2u << 20).s, "2 MiB");
    assert_string_equal(format_size(0x1ff80000).s, "511 MiB");
    assert_string_equal(format_size(UINT64_MAX).s, "15.9 EiB");
    assert_string_equal(format_size_short(1536).s, "1.50K");
    assert_string_equal(format_size_short(17).s, "17");
}

static void sizes_are_never_rounded_up(void **state)
{
    (void)state;
    assert_string_equal(format_size((2UL << 20) - 1).s, "1.99 MiB");
    assert_string_equal(format_size((1UL << 20) - 1).s, "1023 KiB");
    assert_string_equal(format_size((1UL << 60) - 1).s, "1023 PiB");
}

static void thousands_are_separated(void **state)
{
    (void)state;
    assert_string_equal(format_thousands(0).s, "0");
    assert_string_equal(format_thousands(999).s, "999");
    assert_string_equal(format_thousands(1000).s, "1,000");
    assert_string_equal(format_thousands(536870912).s, "536,870,912");
    assert_string_equal(format_thousands(UINT64_MAX).s, "18,446,744,073,709,551,615");
}

static void percentages_are_rounded_down(void **state)
{
    (void)state;
    assert_string_equal(format_percent(1, 3).s, "33.3 %");
    assert_string_equal(format_percent(999999, 1000000).s, "99.9 %");
    assert_string_equal(format_percent(5, 5).s, "100.0 %");
    assert_string_equal(format_percent(0, 0).s, "-");
    assert_int_equal(per_mille(UINT64_MAX / 2, UINT64_MAX), 499);
}

static void hex_and_ranges(void **state)
{
    (void)state;
    assert_string_equal(format_hex(0).s, "0x0");
    assert_string_equal(format_hex(0xABC).s, "0xabc");
    assert_string_equal(format_range(0, 0x1000).s, "0x0-0x1000");
    assert_string_equal(format_range(UINT64_MAX - 1, UINT64_MAX).s, "0xfffffffffffffffe-0xffffffffffffffff");
    assert_string_equal(format_bytes(4096, false).s, "4096");
    assert_string_equal(format_bytes(4096, true).s, "4 KiB");
}

/* ---- suggest ---- */

static void distance_counts_single_letter_steps(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance("", ""), 0);
    assert_int_equal(suggest_distance("zones", "zones"), 0);
    assert_int_equal(suggest_distance("zone", "zones"), 1);
    assert_int_equal(suggest_distance("zoness", "zones"), 1);
    assert_int_equal(suggest_distance("zomes", "zones"), 1);
    assert_int_equal(suggest_distance("znoes", "zones"), 1);
    assert_int_equal(suggest_distance("", "abc"), 3);
    assert_int_equal(suggest_distance("xyz", "yzx"), 2);
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
    assert_int_equal(suggest_distance("ZONSE", "zones"), 1);
    assert_int_equal(suggest_distance("a@", "a`"), 1);
}

static void distance_is_symmetric_and_bounded(void **state)
{
    u64 seed = 9;
    (void)state;
    for (unsigned round = 0; round < 5000; round++) {
        char a[40] = "", b[40] = "";
        size_t n_a = random_below(&seed, 35), n_b = random_below(&seed, 35);
        for (size_t i = 0; i < n_a; i++)
            a[i] = (char)('a' + random_below(&seed, 3));
        for (size_t i = 0; i < n_b; i++)
            b[i] = (char)('a' + random_below(&seed, 3));
        unsigned distance = suggest_distance(a, b);
        assert_int_equal(distance, suggest_distance(b, a));
        assert_true(distance <= SUGGEST_N_BYTES);
    }
}

static const char *nearest(const char *word)
{
    static const char *const candidates[] = {"mm_stat", "free",  "zones", "kmalloc", "kzalloc", "kfree",
                                             "map",     "unmap", "pt",    "vtop",    "help",    "peek"};
    struct suggestion s;
    suggest_start(&s, word);
    for (unsigned i = 0; i < sizeof candidates / sizeof candidates[0]; i++)
        suggest_try(&s, candidates[i]);
    return s.best ? s.best : "";
}

static void the_nearest_name_is_suggested(void **state)
{
    (void)state;
    assert_string_equal(nearest("kmaloc"), "kmalloc");
    assert_string_equal(nearest("zonse"), "zones");
    assert_string_equal(nearest("fere"), "free");
    assert_string_equal(nearest("umap"), "map");
    assert_string_equal(nearest("hlep"), "help");
    assert_string_equal(nearest("mmstat"), "mm_stat");
}

static void nonsense_suggests_nothing(void **state)
{
    (void)state;
    assert_string_equal(nearest("qqqqqqqq"), "");
    assert_string_equal(nearest(""), "");
    assert_string_equal(nearest("xx"), "");
}

/* ---- json ---- */

static char written[512];
static size_t n_written;

static void collect(void *context, const char *text, size_t n)
{
    (void)context;
    assert_true(n_written + n < sizeof written);
    memcpy(written + n_written, text, n);
    n_written += n;
    written[n_written] = 0;
}

static void start(struct json *json)
{
    n_written = 0;
    written[0] = 0;
    json_start(json, collect, NULL);
}

static void json_has_commas_where_they_belong(void **state)
{
    struct json json;
    (void)state;
    start(&json);
    json_array(&json, NULL);
    for (unsigned i = 0; i < 2; i++) {
        json_object(&json, NULL);
        json_text(&json, "name", i ? "b" : "a");
        json_array(&json, "counts");
        json_number(&json, NULL, 1);
        json_number(&json, NULL, UINT64_MAX);
        json_array_end(&json);
        json_array(&json, "none");
        json_array_end(&json);
        json_bool(&json, "last", i == 1);
        json_object_end(&json);
    }
    json_array_end(&json);
    assert_string_equal(written,
                        "[{\"name\":\"a\",\"counts\":[1,18446744073709551615],\"none\":[],\"last\":false},"
                        "{\"name\":\"b\",\"counts\":[1,18446744073709551615],\"none\":[],\"last\":true}]");
}

static void json_text_is_escaped(void **state)
{
    struct json json;
    (void)state;
    start(&json);
    json_text(&json, NULL, "a\"b\\c\nd\x7f\xff/");
    assert_string_equal(written, "\"a\\\"b\\\\c\\u000ad\\u007f\\u00ff/\"");
}

/* ---- results ---- */

static void results_are_numbered_and_the_oldest_go(void **state)
{
    char why[96];
    u64 value;
    struct result result;
    (void)state;
    assert_false(results_get(0, &value, why, sizeof why));
    assert_string_equal(why, "is no result: nothing was allocated yet");
    results_add(0xffff800012345000, RESULT_OBJECT, 0);
    results_add(0x200000, RESULT_PAGES, 63);
    assert_true(results_get(1, &value, why, sizeof why));
    assert_true(value == 0xffff800012345000);
    assert_true(results_entry(2, &result));
    assert_int_equal(result.value, 0x200000);
    assert_int_equal(result.kind, RESULT_PAGES);
    assert_int_equal(result.n_pages, 63);
    assert_false(results_get(3, &value, why, sizeof why));
    assert_string_equal(why, "is no result yet: the last is $2");

    results_forget(0x200000, RESULT_PAGES);
    assert_true(results_entry(2, &result));
    assert_int_equal(result.kind, RESULT_GONE);
    assert_int_equal(result.value, 0x200000);

    for (unsigned i = 0; i < RESULTS_KEPT; i++)
        results_add(i, RESULT_OBJECT, 0);
    assert_false(results_get(2, &value, why, sizeof why));
    assert_string_equal(why, "is no longer kept: only the last 4096 results are");
    assert_true(results_get(3, &value, why, sizeof why));
    assert_int_equal(value, 0);
    assert_true(results_get(0, &value, why, sizeof why));
    assert_int_equal(value, RESULTS_KEPT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_three_digits_and_a_unit),
        cmocka_unit_test(sizes_are_never_rounded_up),
        cmocka_unit_test(thousands_are_separated),
        cmocka_unit_test(percentages_are_rounded_down),
        cmocka_unit_test(hex_and_ranges),
        cmocka_unit_test(distance_counts_single_letter_steps),
        cmocka_unit_test(distance_is_symmetric_and_bounded),
        cmocka_unit_test(the_nearest_name_is_suggested),
        cmocka_unit_test(nonsense_suggests_nothing),
        cmocka_unit_test(json_has_commas_where_they_belong),
        cmocka_unit_test(json_text_is_escaped),
        cmocka_unit_test(results_are_numbered_and_the_oldest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
