/* SPDX-License-Identifier: MIT */
/*
 * The platform of a process that is timed: memory and its windows, and no MMU.
 *
 * Physical address p is byte p of a memory file.  It is mapped at PAGE_OFFSET + p, and once more where mm
 * wants a window.
 */
#define _GNU_SOURCE
#include <process.h>

#include <mm/boot.h>
#include <mm/cpu.h>
#include <mm/platform.h>

#include <linux/membarrier.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPINS      1000 /* before the core is left to somebody else */
#define LOW_END    0xa0000UL
#define HIGH_START 0x100000UL

_Thread_local struct mm_cpu *process_cpu;

static int memory_file;
static ul current_top;
static u32 n_threads = 1; /* that have caches of their own */

static void die(const char *what)
{
    fprintf(stderr, "bench-host: %s\n", what);
    exit(1);
}

static void map_file(u64 start, u64 bytes, u64 at)
{
    int flags = MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE;

    if (mmap((void *)start, bytes, PROT_READ | PROT_WRITE, flags, memory_file, (off_t)at) != (void *)start)
        die("a window cannot be mapped");
}

/* Windows in the upper half exist in the tables alone. */
void platform_window(u64 window, phys_t at, u64 bytes, bool writable)
{
    (void)writable;
    if (window < MM_KERNEL_HALF)
        map_file(window, bytes, at.addr);
}

void process_lock_spin(const struct mm_lock *lock)
{
    for (unsigned i = 0; __atomic_load_n(&lock->taken, __ATOMIC_RELAXED) != 0; i++) {
        __builtin_ia32_pause();
        if (i % SPINS == SPINS - 1)
            sched_yield();
    }
}

/* What mm has to say is a mistake here, but for the want of memory, which the caller sees. */
void platform_report(enum mm_severity severity, const char *format, ...)
{
    va_list arguments;

    if (severity == MM_NOTE)
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    die(" (reported by mm)");
}

void platform_flush(virt_t start, u64 bytes)
{
    (void)start;
    (void)bytes;
}

void platform_load_table(phys_t top)
{
    current_top = top.addr;
}

/* Waits until a context has been seen outside of mm, or somebody's turn is over. */
static void wait_idle(const struct mm_cpu *cpu)
{
    for (unsigned i = 0; __atomic_load_n(&cpu->busy, __ATOMIC_ACQUIRE) != 0; i++) {
        __builtin_ia32_pause();
        if (i % SPINS == SPINS - 1)
            sched_yield();
    }
}

/*
 * A thread cannot be made to run something, but one can wait until it has been outside of mm: after a barrier
 * on every core (membarrier) what it noted in `busy` is to be seen.  One thread at a time; the others do
 * without.
 */
bool platform_synchronize(void (*fn)(void))
{
    static u32 taken;

    if (n_threads == 1)
        return true;
    if (fn != NULL || __atomic_exchange_n(&taken, 1, __ATOMIC_ACQUIRE) != 0)
        return false;
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
        die("no membarrier");
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next) {
        if (cpu != process_cpu)
            wait_idle(cpu);
    }
    __atomic_store_n(&taken, 0, __ATOMIC_RELEASE);
    return true;
}

ul *get_CR3(void)
{
    return (ul *)current_top;
}

void flush_tlb(void)
{
}

void process_start(u64 bytes)
{
    static struct memory_map_entry map[2];
    static struct mm_boot boot;
    const char *wrong;

    map[0] = (struct memory_map_entry){0, LOW_END, MEMORY_USABLE};
    map[1] = (struct memory_map_entry){HIGH_START, bytes - HIGH_START, MEMORY_USABLE};
    boot.map = (struct memory_map){.entries = map, .n_entries = 2, .stride_bytes = sizeof map[0]};
    boot.direct_map_bytes = ~0UL;
    boot.features = (struct mm_features){true, true, true, true, 46};
    boot.reserved[boot.n_reserved++] = (struct mm_reserved){0, HIGH_START, "low memory"};
    boot.early_limit = bytes;
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0)
        die("no membarrier");
    memory_file = memfd_create("physical memory", 0);
    if (memory_file < 0 || ftruncate(memory_file, (off_t)bytes) != 0)
        die("no memory file");
    map_file(PAGE_OFFSET, bytes, 0);
    process_cpu = mm_boot_cpu(MM_CONTEXT_CODE);
    wrong = mm_start(&boot);
    if (wrong != NULL)
        die(wrong);
}

void process_add_thread(void)
{
    __atomic_add_fetch(&n_threads, 1, __ATOMIC_RELAXED);
    process_cpu = mm_boot_cpu(MM_CONTEXT_CODE);
    process_cpu = mm_cpu_create();
    if (process_cpu == NULL)
        die("no memory for another CPU");
}
