/* SPDX-License-Identifier: MIT */
/* Tests of lib/bitmap.h against a model of one byte a bit. */
#include "cmocka_all.h"

#include <string.h>

#include <lib/bitmap.h>

#define N_BITS   300
#define N_WORDS  BITMAP_WORDS(N_BITS)
#define N_ROUNDS 20000

struct model {
    u64 words[N_WORDS + 2]; /* with a guard word on each side */
    bool bits[N_BITS];
};

static u64 *words_of(struct model *model)
{
    return model->words + 1;
}

static void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    model->words[0] = model->words[N_WORDS + 1] = 0x5a5a5a5a5a5a5a5a;
}

static void model_check(struct model *model)
{
    assert_int_equal(model->words[0], 0x5a5a5a5a5a5a5a5a);
    assert_int_equal(model->words[N_WORDS + 1], 0x5a5a5a5a5a5a5a5a);
    for (u64 i = 0; i < N_BITS; i++)
        assert_int_equal(bitmap_test(words_of(model), i), model->bits[i]);
    for (u64 i = N_BITS; i < N_WORDS * 64; i++)
        assert_false(bitmap_test(words_of(model), i));
}

static u64 model_find(const struct model *model, u64 from, bool value)
{
    while (from < N_BITS && model->bits[from] != value)
        from++;
    return from < N_BITS ? from : N_BITS;
}

static u64 model_find_clear_run(const struct model *model, u64 from, u64 n_run)
{
    for (; from + n_run <= N_BITS && from < N_BITS; from++) {
        u64 n = 0;

        while (n < n_run && !model->bits[from + n])
            n++;
        if (n == n_run)
            return from;
    }
    return N_BITS;
}

static u64 model_count(const struct model *model, u64 first, u64 n)
{
    u64 n_ones = 0;

    for (u64 i = first; i < first + n; i++)
        n_ones += model->bits[i];
    return n_ones;
}

static void change_randomly(struct model *model, u64 *state)
{
    u64 first = random_below(state, N_BITS);
    u64 n = random_below(state, N_BITS - first + 1);

    if (random_below(state, 2) == 0)
        n = n % 9;
    switch (random_below(state, 4)) {
    case 0:
        bitmap_set_range(words_of(model), first, n);
        memset(model->bits + first, true, n);
        break;
    case 1:
        bitmap_clear_range(words_of(model), first, n);
        memset(model->bits + first, false, n);
        break;
    case 2:
        bitmap_set(words_of(model), first);
        model->bits[first] = true;
        break;
    default:
        bitmap_clear(words_of(model), first);
        model->bits[first] = false;
        break;
    }
}

static void ask_randomly(struct model *model, u64 *state)
{
    u64 first = random_below(state, N_BITS);
    u64 n = random_below(state, N_BITS - first + 1);
    u64 n_run = random_below(state, 80);
    u64 n_ones = model_count(model, first, n);
    const u64 *words = words_of(model);

    assert_int_equal(bitmap_count_range(words, first, n), n_ones);
    assert_int_equal(bitmap_is_set_range(words, first, n), n_ones == n);
    assert_int_equal(bitmap_is_clear_range(words, first, n), n_ones == 0);
    assert_int_equal(bitmap_find_set(words, N_BITS, first), model_find(model, first, true));
    assert_int_equal(bitmap_find_clear(words, N_BITS, first), model_find(model, first, false));
    if (n_run > 0)
        assert_int_equal(bitmap_find_clear_run(words, N_BITS, first, n_run),
                         model_find_clear_run(model, first, n_run));
}

static void random_changes_and_searches_agree_with_the_model(void **unused)
{
    struct model model;
    u64 state = 7;

    (void)unused;
    model_init(&model);
    for (int i = 0; i < N_ROUNDS; i++) {
        change_randomly(&model, &state);
        ask_randomly(&model, &state);
        if (i % 64 == 0)
            model_check(&model);
    }
    model_check(&model);
}

static void empty_ranges_change_nothing_and_are_both_set_and_clear(void **unused)
{
    u64 words[2] = {0x10, 0};

    (void)unused;
    bitmap_set_range(words, 64, 0);
    bitmap_clear_range(words, 4, 0);
    assert_int_equal(words[0], 0x10);
    assert_int_equal(words[1], 0);
    assert_true(bitmap_is_set_range(words, 5, 0));
    assert_true(bitmap_is_clear_range(words, 4, 0));
    assert_int_equal(bitmap_count_range(words, 4, 0), 0);
}

static void searches_without_a_hit_give_the_number_of_bits(void **unused)
{
    u64 words[3] = {0, 0, ~(u64)0};

    (void)unused;
    assert_int_equal(bitmap_find_set(words, 128, 0), 128);
    assert_int_equal(bitmap_find_set(words, 130, 0), 128);
    assert_int_equal(bitmap_find_clear(words + 2, 64, 0), 64);
    assert_int_equal(bitmap_find_set(words, 100, 200), 100);
    assert_int_equal(bitmap_find_clear_run(words, 192, 0, 129), 192);
    assert_int_equal(bitmap_find_clear_run(words, 192, 0, 128), 0);
    assert_int_equal(bitmap_find_clear_run(words, 192, 1, 128), 192);
}

static void whole_words_are_counted_once(void **unused)
{
    (void)unused;
    assert_int_equal(BITMAP_WORDS(0), 0);
    assert_int_equal(BITMAP_WORDS(1), 1);
    assert_int_equal(BITMAP_WORDS(64), 1);
    assert_int_equal(BITMAP_WORDS(65), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_and_searches_agree_with_the_model),
        cmocka_unit_test(empty_ranges_change_nothing_and_are_both_set_and_clear),
        cmocka_unit_test(searches_without_a_hit_give_the_number_of_bits),
        cmocka_unit_test(whole_words_are_counted_once),
    };
    return cmocka_run_group_tests_name("lib_bitmap", tests, NULL, NULL);
}
