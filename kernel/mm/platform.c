/* SPDX-License-Identifier: MIT */
/* The kernel's side of <mm/platform.h>: translations, reports. */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/memory.h>
#include <kernel/smp/smp.h>
#include <lib/printf.h>
#include <mm/platform.h>
#include <stdarg.h>

/*
 * Up to so many pages INVLPG costs less than what a full flush makes the CPU walk again: 32 * 200 cycles (it
 * also drops what is cached of tables) = 6400, and 2 changes of CR4 * 200 + 250 translations that are used
 * again soon * 25 = 6650.  In instructions, which is what an emulator sees, it is 29 for 16 pages and 13 for
 * a full flush.
 */
#define INVLPG_MAX_PAGES 32

static bool misuse_panics;
static bool misuse_is_logged = true;
static bool notes_are_logged = true;
static u64 n_notes;

bool memory_panic_on_misuse(bool panics)
{
    bool before = misuse_panics;

    misuse_panics = panics;
    return before;
}

bool memory_log_misuses(bool logs)
{
    bool before = misuse_is_logged;

    misuse_is_logged = logs;
    return before;
}

bool memory_log_notes(bool logs)
{
    bool before = notes_are_logged;

    notes_are_logged = logs;
    return before;
}

u64 memory_note_count(void)
{
    return __atomic_load_n(&n_notes, __ATOMIC_RELAXED);
}

ul *get_CR3(void)
{
    return (ul *)cr3_read();
}

void flush_tlb(void)
{
    cpu_flush_tlb();
}

/* In a panic one CPU is left, and what it has to wait for will never come: it breaks the lock. */
void platform_lock_spin(struct mm_lock *lock)
{
    while (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED) != 0) {
        if (panic_is_on() && panic_keeps_this_cpu())
            __atomic_store_n(&lock->taken, 0, __ATOMIC_RELAXED);
        smp_serve();
        __builtin_ia32_pause();
    }
}

void platform_flush(virt_t start, u64 bytes)
{
    u64 n_pages = bytes / FRAME_BYTES;

    if (n_pages > INVLPG_MAX_PAGES) {
        cpu_flush_tlb();
        smp_flush_others(0, 0);
        return;
    }
    cpu_flush_pages(start.addr, n_pages);
    smp_flush_others(start.addr, n_pages);
}

bool platform_synchronize(void (*fn)(void))
{
    return cpu_this()->n_nested_interrupts == 0 && smp_synchronize(fn);
}

void platform_load_table(phys_t top)
{
    cr3_write(top.addr);
}

void platform_window(u64 window, phys_t at, u64 bytes, bool writable)
{
    /* The MMU has seen to it. */
    (void)window;
    (void)at;
    (void)bytes;
    (void)writable;
}

void platform_report(enum mm_severity severity, const char *format, ...)
{
    char line[LOG_LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    kvsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    __atomic_fetch_add(&n_notes, severity == MM_NOTE, __ATOMIC_RELAXED);
    if (severity == MM_BROKEN || (severity == MM_NOTE ? notes_are_logged : misuse_is_logged || misuse_panics))
        klog("%s", line);
    if (severity == MM_BROKEN || (severity == MM_MISUSE && misuse_panics))
        panic("%s", line);
}
