/* SPDX-License-Identifier: MIT */
/*
 * Churn: does free memory stay in whole pages?
 *
 *      [################....]  90 % of the free frames are taken one by one
 *      [#.#..##..#.##...#...]  half of them are freed in a random order
 *      100 times: a tenth of the live ones freed at random, and as many taken
 *      [####..######........]  how much of what is free now lies in whole pages?
 *
 * Time is bounded: of more than 8 GiB the rest is taken in blocks of whole pages first, and plays no part.
 */
#include <kernel/bench/bench.h>

#include <kernel/bench/generator.h>
#include <kernel/bench/hoard.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <lib/bits.h>
#include <mm/inspect.h>
#include <mm/mm.h>

#define N_ROUNDS       100
#define SURPLUS_BLOCKS 4096
#define POLL_FRAMES    4096

struct churn {
    struct hoard surplus, hoard;
    u64 x; /* the generator */
};

/* What is free in all zones, in bytes: as a whole, and in whole pages. */
static void measure(u64 *free_bytes, u64 *whole_bytes)
{
    *free_bytes = *whole_bytes = 0;
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        struct mm_zone_info zone;

        mm_zone_info(i, &zone);
        *free_bytes += zone.free_bytes;
        *whole_bytes += zone.n_whole_free_pages * PAGE_BYTES;
    }
}

static void tell(const char *when)
{
    u64 free_bytes, whole_bytes;

    measure(&free_bytes, &whole_bytes);
    out("churn: %-22s %12lu KiB free, %12lu KiB of it in whole pages: %s\n", when, free_bytes >> 10,
        whole_bytes >> 10, format_percent(whole_bytes, free_bytes).s);
}

/* False when Ctrl-C came. */
static bool take(struct churn *churn, u64 n)
{
    for (u64 i = 0; i < n && hoard_take(&churn->hoard, 0); i++) {
        if (i % POLL_FRAMES == 0 && out_interrupted())
            return false;
    }
    return true;
}

static bool give(struct churn *churn, u64 n)
{
    for (u64 i = 0; i < n && churn->hoard.n > 0; i++) {
        if (i % POLL_FRAMES == 0 && out_interrupted())
            return false;
        hoard_give(&churn->hoard, generator_next(&churn->x) % churn->hoard.n);
    }
    return true;
}

static bool play(struct churn *churn, u64 n_frames)
{
    u64 n_moved;

    if (!take(churn, n_frames))
        return false;
    tell("filled");
    if (!give(churn, churn->hoard.n / 2))
        return false;
    tell("half of it freed");
    n_moved = churn->hoard.n / 10;
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        if (!give(churn, n_moved) || !take(churn, n_moved))
            return false;
    }
    tell("after 100 rounds");
    mm_shrink();
    tell("after shrink");
    return true;
}

bool bench_churn(u64 seed)
{
    static struct churn churn; /* too large for the stack */
    u64 n_free = mm_stat().free / FRAME_BYTES, n_large = 0;
    bool played;

    churn.x = seed;
    if (!hoard_start(&churn.surplus, SURPLUS_BLOCKS))
        return out_error("churn: no memory for its lists");
    if (!hoard_start(&churn.hoard, min_u64(n_free, HOARD_MAX_FRAMES))) {
        hoard_end(&churn.surplus);
        return out_error("churn: no memory for its lists");
    }
    if (n_free > HOARD_MAX_FRAMES)
        n_large = hoard_take_surplus(&churn.surplus, n_free - HOARD_MAX_FRAMES);
    out("churn: seed %lu, %lu frames in play, %lu aside\n", seed, n_free - n_large, n_large);
    played = play(&churn, min_u64((n_free - n_large) * 9 / 10, churn.hoard.n_max));
    hoard_end(&churn.hoard);
    hoard_end(&churn.surplus);
    mm_shrink();
    return played;
}
