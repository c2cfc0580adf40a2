/* SPDX-License-Identifier: MIT */
/*
 * Reading ACPI at boot.
 *
 * The RSDP comes from the loader (a copy, or an address), else from a search in low memory.  From the tables
 * only what power.c needs is kept.
 */
#include <kernel/acpi/acpi.h>
#include <kernel/acpi/discover.h>
#include <kernel/acpi/power.h>
#include <kernel/boot/boot_info.h>
#include <kernel/debug/log.h>
#include <mm/mmio.h>

static struct acpi_content content;

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

static void report_broken(const struct acpi_tables *tables)
{
    for (u32 i = 0; i < tables->n_tables; i++) {
        const struct acpi_table *table = &tables->table[i];
        if (table->state != ACPI_TABLE_GOOD)
            klog("acpi: table %s at 0x%lx: %s, not used", table->signature, table->phys,
                 acpi_table_state_text(table->state));
    }
    if (tables->n_dropped > 0)
        klog("acpi: %u tables too many, not listed", tables->n_dropped);
}

void acpi_start(const struct boot_info *info)
{
    struct acpi_hint hint = {info->rsdp, info->rsdp_bytes, info->rsdp_phys};
    if (!acpi_discover(&memory, &hint, &content)) {
        klog("acpi: no tables");
        return;
    }
    power_start(&content.fadt, content.has_sleep_type ? &content.off : NULL);
    klog("acpi: %u tables, power off %s, reset register %s", content.tables.n_tables,
         content.has_sleep_type ? "by _S5_" : "unknown", content.fadt.reset.address != 0 ? "there" : "absent");
    report_broken(&content.tables);
}

const struct acpi_tables *acpi_tables(void)
{
    return &content.tables;
}

const struct acpi_fadt *acpi_fadt(void)
{
    return &content.fadt;
}
