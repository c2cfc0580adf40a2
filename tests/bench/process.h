/* SPDX-License-Identifier: MIT */
/* A process with memory that mm manages, for timing. */
#ifndef TESTS_BENCH_PROCESS_H
#define TESTS_BENCH_PROCESS_H

#include <lib/types.h>

/* Starts mm on so many bytes of memory (in whole pages).  Ends the program when it cannot. */
void process_start(u64 bytes);

/* Makes the calling thread another CPU of mm's.  No thread may work meanwhile. */
void process_add_thread(void);

#endif
