/* SPDX-License-Identifier: MIT */
/*
 * The ways to leave: off, reset, or out of the emulator.  Any context, also after a panic; interrupts are off
 * from there on.  The caller has seen to the console (console_finish).  Every wait is bounded; what does not
 * work is said, and the CPU halts.
 */
#ifndef KERNEL_ACPI_POWER_H
#define KERNEL_ACPI_POWER_H

#include <lib/types.h>

struct acpi_fadt;
struct acpi_sleep_type;

#define POWER_EXIT_SUCCESS 0x10 /* QEMU's exit status is then 2 * 0x10 + 1 = 33 */
#define POWER_EXIT_FAILURE 0x11 /* 35 */

/* For acpi_start: what the tables say.  `off` is NULL when \_S5_ is not known. */
void power_start(const struct acpi_fadt *fadt, const struct acpi_sleep_type *off);

/* Off, by ACPI; where the machine describes no way, by the ports of QEMU and Bochs. */
_Noreturn void power_off(void);

/*
 * Reset: in turn the FADT's register, the keyboard controller if there is one, port 0xcf9 (before it where
 * only a hard reset will do), a triple fault.
 */
_Noreturn void power_reboot(void);

/* Ends QEMU with status 2 * code + 1, by its debug-exit device at port 0xf4.  Returns where there is none. */
void power_try_exit(u8 code);

/* The same, and halts where there is none. */
_Noreturn void power_exit(u8 code);

#endif
