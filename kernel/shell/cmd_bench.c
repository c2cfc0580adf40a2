/* SPDX-License-Identifier: MIT */
/* Speed: the benches. */
#include <kernel/bench/bench.h>
#include <kernel/bench/generator.h>
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/out.h>
#include <lib/string.h>

/* False after an error line. */
static bool form_is_one(const struct call *call)
{
    if (call_has(call, "-c") && call_has(call, "-j"))
        return out_error("-c and -j are two forms; say one of them");
    return true;
}

static enum bench_form form_of(const struct call *call)
{
    if (call_has(call, "-j"))
        return BENCH_JSON;
    return call_has(call, "-c") ? BENCH_CSV : BENCH_TABLE;
}

/* What has its own words only; false after an error line. */
static bool has_no_options(const struct call *call)
{
    if (form_of(call) != BENCH_TABLE || call_has(call, "-f"))
        return out_error("bench %s has no -c, -j or -f", call->argument[0]);
    return true;
}

static bool run_churn(const struct call *call)
{
    u64 seed = GENERATOR_SEED;

    if (!has_no_options(call))
        return false;
    if (call->n > 1 && !call_number(call, 1, &seed))
        return false;
    if (seed == 0)
        return out_error("bench churn: a seed of 0 makes only zeros");
    return bench_churn(seed);
}

static bool run_memory(const struct call *call)
{
    if (!has_no_options(call))
        return false;
    bench_memory();
    return true;
}

static bool run_bench(struct call *call)
{
    struct bench_request request = {.name = call->n ? call->argument[0] : NULL, .form = form_of(call)};
    u64 percent = 0;

    if (call->n && !strcmp(call->argument[0], "churn"))
        return run_churn(call);
    if (call->n == 1 && !strcmp(call->argument[0], "memory"))
        return run_memory(call);
    if (!form_is_one(call))
        return false;
    if (call->n > 1)
        return out_error("bench %s takes no '%s'", call->argument[0], call->argument[1]);
    if (call_has(call, "-f") && !call_option_number(call, "-f", &percent))
        return false;
    if (call_has(call, "-f") && (percent < 1 || percent > 99))
        return out_error("-f wants 1 to 99 percent, not %lu", percent);
    request.full_percent = (unsigned)percent;
    return bench_run(&request);
}

static bool replay_trace(struct call *call)
{
    struct bench_request request = {.name = "replay", .form = form_of(call)};

    return form_is_one(call) && bench_run(&request);
}

static const struct command_option options_bench[] = {
    {"-c", NULL, "a line of CSV for each figure"},
    {"-j", NULL, "one line of JSON"},
    {"-f", "PERCENT", "with so much of the memory above ZONE_DMA taken"},
    {NULL, NULL, NULL},
};

static const struct command_option options_replay[] = {
    {"-c", NULL, "a line of CSV for each figure"},
    {"-j", NULL, "one line of JSON"},
    {NULL, NULL, NULL},
};

/* The workloads by name, for help and TAB; bench_name() is the list that counts. */
static const struct choice choices[] = {
    {"kmalloc_pair", "kmalloc and kfree"},
    {"kzalloc_pair", "kzalloc and kfree"},
    {"batch_fifo", "1024 objects, freed oldest first"},
    {"batch_lifo", "1024 objects, freed newest first"},
    {"batch_random", "1024 objects, freed in a random order"},
    {"frame_pair", "frame_alloc and frame_free"},
    {"page_pair", "alloc_pages and free_pages"},
    {"frame_batch512", "512 frames, freed in a random order"},
    {"frame_batch4096", "4096 frames, freed in a random order"},
    {"page_batch32", "32 pages, freed in a random order"},
    {"map4k", "4 KiB leaves"},
    {"map2m", "2 MiB leaves"},
    {"mm_stat", "the seven numbers"},
    {"mixed_server", "100000 steps as a server asks for memory"},
    {"replay", "the recorded trace in a boot module"},
    {"tsc_overhead", "reading the counter twice"},
    {"loop_overhead", "an empty loop"},
    {"memory", "what memory management takes for itself, in bytes"},
    {"churn", "[SEED]: fragmentation after random frees; takes a while"},
    {NULL, NULL},
};

const struct command commands_bench[] = {
    {.name = "bench",
     .usage = "bench [NAME] [-c|-j] [-f PERCENT]; bench churn [SEED]; bench memory",
     .summary = "measure mm: ticks an operation; under icount instructions, beside Linux's",
     .example = "bench\nbench kmalloc_pair\nbench -f 90\nbench churn",
     .trouble = "no room for a workload's memory; a sum that is wrong means that mm is",
     .run = run_bench,
     .options = options_bench,
     .choices = choices,
     .n_max = 2,
     .kinds = {ARGUMENT_CHOICE, ARGUMENT_NONE}},
    {.name = "replay",
     .usage = "replay [-c|-j]",
     .summary = "play the trace of allocations that the boot loader left, three times",
     .example = "replay",
     .trouble = "no boot module begins with KTRC; a trace that cannot be played, and why; no memory for what it takes",
     .run = replay_trace,
     .options = options_replay},
    {.name = NULL},
};
