/* SPDX-License-Identifier: MIT */
/*
 * Writing a test: a function without arguments whose name is a sentence, in the table of its suite.  What it
 * expects it says with the macros below; a failure is noted and the test goes on, so whoever cannot go on
 * looks at the value of the macro and returns.
 *
 * Around each test the framework shrinks mm and compares: a byte of mm_stat that is not what it was, a broken
 * invariant, or a report of misuse that was not announced by EXPECT_REPORT is a failure of that test.  A test
 * therefore gives back all it took, also after a failure.
 */
#ifndef KERNEL_SELFTEST_TEST_H
#define KERNEL_SELFTEST_TEST_H

#include <lib/types.h>
#include <mm/mm.h>

struct test {
    const char *name;
    void (*run)(void);
};

struct test_suite {
    const char *name;
    const char *summary;
    const struct test *tests; /* the last has no name */
};

#define TEST(function)                                                                                       \
    {                                                                                                        \
#function, function                                                                                  \
    }
#define TEST_END                                                                                             \
    {                                                                                                        \
        NULL, NULL                                                                                           \
    }

/* Where an expectation stands, for its diagnostics. */
struct test_place {
    const char *file;
    int line;
};

#define TEST_HERE ((struct test_place){__FILE__, __LINE__})

/* Each has the value true when it holds. */
#define EXPECT(condition)             test_expect(TEST_HERE, (condition), #condition)
#define EXPECT_EQUAL(found, expected) test_expect_equal(TEST_HERE, #found, (u64)(found), (u64)(expected))
#define EXPECT_TEXT(found, expected)  test_expect_text(TEST_HERE, (found), (expected))

bool test_expect(struct test_place place, bool holds, const char *condition);
bool test_expect_equal(struct test_place place, const char *what, u64 found, u64 expected);
bool test_expect_text(struct test_place place, const char *found, const char *expected);

/* Notes a failure in words of its own.  At most TEST_MAX_NOTES of a test are shown. */
#define TEST_MAX_NOTES 8
void test_fail(struct test_place place, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line of diagnostics that is no failure. */
void test_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The machine has not what this test needs: it counts as skipped unless it failed.  The caller returns. */
void test_skip(const char *reason);

/*
 * Misuse: test_watch() before a call, EXPECT_REPORT after it.  Expects exactly one log line of mm, `mm: bad
 * CALL(0xADDRESS): ` and then words that begin with WHAT; a count that is larger by one; and a mm_stat in
 * which nothing has changed.
 */
#define EXPECT_REPORT(call, address, what) test_expect_report(TEST_HERE, (call), (ul)(address), (what))
bool test_expect_report(struct test_place place, const char *call, ul address, const char *what);
void test_watch(void);

/* Announces reports of misuse that no EXPECT_REPORT looks at. */
void test_announce_reports(u64 n);

/* Lines that mm wrote to the log since test_watch, and expects exactly one (that is no report of misuse), and
 * an unchanged mm_stat. */
#define EXPECT_ONE_LOG_LINE() test_expect_log_line(TEST_HERE)
bool test_expect_log_line(struct test_place place);

/* Expects every field of mm_stat to be what `before` says. */
#define EXPECT_SAME_STAT(before) test_expect_same_stat(TEST_HERE, (before))
bool test_expect_same_stat(struct test_place place, struct mm_stat_t before);

/* A sequence of numbers that is the same in every run: xorshift; `state` must not be 0. */
u64 test_random(u64 *state);

#endif
