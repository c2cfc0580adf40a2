/* SPDX-License-Identifier: MIT */
/* The bitmap of a split page, each function against one that looks at every bit. */
#include <cmocka_all.h>

#include <mm/frame_bits.h>
#include <stdlib.h>
#include <string.h>

#define N_ORDERS 9
#define N_ROUNDS 3000

static ul words[FRAME_WORDS];

static bool slowly_free(unsigned first, unsigned order)
{
    for (unsigned i = first; i < first + (1u << order); i++)
        if (!(words[i / 64] >> (i % 64) & 1))
            return false;
    return true;
}

static bool slowly_maximal(unsigned first, unsigned order)
{
    return slowly_free(first, order) && (order == 8 || !slowly_free(first & ~((2u << order) - 1), order + 1));
}

/* A bitmap of one of several kinds: sparse, dense, in blocks, in whole words. */
static void fill_at_random(void)
{
    unsigned percent = (unsigned)rand() % 101, order = (unsigned)rand() % N_ORDERS;

    memset(words, 0, sizeof(words));
    for (unsigned i = 0; i < PAGE_FRAMES >> order; i++) {
        if ((unsigned)rand() % 100 >= percent)
            continue;
        for (unsigned k = i << order; k < (i + 1) << order; k++)
            words[k / 64] |= 1UL << (k % 64);
    }
}

static unsigned slowly_largest(void)
{
    for (unsigned order = N_ORDERS; order-- > 0;)
        for (unsigned first = 0; first < PAGE_FRAMES; first += 1u << order)
            if (slowly_free(first, order))
                return order;
    return N_ORDERS;
}

static void check_finding(unsigned largest)
{
    u64 counted[N_ORDERS] = {0};

    frame_bits_count(words, counted);
    for (unsigned order = 0; order < N_ORDERS; order++) {
        unsigned found = frame_bits_find(words, order), n_maximal = 0;

        for (unsigned first = 0; first < PAGE_FRAMES; first += 1u << order) {
            assert_int_equal(frame_bits_are_free(words, first, order), slowly_free(first, order));
            n_maximal += slowly_maximal(first, order);
        }
        assert_int_equal(counted[order], n_maximal);
        if (largest == N_ORDERS || order > largest)
            assert_int_equal(found, PAGE_FRAMES);
        else
            assert_true(n_maximal != 0 ? slowly_maximal(found, order) : slowly_free(found, order));
    }
}

static void blocks_are_found_counted_and_measured(void **state)
{
    (void)state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        unsigned largest;

        fill_at_random();
        largest = slowly_largest();
        check_finding(largest);
        for (unsigned at_most = largest; at_most < N_ORDERS; at_most++)
            assert_int_equal(frame_bits_largest(words, at_most), largest);
    }
}

static void a_block_grows_as_far_as_its_buddies_are_free(void **state)
{
    (void)state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        unsigned frame = (unsigned)rand() % PAGE_FRAMES;

        fill_at_random();
        words[frame / 64] |= 1UL << (frame % 64);
        for (unsigned order = 0; order < N_ORDERS && slowly_free(frame & (~0u << order), order); order++) {
            unsigned around = order;

            while (around < 8 && slowly_free(frame & (~1u << around), around + 1))
                around++;
            assert_int_equal(frame_bits_around(words, frame + 5 * PAGE_FRAMES, order), around);
            if (around != order)
                assert_true(frame_bits_has_grown(words[frame / 64], frame + 5 * PAGE_FRAMES, order));
            else if (order < 6)
                assert_false(frame_bits_has_grown(words[frame / 64], frame + 5 * PAGE_FRAMES, order));
        }
        for (unsigned order = 6; order < N_ORDERS; order++) /* of another block, elsewhere in the page */
            assert_int_equal(frame_bits_has_grown(words[frame / 64], frame, order), words[frame / 64] == ~0UL);
    }
}

static void flipping_twice_changes_nothing(void **state)
{
    (void)state;
    for (unsigned order = 0; order < N_ORDERS; order++) {
        for (unsigned first = 0; first < PAGE_FRAMES; first += 1u << order) {
            memset(words, 0, sizeof(words));
            frame_bits_flip(words, first, order);
            assert_true(slowly_maximal(first, order) && slowly_largest() == order);
            frame_bits_flip(words, first, order);
            assert_int_equal(slowly_largest(), N_ORDERS);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_found_counted_and_measured),
        cmocka_unit_test(a_block_grows_as_far_as_its_buddies_are_free),
        cmocka_unit_test(flipping_twice_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
