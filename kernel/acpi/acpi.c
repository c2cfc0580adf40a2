/* SPDX-License-Identifier: MIT */
/*
 * Reading ACPI at boot.
 *
 * The RSDP comes from the loader (a copy, or an address), else from a search in low memory.  From the tables
 * only what power.c needs is kept.
 */
#include <kernel/acpi/acpi.h>
#include <kernel/acpi/power.h>
#include <kernel/boot/boot_info.h>
#include <kernel/debug/log.h>
#include <lib/string.h>
#include <mm/mmio.h>

static struct acpi_tables tables;
static struct acpi_fadt fadt;

static const void *map(void *context, u64 at, u64 bytes)
{
    (void)context;
    return mmio_map(phys(at), bytes, MMIO_WRITE_BACK);
}

static void unmap(void *context, const void *pointer)
{
    (void)context;
    mmio_unmap(pointer);
}

static const struct acpi_memory memory = {map, unmap, NULL};

static size_t get_rsdp(const struct boot_info *info, u8 rsdp[ACPI_RSDP_BYTES])
{
    if (acpi_rsdp_is_valid(info->rsdp, info->rsdp_bytes)) {
        memcpy(rsdp, info->rsdp, info->rsdp_bytes);
        return info->rsdp_bytes;
    }
    const u8 *there = info->rsdp_phys != 0 ? map(NULL, info->rsdp_phys, ACPI_RSDP_BYTES) : NULL;
    if (there != NULL) {
        memcpy(rsdp, there, ACPI_RSDP_BYTES);
        unmap(NULL, there);
        if (acpi_rsdp_is_valid(rsdp, ACPI_RSDP_BYTES))
            return ACPI_RSDP_BYTES;
    }
    return acpi_rsdp_scan(&memory, rsdp);
}

static bool read_fadt(void)
{
    const struct acpi_table *table = acpi_tables_find(&tables, "FACP", 0);
    const u8 *bytes = table != NULL ? map(NULL, table->phys, table->length) : NULL;
    if (bytes == NULL)
        return false;
    bool good = acpi_fadt_parse(bytes, table->length, &fadt);
    unmap(NULL, bytes);
    return good;
}

static bool read_s5(const struct acpi_table *table, struct acpi_sleep_type *type)
{
    const u8 *aml = map(NULL, table->phys, table->length);
    if (aml == NULL)
        return false;
    bool found = acpi_find_s5(aml, table->length, type);
    unmap(NULL, aml);
    return found;
}

/* _S5_ is in the DSDT, rarely in one of the SSDTs. */
static bool find_s5(struct acpi_sleep_type *type)
{
    const struct acpi_table *table = acpi_tables_find(&tables, "DSDT", 0);
    if (table != NULL && read_s5(table, type))
        return true;
    table = acpi_tables_find(&tables, "SSDT", 0);
    while (table != NULL && !read_s5(table, type))
        table = acpi_tables_find(&tables, "SSDT", (u32)(table - tables.table) + 1);
    return table != NULL;
}

static void report_broken(void)
{
    for (u32 i = 0; i < tables.n_tables; i++) {
        const struct acpi_table *table = &tables.table[i];
        if (table->state != ACPI_TABLE_GOOD)
            klog("acpi: table %s at 0x%lx: %s, not used", table->signature, table->phys,
                 acpi_table_state_text(table->state));
    }
    if (tables.n_dropped > 0)
        klog("acpi: %u tables too many, not listed", tables.n_dropped);
}

void acpi_start(const struct boot_info *info)
{
    u8 rsdp[ACPI_RSDP_BYTES];
    size_t n = get_rsdp(info, rsdp);
    if (n == 0 || !acpi_tables_list(&memory, rsdp, n, &tables)) {
        klog("acpi: no tables");
        return;
    }
    if (read_fadt() && fadt.dsdt_phys != 0)
        acpi_tables_add(&memory, &tables, fadt.dsdt_phys);
    struct acpi_sleep_type type;
    bool can_sleep = find_s5(&type);
    power_start(&fadt, can_sleep ? &type : NULL);
    klog("acpi: %u tables, power off %s, reset register %s", tables.n_tables,
         can_sleep ? "by _S5_" : "unknown", fadt.reset.address != 0 ? "there" : "absent");
    report_broken();
}

const struct acpi_tables *acpi_tables(void)
{
    return &tables;
}

const struct acpi_fadt *acpi_fadt(void)
{
    return &fadt;
}
