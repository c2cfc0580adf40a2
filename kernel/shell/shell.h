/* SPDX-License-Identifier: MIT */
/* The shell: one loop on the boot CPU that reads lines from all faces of the console and runs them. */
#ifndef KERNEL_SHELL_SHELL_H
#define KERNEL_SHELL_SHELL_H

#include <lib/types.h>

#define SHELL_N_NESTED 4 /* commands that run commands (repeat, watch, time) inside each other */

struct boot_info;
struct options;

/* What the shell shows and obeys: the loader's information, and options->autorun.  Both outlive the shell. */
void shell_start(const struct boot_info *info, const struct options *options);

/* The loader's information as shell_start got it; NULL before. */
const struct boot_info *shell_boot_info(void);

/* The banner, autorun, then lines for ever.  Interrupts on, no lock held. */
_Noreturn void shell_run(void);

/* Runs one line as if it had been typed: `;` between commands; the first Ctrl-C ends all of it. */
void shell_run_line(const char *line);

/* True when a command of the line that runs now has failed already. */
bool shell_line_failed(void);

/*
 * The panic shell: prompt "panic> ", only commands that look.  For panic(): console_panic() was called,
 * interrupts are off and stay so, locks may be held by who will never give them back.
 */
_Noreturn void shell_panic_run(void);
bool shell_in_panic(void);

/* The commands of a line inside another command, `depth` deep.  False after an error line. */
bool shell_run_commands(const char *line, unsigned depth);

#endif
