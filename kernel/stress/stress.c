/* SPDX-License-Identifier: MIT */
/*
 * A run.
 *
 *      shrink, note mm_stat -> duels -> crowd -> shooting -> work -> all dropped -> shrink, mm_check, mm_stat as before
 *
 * Each of these phases is made of *slices*: a second in which all CPUs do the same kind of thing.  Between two of
 * them they rest, and the boot CPU runs mm_check, with all that is live in place, and says how far it is.  In a crowd
 * (slices of a quarter) all CPUs do the same: take and free objects of one class, or blocks of one order, or pages,
 * or mappings beside each other's.  In every other slice of the work requests for memory fail on purpose.
 *
 * Everything random comes from the seed, and which CPU was how fast: with QEMU's -icount from the seed alone.  Where
 * it does not, the report of a failure, or of a panic, has the last events of each CPU (trace.c).  A CPU that does
 * not come to the end of a slice is a panic, too: then one sees where it is.
 */
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/memory.h>
#include <kernel/shell/out.h>
#include <kernel/stress/worker.h>
#include <kernel/time/time.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/debug.h>
#include <mm/fail.h>
#include <mm/inspect.h>

#define SLICE_MS         1000
#define LOOK_STEPS       1024 /* of another CPU than the first before it looks at the clock */
#define REPORT_MS        10000
#define POLL_MS          20
#define WRONG_IN_A_SLICE 3
#define INTERRUPT_BUDGET (256UL << 10)
#define CROWD_SLICE_MS   250
#define HUNG_MS          100000 /* more than many CPUs on few need for the end of a slice */

struct stress stress;

static u64 begin_ms, report_ms, poll_ms, slice_end_ms;
static u32 n_returned; /* CPUs that are through with the slice */

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
    u64 now_ms = worker->number == 0 || worker->n_steps % LOOK_STEPS == 0 ? time_ms() : 0;

    if (worker->number != 0) {
        if (now_ms >= slice_end_ms + HUNG_MS && !stress_is_over())
            panic("stress: CPU 0 has not ended a slice for %u s", HUNG_MS / 1000);
        return stress_is_over();
    }
    if (now_ms >= poll_ms) {
        stress.interrupted = stress.interrupted || out_interrupted();
        poll_ms = now_ms + POLL_MS;
    }
    if (stress.interrupted || now_ms >= slice_end_ms)
        __atomic_store_n(&stress.slice_over, true, __ATOMIC_RELAXED);
    return stress_is_over();
}

/* The boot CPU waits here for the others, to say so if one does not come back. */
static void wait_for_others(void)
{
    u64 until_ms = time_ms() + HUNG_MS;

    while (__atomic_load_n(&n_returned, __ATOMIC_ACQUIRE) != stress.n_workers) {
        if (time_ms() >= until_ms)
            panic("stress: %u of %u CPUs have not come back for %u s", stress.n_workers - n_returned,
                  stress.n_workers, HUNG_MS / 1000);
        smp_serve();
        cpu_pause();
    }
}

struct slice {
    void (*fn)(u32 number, void *argument);
    void *argument;
};

static void slice_on_cpu(u32 number, void *argument)
{
    const struct slice *slice = argument;

    slice->fn(number, slice->argument);
    __atomic_fetch_add(&n_returned, 1, __ATOMIC_ACQ_REL);
    if (number == 0)
        wait_for_others();
}

static void run_slice(u64 then_ms, void (*fn)(u32, void *), void *argument)
{
    struct slice slice = {fn, argument};

    slice_end_ms = then_ms;
    n_returned = 0;
    stress.slice_over = false;
    stress.n_wrong_allowed = WRONG_IN_A_SLICE;
    stress.n_shortages_allowed = 1;
    smp_run_on_all(slice_on_cpu, &slice);
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
        "%lu given away; ",
        (time_ms() - begin_ms) / 1000, sums.n_steps, sums.n_made[THING_OBJECT], sums.n_made[THING_BLOCK],
        sums.n_made[THING_PAGES], sums.n_made[THING_MAPPING], sums.n_in_bursts, sums.n_given);
    if (stress.n_faults != 0)
        out("%lu requests failed on purpose, ", stress.n_faults);
    out("%lu calls were refused for want of memory", sums.n_refused);
    if (stress.interrupt_ms != 0)
        out("; %lu timer interrupts, %lu a second on a CPU", stress.n_interrupts,
            stress.n_interrupts * 1000 / stress.interrupt_ms);
    out_text("\n");
}

/* ---- the run ---- */

struct phase {
    enum stress_part part; /* not run unless one of these is asked for */
    u32 parts;             /* what workers may do in it */
    u32 slice_ms;
    void (*fn)(u32 number, void *argument);
};

static const struct phase phase_duels = {STRESS_DUELS, 0, SLICE_MS, duels},
                          phase_crowd = {STRESS_CROWD, STRESS_WORK, CROWD_SLICE_MS, work},
                          phase_shooting = {STRESS_SHOOT, 0, SLICE_MS, shooting},
                          phase_work = {STRESS_WORK, STRESS_WORK | STRESS_SPOIL, SLICE_MS, work};

/* One after the other: each kind in turn. */
static const struct crowd crowds[] = {
    {BURST_OBJECTS, 5}, {BURST_FRAMES, 0},   {BURST_MAPPING, 0}, {BURST_OBJECTS, 12}, {BURST_PAGE, 0},
    {BURST_MAPPING, 9}, {BURST_OBJECTS, 6},  {BURST_FRAMES, 1},  {BURST_OBJECTS, 14}, {BURST_MAPPING, 18},
    {BURST_OBJECTS, 8}, {BURST_OBJECTS, 10}, {BURST_FRAMES, 3},  {BURST_MAPPING, 4},  {BURST_OBJECTS, 17},
};

/* Slices of one phase until then; between them a check.  What is special about a slice follows from its number. */
static void run_until(u64 then_ms, const struct phase *phase)
{
    for (u64 slice = stress.request.seed; time_ms() < then_ms && !stress.interrupted && !stress.failed; slice++) {
        u32 shooter = (u32)(slice % stress.n_workers);
        bool fails = phase == &phase_work && (stress.request.parts & STRESS_FAULTS) && slice % 2 != 0;

        stress.parts = phase->parts & (phase == &phase_crowd ? ~0u : stress.request.parts);
        stress.crowd = phase == &phase_crowd ? &crowds[slice % ARRAY_LENGTH(crowds)] : NULL;
        if (fails)
            faults_begin(slice);
        run_slice(min_u64(then_ms, time_ms() + phase->slice_ms), phase->fn, &shooter);
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

/* The special phases have an eighth of the time each, the crowd two, where there is other work; else they share it. */
static void run_phases(void)
{
    u32 parts = stress.request.parts;
    u64 all_ms = stress.request.seconds * 1000, end_ms = begin_ms + all_ms;
    u64 n_special = count_ones(parts & (STRESS_DUELS | STRESS_CROWD | STRESS_SHOOT));
    u64 share_ms = (parts & STRESS_WORK) ? all_ms / 8 : all_ms / max_u64(n_special, 1);

    run_phase(&phase_duels, share_ms);
    run_phase(&phase_crowd, (parts & STRESS_WORK) ? 2 * share_ms : share_ms);
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

static void tell_in_panic(void)
{
    if (!stress.failed)
        stress.failed_tsc = tsc_read();
    out("in a stress with the seed %lu, after %lu ms; ", stress.request.seed, time_ms() - begin_ms);
    trace_print();
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
        return out_error("no memory for the workers%s", mm.fail.mode == FAIL_OFF ? "" : "; 'fail' is set");
    }
    begin_ms = time_ms();
    report_ms = begin_ms + REPORT_MS;
    panic_set_witness(tell_in_panic);
    run_phases();
    if (!stress.failed)
        drop_everything();
    check_now();
    if (!stress.failed && mm_misuse_count() - n_misuses != stress.n_wrong)
        stress_fail(NULL, "%lu misuses were reported, %lu were made", mm_misuse_count() - n_misuses,
                    stress.n_wrong);
    if (stress.failed)
        trace_print();
    panic_set_witness(NULL);
    workers_free();
    mm_shrink();
    compare_stat(&before);
    memory_panic_on_misuse(panics);
    memory_log_notes(logged);
    if (stress.failed)
        return out_error("%s (seed %lu)", stress.why, request->seed);
    return stress.interrupted || out_ok(); /* of an interrupted line the shell says how it ended */
}
