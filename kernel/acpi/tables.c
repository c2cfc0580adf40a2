/* SPDX-License-Identifier: MIT */
/*
 * From the RSDP to a list of tables.
 *
 * Each table is mapped twice for a moment: its header for the length, then all of it for the checksum.
 */
#include <kernel/acpi/tables.h>
#include <lib/string.h>

#define RSDP_SIGNATURE   "RSD PTR "
#define RSDP_V1_BYTES    20
#define RSDP_REVISION_AT 15
#define RSDP_RSDT_AT     16
#define RSDP_XSDT_AT     24

#define EBDA_SEGMENT_AT 0x40eU /* BIOS data area: segment of the extended one */
#define EBDA_LOOK_BYTES 1024U
#define BIOS_START      0xe0000U
#define BIOS_BYTES      0x20000U
#define RSDP_ALIGNMENT  16

u16 acpi_get16(const u8 *at)
{
    return (u16)(at[0] | at[1] << 8);
}

u32 acpi_get32(const u8 *at)
{
    return (u32)acpi_get16(at) | (u32)acpi_get16(at + 2) << 16;
}

u64 acpi_get64(const u8 *at)
{
    return acpi_get32(at) | (u64)acpi_get32(at + 4) << 32;
}

static u8 sum(const u8 *bytes, size_t n)
{
    u8 total = 0;
    for (size_t i = 0; i < n; i++)
        total = (u8)(total + bytes[i]);
    return total;
}

bool acpi_rsdp_is_valid(const u8 *rsdp, size_t n)
{
    return n >= RSDP_V1_BYTES && memcmp(rsdp, RSDP_SIGNATURE, 8) == 0 && sum(rsdp, RSDP_V1_BYTES) == 0;
}

/* The second checksum covers what ACPI 2 added. */
static bool has_xsdt(const u8 *rsdp, size_t n)
{
    return n >= ACPI_RSDP_BYTES && rsdp[RSDP_REVISION_AT] >= 2 && sum(rsdp, ACPI_RSDP_BYTES) == 0;
}

static size_t scan(const struct acpi_memory *memory, u64 from, u64 bytes, u8 rsdp[ACPI_RSDP_BYTES])
{
    const u8 *area = memory->map(memory->context, from, bytes);
    if (area == NULL)
        return 0;
    size_t found = 0;
    for (u64 at = 0; found == 0 && at + RSDP_V1_BYTES <= bytes; at += RSDP_ALIGNMENT) {
        u64 left = bytes - at;
        if (!acpi_rsdp_is_valid(area + at, left))
            continue;
        found = area[at + RSDP_REVISION_AT] >= 2 && left >= ACPI_RSDP_BYTES ? ACPI_RSDP_BYTES : RSDP_V1_BYTES;
        memcpy(rsdp, area + at, found);
    }
    memory->unmap(memory->context, area);
    return found;
}

size_t acpi_rsdp_scan(const struct acpi_memory *memory, u8 rsdp[ACPI_RSDP_BYTES])
{
    u64 ebda = 0;
    const u8 *segment = memory->map(memory->context, EBDA_SEGMENT_AT, 2);
    if (segment != NULL) {
        ebda = (u64)acpi_get16(segment) << 4;
        memory->unmap(memory->context, segment);
    }
    size_t n = ebda != 0 ? scan(memory, ebda, EBDA_LOOK_BYTES, rsdp) : 0;
    return n != 0 ? n : scan(memory, BIOS_START, BIOS_BYTES, rsdp);
}

static void read_header(const u8 *header, struct acpi_table *table)
{
    for (size_t i = 0; i < 4; i++)
        table->signature[i] = header[i] >= ' ' && header[i] <= '~' ? (char)header[i] : '?';
    table->signature[4] = 0;
    table->length = acpi_get32(header + 4);
    table->revision = header[8];
}

static enum acpi_table_state examine(const struct acpi_memory *memory, struct acpi_table *table)
{
    const u8 *header = memory->map(memory->context, table->phys, ACPI_HEADER_BYTES);
    if (header == NULL)
        return ACPI_TABLE_UNREADABLE;
    read_header(header, table);
    memory->unmap(memory->context, header);
    if (table->length < ACPI_HEADER_BYTES || table->length > ACPI_TABLE_MAX_BYTES)
        return ACPI_TABLE_BAD_LENGTH;

    const u8 *all = memory->map(memory->context, table->phys, table->length);
    if (all == NULL)
        return ACPI_TABLE_UNREADABLE;
    u8 total = sum(all, table->length);
    memory->unmap(memory->context, all);
    return total == 0 ? ACPI_TABLE_GOOD : ACPI_TABLE_BAD_SUM;
}

const struct acpi_table *acpi_tables_add(const struct acpi_memory *memory, struct acpi_tables *tables,
                                         u64 phys)
{
    if (tables->n_tables == ACPI_N_TABLES) {
        tables->n_dropped++;
        return NULL;
    }
    struct acpi_table *table = &tables->table[tables->n_tables++];
    *table = (struct acpi_table){.signature = "????", .phys = phys};
    table->state = examine(memory, table);
    return table;
}

/* Lists the root table at `root` and all that it names. */
static bool list_root(const struct acpi_memory *memory, u64 root, bool is_xsdt, struct acpi_tables *out)
{
    *out = (struct acpi_tables){.revision = out->revision};
    if (root == 0)
        return false;
    const struct acpi_table *table = acpi_tables_add(memory, out, root);
    bool good = table->state == ACPI_TABLE_GOOD && strcmp(table->signature, is_xsdt ? "XSDT" : "RSDT") == 0;
    const u8 *bytes = good ? memory->map(memory->context, root, table->length) : NULL;
    if (bytes == NULL) {
        out->n_tables = 0;
        return false;
    }
    out->root_phys = root;
    out->is_xsdt = is_xsdt;
    u32 entry_bytes = is_xsdt ? 8 : 4;
    for (u32 at = ACPI_HEADER_BYTES; at + entry_bytes <= table->length; at += entry_bytes) {
        u64 phys = is_xsdt ? acpi_get64(bytes + at) : acpi_get32(bytes + at);
        if (phys != 0)
            acpi_tables_add(memory, out, phys);
    }
    memory->unmap(memory->context, bytes);
    return true;
}

bool acpi_tables_list(const struct acpi_memory *memory, const u8 *rsdp, size_t n, struct acpi_tables *out)
{
    memset(out, 0, sizeof *out);
    if (!acpi_rsdp_is_valid(rsdp, n))
        return false;
    out->revision = rsdp[RSDP_REVISION_AT];
    if (has_xsdt(rsdp, n) && list_root(memory, acpi_get64(rsdp + RSDP_XSDT_AT), true, out))
        return true;
    return list_root(memory, acpi_get32(rsdp + RSDP_RSDT_AT), false, out);
}

const struct acpi_table *acpi_tables_find(const struct acpi_tables *tables, const char *signature, u32 from)
{
    for (u32 i = from; i < tables->n_tables; i++) {
        const struct acpi_table *table = &tables->table[i];
        if (table->state == ACPI_TABLE_GOOD && strcmp(table->signature, signature) == 0)
            return table;
    }
    return NULL;
}

const char *acpi_table_state_text(enum acpi_table_state state)
{
    switch (state) {
    case ACPI_TABLE_GOOD:
        return "ok";
    case ACPI_TABLE_BAD_SUM:
        return "bad checksum";
    case ACPI_TABLE_BAD_LENGTH:
        return "bad length";
    case ACPI_TABLE_UNREADABLE:
        break;
    }
    return "unreadable";
}
