/* SPDX-License-Identifier: MIT */
/* What the workloads share: timing, series of samples, figures, memory for their lists. */
#ifndef KERNEL_BENCH_MEASURE_H
#define KERNEL_BENCH_MEASURE_H

#include <kernel/bench/bench.h>
#include <kernel/cpu/registers.h>

/* A function whose loop is timed: compiled once and called, so that its arguments are no constants in it. */
#define TIMED __attribute__((noinline, noclone))

/* The calls of one sample, for operations on little memory. */
#define OPERATIONS_PER_SAMPLE 64
#define SAMPLES               101

/* A sample: interrupts stay off from its begin to its end. */
static inline u64 sample_begin(void)
{
    interrupts_disable();
    return tsc_read();
}

static inline u64 sample_end(u64 begin)
{
    u64 ticks = tsc_read() - begin;

    interrupts_enable();
    return ticks;
}

/* Samples of one figure.  The first one given to series_add is thrown away. */
struct series {
    u64 *ticks;
    u32 n, n_max;
    bool started;
};

/* Makes room for n_max samples besides the first.  False when memory is exhausted. */
bool series_start(struct series *series, u32 n_max);
void series_add(struct series *series, u64 ticks);
void series_end(struct series *series);

/* What a series comes to, in hundredths of a tick an operation. */
struct figure {
    const char *name;
    u64 param;
    u64 n_operations, n_ticks;
    u64 min_hundredths, median_hundredths;
};

#define N_FIGURES 64

enum outcome {
    OUTCOME_DONE,
    OUTCOME_NO_ROOM, /* not enough memory, or not in one piece */
    OUTCOME_STOPPED, /* Ctrl-C */
    OUTCOME_WRONG,   /* an error line was written */
};

/* One run of `bench`. */
struct bench {
    enum bench_form form;
    bool counts_instructions; /* the clock does; otherwise figures stand alone */
    bool beside_linux;        /* what is run now was run on Linux, too */
    unsigned n_figures;
    struct figure figure[N_FIGURES];
};

struct workload {
    const char *name, *figures; /* `figures`: further names that ask for it, separated by blanks */
    const char *summary;
    enum outcome (*run)(struct bench *bench);
    bool (*is_possible)(void); /* NULL: always */
};

/* Turns a series of samples of n_operations each into a figure, prints it and ends the series. */
void bench_figure(struct bench *bench, const char *name, u64 param, u64 n_operations, struct series *series);

/* A line that is no figure: shown with the table only. */
void bench_note(const struct bench *bench, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory for a workload's own lists, cleared: an object of kmalloc, or whole pages when it is larger.  NULL
 * when there is none; at most 126 MiB. */
void *list_take(u64 bytes);
void list_give(void *list, u64 bytes);

/* The workloads. */
extern const struct workload workloads_kmalloc[], workloads_frames[], workloads_mapping[], workloads_whole[];

#endif
