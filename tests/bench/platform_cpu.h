/* SPDX-License-Identifier: MIT */
/* <mm/platform.h> for timing: as thin as the kernel's.  A thread is a CPU; nothing interrupts it. */
#ifndef TESTS_BENCH_PLATFORM_CPU_H
#define TESTS_BENCH_PLATFORM_CPU_H

extern _Thread_local struct mm_cpu *process_cpu;

/* Threads cannot see where others are: fast paths say that they run. */
#define MM_PLACE_IS_BUSY 0

static inline struct mm_cpu *platform_cpu(void)
{
    return process_cpu;
}

/* Waits until the lock looks free. */
void process_lock_spin(const struct mm_lock *lock);

static inline ul platform_lock(struct mm_lock *lock)
{
    while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) != 0)
        process_lock_spin(lock);
    return 0;
}

static inline void platform_unlock(struct mm_lock *lock, ul saved)
{
    (void)saved;
    __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

#endif
