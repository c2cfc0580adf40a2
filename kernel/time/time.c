/* SPDX-License-Identifier: MIT */
/*
 * The clock: nanoseconds = counts * (2^32 * 10^9 / rate) / 2^32, by a 128-bit product, so that it neither
 * overflows nor needs a division.
 */
#include <kernel/cpu/interrupt.h>
#include <kernel/cpu/io.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <kernel/time/calibrate.h>
#include <kernel/time/pit.h>
#include <kernel/time/time.h>

#define NS_PER_S  1000000000UL
#define NS_PER_MS 1000000UL

static struct {
    u64 hz;
    u64 ns_per_count; /* in 2^-32 ns; 0: the clock does not run */
    u64 start;
    const char *source;
    u64 n_ticks;
    void (*hook)(void);
} clock = {.source = "none"};

static void tick(void)
{
    clock.n_ticks++;
    if (clock.hook != NULL)
        clock.hook();
}

u64 time_ns(void)
{
    u64 now = tsc_read();
    if (clock.ns_per_count == 0 || now < clock.start) /* the latter on a CPU whose counter lags */
        return 0;
    return (u64)((unsigned __int128)(now - clock.start) * clock.ns_per_count >> 32);
}

u64 time_ms(void)
{
    return time_ns() / NS_PER_MS;
}

u64 time_n_ticks(void)
{
    return *(volatile u64 *)&clock.n_ticks;
}

void time_set_tick_hook(void (*fn)(void))
{
    clock.hook = fn;
}

void time_set_tick_rate(u32 hz)
{
    u64 flags = interrupts_save();

    pit_tick_start(hz);
    interrupts_restore(flags);
}

u64 time_tsc_hz(void)
{
    return clock.hz;
}

const char *time_source(void)
{
    return clock.source;
}

void time_wait_us(u64 microseconds)
{
    if (clock.ns_per_count == 0) {
        while (microseconds-- > 0)
            io_wait();
        return;
    }
    u64 start = time_ns();
    while (time_ns() - start < microseconds * 1000)
        cpu_pause();
}

void time_start(void)
{
    u64 start = tsc_read();
    clock.hz = calibrate_tsc(&clock.source);
    clock.start = start;
    clock.ns_per_count = (NS_PER_S << 32) / clock.hz;
    log_set_clock(time_ms);
    pit_tick_start(TIME_TICK_HZ);
    interrupt_set_handler(INTERRUPT_TIMER, tick);
    klog("time: %lu.%03lu MHz by %s", clock.hz / 1000000, clock.hz / 1000 % 1000, clock.source);
}
