/* SPDX-License-Identifier: MIT */
/*
 * The firmware's tables, read once at boot: after it nothing here looks at them again, so their RAM may be
 * given back.
 */
#ifndef KERNEL_ACPI_ACPI_H
#define KERNEL_ACPI_ACPI_H

#include <kernel/acpi/fadt.h>
#include <kernel/acpi/tables.h>

struct boot_info;

/*
 * Finds and lists the tables, and prepares power_off and power_reboot.  After mm_start; the mappings it makes
 * are gone again when it returns, but for registers in memory.  A machine without ACPI is fine.
 */
void acpi_start(const struct boot_info *info);

/* What was found; n_tables is 0 without ACPI. */
const struct acpi_tables *acpi_tables(void);

/* The FADT's content; all 0 without one. */
const struct acpi_fadt *acpi_fadt(void);

#endif
