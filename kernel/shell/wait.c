/* SPDX-License-Identifier: MIT */
/* Waiting: asleep between ticks, awake for Ctrl-C. */
#include <kernel/shell/wait.h>

#include <kernel/cpu/registers.h>
#include <kernel/shell/out.h>
#include <kernel/shell/shell.h>
#include <kernel/time/time.h>

bool wait_seconds(u64 seconds)
{
    u64 end = time_ms() + seconds * 1000;
    if (shell_in_panic())
        return false;
    while (!out_interrupted()) {
        if (time_ms() >= end)
            return true;
        if (time_n_ticks())
            cpu_wait_interrupt();
        else
            cpu_pause(); /* nothing would wake the CPU */
    }
    return false;
}
