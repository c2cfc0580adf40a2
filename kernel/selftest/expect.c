/* SPDX-License-Identifier: MIT */
/*
 * Expectations: noting what failed, watching mm's log lines, and the comparison around each test.
 *
 * The log is read with a cursor of its own.  test_watch moves it to the end; what an expectation reads after
 * that was written in between.
 */
#include <kernel/console/console.h>
#include <kernel/debug/log.h>
#include <kernel/selftest/outcome.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/inspect.h>

#define REPORT_PREFIX "mm: bad "
#define NOTE_PREFIX   "mm: "

static struct {
    unsigned n_failures;
    const char *skipped;
    u64 n_reports_expected;
} current;

static struct {
    u64 log_cursor;
    u64 n_misuses;
    struct mm_stat_t stat;
} watched;

/* True while notes of this test are still shown. */
static bool note_begin(struct test_place place)
{
    current.n_failures++;
    if (current.n_failures > TEST_MAX_NOTES)
        return false;
    kprintf("    # %s:%d: ", place.file, place.line);
    return true;
}

void test_fail(struct test_place place, const char *format, ...)
{
    va_list arguments;

    if (!note_begin(place))
        return;
    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
    kprintf("\n");
}

void test_note(const char *format, ...)
{
    va_list arguments;

    kprintf("    # ");
    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
    kprintf("\n");
}

bool test_expect(struct test_place place, bool holds, const char *condition)
{
    if (!holds)
        test_fail(place, "expected, and not so: %s", condition);
    return holds;
}

bool test_expect_equal(struct test_place place, const char *what, u64 found, u64 expected)
{
    if (found != expected)
        test_fail(place, "%s: expected 0x%lx (%ld), found 0x%lx (%ld)", what, expected, (s64)expected, found,
                  (s64)found);
    return found == expected;
}

bool test_expect_text(struct test_place place, const char *found, const char *expected)
{
    bool same = strcmp(found, expected) == 0;

    if (!same)
        test_fail(place, "expected '%s', found '%s'", expected, found);
    return same;
}

void test_skip(const char *reason)
{
    current.skipped = reason;
}

/* The text of a log line behind its time stamp. */
static const char *behind_stamp(const char *line)
{
    const char *end = line[0] == '[' ? strchr(line, ']') : NULL;

    return end != NULL && end[1] == ' ' ? end + 2 : line;
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The lines of mm that are new; the last of them is copied to `last`. */
static unsigned read_log(char *last, size_t size)
{
    char line[LOG_LINE_BYTES + 16];
    unsigned n = 0;

    while (log_read(&watched.log_cursor, line, sizeof line) != 0) {
        if (!begins_with(behind_stamp(line), NOTE_PREFIX))
            continue;
        str_copy(last, size, behind_stamp(line));
        n++;
    }
    return n;
}

void test_watch(void)
{
    char line[LOG_LINE_BYTES];

    read_log(line, sizeof line);
    watched.n_misuses = mm_misuse_count();
    watched.stat = mm_stat();
}

bool test_expect_same_stat(struct test_place place, struct mm_stat_t before)
{
    static const char *const fields[] = {"total",      "used",       "free",     "shared",
                                         "cache_used", "cache_free", "available"};
    struct mm_stat_t after = mm_stat();
    const ul *was = &before.total, *is = &after.total;
    bool same = true;

    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (was[i] == is[i])
            continue;
        test_fail(place, "mm_stat: %s was %lu, is %lu (%+ld)", fields[i], was[i], is[i],
                  (s64)(is[i] - was[i]));
        same = false;
    }
    return same;
}

bool test_expect_report(struct test_place place, const char *call, ul address, const char *what)
{
    char expected[LOG_LINE_BYTES], last[LOG_LINE_BYTES] = "";
    unsigned n_lines = read_log(last, sizeof last), n_failures = current.n_failures;

    ksnprintf(expected, sizeof expected, REPORT_PREFIX "%s(0x%lx): %s", call, address, what);
    if (n_lines != 1)
        test_fail(place, "expected one log line '%s', found %u, the last: '%s'", expected, n_lines, last);
    else if (!begins_with(last, expected))
        test_fail(place, "expected '%s', found '%s'", expected, last);
    test_expect_equal(place, "misuses counted", mm_misuse_count() - watched.n_misuses, 1);
    test_expect_same_stat(place, watched.stat);
    current.n_reports_expected++;
    return current.n_failures == n_failures;
}

void test_announce_reports(u64 n)
{
    current.n_reports_expected += n;
}

bool test_expect_log_line(struct test_place place)
{
    char last[LOG_LINE_BYTES] = "";
    unsigned n_lines = read_log(last, sizeof last), n_failures = current.n_failures;

    if (n_lines != 1)
        test_fail(place, "expected one log line of mm, found %u, the last: '%s'", n_lines, last);
    else if (begins_with(last, REPORT_PREFIX))
        test_fail(place, "expected no report of misuse, found '%s'", last);
    test_expect_same_stat(place, watched.stat);
    return current.n_failures == n_failures;
}

static void expect_all_given_back(const struct test *test, struct mm_stat_t before, u64 n_misuses)
{
    struct test_place place = {test->name, 0};
    struct mm_violation v;

    mm_shrink();
    test_expect_same_stat(place, before);
    test_expect_equal(place, "reports of misuse", mm_misuse_count() - n_misuses, current.n_reports_expected);
    if (!mm_check(&v))
        test_fail(place, "invariant I%u is broken: %s, at 0x%lx: expected 0x%lx, found 0x%lx", v.number,
                  v.text, v.where, v.expected, v.found);
}

enum test_outcome test_run_watched(const struct test *test, const char **skipped)
{
    u64 n_misuses = mm_misuse_count();
    struct mm_stat_t before;

    mm_shrink();
    before = mm_stat();
    current.n_failures = 0;
    current.skipped = NULL;
    current.n_reports_expected = 0;
    test->run();
    expect_all_given_back(test, before, n_misuses);
    if (current.n_failures > TEST_MAX_NOTES)
        kprintf("    # and %u more\n", current.n_failures - TEST_MAX_NOTES);
    if (current.n_failures != 0)
        return TEST_FAILED;
    *skipped = current.skipped;
    return current.skipped != NULL ? TEST_SKIPPED : TEST_PASSED;
}

u64 test_random(u64 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
