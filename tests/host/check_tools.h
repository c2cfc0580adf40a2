/* SPDX-License-Identifier: MIT */
/* Breaking one thing, being told which, and mending it again: what the tests of mm_check have in common. */
#ifndef TESTS_HOST_CHECK_TOOLS_H
#define TESTS_HOST_CHECK_TOOLS_H

#include <paging_tools.h>

#include <mm/inspect.h>

/* Fails the test unless mm_check finds exactly this invariant broken, says it in words, and holds no lock. */
void assert_broken(unsigned number, const char *what);

/* The same, and in these words. */
void assert_broken_as(unsigned number, const char *text);

/* Gives a place another value, expects that number, puts the old value back and expects that all is sound. */
#define BREAK(number, place, value)                                                                          \
    do {                                                                                                     \
        __typeof__(place) before_ = (place);                                                                 \
        (place) = (__typeof__(place))(value);                                                                \
        assert_broken(number, #place " = " #value);                                                          \
        (place) = before_;                                                                                   \
        assert_sound();                                                                                      \
    } while (0)

#endif
