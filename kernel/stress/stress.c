/* SPDX-License-Identifier: MIT */
/*
 * A run.
 *
 *      shrink, note mm_stat -> duels -> shooting -> slice, slice, ... -> all dropped -> shrink, mm_check,
 * mm_stat as before
 *
 * A *slice* is a second in which all CPUs work (worker.c).  Between two of them they rest, and the boot CPU
 * runs mm_check, with all that is live in place, and says how far it is.  Everything random comes from the
 * seed, and which CPU was how fast: with QEMU's -icount from the seed alone.
 */
#include <kernel/debug/log.h>
#include <kernel/mm/memory.h>
#include <kernel/shell/out.h>
#include <kernel/stress/worker.h>
#include <kernel/time/time.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/inspect.h>

#define SLICE_MS         1000
#define REPORT_MS        10000
#define POLL_STEPS       32
#define WRONG_IN_A_SLICE 3
#define INTERRUPT_BUDGET (256UL << 10)

struct stress stress;

static u64 end_ms, slice_end_ms;

void stress_fail(const struct worker *worker, const char *format, ...)
{
    va_list arguments;
    int n = 0;

    if (__atomic_exchange_n(&stress.failed, true, __ATOMIC_ACQ_REL))
        return;
    if (worker != NULL)
        n = ksnprintf(stress.why, sizeof stress.why, "CPU %u%s, step %lu: ", worker->number,
                      worker->in_interrupt ? " in an interrupt" : "", worker->n_steps);
    va_start(arguments, format);
    kvsnprintf(stress.why + n, sizeof stress.why - (size_t)n, format, arguments);
    va_end(arguments);
}

/* ---- the workers ---- */

static struct worker *worker_new(u32 number, u64 budget_bytes)
{
    struct worker *worker = kzalloc(sizeof *worker, 0);

    if (worker == NULL)
        return NULL;
    worker->number = number;
    worker->budget_bytes = budget_bytes;
    worker->random = stress.request.seed ^ (number + 1) * 0x9e3779b97f4a7c15UL;
    worker->random |= worker->random == 0;
    return worker;
}

static void workers_free(void)
{
    for (u32 i = 0; i < stress.n_workers; i++) {
        kfree(stress.worker[i]);
        kfree(stress.interrupt_worker[i]);
    }
}

/* Three quarters of what is free are for all of them together. */
static bool workers_make(void)
{
    u64 budget_bytes = mm_stat().free / 4 * 3 / stress.n_workers;

    for (u32 i = 0; i < stress.n_workers; i++) {
        bool both = (stress.request.parts & STRESS_INTERRUPTS) != 0;

        stress.worker[i] = worker_new(i, budget_bytes);
        stress.interrupt_worker[i] = both ? worker_new(i, INTERRUPT_BUDGET) : NULL;
        if (stress.worker[i] == NULL || (both && stress.interrupt_worker[i] == NULL))
            return false;
        if (both) {
            stress.interrupt_worker[i]->in_interrupt = true;
            stress.interrupt_worker[i]->random *= 3;
        }
    }
    return true;
}

/* ---- slices ---- */

/* The boot CPU's eyes on the clock and the keyboard. */
static void look_up(const struct worker *worker)
{
    if (worker->number != 0 || worker->n_steps % POLL_STEPS != 0)
        return;
    if (out_interrupted())
        stress.interrupted = true;
    if (stress.interrupted || time_ms() >= slice_end_ms)
        __atomic_store_n(&stress.slice_over, true, __ATOMIC_RELAXED);
}

/* Whether to go on. */
static bool run_slice(void (*fn)(u32, void *), void *argument)
{
    slice_end_ms = min_u64(time_ms() + SLICE_MS, end_ms);
    stress.slice_over = false;
    stress.n_wrong_allowed = WRONG_IN_A_SLICE;
    stress.n_shortages_allowed = 1;
    smp_run_on_all(fn, argument);
    return !stress.failed && !stress.interrupted;
}

static void work(u32 number, void *argument)
{
    struct worker *worker = stress.worker[number];

    (void)argument;
    if (stress.interrupt_worker[number] != NULL)
        interrupts_begin(worker);
    while (!stress_is_over()) {
        worker_step(worker);
        look_up(worker);
    }
    if (stress.interrupt_worker[number] != NULL)
        interrupts_end(worker);
    worker_check_all(worker);
}

static void shooting(u32 number, void *argument)
{
    struct worker *worker = stress.worker[number];

    while (!stress_is_over()) {
        shoot(worker, *(u32 *)argument);
        look_up(worker);
    }
}

static void drop_own(u32 number, void *argument)
{
    (void)argument;
    worker_drop_all(stress.worker[number]);
}

static void check_now(void)
{
    struct mm_violation v;

    if (!stress.failed && !mm_check(&v))
        stress_fail(NULL, "invariant I%u is broken: %s, at 0x%lx: expected %lu, found %lu", v.number, v.text,
                    v.where, v.expected, v.found);
}

/* ---- reports ---- */

struct sums {
    u64 n_steps, n_made[N_THING_KINDS], n_refused, n_given;
};

static void sums_add(struct sums *sums, const struct worker *worker)
{
    if (worker == NULL)
        return;
    sums->n_steps += worker->n_steps;
    sums->n_refused += worker->n_refused;
    sums->n_given += worker->n_given;
    for (unsigned kind = 0; kind < N_THING_KINDS; kind++)
        sums->n_made[kind] += worker->n_made[kind];
}

static void report(u64 begin_ms)
{
    struct sums sums = {0};

    for (u32 i = 0; i < stress.n_workers; i++) {
        sums_add(&sums, stress.worker[i]);
        sums_add(&sums, stress.interrupt_worker[i]);
    }
    out("%5lu s  %lu steps: %lu objects, %lu blocks, %lu runs of pages, %lu mappings; %lu given away, %lu "
        "without memory\n",
        (time_ms() - begin_ms) / 1000, sums.n_steps, sums.n_made[THING_OBJECT], sums.n_made[THING_BLOCK],
        sums.n_made[THING_PAGES], sums.n_made[THING_MAPPING], sums.n_given, sums.n_refused);
}

/* ---- the run ---- */

static void run_phases(void)
{
    u64 begin_ms = time_ms(), report_ms = begin_ms + REPORT_MS;
    u32 shooter = (u32)(stress.request.seed % stress.n_workers);

    end_ms = begin_ms + stress.request.seconds * 1000;
    if (stress.request.parts & STRESS_WRONG)
        duel_all(stress.worker[0]);
    cells_start(1);
    if (stress.request.parts & STRESS_SHOOT)
        run_slice(shooting, &shooter);
    cells_start(~0u);
    check_now();
    while (time_ms() < end_ms && run_slice(work, NULL)) {
        check_now();
        if (time_ms() < report_ms)
            continue;
        report(begin_ms);
        report_ms += REPORT_MS;
    }
    report(begin_ms);
}

/* Each CPU its own things; but of a quarter of the CPUs the boot CPU drops them, from far away. */
static void drop_everything(void)
{
    for (u32 i = 1; i < stress.n_workers; i += 4)
        worker_drop_all(stress.worker[i]);
    smp_run_on_all(drop_own, NULL);
    for (u32 i = 0; i < stress.n_workers; i++)
        if (stress.interrupt_worker[i] != NULL)
            worker_drop_all(stress.interrupt_worker[i]);
}

static void compare_stat(const struct mm_stat_t *before)
{
    struct mm_stat_t now = mm_stat();

    if (!stress.failed && memcmp(before, &now, sizeof now) != 0)
        stress_fail(NULL,
                    "mm_stat is not as before: used %lu, was %lu; shared %lu, %lu; cache_used %lu, %lu; "
                    "cache_free %lu, %lu",
                    now.used, before->used, now.shared, before->shared, now.cache_used, before->cache_used,
                    now.cache_free, before->cache_free);
}

bool stress_run(const struct stress_request *request)
{
    bool panics = memory_panic_on_misuse(false);
    struct mm_stat_t before;
    ul n_misuses = mm_misuse_count();

    stress = (struct stress){.request = *request, .n_workers = smp_n_cpus()};
    out("stress: seed %lu, %u CPUs\n", request->seed, stress.n_workers);
    mm_shrink();
    before = mm_stat();
    if (!workers_make()) {
        workers_free();
        memory_panic_on_misuse(panics);
        return out_error("no memory for the workers");
    }
    run_phases();
    if (!stress.failed)
        drop_everything();
    check_now();
    if (!stress.failed && mm_misuse_count() - n_misuses != stress.n_wrong)
        stress_fail(NULL, "%lu misuses were reported, %lu were made", mm_misuse_count() - n_misuses,
                    stress.n_wrong);
    workers_free();
    mm_shrink();
    compare_stat(&before);
    memory_panic_on_misuse(panics);
    return stress.failed ? out_error("%s (seed %lu)", stress.why, request->seed) : out_ok();
}
