/* SPDX-License-Identifier: MIT */
/* From the RSDP to what is kept: each table is mapped for as long as it is read. */
#include <kernel/acpi/discover.h>
#include <lib/string.h>

static size_t rsdp_get(const struct acpi_memory *memory, const struct acpi_hint *hint, u8 rsdp[ACPI_RSDP_BYTES])
{
    if (hint->n_bytes <= ACPI_RSDP_BYTES && acpi_rsdp_is_valid(hint->copy, hint->n_bytes)) {
        memcpy(rsdp, hint->copy, hint->n_bytes);
        return hint->n_bytes;
    }
    const u8 *there = hint->phys != 0 ? memory->map(memory->context, hint->phys, ACPI_RSDP_BYTES) : NULL;
    if (there != NULL) {
        memcpy(rsdp, there, ACPI_RSDP_BYTES);
        memory->unmap(memory->context, there);
        if (acpi_rsdp_is_valid(rsdp, ACPI_RSDP_BYTES))
            return ACPI_RSDP_BYTES;
    }
    return acpi_rsdp_scan(memory, rsdp);
}

static bool fadt_read(const struct acpi_memory *memory, struct acpi_content *out)
{
    const struct acpi_table *table = acpi_tables_find(&out->tables, "FACP", 0);
    const u8 *bytes = table != NULL ? memory->map(memory->context, table->phys, table->length) : NULL;
    if (bytes == NULL)
        return false;
    bool good = acpi_fadt_parse(bytes, table->length, &out->fadt);
    memory->unmap(memory->context, bytes);
    return good;
}

static bool s5_read(const struct acpi_memory *memory, const struct acpi_table *table, struct acpi_sleep_type *type)
{
    const u8 *aml = memory->map(memory->context, table->phys, table->length);
    if (aml == NULL)
        return false;
    bool found = acpi_find_s5(aml, table->length, type);
    memory->unmap(memory->context, aml);
    return found;
}

/* _S5_ is in the DSDT, rarely in one of the SSDTs. */
static bool s5_find(const struct acpi_memory *memory, const struct acpi_tables *tables, struct acpi_sleep_type *type)
{
    const struct acpi_table *table = acpi_tables_find(tables, "DSDT", 0);
    if (table != NULL && s5_read(memory, table, type))
        return true;
    table = acpi_tables_find(tables, "SSDT", 0);
    while (table != NULL && !s5_read(memory, table, type))
        table = acpi_tables_find(tables, "SSDT", (u32)(table - tables->table) + 1);
    return table != NULL;
}

bool acpi_discover(const struct acpi_memory *memory, const struct acpi_hint *hint, struct acpi_content *out)
{
    u8 rsdp[ACPI_RSDP_BYTES];
    size_t n = rsdp_get(memory, hint, rsdp);
    memset(out, 0, sizeof *out);
    if (n == 0 || !acpi_tables_list(memory, rsdp, n, &out->tables))
        return false;
    if (fadt_read(memory, out) && out->fadt.dsdt_phys != 0)
        acpi_tables_add(memory, &out->tables, out->fadt.dsdt_phys);
    out->has_sleep_type = s5_find(memory, &out->tables, &out->off);
    return true;
}
