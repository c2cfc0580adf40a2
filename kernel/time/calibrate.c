/* SPDX-License-Identifier: MIT */
/*
 * Measuring the time-stamp counter.
 *
 * Against the 8254 (Intel 8254 data sheet, mode 0): channel 2 is loaded with WINDOW_COUNTS, its output,
 * readable at port 0x61, rises when they have passed.  Against the ACPI timer (3.579545 MHz, free running, 24
 * bits at least): the counter is read until as much time has passed.
 *
 * A measurement errs upward when the end is noticed late, downward when the start is, so the middle one of
 * three is taken.  Both loops end after MAX_POLLS at the latest, a port read each: about a microsecond on
 * hardware.
 */
#include <kernel/acpi/acpi.h>
#include <kernel/cpu/io.h>
#include <kernel/cpu/registers.h>
#include <kernel/time/calibrate.h>
#include <kernel/time/pit.h>

#define WINDOW_HZ 100 /* 10 ms */
#define MAX_POLLS 2000000U
#define MIN_POLLS 3U /* a window shorter than that was none */

#define PM_TIMER_HZ   3579545U
#define PM_TIMER_MASK 0xffffffU

#define MIN_TSC_HZ   1000000U
#define GUESS_TSC_HZ 2000000000U

#define HYPERVISOR_TIMING_LEAF 0x40000010U /* EAX: the counter's rate in kHz (VMware, KVM) */

/* Each returns the counts in one window, 0 when the timer does not work. */
static u64 window_pit(void)
{
    pit_oneshot_start(PIT_HZ / WINDOW_HZ);
    u64 start = tsc_read();
    u32 polls = 0;
    while (!pit_oneshot_done() && polls < MAX_POLLS)
        polls++;
    u64 counts = tsc_read() - start;
    pit_oneshot_stop();
    return polls >= MIN_POLLS && polls < MAX_POLLS ? counts : 0;
}

static u64 window_pm_timer(void)
{
    u32 port = acpi_fadt()->pm_timer_port;
    if (port == 0 || port > 0xffff)
        return 0;
    u32 first = inl((u16)port);
    u64 start = tsc_read();
    u32 polls = 0;
    while (((inl((u16)port) - first) & PM_TIMER_MASK) < PM_TIMER_HZ / WINDOW_HZ && polls < MAX_POLLS)
        polls++;
    u64 counts = tsc_read() - start;
    return polls >= MIN_POLLS && polls < MAX_POLLS ? counts : 0;
}

static u64 middle_of(u64 a, u64 b, u64 c)
{
    u64 low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* Counts per second by three windows; 0 when any failed. */
static u64 measure(u64 (*window)(void))
{
    u64 counts[3];
    for (unsigned i = 0; i < 3; i++) {
        u64 flags = interrupts_save();
        counts[i] = window();
        interrupts_restore(flags);
        if (counts[i] == 0)
            return 0;
    }
    return middle_of(counts[0], counts[1], counts[2]) * WINDOW_HZ;
}

/* Intel SDM volume 2, "CPUID", leaves 15H and 16H. */
static u64 ask_cpu(void)
{
    bool hypervisor = (cpuid(1, 0).ecx >> 31) != 0;
    if (hypervisor && cpuid(0x40000000U, 0).eax >= HYPERVISOR_TIMING_LEAF)
        return (u64)cpuid(HYPERVISOR_TIMING_LEAF, 0).eax * 1000;
    u32 highest = cpuid(0, 0).eax;
    if (highest >= 0x15) {
        struct cpuid_regs crystal = cpuid(0x15, 0);
        if (crystal.eax != 0 && crystal.ebx != 0 && crystal.ecx != 0)
            return (u64)crystal.ecx * crystal.ebx / crystal.eax;
    }
    return highest >= 0x16 ? (u64)(cpuid(0x16, 0).eax & 0xffff) * 1000000 : 0;
}

u64 calibrate_tsc(const char **source)
{
    u64 hz = measure(window_pit);
    *source = "8254 timer";
    if (hz < MIN_TSC_HZ) {
        hz = measure(window_pm_timer);
        *source = "ACPI timer";
    }
    if (hz < MIN_TSC_HZ) {
        hz = ask_cpu();
        *source = "CPUID";
    }
    if (hz < MIN_TSC_HZ) {
        hz = GUESS_TSC_HZ;
        *source = "a guess";
    }
    return hz;
}
