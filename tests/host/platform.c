/* SPDX-License-Identifier: MIT */
/*
 * The host's side of <mm/platform.h>: memory, windows, locks, contexts, reports.  The MMU is in
 * platform_mmu.c.
 *
 * Physical address p is byte p of a sparse memory file.  RAM appears at PAGE_OFFSET + p, and once more in
 * mm's windows (platform_window), as shared mappings of the same file: one memory under two names, as on the
 * machine.
 */
#define _GNU_SOURCE
#include <host.h>

#include <kernel/debug/log.h>
#include <mm/cpu.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define N_LINES     64
#define LINE_BYTES  256
#define N_WINDOWS   4096
#define BLANK_BYTES (4UL << 20)

struct window {
    u64 start, bytes;
};

static int memory_file = -1;
static int blank_file = -1; /* copies of the frame that is shown in holes */
static struct window mapped[N_WINDOWS];
static unsigned n_mapped;

static char lines[N_LINES][LINE_BYTES];
static unsigned n_lines;
static unsigned n_by_severity[3];

static unsigned n_locks;
static struct mm_lock *held[16];
static void (*before_locks)(void);
static bool inside_before_locks;
static bool broken_armed;
jmp_buf host_broken_jump;

_Thread_local struct mm_cpu *host_cpu;
static u32 n_threads;
static unsigned n_synchronizations;
static _Thread_local u32 thread_number;

static void die(const char *what)
{
    fprintf(stderr, "host platform: %s\n", what);
    abort();
}

/* Maps part of a file at a fixed address, which no one else may use. */
static void map_file(int file, u64 start, u64 bytes, u64 at, int protection)
{
    struct window *last = n_mapped > 0 ? &mapped[n_mapped - 1] : NULL;

    if (mmap((void *)start, bytes, protection, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, file, (off_t)at) ==
        MAP_FAILED)
        die("cannot map a window");
    if (last != NULL && last->start + last->bytes == start) {
        last->bytes += bytes;
        return;
    }
    if (n_mapped == N_WINDOWS)
        die("too many windows");
    mapped[n_mapped++] = (struct window){start, bytes};
}

static int open_memory(const char *name, u64 bytes)
{
    int file = memfd_create(name, 0);

    if (file < 0 || ftruncate(file, (off_t)bytes) != 0)
        die("no memory file");
    return file;
}

/*
 * Shows one frame again and again, read-only, wherever a hole is: all that mm shows there are alike.  A process can have some ten thousand
 * mappings, and a hole of 16 TiB wants a quarter of a million: so what is mapped is a file full of copies,
 * each address at a place of its own in it, and neighbours become one mapping.
 */
static void map_blank(u64 start, u64 bytes, u64 at)
{
    if (blank_file < 0) {
        blank_file = open_memory("holes", BLANK_BYTES);
        for (u64 copy = 0; copy < BLANK_BYTES; copy += FRAME_BYTES)
            if (pwrite(blank_file, phys_pointer(phys(at)), FRAME_BYTES, (off_t)copy) != (ssize_t)FRAME_BYTES)
                die("cannot fill a hole");
    }
    for (u64 done = 0, part; done < bytes; done += part) {
        part = BLANK_BYTES - (start + done) % BLANK_BYTES;
        part = part < bytes - done ? part : bytes - done;
        map_file(blank_file, start + done, part, (start + done) % BLANK_BYTES, PROT_READ);
    }
}

void host_memory_start(void)
{
    host_memory_stop();
    memory_file = open_memory("physical memory", MM_RAM_LIMIT);
}

void host_memory_add(u64 start, u64 bytes)
{
    map_file(memory_file, PAGE_OFFSET + start, bytes, start, PROT_READ | PROT_WRITE);
}

void host_memory_stop(void)
{
    while (n_mapped > 0) {
        n_mapped--;
        munmap((void *)mapped[n_mapped].start, mapped[n_mapped].bytes);
    }
    if (memory_file >= 0)
        close(memory_file);
    if (blank_file >= 0)
        close(blank_file);
    memory_file = blank_file = -1;
}

/* Windows in the upper half cannot be shown in a process: they exist in the tables alone. */
void platform_window(u64 window, phys_t at, u64 bytes, bool writable)
{
    if (window >= MM_KERNEL_HALF)
        return;
    if (writable)
        map_file(memory_file, window, bytes, at.addr, PROT_READ | PROT_WRITE);
    else
        map_blank(window, bytes, at.addr);
}

void host_cpu_select(unsigned context)
{
    host_cpu = mm_boot_cpu(context);
}

/* Locks hold the number of the thread that took them. */
static u32 this_thread(void)
{
    if (thread_number == 0)
        thread_number = __atomic_add_fetch(&n_threads, 1, __ATOMIC_RELAXED);
    return thread_number;
}

/* Remembers what is held, for HOST_BREAKS.  Tests with several threads do not use that. */
static void note_lock(struct mm_lock *lock)
{
    unsigned n = __atomic_fetch_add(&n_locks, 1, __ATOMIC_RELAXED);

    if (n < sizeof(held) / sizeof(held[0]))
        held[n] = lock;
}

void host_before_locks(void (*fn)(void))
{
    before_locks = fn;
    inside_before_locks = false;
}

static void run_before_lock(void)
{
    if (before_locks == NULL || inside_before_locks)
        return;
    inside_before_locks = true;
    before_locks();
    inside_before_locks = false;
}

ul platform_lock(struct mm_lock *lock)
{
    u32 self = this_thread(), expected = 0;

    run_before_lock();
    if (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED) == self)
        die("a lock is taken twice by one thread");
    while (!__atomic_compare_exchange_n(&lock->taken, &expected, self, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
        expected = 0;
    note_lock(lock);
    return self;
}

void platform_unlock(struct mm_lock *lock, ul saved)
{
    if (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED) != this_thread() || saved != this_thread())
        die("a lock is given back by a thread that does not hold it");
    __atomic_fetch_sub(&n_locks, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

unsigned host_n_locks_held(void)
{
    return __atomic_load_n(&n_locks, __ATOMIC_RELAXED);
}

void host_broken_arm(void)
{
    broken_armed = true;
}

void host_broken_disarm(void)
{
    broken_armed = false;
}

/* mm says that it is broken: back to the test that expected it, with all locks free. */
static void leave_broken(const char *line)
{
    if (!broken_armed)
        die(line);
    broken_armed = false;
    while (n_locks > 0)
        held[--n_locks]->taken = 0;
    longjmp(host_broken_jump, 1);
}

void platform_report(enum mm_severity severity, const char *format, ...)
{
    char *line = lines[__atomic_fetch_add(&n_lines, 1, __ATOMIC_RELAXED) % N_LINES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, LINE_BYTES, format, args);
    va_end(args);
    __atomic_fetch_add(&n_by_severity[severity], 1, __ATOMIC_RELAXED);
    klog("%s", line);
    if (getenv("HOST_REPORTS") != NULL)
        fprintf(stderr, "[%u] %s\n", (unsigned)severity, line);
    if (severity == MM_BROKEN)
        leave_broken(line);
}

void host_reports_forget(void)
{
    n_lines = 0;
    memset(lines, 0, sizeof(lines));
    memset(n_by_severity, 0, sizeof(n_by_severity));
}

unsigned host_n_reports(enum mm_severity severity)
{
    return n_by_severity[severity];
}

const char *host_last_report(void)
{
    return n_lines == 0 ? "" : lines[(n_lines - 1) % N_LINES];
}

bool host_reported(const char *part)
{
    for (unsigned i = 0; i < N_LINES; i++) {
        if (strstr(lines[i], part) != NULL)
            return true;
    }
    return false;
}

unsigned host_n_synchronizations(void)
{
    return n_synchronizations;
}

/* Other CPUs are threads that have ended, or are in no call that could wait for this: fn runs here in their name. */
bool platform_synchronize(void (*fn)(void))
{
    struct mm_cpu *self = host_cpu;

    if (self->context != MM_CONTEXT_CODE)
        return false;
    __atomic_fetch_add(&n_synchronizations, fn != NULL, __ATOMIC_RELAXED);
    for (struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL && fn != NULL; cpu = cpu->other->next) {
        host_cpu = cpu;
        if (cpu != self)
            fn();
    }
    host_cpu = self;
    return true;
}
