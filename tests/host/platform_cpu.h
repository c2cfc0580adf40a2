/* SPDX-License-Identifier: MIT */
/* The host's side of <mm/platform.h>: which CPU context runs, and locks. */
#ifndef TESTS_HOST_PLATFORM_CPU_H
#define TESTS_HOST_PLATFORM_CPU_H

/* The running context of this thread; host_cpu_select (host.h) chooses it. */
extern _Thread_local struct mm_cpu *host_cpu;

/* Threads cannot see where others are: fast paths say that they run. */
#define MM_PLACE_IS_BUSY 0

static inline struct mm_cpu *platform_cpu(void)
{
    return host_cpu;
}

/* A real spin lock.  Taking one that this thread holds already, or giving back one that it does not hold,
 * ends the test with a message: on the machine it would hang. */
ul platform_lock(struct mm_lock *lock);
void platform_unlock(struct mm_lock *lock, ul saved);

#endif
