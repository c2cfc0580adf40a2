/* SPDX-License-Identifier: MIT */
/*
 * The end: what happened, registers, backtrace, then what the option panic= says: a shell that can look, or
 * reboot, power off, or leave QEMU with an exit code.
 *
 * Takes no lock and allocates nothing.  A panic inside the report goes straight to the end; a panic in the
 * panic shell starts that shell anew, a few times.
 */
#ifndef KERNEL_DEBUG_PANIC_H
#define KERNEL_DEBUG_PANIC_H

#include <lib/types.h>

struct options;
struct trap_frame;

#define PANIC_EXIT_CODE 0x21 /* for the debug-exit port: QEMU ends with 2 * 0x21 + 1 = 67 */

/* Remembers what to do after a panic (options->panic_action).  Before that it is the shell. */
void panic_start(const struct options *options);

/*
 * Where there are other CPUs: `stop` is called first of all in a panic and sends each of them an NMI, in
 * which they halt (panic_keeps_this_cpu).  It must not wait for long.
 */
void panic_set_stopper(void (*stop)(void));

/* What runs for long tells what it did last, behind the report of a panic; NULL: nothing does.  Called once, with the
 * console ready for out(). */
void panic_set_witness(void (*tell)(void));

/* Printf's formats; no newline at the end.  Any context, interrupts on or off. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for an exception of the kernel. */
_Noreturn void panic_trap(const struct trap_frame *frame);

/*
 * True once a panic has begun: locks may be held by who will never give them back, and other CPUs do not
 * answer.
 */
bool panic_is_on(void);

/* False when a panic runs on another CPU: this one has to halt. */
bool panic_keeps_this_cpu(void);

/*
 * The registers of the trap that the panic began with, for the panic shell; NULL when it did not begin with
 * one.
 */
const struct trap_frame *panic_frame(void);

#endif
