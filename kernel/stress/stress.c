/* SPDX-License-Identifier: MIT */
/*
 * A run.
 *
 *      shrink, note mm_stat -> duels -> crowd -> shooting -> work -> all dropped -> shrink, mm_check, mm_stat as before
 *
 * Each of these phases is made of *slices*: a second in which all CPUs do the same kind of thing.  Between two of
 * them they rest, and the boot CPU runs mm_check, with all that is live in place, and says how far it is.  In a crowd
 * all CPUs use one class of objects, another one in each slice; in every other slice of the work requests for memory
 * fail on purpose.  Everything random comes from the seed, and which CPU was how fast: with QEMU's -icount from the
 * seed alone.  Where it does not, the report of a failure has the last events of each CPU (trace.c).
 */
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <kernel/mm/memory.h>
#include <kernel/shell/out.h>
#include <kernel/stress/worker.h>
#include <kernel/time/time.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/debug.h>
#include <mm/inspect.h>

#define SLICE_MS         1000
#define REPORT_MS        10000
#define POLL_MS          20
#define WRONG_IN_A_SLICE 3
#define INTERRUPT_BUDGET (256UL << 10)
#define CROWD_SHIFT_MIN  5
#define CROWD_SHIFTS     10 /* 32 bytes to 16 KiB */

struct stress stress;

static u64 begin_ms, report_ms, poll_ms, slice_end_ms;

void stress_fail(const struct worker *worker, const char *format, ...)
{
    va_list arguments;
    int n = 0;

    if (__atomic_exchange_n(&stress.failed, true, __ATOMIC_ACQ_REL))
        return;
    stress.failed_tsc = tsc_read();
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

bool stress_look_up(const struct worker *worker)
{
    u64 now_ms = worker->number == 0 ? time_ms() : 0;

    if (now_ms >= poll_ms && worker->number == 0) {
        stress.interrupted = stress.interrupted || out_interrupted();
        poll_ms = now_ms + POLL_MS;
    }
    if (worker->number == 0 && (stress.interrupted || now_ms >= slice_end_ms))
        __atomic_store_n(&stress.slice_over, true, __ATOMIC_RELAXED);
    return stress_is_over();
}

static void run_slice(u64 then_ms, void (*fn)(u32, void *), void *argument)
{
    slice_end_ms = then_ms;
    stress.slice_over = false;
    stress.n_wrong_allowed = WRONG_IN_A_SLICE;
    stress.n_shortages_allowed = 1;
    smp_run_on_all(fn, argument);
}

static void work(u32 number, void *argument)
{
    struct worker *worker = stress.worker[number];

    (void)argument;
    if (stress.interrupt_worker[number] != NULL)
        interrupts_begin(worker);
    while (!stress_look_up(worker))
        worker_step(worker);
    if (stress.interrupt_worker[number] != NULL)
        interrupts_end(worker);
    worker_check_all(worker);
}

static void duels(u32 number, void *argument)
{
    (void)argument;
    duel_all(stress.worker[number]);
}

static void shooting(u32 number, void *argument)
{
    struct worker *worker = stress.worker[number];

    while (!stress_look_up(worker))
        shoot(worker, *(u32 *)argument);
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
    u64 n_steps, n_made[N_THING_KINDS], n_refused, n_given, n_in_bursts;
};

static void sums_add(struct sums *sums, const struct worker *worker)
{
    if (worker == NULL)
        return;
    sums->n_steps += worker->n_steps;
    sums->n_refused += worker->n_refused;
    sums->n_given += worker->n_given;
    sums->n_in_bursts += worker->n_in_bursts;
    for (unsigned kind = 0; kind < N_THING_KINDS; kind++)
        sums->n_made[kind] += worker->n_made[kind];
}

static void report(void)
{
    struct sums sums = {0};

    for (u32 i = 0; i < stress.n_workers; i++) {
        sums_add(&sums, stress.worker[i]);
        sums_add(&sums, stress.interrupt_worker[i]);
    }
    out("%5lu s  %lu steps: %lu objects, %lu blocks, %lu runs of pages, %lu mappings, %lu in bursts; "
        "%lu given away, %lu without memory",
        (time_ms() - begin_ms) / 1000, sums.n_steps, sums.n_made[THING_OBJECT], sums.n_made[THING_BLOCK],
        sums.n_made[THING_PAGES], sums.n_made[THING_MAPPING], sums.n_in_bursts, sums.n_given, sums.n_refused);
    if (stress.n_faults != 0)
        out(" (%lu of it on purpose)", stress.n_faults);
    if (stress.interrupt_ms != 0)
        out("; %lu timer interrupts, %lu a second on a CPU", stress.n_interrupts,
            stress.n_interrupts * 1000 / stress.interrupt_ms);
    out_text("\n");
}

/* ---- the run ---- */

struct phase {
    enum stress_part part; /* not run unless one of these is asked for */
    u32 parts;             /* what workers may do in it */
    void (*fn)(u32 number, void *argument);
};

static const struct phase phase_duels = {STRESS_DUELS, 0, duels},
                          phase_crowd = {STRESS_CROWD, STRESS_OBJECTS, work},
                          phase_shooting = {STRESS_SHOOT, 0, shooting},
                          phase_work = {STRESS_WORK, STRESS_WORK | STRESS_SPOIL, work};

/* Slices of one phase until then; between them a check.  What is special about a slice follows from its number. */
static void run_until(u64 then_ms, const struct phase *phase)
{
    for (u64 slice = stress.request.seed; time_ms() < then_ms && !stress.interrupted && !stress.failed; slice++) {
        u32 shooter = (u32)(slice % stress.n_workers);
        bool fails = phase == &phase_work && (stress.request.parts & STRESS_FAULTS) && slice % 2 != 0;

        stress.parts = phase->parts & (phase == &phase_crowd ? ~0u : stress.request.parts);
        stress.only_shift = phase == &phase_crowd ? CROWD_SHIFT_MIN + (unsigned)(slice % CROWD_SHIFTS) : 0;
        if (fails)
            faults_begin(slice);
        run_slice(min_u64(then_ms, time_ms() + SLICE_MS), phase->fn, &shooter);
        if (fails)
            faults_end();
        check_now();
        if (time_ms() >= report_ms) {
            report();
            report_ms += REPORT_MS;
        }
    }
}

static void run_phase(const struct phase *phase, u64 ms)
{
    if (stress.request.parts & phase->part)
        run_until(time_ms() + ms, phase);
}

/* The special phases have an eighth of the time each, where there is other work; else they share it. */
static void run_phases(void)
{
    u32 parts = stress.request.parts;
    u64 all_ms = stress.request.seconds * 1000, end_ms = begin_ms + all_ms;
    u64 n_special = count_ones(parts & (STRESS_DUELS | STRESS_CROWD | STRESS_SHOOT));
    u64 share_ms = (parts & STRESS_WORK) ? all_ms / 8 : all_ms / max_u64(n_special, 1);

    run_phase(&phase_duels, share_ms);
    run_phase(&phase_crowd, share_ms);
    cells_start(1);
    run_phase(&phase_shooting, share_ms);
    cells_start(~0u);
    if (time_ms() < end_ms)
        run_phase(&phase_work, end_ms - time_ms());
    report();
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

/* Objects are written to as large as their class is, which is right, but red zones tell of it each time. */
static bool hush_notes(void)
{
    bool logged = memory_log_notes(true);

    memory_log_notes(logged && !(mm_debug_features() & MM_DEBUG_REDZONE));
    return logged;
}

bool stress_run(const struct stress_request *request)
{
    bool panics = memory_panic_on_misuse(false), logged = hush_notes();
    struct mm_stat_t before;
    ul n_misuses = mm_misuse_count();

    stress = (struct stress){.request = *request, .n_workers = smp_n_cpus()};
    out("stress: seed %lu, %u CPUs\n", request->seed, stress.n_workers);
    mm_shrink();
    before = mm_stat();
    if (!workers_make()) {
        workers_free();
        memory_panic_on_misuse(panics);
        memory_log_notes(logged);
        return out_error("no memory for the workers");
    }
    begin_ms = time_ms();
    report_ms = begin_ms + REPORT_MS;
    run_phases();
    if (!stress.failed)
        drop_everything();
    check_now();
    if (!stress.failed && mm_misuse_count() - n_misuses != stress.n_wrong)
        stress_fail(NULL, "%lu misuses were reported, %lu were made", mm_misuse_count() - n_misuses,
                    stress.n_wrong);
    if (stress.failed)
        trace_print();
    workers_free();
    mm_shrink();
    compare_stat(&before);
    memory_panic_on_misuse(panics);
    memory_log_notes(logged);
    if (stress.failed)
        return out_error("%s (seed %lu)", stress.why, request->seed);
    return stress.interrupted || out_ok(); /* of an interrupted line the shell says how it ended */
}
