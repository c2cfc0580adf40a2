/* SPDX-License-Identifier: MIT */
/*
 * Panic.
 *
 *     level 1    the whole report, then the action
 *     2 .. 6     (the report or the panic shell failed) one line, then the action again
 *     above      (printing itself fails) the action without a word; instead of the shell, halt
 *
 * It belongs to one CPU: the first.  The others are stopped by an NMI, or stop by themselves when they panic
 * too.
 *
 * The action runs on the boot stack from its top, so it has room wherever the panic came from; what ran
 * before is abandoned, interrupt stacks included, and the boot stack itself where that was still in use.  The
 * other CPUs are stopped first (smp.h).
 */
#include <kernel/acpi/power.h>
#include <kernel/boot/options.h>
#include <kernel/console/console.h>
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/debug/backtrace.h>
#include <kernel/debug/fault_report.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/debug/trap_report.h>
#include <kernel/shell/shell.h>
#include <kernel/smp/smp.h>
#include <lib/printf.h>

#define LEVEL_LAST_WORDS 6

static enum panic_action action = PANIC_SHELL;
static u32 level;
static u32 owner; /* number + 1 of the CPU that panics; a second one just halts */
static void (*stop_others)(void), (*witness)(void);
static struct trap_frame first_frame;
static bool has_frame;

extern u8 boot_stack_start[], boot_stack_end[]; /* boot/entry.asm */

void panic_start(const struct options *options)
{
    action = options->panic_action;
}

void panic_set_stopper(void (*stop)(void))
{
    stop_others = stop;
}

void panic_set_witness(void (*tell)(void))
{
    witness = tell;
}

static u32 this_owner(void)
{
    return 1 + (cpu_started ? cpu_this()->number : 0);
}

bool panic_keeps_this_cpu(void)
{
    u32 now = __atomic_load_n(&owner, __ATOMIC_RELAXED);
    return now == 0 || now == this_owner();
}

bool panic_is_on(void)
{
    return __atomic_load_n(&level, __ATOMIC_RELAXED) > 0;
}

const struct trap_frame *panic_frame(void)
{
    return has_frame ? &first_frame : NULL;
}

static __attribute__((format(printf, 1, 2))) void print_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
    console_write("\n", 1);
}

static _Noreturn void act(void)
{
    bool silent = level > LEVEL_LAST_WORDS;
    if (!silent)
        console_finish(); /* which may fail, too, and then has its turn no more */
    switch (action) {
    case PANIC_REBOOT:
        power_reboot();
    case PANIC_POWEROFF:
        power_off();
    case PANIC_EXIT:
        power_exit(PANIC_EXIT_CODE);
    case PANIC_SHELL:
        break;
    }
    if (silent)
        cpu_halt();
    shell_panic_run();
}

/* Which CPU this is, and what the others did, where there is more than one. */
static void print_cpus(void)
{
    if (smp_n_cpus() == 1)
        return;
    print_line("on CPU %u", cpu_this()->number);
    smp_report_others(print_line);
}

/* Leaves everything that ran behind and acts on the panic stack. */
static _Noreturn void leave_and_act(void)
{
    if (cpu_started)
        cpu_abandon_stacks((u64)boot_stack_start, (u64)boot_stack_end);
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "call *%1\n\t"
                     "ud2"
                     :
                     : "r"((u64)boot_stack_end), "r"(act)
                     : "memory");
    __builtin_unreachable();
}

static _Noreturn void end_report(void)
{
    if (witness != NULL)
        witness();
    leave_and_act();
}

/* True when the whole report is to be made. */
static bool begin(void)
{
    interrupts_disable();
    u32 nobody = 0;
    __atomic_compare_exchange_n(&owner, &nobody, this_owner(), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    if (!panic_keeps_this_cpu())
        smp_stop_here(0);
    u32 now = __atomic_add_fetch(&level, 1, __ATOMIC_RELAXED);
    if (now > LEVEL_LAST_WORDS)
        leave_and_act();
    if (now == 1 && stop_others != NULL)
        stop_others();
    log_panic();
    console_panic();
    return now == 1;
}

_Noreturn void panic(const char *format, ...)
{
    bool first = begin();
    va_list arguments;
    kprintf(first ? "\npanic: " : "panic during panic: ");
    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
    kprintf("\n");
    if (first && cpu_started) {
        print_cpus();
        kprintf("backtrace:\n");
        backtrace_print_here(print_line);
    }
    if (first)
        end_report();
    leave_and_act();
}

_Noreturn void panic_trap(const struct trap_frame *frame)
{
    u64 address = cr2_read();
    if (!begin()) {
        kprintf("panic during panic: %s at 0x%016lx, address 0x%016lx\n", trap_vector_name(frame->vector),
                frame->rip, address);
        leave_and_act();
    }
    first_frame = *frame;
    has_frame = true;
    cr2_write(address); /* in case a probe of the console changed it */
    kprintf("\npanic: ");
    trap_report_cause(frame, print_line);
    print_cpus();
    trap_report_state(frame, print_line);
    if (frame->vector == VECTOR_PAGE_FAULT || frame->vector == VECTOR_DOUBLE_FAULT)
        fault_report_walk(address);
    end_report();
}
