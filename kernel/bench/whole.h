/* SPDX-License-Identifier: MIT */
/* The workloads that are like real ones: a server's, and a recorded one. */
#ifndef KERNEL_BENCH_WHOLE_H
#define KERNEL_BENCH_WHOLE_H

#include <kernel/bench/measure.h>

enum outcome run_mixed(struct bench *bench);  /* workload_mixed.c */
enum outcome run_replay(struct bench *bench); /* workload_replay.c */

/* True when the boot loader left a trace. */
bool replay_is_possible(void);

#endif
