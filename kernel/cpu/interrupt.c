/* SPDX-License-Identifier: MIT */
/* From a vector to a line's handler, and the end of interrupt. */
#include <kernel/cpu/interrupt.h>
#include <kernel/cpu/pic.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/smp/ipi.h>

static interrupt_handler handlers[PIC_N_LINES];
static u64 counts[PIC_N_LINES];
static u64 n_stray;
static bool started;

void interrupts_start(void)
{
    pic_start();
    started = true;
    for (unsigned line = 0; line < PIC_N_LINES; line++)
        if (handlers[line] != NULL)
            pic_set_masked(line, false);
    interrupts_enable();
}

bool interrupt_set_handler(unsigned line, interrupt_handler fn)
{
    if (line >= PIC_N_LINES)
        return false;
    u64 flags = interrupts_save();
    handlers[line] = fn;
    if (started)
        pic_set_masked(line, fn == NULL);
    interrupts_restore(flags);
    return true;
}

u64 interrupt_count(unsigned line)
{
    return line < PIC_N_LINES ? counts[line] : 0;
}

u64 interrupt_stray_count(void)
{
    return n_stray;
}

void interrupt_dispatch(u64 vector)
{
    u64 line = vector - VECTOR_IRQ_BASE;
    if (ipi_handle(vector))
        return;
    if (line >= PIC_N_LINES) {
        n_stray++;
        return;
    }
    if (pic_is_spurious((unsigned)line)) {
        n_stray++;
        return;
    }
    counts[line]++;
    if (handlers[line] != NULL)
        handlers[line]();
    else
        n_stray++;
    pic_acknowledge((unsigned)line);
}
