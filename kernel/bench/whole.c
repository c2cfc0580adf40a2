/* SPDX-License-Identifier: MIT */
/* The list of the workloads that are like real ones. */
#include <kernel/bench/whole.h>

const struct workload workloads_whole[] = {
    {.name = "mixed_server",
     .figures = "mixed_dry",
     .summary = "100000 steps as a server asks for memory",
     .run = run_mixed},
    {.name = "replay",
     .figures = "replay_dry replay_2nd",
     .summary = "the recorded trace in a boot module",
     .run = run_replay,
     .is_possible = replay_is_possible},
    {.name = NULL},
};
