/* SPDX-License-Identifier: MIT */
/*
 * Finding the ACPI tables (ACPI specification 6, "ACPI Software Programming Model").
 *
 *     RSDP ──► XSDT (or RSDT) ──► FADT ──► DSDT
 *                            └──► SSDT, APIC, HPET, ...
 *
 * Pure C: physical memory is reached through struct acpi_memory, so the tests bring their own.  Nothing that
 * the firmware says is trusted: lengths are bounded, checksums checked, addresses go only to the accessor.
 */
#ifndef KERNEL_ACPI_TABLES_H
#define KERNEL_ACPI_TABLES_H

#include <lib/types.h>

#define ACPI_RSDP_BYTES      36
#define ACPI_HEADER_BYTES    36
#define ACPI_N_TABLES        64
#define ACPI_TABLE_MAX_BYTES (4U << 20) /* the largest DSDTs have half a MiB */

/* How to see physical memory.  map returns NULL when it cannot show all of [at, at + bytes). */
struct acpi_memory {
    const void *(*map)(void *context, u64 at, u64 bytes);
    void (*unmap)(void *context, const void *pointer);
    void *context;
};

enum acpi_table_state {
    ACPI_TABLE_GOOD,
    ACPI_TABLE_BAD_SUM,    /* its bytes do not add up to 0 */
    ACPI_TABLE_BAD_LENGTH, /* less than a header, or absurd */
    ACPI_TABLE_UNREADABLE,
};

struct acpi_table {
    char signature[5]; /* unprintable bytes shown as '?' */
    u8 revision;
    u64 phys;
    u32 length;
    enum acpi_table_state state;
};

struct acpi_tables {
    u8 revision;   /* of the RSDP: 0 = ACPI 1, 2 = later */
    u64 root_phys; /* of the RSDT or XSDT; 0: no ACPI */
    bool is_xsdt;
    u32 n_tables;
    u32 n_dropped;                          /* more than ACPI_N_TABLES */
    struct acpi_table table[ACPI_N_TABLES]; /* the root first */
};

/* True when the bytes are an RSDP whose checksum holds (n is 20, or 36 and more). */
bool acpi_rsdp_is_valid(const u8 *rsdp, size_t n);

/*
 * Looks for the RSDP where a PC's firmware keeps it: the first KiB of the extended BIOS data area, and
 * 0xe0000..0xfffff. Copies it to `rsdp` and returns its length (20 or 36), or 0.
 */
size_t acpi_rsdp_scan(const struct acpi_memory *memory, u8 rsdp[ACPI_RSDP_BYTES]);

/*
 * Lists the tables that the RSDP leads to.  The XSDT is preferred, the RSDT taken when there is none or it is
 * broken. Returns false when neither can be used; *out is then empty.
 */
bool acpi_tables_list(const struct acpi_memory *memory, const u8 *rsdp, size_t n, struct acpi_tables *out);

/*
 * Adds the table at `phys` to the list (the DSDT, which only the FADT knows).  Returns its entry, NULL when
 * full.
 */
const struct acpi_table *acpi_tables_add(const struct acpi_memory *memory, struct acpi_tables *tables,
                                         u64 phys);

/* The first good table of that signature from index `from` on; NULL: none. */
const struct acpi_table *acpi_tables_find(const struct acpi_tables *tables, const char *signature, u32 from);

/* "ok", "bad checksum", ... */
const char *acpi_table_state_text(enum acpi_table_state state);

/* The 16, 32 or 64 bits at `at`, little-endian, any alignment. */
u16 acpi_get16(const u8 *at);
u32 acpi_get32(const u8 *at);
u64 acpi_get64(const u8 *at);

#endif
