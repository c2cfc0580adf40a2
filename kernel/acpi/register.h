/* SPDX-License-Identifier: MIT */
/* Reading and writing a register that ACPI describes, wherever it is. */
#ifndef KERNEL_ACPI_REGISTER_H
#define KERNEL_ACPI_REGISTER_H

#include <kernel/acpi/fadt.h>
#include <lib/types.h>

/* Ready for use also after a panic: what needs a mapping has it. */
struct acpi_register {
    enum { ACPI_REGISTER_NONE, ACPI_REGISTER_IO, ACPI_REGISTER_MEMORY, ACPI_REGISTER_PCI } kind;
    u64 address;         /* the port; for PCI the configuration address */
    volatile u8 *mapped; /* for memory */
};

/* Makes the described register reachable.  Kind NONE when there is none, or it cannot be. */
struct acpi_register acpi_register_open(struct acpi_address where);

/* 8 or 16 bits; a register that is not there reads 0 and takes everything. */
u8 acpi_register_read8(const struct acpi_register *reg);
void acpi_register_write8(const struct acpi_register *reg, u8 value);
u16 acpi_register_read16(const struct acpi_register *reg);
void acpi_register_write16(const struct acpi_register *reg, u16 value);

#endif
