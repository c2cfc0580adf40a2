/* SPDX-License-Identifier: MIT */
/*
 * What switching off and resetting need from the tables: the FADT's registers (ACPI specification, "Fixed
 * ACPI Description Table") and the values of the sleep state \_S5_ from the DSDT.  Pure C over bytes.
 */
#ifndef KERNEL_ACPI_FADT_H
#define KERNEL_ACPI_FADT_H

#include <lib/types.h>

/* "Generic Address Structure": where a register is. */
enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1, ACPI_SPACE_PCI = 2 };

struct acpi_address {
    u8 space;    /* enum acpi_space, or one that we do not know */
    u64 address; /* 0: there is no such register */
};

struct acpi_fadt {
    u64 dsdt_phys;
    bool hardware_reduced; /* no PM1 registers; sleep_control instead */
    bool may_have_8042;    /* older tables do not tell: true */
    u32 smi_command_port;  /* 0: always in ACPI mode */
    u8 acpi_enable;        /* written there to enter it; 0: not needed */
    struct acpi_address pm1a_control, pm1b_control;
    struct acpi_address sleep_control;
    struct acpi_address reset;
    u8 reset_value;
    u32 pm_timer_port; /* 3.579545 MHz, 24 bits; 0: none */
};

/*
 * Reads a FADT of n bytes (its own length; fields behind its end count as 0).  False when it is too short for
 * any use.
 */
bool acpi_fadt_parse(const u8 *table, size_t n, struct acpi_fadt *out);

/* The two numbers that a package of \_S5_ begins with: SLP_TYP for the PM1a and PM1b control registers. */
struct acpi_sleep_type {
    u8 a, b;
};

/*
 * Searches AML (a DSDT or SSDT, header included) for the name _S5_ with a package of numbers behind it.  This
 * is no interpreter: a table that computes its _S5_ is not understood.  False when nothing is found.
 */
bool acpi_find_s5(const u8 *aml, size_t n, struct acpi_sleep_type *out);

#endif
