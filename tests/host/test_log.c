/* SPDX-License-Identifier: MIT */
/*
 * Tests of kernel/debug/log.c: the lock-free ring.
 *
 * A writer asks the clock between claiming its slot and publishing it, so a clock of the test's own is how
 * other writers and readers get in between.
 */
#include "cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <kernel/debug/log.h>

#define LINE_BYTES       300
#define N_THREADS        4
#define N_LINES_A_THREAD 20000

static u64 now_ms;

static u64 test_clock(void)
{
    return now_ms;
}

static int start_without_clock(void **state)
{
    (void)state;
    log_set_clock(NULL);
    now_ms = 0;
    return 0;
}

/* Reads the next line and asserts what it is; NULL: there is none. */
static void assert_next(u64 *cursor, const char *expected)
{
    char line[LINE_BYTES];
    size_t n = log_read(cursor, line, sizeof(line));

    if (expected == NULL) {
        assert_int_equal(n, 0);
        return;
    }
    assert_int_equal(n, strlen(expected));
    assert_string_equal(line, expected);
}

static void lines_come_in_order_to_every_reader(void **unused)
{
    u64 first = log_count(), second = first;

    (void)unused;
    klog("one %d", 1);
    klog("two\n");
    assert_next(&first, "one 1");
    assert_next(&first, "two");
    assert_next(&first, NULL);
    klog("three");
    assert_next(&first, "three");
    assert_next(&second, "one 1");
    assert_next(&second, "two");
    assert_next(&second, "three");
    assert_next(&second, NULL);
}

static void an_empty_line_is_a_line(void **unused)
{
    u64 cursor = log_count();

    (void)unused;
    klog("%s", "");
    klog("\n");
    assert_next(&cursor, " ");
    assert_next(&cursor, " ");
    assert_next(&cursor, NULL);
}

static void lines_carry_the_time(void **unused)
{
    u64 cursor = log_count();

    (void)unused;
    log_set_clock(test_clock);
    klog("before the clock runs");
    now_ms = 12345;
    klog("later");
    now_ms = 123456789;
    klog("much later");
    assert_next(&cursor, "before the clock runs");
    assert_next(&cursor, "[   12.345] later");
    assert_next(&cursor, "[123456.789] much later");
}

static void long_lines_are_cut(void **unused)
{
    char text[2 * LOG_LINE_BYTES], line[LINE_BYTES], tiny[5];
    u64 cursor = log_count(), again = cursor;

    (void)unused;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    klog("%s", text);
    assert_int_equal(log_read(&cursor, line, sizeof(line)), LOG_LINE_BYTES - 1);
    assert_int_equal(strlen(line), LOG_LINE_BYTES - 1);
    assert_int_equal(log_read(&again, tiny, sizeof(tiny)), 4);
    assert_string_equal(tiny, "xxxx");
}

static void the_oldest_lines_go_first(void **unused)
{
    u64 cursor = 0;
    char expected[16];

    (void)unused;
    for (int i = 0; i < 3 * LOG_N_LINES; i++)
        klog("line %d", i);
    for (int i = 2 * LOG_N_LINES; i < 3 * LOG_N_LINES; i++) {
        snprintf(expected, sizeof(expected), "line %d", i);
        assert_next(&cursor, expected);
    }
    assert_next(&cursor, NULL);
    assert_int_equal(cursor, log_count());
}

/* ---- a writer interrupted in the middle ---- */

static u64 middle_cursor;
static int n_lines_in_between;

static u64 interrupting_clock(void)
{
    log_set_clock(NULL);
    assert_next(&middle_cursor, NULL);
    for (int i = 0; i < n_lines_in_between; i++)
        klog("from the interrupt %d", i);
    assert_next(&middle_cursor, NULL);
    return 0;
}

static void readers_wait_for_a_line_that_is_being_written(void **unused)
{
    (void)unused;
    middle_cursor = log_count();
    n_lines_in_between = 2;
    log_set_clock(interrupting_clock);
    klog("interrupted");
    assert_next(&middle_cursor, "interrupted");
    assert_next(&middle_cursor, "from the interrupt 0");
    assert_next(&middle_cursor, "from the interrupt 1");
    assert_next(&middle_cursor, NULL);
}

static u64 flooding_clock(void)
{
    u64 cursor = log_count() - 1;
    char line[LINE_BYTES];

    log_set_clock(NULL);
    for (int i = 0; i < LOG_N_LINES; i++)
        klog("flood %d", i);
    /* The unfinished line is given up, and the last of the flood found its slot taken. */
    assert_true(log_read(&cursor, line, sizeof(line)) > 0);
    assert_string_equal(line, "flood 0");
    return 0;
}

static void a_line_is_dropped_rather_than_waited_for(void **unused)
{
    u64 n_dropped = log_dropped_count(), cursor = 0;
    char line[LINE_BYTES], last[LINE_BYTES] = "", expected[LINE_BYTES];

    (void)unused;
    log_set_clock(flooding_clock);
    klog("interrupted for long");
    assert_int_equal(log_dropped_count() - n_dropped, 1);
    klog("after the flood");
    while (log_read(&cursor, line, sizeof(line)) > 0)
        strcpy(last, line);
    /* The slot of the dropped line stands unfinished; readers get over it when half the ring is newer. */
    snprintf(expected, sizeof(expected), "flood %d", LOG_N_LINES - 2);
    assert_string_equal(last, expected);
    for (int i = 0; i < LOG_N_LINES / 2; i++)
        klog("filler %d", i);
    assert_next(&cursor, "after the flood");
}

static bool panicked;

static u64 panicking_clock(void)
{
    log_set_clock(NULL);
    panicked = true;
    klog("panic");
    assert_next(&middle_cursor, NULL);
    log_panic();
    assert_next(&middle_cursor, "panic");
    return 0;
}

/* Last of all: log_panic is for good. */
static void after_a_panic_readers_wait_for_nothing(void **unused)
{
    (void)unused;
    middle_cursor = log_count();
    log_set_clock(panicking_clock);
    klog("interrupted for good");
    assert_true(panicked); /* what is asserted there was */
}

/* ---- threads ---- */

static void *write_lines(void *argument)
{
    int thread = *(int *)argument;

    for (int i = 0; i < N_LINES_A_THREAD; i++)
        klog("%d %d %d %d", thread, i, thread, i);
    return NULL;
}

/* Reads until the writers are done; asserts that lines are whole and in order.  Returns how many there were.
 */
static u64 read_while_written(u64 *cursor, u64 n_expected)
{
    char line[LINE_BYTES];
    int newest[N_THREADS] = {-1, -1, -1, -1};
    u64 n_read = 0, end = *cursor + n_expected;

    while (*cursor < end) {
        int thread, i, thread_again, i_again;

        if (log_read(cursor, line, sizeof(line)) == 0) {
            if (log_count() == end)
                break;
            continue;
        }
        assert_int_equal(sscanf(line, "%d %d %d %d", &thread, &i, &thread_again, &i_again), 4);
        assert_int_equal(thread, thread_again);
        assert_int_equal(i, i_again);
        assert_in_range(thread, 0, N_THREADS - 1);
        assert_true(i > newest[thread]);
        newest[thread] = i;
        n_read++;
    }
    return n_read;
}

static void lines_stay_whole_under_many_writers(void **unused)
{
    pthread_t threads[N_THREADS];
    int numbers[N_THREADS];
    u64 cursor = log_count();

    (void)unused;
    for (int i = 0; i < N_THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    read_while_written(&cursor, N_THREADS * N_LINES_A_THREAD); /* maybe none: writers may lap the reader */
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    cursor = log_count() - LOG_N_LINES;
    assert_true(read_while_written(&cursor, LOG_N_LINES) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_come_in_order_to_every_reader, start_without_clock),
        cmocka_unit_test_setup(an_empty_line_is_a_line, start_without_clock),
        cmocka_unit_test_setup(lines_carry_the_time, start_without_clock),
        cmocka_unit_test_setup(long_lines_are_cut, start_without_clock),
        cmocka_unit_test_setup(the_oldest_lines_go_first, start_without_clock),
        cmocka_unit_test_setup(readers_wait_for_a_line_that_is_being_written, start_without_clock),
        cmocka_unit_test_setup(a_line_is_dropped_rather_than_waited_for, start_without_clock),
        cmocka_unit_test_setup(lines_stay_whole_under_many_writers, start_without_clock),
        cmocka_unit_test_setup(after_a_panic_readers_wait_for_nothing, start_without_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
