/* SPDX-License-Identifier: MIT */
/* Tests of lib/bits.h, each function against a loop over single bits. */
#include "cmocka_all.h"

#include <lib/bits.h>

#define N_RANDOM 20000

static unsigned slow_ones(u64 x)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 64; i++)
        n += (unsigned)(x >> i) & 1;
    return n;
}

/* Random words of every density and every length. */
static u64 random_word(u64 *state)
{
    u64 x = random_next(state);

    switch (random_below(state, 4)) {
    case 0:
        x &= random_next(state);
        break;
    case 1:
        x |= random_next(state);
        break;
    case 2:
        x = (u64)1 << (x % 64);
        break;
    default:
        break;
    }
    return x >> random_below(state, 64);
}

static void counts_agree_with_a_loop_over_bits(void **unused)
{
    u64 state = 1;

    (void)unused;
    for (int i = 0; i < N_RANDOM; i++) {
        u64 x = random_word(&state);
        unsigned low = 0, high = 0;

        while (low < 64 && ((x >> low) & 1) == 0)
            low++;
        while (high < 64 && ((x << high) >> 63) == 0)
            high++;
        assert_int_equal(count_ones(x), slow_ones(x));
        assert_int_equal(count_trailing_zeros(x), low);
        assert_int_equal(count_leading_zeros(x), high);
        assert_int_equal(is_pow2(x), slow_ones(x) == 1);
    }
}

static void counts_of_zero_are_the_width(void **unused)
{
    (void)unused;
    assert_int_equal(count_ones(0), 0);
    assert_int_equal(count_ones(~(u64)0), 64);
    assert_int_equal(count_trailing_zeros(0), 64);
    assert_int_equal(count_leading_zeros(0), 64);
    assert_false(is_pow2(0));
}

static void logarithms_bracket_their_argument(void **unused)
{
    u64 state = 2;

    (void)unused;
    for (int i = 0; i < N_RANDOM; i++) {
        u64 x = random_word(&state) | 1;
        unsigned down = log2_floor(x), up = log2_ceil(x);

        assert_true(((u64)1 << down) <= x && (x >> down) == 1);
        assert_int_equal(up, down + (is_pow2(x) ? 0 : 1));
    }
    assert_int_equal(log2_ceil(0), 0);
    assert_int_equal(log2_ceil(1), 0);
    assert_int_equal(log2_ceil(((u64)1 << 63) + 1), 64);
}

static void alignment_goes_to_the_next_multiple(void **unused)
{
    u64 state = 3;

    (void)unused;
    for (int i = 0; i < N_RANDOM; i++) {
        u64 alignment = (u64)1 << random_below(&state, 40);
        u64 x = random_next(&state) >> 1;

        assert_int_equal(align_down(x, alignment), x - x % alignment);
        assert_int_equal(align_up(x, alignment), (x + alignment - 1) / alignment * alignment);
        assert_int_equal(is_aligned(x, alignment), x % alignment == 0);
    }
    assert_int_equal(align_up(~(u64)0, 4096), 0);
}

static void low_masks_have_so_many_bits(void **unused)
{
    (void)unused;
    for (unsigned n = 0; n <= 64; n++) {
        assert_int_equal(slow_ones(bits_low_mask(n)), n);
        assert_int_equal(count_trailing_zeros(~bits_low_mask(n)), n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_agree_with_a_loop_over_bits),
        cmocka_unit_test(counts_of_zero_are_the_width),
        cmocka_unit_test(logarithms_bracket_their_argument),
        cmocka_unit_test(alignment_goes_to_the_next_multiple),
        cmocka_unit_test(low_masks_have_so_many_bits),
    };
    return cmocka_run_group_tests_name("lib_bits", tests, NULL, NULL);
}
