/* SPDX-License-Identifier: MIT */
/*
 * Tests of lib/string.c against the C library.  The file is compiled into this one with its names changed, so
 * that both stand side by side; blocks have guard bytes around them.
 */
#include "cmocka_all.h"

#include <string.h>

#define STRING_UNDER_TEST
#define memset   our_memset
#define memcpy   our_memcpy
#define memmove  our_memmove
#define memcmp   our_memcmp
#define strlen   our_strlen
#define strnlen  our_strnlen
#define strcmp   our_strcmp
#define strncmp  our_strncmp
#define strchr   our_strchr
#define str_copy our_str_copy
#include "../../lib/string.c"
#undef memset
#undef memcpy
#undef memmove
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr

#define AREA_BYTES 160

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void fill_randomly(u8 *area, u64 *state)
{
    for (size_t i = 0; i < AREA_BYTES; i++)
        area[i] = (u8)random_next(state);
}

static void memset_writes_exactly_its_block_at_every_offset_and_length(void **unused)
{
    u8 ours[AREA_BYTES], theirs[AREA_BYTES];
    u64 state = 1;

    (void)unused;
    for (size_t at = 0; at < 16; at++) {
        for (size_t n = 0; n < 100; n++) {
            fill_randomly(ours, &state);
            memcpy(theirs, ours, sizeof(ours));
            assert_ptr_equal(our_memset(ours + at, (int)(n + 0x180), n), ours + at);
            memset(theirs + at, (int)(n + 0x180), n);
            assert_memory_equal(ours, theirs, sizeof(ours));
        }
    }
}

static void memcpy_copies_exactly_its_block_at_every_offset_and_length(void **unused)
{
    u8 source[AREA_BYTES], ours[AREA_BYTES], theirs[AREA_BYTES];
    u64 state = 2;

    (void)unused;
    for (size_t at = 0; at < 100; at++) {
        for (size_t n = 0; n < 50; n++) {
            fill_randomly(source, &state);
            fill_randomly(ours, &state);
            memcpy(theirs, ours, sizeof(ours));
            assert_ptr_equal(our_memcpy(ours + at % 11, source + at, n), ours + at % 11);
            memcpy(theirs + at % 11, source + at, n);
            assert_memory_equal(ours, theirs, sizeof(ours));
        }
    }
}

static void memmove_copies_between_overlapping_blocks_in_both_directions(void **unused)
{
    u8 ours[AREA_BYTES], theirs[AREA_BYTES];
    u64 state = 3;

    (void)unused;
    for (size_t to = 0; to < 40; to++) {
        for (size_t n = 0; n < 100; n++) {
            fill_randomly(ours, &state);
            memcpy(theirs, ours, sizeof(ours));
            assert_ptr_equal(our_memmove(ours + to, ours + 20, n), ours + to);
            memmove(theirs + to, theirs + 20, n);
            assert_memory_equal(ours, theirs, sizeof(ours));
        }
    }
}

static void memcmp_orders_by_the_first_byte_that_differs(void **unused)
{
    u8 a[AREA_BYTES], b[AREA_BYTES];
    u64 state = 4;

    (void)unused;
    for (int i = 0; i < 4000; i++) {
        size_t n = random_below(&state, AREA_BYTES);

        fill_randomly(a, &state);
        memcpy(b, a, sizeof(a));
        assert_int_equal(our_memcmp(a, b, n), 0);
        b[random_below(&state, AREA_BYTES)] ^= (u8)(1 + random_below(&state, 255));
        b[random_below(&state, AREA_BYTES)] ^= (u8)(1 + random_below(&state, 255));
        assert_int_equal(sign(our_memcmp(a, b, n)), sign(memcmp(a, b, n)));
    }
}

static void string_functions_agree_with_the_c_library(void **unused)
{
    char a[12], b[12];
    u64 state = 5;

    (void)unused;
    for (int i = 0; i < 20000; i++) {
        for (size_t k = 0; k < sizeof(a); k++) {
            a[k] = "aab\xff"[random_below(&state, 4)];
            b[k] = random_below(&state, 8) == 0 ? 'b' : a[k];
        }
        a[random_below(&state, sizeof(a))] = a[sizeof(a) - 1] = '\0';
        b[random_below(&state, sizeof(b))] = b[sizeof(b) - 1] = '\0';

        size_t n = random_below(&state, 14);

        assert_int_equal(our_strlen(a), strlen(a));
        assert_int_equal(our_strnlen(a, n), strnlen(a, n));
        assert_int_equal(sign(our_strcmp(a, b)), sign(strcmp(a, b)));
        assert_int_equal(sign(our_strncmp(a, b, n)), sign(strncmp(a, b, n)));
        assert_ptr_equal(our_strchr(a, 'b'), strchr(a, 'b'));
        assert_ptr_equal(our_strchr(a, '\xff'), strchr(a, '\xff'));
        assert_ptr_equal(our_strchr(a, 0), strchr(a, 0));
    }
}

static void strnlen_reads_no_byte_past_its_bound(void **unused)
{
    char *exact = test_malloc(3);

    (void)unused;
    memcpy(exact, "abc", 3);
    assert_int_equal(our_strnlen(exact, 3), 3);
    assert_int_equal(our_strncmp(exact, "abc", 3), 0);
    test_free(exact);
}

static void str_copy_always_terminates_and_says_whether_it_fitted(void **unused)
{
    char to[8];

    (void)unused;
    memset(to, '#', sizeof(to));
    assert_true(our_str_copy(to, 4, "abc"));
    assert_memory_equal(to, "abc\0####", 8);
    assert_false(our_str_copy(to, 4, "defg"));
    assert_memory_equal(to, "def\0####", 8);
    assert_true(our_str_copy(to, 1, ""));
    assert_false(our_str_copy(to, 1, "x"));
    assert_int_equal(to[0], 0);
    memset(to, '#', sizeof(to));
    assert_false(our_str_copy(to, 0, ""));
    assert_int_equal(to[0], '#');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memset_writes_exactly_its_block_at_every_offset_and_length),
        cmocka_unit_test(memcpy_copies_exactly_its_block_at_every_offset_and_length),
        cmocka_unit_test(memmove_copies_between_overlapping_blocks_in_both_directions),
        cmocka_unit_test(memcmp_orders_by_the_first_byte_that_differs),
        cmocka_unit_test(string_functions_agree_with_the_c_library),
        cmocka_unit_test(strnlen_reads_no_byte_past_its_bound),
        cmocka_unit_test(str_copy_always_terminates_and_says_whether_it_fitted),
    };
    return cmocka_run_group_tests_name("lib_string", tests, NULL, NULL);
}
