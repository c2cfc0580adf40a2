/* SPDX-License-Identifier: MIT */
/* The kernel's side of <mm/platform.h>: translations, reports. */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/memory.h>
#include <lib/printf.h>
#include <mm/platform.h>
#include <stdarg.h>

/* Up to so many pages INVLPG costs less than what a full flush makes the CPU walk again. */
#define INVLPG_MAX_PAGES 32

static bool misuse_panics;

bool memory_panic_on_misuse(bool panics)
{
    bool before = misuse_panics;

    misuse_panics = panics;
    return before;
}

ul *get_CR3(void)
{
    return (ul *)cr3_read();
}

void flush_tlb(void)
{
    cpu_flush_tlb();
}

void platform_flush(virt_t start, u64 bytes)
{
    u64 n_pages = (bytes + FRAME_BYTES - 1) / FRAME_BYTES;

    if (n_pages > INVLPG_MAX_PAGES) {
        cpu_flush_tlb();
        return;
    }
    for (u64 i = 0; i < n_pages; i++)
        __asm__ volatile("invlpg (%0)" : : "r"(start.addr + i * FRAME_BYTES) : "memory");
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
    klog("%s", line);
    if (severity == MM_BROKEN || (severity == MM_MISUSE && misuse_panics))
        panic("%s", line);
}
