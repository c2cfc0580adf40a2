/* SPDX-License-Identifier: MIT */
/*
 * bench-host ALLOCATOR THREADS [TRACE]: times the workloads with one allocator and prints
 *
 *     <name>,<param>,<median nanoseconds an operation>
 *
 * for each.  ALLOCATOR is tessera or malloc (the C library's, or one that LD_PRELOAD puts in its place).
 * With several threads all do the same at the same time, each with objects of its own, and the slowest
 * counts.
 */
#define _GNU_SOURCE
#include <allocator.h>
#include <workloads.h>

#include <kernel/bench/generator.h>
#include <kernel/bench/mixed_list.h>
#include <kernel/bench/trace.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_THREADS 8
#define MAX_SAMPLES 101
#define BATCH       1024

static u32 steps[MIXED_STEPS], order[BATCH];
static struct trace trace;
static struct worker worker;
static unsigned n_threads;
static pthread_barrier_t barrier;
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

/* Of every thread and every workload: one or two medians. */
static u64 median[MAX_THREADS][32][2];

static void die(const char *what)
{
    fprintf(stderr, "bench-host: %s\n", what);
    exit(1);
}

static int compare(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;

    return x < y ? -1 : x > y;
}

static u64 median_of(u64 *sample, unsigned n)
{
    qsort(sample, n, sizeof *sample, compare);
    return sample[n / 2];
}

/* One workload by one thread: a run that is thrown away, then the samples. */
static void measure(unsigned thread, unsigned w)
{
    const struct workload *workload = &workloads[w];
    static _Thread_local u64 first[MAX_SAMPLES], second[MAX_SAMPLES];
    u64 ns[2] = {0};

    if (workload->n_operations == 0 && worker.trace == NULL)
        return;
    if (!workload->run(&worker, workload->param, ns))
        die("no memory");
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < workload->n_samples; i++) {
        if (!workload->run(&worker, workload->param, ns))
            die("no memory");
        first[i] = ns[0];
        second[i] = ns[1];
    }
    median[thread][w][0] = median_of(first, workload->n_samples);
    median[thread][w][1] = median_of(second, workload->n_samples);
    pthread_barrier_wait(&barrier);
}

static void *thread_run(void *number)
{
    unsigned thread = (unsigned)(u64)number;

    /* One after the other, and nobody works meanwhile: they use the first one's caches. */
    pthread_mutex_lock(&starting);
    if (thread != 0)
        worker.allocator->add_thread();
    pthread_mutex_unlock(&starting);
    pthread_barrier_wait(&barrier);
    for (unsigned w = 0; w < n_workloads; w++)
        measure(thread, w);
    return NULL;
}

static void print(const struct workload *workload, unsigned which, unsigned w)
{
    const char *name = which == 0 ? workload->name : workload->second_name;
    u64 n = workload->n_operations != 0 ? workload->n_operations : trace.n_events;
    u64 slowest = 0;

    for (unsigned t = 0; t < n_threads; t++)
        slowest = median[t][w][which] > slowest ? median[t][w][which] : slowest;
    if (name != NULL && slowest != 0)
        printf("%s,%lu,%.2f\n", name, workload->param, (double)slowest / (double)n);
}

static void read_trace(const char *path)
{
    int file = open(path, O_RDONLY);
    struct stat about;
    void *content;

    if (file < 0 || fstat(file, &about) != 0)
        die("the trace cannot be opened");
    content = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (content == MAP_FAILED || trace_open(content, (u64)about.st_size, &trace) != NULL)
        die("this is no trace");
    worker.trace = &trace;
}

int main(int argc, char **argv)
{
    pthread_t threads[MAX_THREADS];
    struct mixed_sums sums;

    if (argc < 3 || argc > 4 || (worker.allocator = allocator_find(argv[1])) == NULL)
        die("usage: bench-host tessera|malloc THREADS [TRACE]");
    n_threads = (unsigned)atoi(argv[2]);
    if (n_threads < 1 || n_threads > MAX_THREADS)
        die("1 to 8 threads");
    if (argc == 4)
        read_trace(argv[3]);
    mixed_make(steps, &sums);
    generator_shuffle(order, BATCH);
    worker.steps = steps;
    worker.order = order;
    worker.allocator->start();
    pthread_barrier_init(&barrier, NULL, n_threads);
    for (u64 t = 1; t < n_threads; t++) {
        if (pthread_create(&threads[t], NULL, thread_run, (void *)t) != 0)
            die("no thread");
    }
    thread_run((void *)0);
    for (unsigned t = 1; t < n_threads; t++)
        pthread_join(threads[t], NULL);
    for (unsigned w = 0; w < n_workloads; w++) {
        print(&workloads[w], 0, w);
        print(&workloads[w], 1, w);
    }
    return 0;
}
