/* SPDX-License-Identifier: MIT */
/*
 * Measuring the time-stamp counter against another counter of known rate: the 8254's channel 2, or the ACPI
 * timer (free running, 24 bits at least).
 *
 *     sample    the other counter, with the time-stamp counter before and after reading it; of several the
 * one with the least in between, so an emulator that was put to sleep just then does no harm window    two
 * samples at least 10 ms apart; how late the second is does not matter rate      the middle one of three
 * windows, since a window longer than the other counter's range is wrong
 *
 * Interrupts are off in a window.  A counter that stands still is given up after MAX_POLLS.
 */
#include <kernel/acpi/acpi.h>
#include <kernel/cpu/io.h>
#include <kernel/cpu/registers.h>
#include <kernel/time/calibrate.h>
#include <kernel/time/pit.h>

#define WINDOWS_PER_S 100
#define N_TRIES       5
#define MAX_POLLS     500000U /* a read of the 8254 takes three microseconds on hardware: 1.5 s */

#define PM_TIMER_HZ   3579545U
#define PM_TIMER_MASK 0xffffffU

#define MIN_TSC_HZ   1000000U
#define GUESS_TSC_HZ 2000000000U

#define HYPERVISOR_TIMING_LEAF 0x40000010U /* EAX: the counter's rate in kHz (VMware, KVM) */

/* A counter that goes up `hz` times a second, modulo mask + 1. */
struct reference {
    u32 (*read)(void);
    u32 mask;
    u32 hz;
};

struct sample {
    u64 tsc;
    u32 count;
};

static u32 read_pm_timer(void)
{
    return inl((u16)acpi_fadt()->pm_timer_port);
}

static struct sample take_sample(const struct reference *reference)
{
    struct sample best = {0, 0};
    u64 best_width = ~0UL;
    for (unsigned i = 0; i < N_TRIES; i++) {
        u64 before = tsc_read();
        u32 count = reference->read();
        u64 width = tsc_read() - before;
        if (width < best_width) {
            best_width = width;
            best = (struct sample){before + width / 2, count};
        }
    }
    return best;
}

/* Counts per second by one window; 0 when the other counter stands still. */
static u64 measure_window(const struct reference *reference)
{
    u32 polls = 0;
    struct sample first = take_sample(reference);
    while (((reference->read() - first.count) & reference->mask) < reference->hz / WINDOWS_PER_S)
        if (++polls == MAX_POLLS)
            return 0;
    struct sample last = take_sample(reference);
    u32 passed = (last.count - first.count) & reference->mask;
    return passed == 0 ? 0 : (last.tsc - first.tsc) * reference->hz / passed;
}

static u64 middle_of(u64 a, u64 b, u64 c)
{
    u64 low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* The same by three windows. */
static u64 measure(const struct reference *reference)
{
    u64 hz[3];
    for (unsigned i = 0; i < 3; i++) {
        u64 flags = interrupts_save();
        hz[i] = measure_window(reference);
        interrupts_restore(flags);
        if (hz[i] == 0)
            return 0;
    }
    return middle_of(hz[0], hz[1], hz[2]);
}

static u64 measure_by_pit(void)
{
    const struct reference pit = {pit_counter_read, PIT_COUNTER_MASK, PIT_HZ};
    pit_counter_start();
    u64 hz = measure(&pit);
    pit_counter_stop();
    return hz;
}

static u64 measure_by_pm_timer(void)
{
    const struct reference timer = {read_pm_timer, PM_TIMER_MASK, PM_TIMER_HZ};
    u32 port = acpi_fadt()->pm_timer_port;
    return port == 0 || port > 0xffff ? 0 : measure(&timer);
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
    u64 hz = measure_by_pit();
    *source = "8254 timer";
    if (hz < MIN_TSC_HZ) {
        hz = measure_by_pm_timer();
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
