/* SPDX-License-Identifier: MIT */
/*
 * The firmware's tables.  Input: how to look (a byte), where the firmware's extended data begin (2 bytes), and the
 * memory from 0xe0000 on; there is no other but the word that says so.
 *
 * Every mapping gets exactly the bytes that it asked for, and must be given back.  Checksums are put right first unless
 * bit 0 says no, or hardly an input would get past them.
 */
#include <fuzz.h>

#include <kernel/acpi/discover.h>
#include <kernel/smp/madt.h>
#include <lib/bits.h>

#include <stdlib.h>
#include <string.h>

#define IMAGE_PHYS  0xe0000UL
#define IMAGE_BYTES 0x2000UL
#define BIOS_BYTES  0x20000UL /* what is searched; behind the image it is empty */
#define EBDA_AT     0x40eUL

enum { KEEP_SUMS = 1, GIVE_COPY = 2, GIVE_ADDRESS = 4, SHORT_COPY = 8 };

static u8 image[IMAGE_BYTES];
static u8 ebda_segment[2];
static unsigned n_mapped;

static const void *map(void *context, u64 at, u64 bytes)
{
    (void)context;
    expect(bytes != 0);
    if (at == EBDA_AT && bytes == 2) {
        n_mapped++;
        return fuzz_copy(ebda_segment, 2);
    }
    if (at < IMAGE_PHYS || at >= IMAGE_PHYS + BIOS_BYTES || bytes > IMAGE_PHYS + BIOS_BYTES - at)
        return NULL;

    u64 from = min_u64(at - IMAGE_PHYS, IMAGE_BYTES), kept = min_u64(bytes, IMAGE_BYTES - from);
    u8 *shown = calloc(1, bytes);

    expect(shown != NULL);
    memcpy(shown, image + from, kept);
    n_mapped++;
    return shown;
}

static void unmap(void *context, const void *pointer)
{
    (void)context;
    expect(pointer != NULL && n_mapped > 0);
    n_mapped--;
    free((void *)(uintptr_t)pointer);
}

static const struct acpi_memory memory = {map, unmap, NULL};

/* ---- sums ---- */

static bool inside(u64 phys, u64 n)
{
    return phys >= IMAGE_PHYS && phys < IMAGE_PHYS + IMAGE_BYTES && n <= IMAGE_PHYS + IMAGE_BYTES - phys;
}

/* Sets byte `sum_at` of n so that they add up to 0. */
static void mend(u8 *bytes, size_t n, size_t sum_at)
{
    u8 total = 0;

    bytes[sum_at] = 0;
    for (size_t i = 0; i < n; i++)
        total = (u8)(total + bytes[i]);
    bytes[sum_at] = (u8)-total;
}

/* Puts a table right; its bytes, or NULL when it has no sound length. */
static u8 *mend_table(u64 phys)
{
    if (!inside(phys, ACPI_HEADER_BYTES))
        return NULL;

    u8 *table = image + (phys - IMAGE_PHYS);
    u32 length = acpi_get32(table + 4);

    if (length < ACPI_HEADER_BYTES || !inside(phys, length))
        return NULL;
    mend(table, length, 9);
    return table;
}

static void mend_root(u64 phys, unsigned entry_bytes)
{
    u8 *root = mend_table(phys);
    u32 length = root == NULL ? 0 : acpi_get32(root + 4);

    for (u32 at = ACPI_HEADER_BYTES; at + entry_bytes <= length; at += entry_bytes) {
        u8 *table = mend_table(entry_bytes == 8 ? acpi_get64(root + at) : acpi_get32(root + at));

        if (table != NULL && memcmp(table, "FACP", 4) == 0 && acpi_get32(table + 4) >= 116)
            mend_table(acpi_get32(table + 40));
    }
    mend_table(phys); /* a table that overlaps it may have changed it */
}

static void mend_all(void)
{
    for (u64 at = 0; at + ACPI_RSDP_BYTES <= IMAGE_BYTES; at += 16) {
        u8 *rsdp = image + at;

        if (memcmp(rsdp, "RSD PTR ", 8) != 0)
            continue;
        mend_root(acpi_get32(rsdp + 16), 4);
        mend_root(acpi_get64(rsdp + 24), 8);
        mend(rsdp, 20, 8);
        mend(rsdp, 36, 32);
    }
}

/* ---- what comes out ---- */

static void judge(const struct acpi_content *content)
{
    const struct acpi_tables *tables = &content->tables;

    expect(tables->n_tables >= 1 && tables->n_tables <= ACPI_N_TABLES && tables->root_phys != 0);
    for (u32 i = 0; i < tables->n_tables; i++) {
        const struct acpi_table *table = &tables->table[i];

        expect(strnlen(table->signature, 5) == 4 && acpi_table_state_text(table->state)[0] != '\0');
        for (unsigned k = 0; k < 4; k++)
            expect(table->signature[k] >= ' ' && table->signature[k] <= '~');
        if (table->state == ACPI_TABLE_GOOD)
            expect(table->length >= ACPI_HEADER_BYTES && table->length <= ACPI_TABLE_MAX_BYTES);
    }
    expect(content->off.a <= 7 && content->off.b <= 7);
}

/* The CPUs, as kernel/smp reads them; and each good table once more as if it were one of the others. */
static void read_tables(const struct acpi_tables *tables)
{
    static struct madt madt;
    struct acpi_sleep_type type;
    struct acpi_fadt fadt;

    for (u32 i = 0; i < tables->n_tables; i++) {
        const struct acpi_table *table = &tables->table[i];
        const u8 *bytes = table->state == ACPI_TABLE_GOOD ? map(NULL, table->phys, table->length) : NULL;

        if (bytes == NULL)
            continue;
        madt_parse(bytes, table->length, &madt);
        expect(madt.n_cpus <= MADT_N_CPUS);
        acpi_fadt_parse(bytes, table->length, &fadt);
        acpi_find_s5(bytes, table->length, &type);
        unmap(NULL, bytes);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    static struct acpi_content content;
    struct fuzz_bytes bytes = {data, n};
    unsigned how = (unsigned)fuzz_number(&bytes, 1);

    for (unsigned i = 0; i < 2; i++)
        ebda_segment[i] = (u8)fuzz_number(&bytes, 1);
    memset(image, 0, sizeof(image));
    memcpy(image, bytes.at, min_u64(bytes.left, sizeof(image)));
    if (!(how & KEEP_SUMS))
        mend_all();

    size_t n_copy = how & GIVE_COPY ? (how & SHORT_COPY ? 20 : ACPI_RSDP_BYTES) : 0;
    u8 *copy = fuzz_copy(image, n_copy);
    struct acpi_hint hint = {copy, n_copy, how & GIVE_ADDRESS ? IMAGE_PHYS : 0};

    n_mapped = 0;
    memset(&content, 0xa5, sizeof(content));
    if (acpi_discover(&memory, &hint, &content)) {
        judge(&content);
        read_tables(&content.tables);
    } else {
        expect(content.tables.n_tables == 0 && !content.has_sleep_type);
    }
    expect(n_mapped == 0);
    free(copy);
    return 0;
}
