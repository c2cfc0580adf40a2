/* SPDX-License-Identifier: MIT */
/*
 * From the RSDP to all that is kept of the firmware's tables.  Pure C: memory is reached through struct acpi_memory,
 * every mapping is given back.
 */
#ifndef KERNEL_ACPI_DISCOVER_H
#define KERNEL_ACPI_DISCOVER_H

#include <kernel/acpi/fadt.h>
#include <kernel/acpi/tables.h>

/* What the loader says about the RSDP: a copy of n_bytes (0: none), an address (0: none), both, or neither. */
struct acpi_hint {
    const u8 *copy;
    size_t n_bytes;
    u64 phys;
};

struct acpi_content {
    struct acpi_tables tables;
    struct acpi_fadt fadt; /* all 0 without one */
    bool has_sleep_type;
    struct acpi_sleep_type off; /* of \_S5_ */
};

/*
 * Finds and lists the tables, the DSDT with them, and reads FADT and \_S5_.  The RSDP is taken from the copy, else from
 * the address, else searched for in low memory.  False without ACPI: *out is then empty.
 */
bool acpi_discover(const struct acpi_memory *memory, const struct acpi_hint *hint, struct acpi_content *out);

#endif
