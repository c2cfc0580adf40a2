/* SPDX-License-Identifier: MIT */
/* The kernel's side of <mm/platform.h>, the part that the fast paths use: which context runs, and locks. */
#ifndef KERNEL_MM_PLATFORM_CPU_H
#define KERNEL_MM_PLATFORM_CPU_H

#define RFLAGS_INTERRUPTS (1UL << 9)

/* Whether mm's fast paths were interrupted is seen from where they were (trap.c).  Not so in a build that makes them call
 * something: it has to set 0. */
#ifndef MM_PLACE_IS_BUSY
#define MM_PLACE_IS_BUSY 1
#endif

/* The running context's caches: struct cpu keeps the pointer at gs:0 (kernel/cpu/cpu.h). */
static inline struct mm_cpu *platform_cpu(void)
{
    struct mm_cpu *cpu;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

/* Waits until the lock looks free, doing meanwhile what other CPUs wait for. */
void platform_lock_spin(struct mm_lock *lock);

/* Interrupts off, then the lock.  Returns the flags of before. */
static inline ul platform_lock(struct mm_lock *lock)
{
    ul flags;

    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) != 0)
        platform_lock_spin(lock);
    return flags;
}

static inline void platform_unlock(struct mm_lock *lock, ul flags)
{
    __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
    if (flags & RFLAGS_INTERRUPTS)
        __asm__ volatile("sti" : : : "memory");
}

#endif
