/* SPDX-License-Identifier: MIT */
/*
 * The MADT is a header of 44 bytes and a list of entries {u8 type, u8 length, ...}:
 *
 *     type 0   local APIC         id at 3, flags at 4 (bit 0: enabled)
 *     type 9   local x2APIC       id at 4 (32 bits), flags at 8
 *
 * The list ends with the table; an entry of length 0, or one that reaches past the end, ends it too.  Id 255
 * (in type 9: all ones) addresses every CPU at once, so it is nobody's.
 */
#include <kernel/acpi/tables.h>
#include <kernel/smp/madt.h>
#include <lib/string.h>

#define HEADER_BYTES  44
#define FLAG_ENABLED  1u
#define ID_ALL        0xffu
#define ID_ALL_X2APIC 0xffffffffu

enum { ENTRY_LAPIC = 0, ENTRY_X2APIC = 9 };

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
    if (madt->n_cpus == MADT_N_CPUS)
        madt->n_dropped++;
    else
        madt->apic_id[madt->n_cpus++] = id;
}

static void read_entry(struct madt *madt, const u8 *entry, unsigned length)
{
    if (entry[0] == ENTRY_LAPIC && length >= 8 && entry[3] != ID_ALL)
        add_cpu(madt, entry[3], acpi_get32(entry + 4));
    else if (entry[0] == ENTRY_X2APIC && length >= 16 && acpi_get32(entry + 4) != ID_ALL_X2APIC)
        add_cpu(madt, acpi_get32(entry + 4), acpi_get32(entry + 8));
}

bool madt_parse(const u8 *table, size_t n_bytes, struct madt *out)
{
    memset(out, 0, sizeof *out);
    if (n_bytes < HEADER_BYTES)
        return false;
    for (size_t at = HEADER_BYTES; at + 2 <= n_bytes;) {
        unsigned length = table[at + 1];

        if (length < 2 || length > n_bytes - at)
            break;
        read_entry(out, table + at, length);
        at += length;
    }
    return true;
}
