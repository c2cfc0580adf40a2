/* SPDX-License-Identifier: MIT */
/* What the tests of mm_check have in common: see check_tools.h. */
#include <cmocka_all.h>
#include <check_tools.h>

void assert_broken(unsigned number, const char *what)
{
    struct mm_violation found = {.number = 0};

    if (mm_check(&found))
        fail_msg("%s: nothing is found, not I%u", what, number);
    if (found.number != number)
        fail_msg("%s: not I%u but I%u: %s, at 0x%lx: 0x%lx expected, 0x%lx found", what, number, found.number,
                 found.text, found.where, found.expected, found.found);
    assert_non_null(found.text);
    assert_int_equal(host_n_locks_held(), 0);
}

void assert_broken_as(unsigned number, const char *text)
{
    struct mm_violation found;

    assert_broken(number, text);
    assert_false(mm_check(&found));
    assert_string_equal(found.text, text);
}
