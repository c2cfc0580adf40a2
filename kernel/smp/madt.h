/* SPDX-License-Identifier: MIT */
/*
 * The ACPI table that lists CPUs: MADT, signature "APIC" (ACPI, "Multiple APIC Description Table").
 * Pure C: any bytes are survived.
 */
#ifndef KERNEL_SMP_MADT_H
#define KERNEL_SMP_MADT_H

#include <lib/types.h>

#define MADT_N_CPUS 256

struct madt {
    u32 n_cpus;    /* enabled ones, each id once, in the order of the table */
    u32 n_dropped; /* too many */
    u32 apic_id[MADT_N_CPUS];
};

/* Reads a table whose checksum held.  False when it is too short to be one. */
bool madt_parse(const u8 *table, size_t n_bytes, struct madt *out);

#endif
