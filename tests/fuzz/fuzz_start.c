/* SPDX-License-Identifier: MIT */
/*
 * Starting mm on a map and with options that make no sense.  Input: the machine and its options (1 to 19 bytes), then a map
 * (map_input.h).
 *
 * mm comes up with exactly the usable memory, sound, all of it to be had, or says why it does not; it touches nothing
 * that is not usable, since there is nothing else to touch.
 */
#include <cmocka_all.h>
#include <map_input.h>
#include <map_machine.h>

#include <lib/bits.h>
#include <mm/inspect.h>

#include <stdlib.h>

#define SMALL_BYTES MIB(24) /* so small that all of it is taken and given back */
#define N_RESERVED  3
#define RUNS_MAX    64      /* a process may have only so many mappings */

/* More memory than this only takes longer; addresses do not matter. */
#define RAM_MAX MIB(512)

static bool is_too_large(const struct map_model *model)
{
    struct memory_range run;

    return map_model_usable(model, RUNS_MAX, &run) || map_model_usable_below(model, MEMORY_MAP_END) > RAM_MAX;
}

/* What a loader may have left, at any bytes; it must stay reserved. */
static struct mm_reserved reserved[N_RESERVED];

static void take_reserved(struct fuzz_bytes *bytes, struct machine_options *options)
{
    for (unsigned i = 0; i < N_RESERVED; i++) {
        u64 start = fuzz_number(bytes, 2) * KIB(4) + fuzz_number(bytes, 1) * 16;

        reserved[i] = (struct mm_reserved){start, start + fuzz_number(bytes, 2) * 64, "left by the loader"};
    }
    options->reserved = reserved;
    options->n_reserved = N_RESERVED;
}

/* No byte of it is in a frame that somebody may get. */
static void expect_reserved(const struct map_model *model, u64 at)
{
    struct mm_what what;

    if (!map_model_frame(model, at & ~0xfffUL) || at >= mm_ram_end())
        return;
    mm_describe_phys(phys(at), &what);
    expect(what.kind == MM_RESERVED);
}

/* Sizes as the command line may give them, near the borders where they begin to matter. */
static void take_options(struct fuzz_bytes *bytes, struct machine_options *options)
{
    unsigned which = (unsigned)fuzz_number(bytes, 1);

    *options = (struct machine_options){.old_cpu = which & 1, .no_gigabyte_pages = which & 2};
    if (which & 4)
        options->mem_bytes = MIB(8) + fuzz_number(bytes, 1) * KIB(60);
    if (which & 8)
        options->dma_bytes = MIB(2) + fuzz_number(bytes, 1) * KIB(132);
    if (which & 16)
        options->direct_map_bytes = which & 32 ? ~0UL : MIB(4) + fuzz_number(bytes, 1) * KIB(516);
    if (which & 64)
        take_reserved(bytes, options);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    static struct map_input input;
    static struct map_model model;
    struct fuzz_bytes bytes = {data, n};
    struct machine_options options;

    take_options(&bytes, &options);
    map_input_take(&bytes, &input);
    map_model_build(&input, &model);
    if (is_too_large(&model))
        return 0;

    struct memory_map map = map_input_raw(&input, 24);
    const char *wrong = map_machine_start(&map, &options);

    if (wrong != NULL) {
        expect(wrong[0] != '\0' && host_n_reports(MM_BROKEN) == 0);
    } else {
        u64 reach = options.old_cpu ? GIB(64) : MM_RAM_LIMIT; /* 36 or 46 address bits */
        u64 usable = map_model_usable_below(&model, reach);

        assert_started();
        expect(mm_stat().total == (options.mem_bytes == 0 ? usable : min_u64(usable, options.mem_bytes)));
        if (mm_stat().total <= SMALL_BYTES)
            assert_all_can_be_taken();
        for (unsigned i = 0; i < options.n_reserved; i++) {
            if (reserved[i].start == reserved[i].end)
                continue;
            expect_reserved(&model, reserved[i].start);
            expect_reserved(&model, reserved[i].end - 1);
        }
        expect(mm_misuse_count() == 0);
    }
    machine_stop();
    free((void *)(uintptr_t)map.entries);
    return 0;
}
