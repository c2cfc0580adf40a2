/* SPDX-License-Identifier: MIT */
/*
 * The benches, as a list of workloads, and running those that were asked for.
 *
 * Each workload times whole samples of many operations with interrupts off and gives the series to
 * bench_figure.  Nothing is subtracted from a sample: `loop_overhead` and `tsc_overhead` say what measuring
 * itself takes.  mm's functions are called as everybody calls them, out of line; what they are given is no
 * constant where they are called (TIMED).
 */
#include <kernel/bench/fill.h>
#include <kernel/bench/measure.h>
#include <kernel/bench/report.h>
#include <kernel/shell/out.h>
#include <kernel/shell/suggest.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/inspect.h>
#include <mm/mm.h>

static const struct workload *const groups[] = {workloads_kmalloc, workloads_frames, workloads_mapping,
                                                workloads_whole};

#define CLOCK_LOOKS            64
#define INSTRUCTIONS_OF_A_LOOK 12 /* 5, with room for another compiler */

/* One run at a time; too large for the stack. */
static struct bench bench;

static const struct workload *workload_at(unsigned i)
{
    for (unsigned g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        for (const struct workload *workload = groups[g]; workload->name != NULL; workload++) {
            if (i-- == 0)
                return workload;
        }
    }
    return NULL;
}

const char *bench_name(unsigned i)
{
    const struct workload *workload = workload_at(i);

    return workload != NULL ? workload->name : NULL;
}

const char *bench_summary(unsigned i)
{
    const struct workload *workload = workload_at(i);

    return workload != NULL ? workload->summary : NULL;
}

/* True when one of the blank-separated names begins with `wanted`. */
static bool is_among(const char *names, const char *wanted)
{
    size_t n = strlen(wanted);

    while (names != NULL) {
        if (!strncmp(names, wanted, n))
            return true;
        names = strchr(names, ' ');
        names = names != NULL ? names + 1 : NULL;
    }
    return false;
}

static bool is_wanted(const struct workload *workload, const char *name)
{
    if (name == NULL)
        return workload->is_possible == NULL || workload->is_possible();
    return is_among(workload->name, name) || is_among(workload->figures, name);
}

static bool unknown(const char *name)
{
    struct suggestion nearest;

    suggest_start(&nearest, name);
    for (unsigned i = 0; bench_name(i) != NULL; i++)
        suggest_try(&nearest, bench_name(i));
    if (nearest.best != NULL)
        return out_error("there is no workload '%s'; did you mean '%s'?", name, nearest.best);
    return out_error("there is no workload '%s'; 'help bench' lists them", name);
}

/* Says what went wrong with a workload; true when that is to be expected. */
static bool outcome_is_good(enum outcome outcome, const struct workload *workload, bool memory_is_short)
{
    if (outcome == OUTCOME_NO_ROOM && memory_is_short) {
        bench_note(&bench, "%-20s no room for it in what is free", workload->name);
        return true;
    }
    if (outcome == OUTCOME_NO_ROOM)
        return out_error("bench %s: no memory", workload->name);
    return outcome == OUTCOME_DONE;
}

static bool run_wanted(const struct bench_request *request)
{
    const struct workload *workload;
    bool ok = true;

    for (unsigned i = 0; !out_interrupted() && (workload = workload_at(i)) != NULL; i++) {
        if (is_wanted(workload, request->name))
            ok = outcome_is_good(workload->run(&bench), workload, request->full_percent != 0) && ok;
    }
    return ok && !out_interrupted();
}

static bool any_is_wanted(const char *name)
{
    for (unsigned i = 0; workload_at(i) != NULL; i++) {
        if (is_wanted(workload_at(i), name))
            return true;
    }
    return false;
}

static void tell_fill(void)
{
    struct mm_stat_t stat = mm_stat();
    struct mm_zone_info dma;

    mm_zone_info(0, &dma);
    bench_note(&bench, "%lu of %lu MiB are free, %lu of them in ZONE_DMA, which is not filled", stat.free >> 20,
               stat.total >> 20, dma.free_bytes >> 20);
}

/* Whether a tick is an instruction: then nothing takes so few ticks (5), and the same each time.  A host's clock does not
 * come near to that: reading it is an operation of many cycles. */
static bool clock_counts_instructions(void)
{
    u64 least = ~0UL, most = 0;

    for (unsigned i = 0; i < CLOCK_LOOKS; i++) {
        u64 begin = sample_begin(), ticks = sample_end(begin);

        least = min_u64(least, ticks);
        most = max_u64(most, ticks);
    }
    return least == most && most < INSTRUCTIONS_OF_A_LOOK;
}

bool bench_run(const struct bench_request *request)
{
    struct fill fill;
    bool ok;

    if (request->name != NULL && !any_is_wanted(request->name))
        return unknown(request->name);
    bench.form = request->form;
    bench.n_figures = 0;
    bench.beside_linux = true;
    bench.counts_instructions = clock_counts_instructions();
    if (!fill_memory(&fill, request->full_percent))
        return out_interrupted() ? false : out_error("bench: no memory to note what was taken");
    if (request->full_percent != 0)
        tell_fill();
    ok = run_wanted(request);
    fill_release(&fill);
    mm_shrink();
    if (ok)
        report_end(&bench);
    return ok;
}
