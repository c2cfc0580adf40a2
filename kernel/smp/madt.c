/* SPDX-License-Identifier: MIT */
/*
 * The MADT is a header of 44 bytes and a list of entries {u8 type, u8 length, ...}:
 *
 *     type 0   local APIC         id at 3, flags at 4 (bit 0: enabled)
 *     type 5   address override   64-bit address at 4
 *     type 9   local x2APIC       id at 4 (32 bits), flags at 8
 *
 * The list ends with the table; an entry of length 0, or one that reaches past the end, ends it too.
 */
#include <kernel/acpi/tables.h>
#include <kernel/smp/madt.h>
#include <lib/string.h>

#define HEADER_BYTES 44
#define LAPIC_ADDRESS_AT 36
#define FLAG_ENABLED 1u

enum { ENTRY_LAPIC = 0, ENTRY_ADDRESS = 5, ENTRY_X2APIC = 9 };

static bool knows(const struct madt *madt, u32 id)
{
    for (u32 i = 0; i < madt->n_cpus; i++)
        if (madt->apic_id[i] == id)
            return true;
    return false;
}

static void add_cpu(struct madt *madt, u32 id, u32 flags)
{
    if (!(flags & FLAG_ENABLED) || knows(madt, id))
        return;
    if (id >= MADT_N_CPUS || madt->n_cpus == MADT_N_CPUS) {
        madt->n_dropped++;
        return;
    }
    madt->apic_id[madt->n_cpus++] = (u8)id;
}

static void read_entry(struct madt *madt, const u8 *entry, unsigned length)
{
    if (entry[0] == ENTRY_LAPIC && length >= 8)
        add_cpu(madt, entry[3], acpi_get32(entry + 4));
    else if (entry[0] == ENTRY_X2APIC && length >= 16)
        add_cpu(madt, acpi_get32(entry + 4), acpi_get32(entry + 8));
    else if (entry[0] == ENTRY_ADDRESS && length >= 12)
        madt->lapic_phys = acpi_get64(entry + 4);
}

bool madt_parse(const u8 *table, size_t n_bytes, struct madt *out)
{
    memset(out, 0, sizeof *out);
    if (n_bytes < HEADER_BYTES)
        return false;
    out->lapic_phys = acpi_get32(table + LAPIC_ADDRESS_AT);
    for (size_t at = HEADER_BYTES; at + 2 <= n_bytes;) {
        unsigned length = table[at + 1];

        if (length < 2 || length > n_bytes - at)
            break;
        read_entry(out, table + at, length);
        at += length;
    }
    return true;
}
