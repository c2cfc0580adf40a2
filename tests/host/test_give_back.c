/* SPDX-License-Identifier: MIT */
/*
 * mm_give_back against a model with a counter a frame: exactly the frames that were reserved under that name,
 * and by nobody else, and that are RAM, become free.
 */
#include <cmocka_all.h>
#include <map_machine.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <lib/string.h>
#include <mm/inspect.h>

#define RAM_BYTES   MIB(64)
#define MODEL_BYTES MIB(80)
#define N_FRAMES    (MODEL_BYTES / FRAME_BYTES)
#define N_RESERVED  30
#define N_MACHINES  150
#define RANDOM_SEED 0x1234567890abcdefUL

static const char *const names[] = {"module", "symbols", "information", "log", "disk"};

/* RAM with holes of all sizes; what is no RAM may be reserved all the same. */
static const struct machine_ram ram[] = {
    {0, MIB(9) + KIB(4)},
    {MIB(10), MIB(12)},
    {MIB(22) + KIB(8), KIB(4)},
    {MIB(22) + KIB(16), RAM_BYTES - MIB(22) - KIB(16)},
};

static bool is_ram[N_FRAMES];
static u32 n_reservations[N_FRAMES];

static u64 first_frame(const struct mm_reserved *range)
{
    return range->start / FRAME_BYTES;
}

/* One past the last frame that a range touches, within the model. */
static u64 end_frame(const struct mm_reserved *range)
{
    return min_u64(range->end / FRAME_BYTES + (range->end % FRAME_BYTES != 0), N_FRAMES);
}

static void model_start(const struct mm_boot *boot)
{
    for (u64 i = 0; i < N_FRAMES; i++) {
        is_ram[i] = memory_map_is_usable(&boot->map, i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
        n_reservations[i] = 0;
    }
    for (u32 k = 0; k < boot->n_reserved; k++)
        for (u64 i = first_frame(&boot->reserved[k]); i < end_frame(&boot->reserved[k]); i++)
            n_reservations[i]++;
}

/* Takes one reservation away; how many frames that frees. */
static u64 model_give_back(const struct mm_reserved *range)
{
    u64 n = 0;

    for (u64 i = first_frame(range); i < end_frame(range); i++)
        n += --n_reservations[i] == 0 && is_ram[i];
    return n;
}

/* Frames reserved are what the model says; what is no longer reserved is free, or serves mm since the start.
 */
static void assert_agrees(void)
{
    for (u64 i = 0; i < N_FRAMES; i++) {
        struct mm_what what;

        mm_describe_phys(phys(i * FRAME_BYTES + 5), &what);
        if (!is_ram[i] && what.kind != MM_NO_RAM)
            fail_msg("frame 0x%lx is no RAM, but of kind %u", i, what.kind);
        if (is_ram[i] && (n_reservations[i] != 0) != (what.kind == MM_RESERVED))
            fail_msg("frame 0x%lx: %u reservations, kind %u", i, n_reservations[i], what.kind);
    }
}

static void give_back_one_name(const struct mm_boot *boot, const char *name)
{
    u64 expected = 0, free = mm_stat().free, got;

    for (u32 k = 0; k < boot->n_reserved; k++)
        if (strcmp(boot->reserved[k].name, name) == 0)
            expected += model_give_back(&boot->reserved[k]);
    got = mm_give_back(name);
    if (got != expected)
        fail_msg("%s: %lu frames given back, not %lu", name, got, expected);
    assert_int_equal(mm_stat().free, free + got * FRAME_BYTES);
    assert_int_equal(mm_give_back(name), 0);
    assert_sound();
}

static u32 n_listed(void)
{
    const char *name;
    u64 start, end;
    u32 n = 0;

    while (mm_reserved_range(n, &start, &end, &name))
        n++;
    return n;
}

/* Any alignment, any overlap, holes, the same range twice, nothing at all. */
static struct mm_reserved random_range(u64 *random, const struct mm_reserved *before)
{
    static const u64 sizes[] = {1, KIB(4), KIB(64), MIB(2), MIB(6)};
    u64 start = random_below(random, MODEL_BYTES),
        bytes = random_below(random, sizes[random_below(random, 5)] + 1);

    if (random_below(random, 2))
        start = align_down(start, random_below(random, 2) ? KIB(4) : MIB(2));
    if (random_below(random, 3) == 0)
        bytes = align_up(bytes, random_below(random, 2) ? KIB(4) : MIB(2));
    if (before != NULL && random_below(random, 5) == 0) {
        start = before->start;
        bytes = before->end - before->start;
    }
    if (bytes == 0)
        start = align_down(start, KIB(4));
    return (struct mm_reserved){start, start + bytes, names[random_below(random, ARRAY_LENGTH(names))]};
}

static void give_back_all(const struct mm_boot *boot, u64 *random)
{
    unsigned first = (unsigned)random_below(random, ARRAY_LENGTH(names));

    model_start(boot);
    assert_agrees();
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
        give_back_one_name(boot, names[(first + i) % ARRAY_LENGTH(names)]);
        assert_agrees();
    }
    give_back_one_name(boot, "low memory");
    give_back_one_name(boot, "the kernel image");
    assert_agrees();
    assert_int_equal(n_listed(), 0);
}

static void all_that_was_reserved_comes_back_and_nothing_else(void **state)
{
    u64 random = RANDOM_SEED;
    unsigned n_started = 0;

    (void)state;
    for (unsigned i = 0; i < N_MACHINES; i++) {
        struct mm_reserved reserved[N_RESERVED];
        const struct machine_options options = {
            .reserved = reserved,
            .n_reserved = (u32)(1 + random_below(&random, N_RESERVED)),
        };

        for (u32 k = 0; k < options.n_reserved; k++)
            reserved[k] = random_range(&random, k > 0 ? &reserved[k - 1] : NULL);
        if (machine_start(ram, ARRAY_LENGTH(ram), &options) != NULL)
            continue;
        n_started++;
        assert_started();
        give_back_all(machine_boot(), &random);
        assert_all_can_be_taken();
    }
    machine_stop();
    assert_true(n_started > N_MACHINES * 9 / 10);
}

/* Ranges that end where addresses end are cut there, not wrapped to nothing. */
static void a_range_may_reach_to_the_end_of_all_addresses(void **state)
{
    static const struct mm_reserved reserved[] = {{MIB(60) + 1, ~0UL, "module"}, {MIB(58), MIB(61), "log"}};
    static const struct machine_options options = {.reserved = reserved, .n_reserved = 2};

    (void)state;
    assert_null(machine_start(ram, ARRAY_LENGTH(ram), &options));
    assert_started();
    model_start(machine_boot());
    assert_agrees();
    give_back_one_name(machine_boot(), "module");
    give_back_one_name(machine_boot(), "log");
    machine_stop();
}

/* Memory that came back is like any other: whole pages are whole, and the early allocator's part is left
 * alone. */
static void what_came_back_can_be_allocated(void **state)
{
    static const struct mm_reserved reserved[] = {{MIB(16), MIB(30), "module"},
                                                  {MIB(31), MIB(31) + 7, "log"}};
    static const struct machine_options options = {.reserved = reserved, .n_reserved = 2};
    struct mm_zone_info before, after;

    (void)state;
    assert_null(machine_start(&(struct machine_ram){0, RAM_BYTES}, 1, &options));
    mm_zone_info(1, &before);
    assert_int_equal(mm_give_back("module"), MIB(14) / FRAME_BYTES);
    mm_zone_info(1, &after);
    assert_int_equal(after.n_whole_free_pages, before.n_whole_free_pages + 7);
    assert_int_equal(mm_give_back("log"), 1);
    assert_non_null(alloc_pages(ZONE_NORMAL, 7, 0));
    assert_sound();
    machine_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_was_reserved_comes_back_and_nothing_else),
        cmocka_unit_test(a_range_may_reach_to_the_end_of_all_addresses),
        cmocka_unit_test(what_came_back_can_be_allocated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
