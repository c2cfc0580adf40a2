/* SPDX-License-Identifier: MIT */
/*
 * Tests of kernel/acpi/tables.c and fadt.c: made-up tables, and broken ones.
 *
 * The "physical memory" hands out an exact copy of every range asked for, so that the address sanitizer sees
 * a read of a single byte too many, and a mapping that is not given back is a leak.
 */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include <kernel/acpi/fadt.h>
#include <kernel/acpi/tables.h>

#define MEMORY_BYTES (2u << 20)
#define RSDP_AT      0xf0040u
#define RSDT_AT      0x110000u
#define XSDT_AT      0x120003u /* odd on purpose */
#define FADT_AT      0x130000u
#define DSDT_AT      0x140000u
#define MADT_AT      0x150000u

static u8 memory_bytes[MEMORY_BYTES];
static int n_mapped;

static const void *map(void *context, u64 at, u64 bytes)
{
    u8 *copy;

    (void)context;
    if (at >= MEMORY_BYTES || bytes > MEMORY_BYTES - at)
        return NULL;
    copy = malloc(bytes);
    memcpy(copy, memory_bytes + at, bytes);
    n_mapped++;
    return copy;
}

static void unmap(void *context, const void *pointer)
{
    (void)context;
    free((void *)pointer);
    n_mapped--;
}

static const struct acpi_memory memory = {map, unmap, NULL};

static void put(u32 at, u64 value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        memory_bytes[at + i] = (u8)(value >> 8 * i);
}

/* Sets the byte at `sum_at` so that [at, at + n) adds up to 0. */
static void fix_sum(u32 at, u32 n, u32 sum_at)
{
    u8 total = 0;

    memory_bytes[sum_at] = 0;
    for (u32 i = 0; i < n; i++)
        total = (u8)(total + memory_bytes[at + i]);
    memory_bytes[sum_at] = (u8)-total;
}

static void put_header(u32 at, const char *signature, u32 length, u8 revision)
{
    memcpy(memory_bytes + at, signature, 4);
    put(at + 4, length, 4);
    memory_bytes[at + 8] = revision;
}

static void finish_table(u32 at)
{
    fix_sum(at, acpi_get32(memory_bytes + at + 4), at + 9);
}

static void put_table(u32 at, const char *signature, u32 length, u8 revision)
{
    put_header(at, signature, length, revision);
    finish_table(at);
}

static void finish_rsdp(u32 at)
{
    fix_sum(at, 20, at + 8);
    fix_sum(at, 36, at + 32);
}

static void put_rsdp(u32 at, u8 revision, u32 rsdt, u64 xsdt)
{
    memcpy(memory_bytes + at, "RSD PTR ", 8);
    memory_bytes[at + 15] = revision;
    put(at + 16, rsdt, 4);
    put(at + 20, 36, 4);
    put(at + 24, xsdt, 8);
    finish_rsdp(at);
}

/* A machine with both roots, FADT and MADT in each, and a DSDT. */
static int start_with_a_machine(void **state)
{
    (void)state;
    memset(memory_bytes, 0, sizeof(memory_bytes));
    n_mapped = 0;
    put_rsdp(RSDP_AT, 2, RSDT_AT, XSDT_AT);
    put(RSDT_AT + 36, FADT_AT, 4);
    put(RSDT_AT + 40, MADT_AT, 4);
    put_table(RSDT_AT, "RSDT", 44, 1);
    put(XSDT_AT + 36, FADT_AT, 8);
    put(XSDT_AT + 44, 0, 8); /* an empty entry */
    put(XSDT_AT + 52, MADT_AT, 8);
    put_table(XSDT_AT, "XSDT", 60, 1);
    put(FADT_AT + 40, DSDT_AT, 4);
    put_table(FADT_AT, "FACP", 244, 4);
    put_table(MADT_AT, "APIC", 120, 3);
    put_table(DSDT_AT, "DSDT", 5000, 2);
    return 0;
}

static int everything_is_unmapped(void **state)
{
    (void)state;
    return n_mapped == 0 ? 0 : -1;
}

static bool list(struct acpi_tables *tables)
{
    return acpi_tables_list(&memory, memory_bytes + RSDP_AT, ACPI_RSDP_BYTES, tables);
}

/* ---- RSDP ---- */

static void an_rsdp_needs_signature_length_and_checksum(void **unused)
{
    u8 *rsdp = memory_bytes + RSDP_AT;

    (void)unused;
    assert_true(acpi_rsdp_is_valid(rsdp, 20));
    assert_true(acpi_rsdp_is_valid(rsdp, 36));
    assert_false(acpi_rsdp_is_valid(rsdp, 19));
    assert_false(acpi_rsdp_is_valid(rsdp, 0));
    rsdp[17] ^= 1;
    assert_false(acpi_rsdp_is_valid(rsdp, 36));
    rsdp[17] ^= 1;
    rsdp[0] = 'r';
    assert_false(acpi_rsdp_is_valid(rsdp, 36));
}

static void the_search_finds_the_bios_area(void **unused)
{
    u8 rsdp[ACPI_RSDP_BYTES];

    (void)unused;
    assert_int_equal(acpi_rsdp_scan(&memory, rsdp), 36);
    assert_memory_equal(rsdp, memory_bytes + RSDP_AT, 36);
    memory_bytes[RSDP_AT + 15] = 0;
    finish_rsdp(RSDP_AT);
    assert_int_equal(acpi_rsdp_scan(&memory, rsdp), 20);
    memory_bytes[RSDP_AT] = 0;
    assert_int_equal(acpi_rsdp_scan(&memory, rsdp), 0);
}

static void the_search_prefers_the_extended_bios_data_area(void **unused)
{
    u8 rsdp[ACPI_RSDP_BYTES];

    (void)unused;
    put(0x40e, 0x9fc0, 2);
    put_rsdp(0x9fc00 + 1008 - 16, 0, 0x1234, 0);
    assert_int_equal(acpi_rsdp_scan(&memory, rsdp), 20);
    assert_int_equal(acpi_get32(rsdp + 16), 0x1234);
}

static void the_search_does_not_look_past_the_area(void **unused)
{
    u8 rsdp[ACPI_RSDP_BYTES];

    (void)unused;
    memory_bytes[RSDP_AT] = 0;
    put_rsdp(0xffff0, 2, RSDT_AT, XSDT_AT); /* 16 bytes inside, the rest outside */
    assert_int_equal(acpi_rsdp_scan(&memory, rsdp), 0);
    put_rsdp(0xfffe0, 2, RSDT_AT, XSDT_AT); /* 32 bytes inside: the first 20 are usable */
    assert_int_equal(acpi_rsdp_scan(&memory, rsdp), 20);
}

/* ---- tables ---- */

static void assert_machine(const struct acpi_tables *tables, const char *root)
{
    assert_int_equal(tables->n_tables, 3);
    assert_string_equal(tables->table[0].signature, root);
    assert_string_equal(tables->table[1].signature, "FACP");
    assert_string_equal(tables->table[2].signature, "APIC");
    assert_int_equal(tables->table[1].phys, FADT_AT);
    assert_int_equal(tables->table[1].length, 244);
    assert_int_equal(tables->table[2].state, ACPI_TABLE_GOOD);
}

static void the_xsdt_is_preferred(void **unused)
{
    struct acpi_tables tables;

    (void)unused;
    assert_true(list(&tables));
    assert_true(tables.is_xsdt);
    assert_int_equal(tables.root_phys, XSDT_AT);
    assert_machine(&tables, "XSDT");
}

static void a_broken_xsdt_leaves_the_rsdt(void **unused)
{
    struct acpi_tables tables;

    (void)unused;
    memory_bytes[XSDT_AT + 50] ^= 1;
    assert_true(list(&tables));
    assert_false(tables.is_xsdt);
    assert_machine(&tables, "RSDT");
}

static void a_bad_second_checksum_leaves_the_rsdt(void **unused)
{
    struct acpi_tables tables;

    (void)unused;
    memory_bytes[RSDP_AT + 33] ^= 1;
    assert_true(list(&tables));
    assert_machine(&tables, "RSDT");
}

static void an_old_rsdp_has_no_xsdt(void **unused)
{
    struct acpi_tables tables;

    (void)unused;
    assert_true(acpi_tables_list(&memory, memory_bytes + RSDP_AT, 20, &tables));
    assert_machine(&tables, "RSDT");
}

static void without_a_good_root_there_is_nothing(void **unused)
{
    struct acpi_tables tables;

    (void)unused;
    memory_bytes[XSDT_AT] = 'Y';
    memory_bytes[RSDT_AT + 4] = 35; /* shorter than its header */
    assert_false(list(&tables));
    assert_int_equal(tables.n_tables, 0);
    put_rsdp(RSDP_AT, 2, 0, ~(u64)0);
    assert_false(list(&tables));
    put_rsdp(RSDP_AT, 2, 0xfffffff0, MEMORY_BYTES - 8);
    assert_false(list(&tables));
    assert_int_equal(tables.root_phys, 0);
}

static void broken_tables_are_listed_and_not_found(void **unused)
{
    struct acpi_tables tables;

    (void)unused;
    memory_bytes[FADT_AT + 100] ^= 0x10;
    put_header(MADT_AT, "AP\x01\xff", 0xffffffff, 3);
    assert_true(list(&tables));
    assert_int_equal(tables.table[1].state, ACPI_TABLE_BAD_SUM);
    assert_int_equal(tables.table[2].state, ACPI_TABLE_BAD_LENGTH);
    assert_string_equal(tables.table[2].signature, "AP??");
    assert_null(acpi_tables_find(&tables, "FACP", 0));
}

static void a_table_that_leaves_memory_is_unreadable(void **unused)
{
    struct acpi_tables tables;

    (void)unused;
    put(XSDT_AT + 52, MEMORY_BYTES - 40, 8);
    finish_table(XSDT_AT);
    put_header(MEMORY_BYTES - 40, "LONG", 41, 1);
    assert_true(list(&tables));
    assert_int_equal(tables.table[2].state, ACPI_TABLE_UNREADABLE);
    assert_string_equal(acpi_table_state_text(tables.table[2].state), "unreadable");
}

static void a_torn_last_entry_is_ignored(void **unused)
{
    struct acpi_tables tables;

    (void)unused;
    put_table(XSDT_AT, "XSDT", 59, 1);
    assert_true(list(&tables));
    assert_int_equal(tables.n_tables, 2);
}

static void tables_beyond_the_limit_are_counted(void **unused)
{
    struct acpi_tables tables;
    const u32 n = 100;

    (void)unused;
    for (u32 i = 0; i < n; i++)
        put(XSDT_AT + 36 + 8 * i, MADT_AT, 8);
    put_table(XSDT_AT, "XSDT", 36 + 8 * n, 1);
    assert_true(list(&tables));
    assert_int_equal(tables.n_tables, ACPI_N_TABLES);
    assert_int_equal(tables.n_dropped, n + 1 - ACPI_N_TABLES);
    assert_null(acpi_tables_add(&memory, &tables, DSDT_AT));
}

static void tables_of_one_kind_are_found_in_turn(void **unused)
{
    struct acpi_tables tables;
    const struct acpi_table *first, *second;

    (void)unused;
    assert_true(list(&tables));
    acpi_tables_add(&memory, &tables, MADT_AT);
    first = acpi_tables_find(&tables, "APIC", 0);
    assert_ptr_equal(first, &tables.table[2]);
    second = acpi_tables_find(&tables, "APIC", 3);
    assert_ptr_equal(second, &tables.table[3]);
    assert_null(acpi_tables_find(&tables, "APIC", 4));
}

/* ---- FADT ---- */

/* Parses the first n bytes of the machine's FADT, from a block of just that size. */
static bool parse_fadt(size_t n, struct acpi_fadt *fadt)
{
    const u8 *copy = map(NULL, FADT_AT, n);
    bool good = acpi_fadt_parse(copy, n, fadt);

    unmap(NULL, copy);
    return good;
}

static void an_old_fadt_gives_the_old_registers(void **unused)
{
    struct acpi_fadt fadt;

    (void)unused;
    memory_bytes[FADT_AT + 8] = 1;
    put(FADT_AT + 48, 0xb2, 4);
    put(FADT_AT + 52, 0xf1, 1);
    put(FADT_AT + 64, 0xb004, 4);
    put(FADT_AT + 76, 0xb008, 4);
    put(FADT_AT + 112, 1u << 10, 4); /* says that it has a reset register, and ends before it */
    put(FADT_AT + 116, 1, 1);
    put(FADT_AT + 120, 0xcf9, 8);
    assert_true(parse_fadt(116, &fadt));
    assert_int_equal(fadt.dsdt_phys, DSDT_AT);
    assert_int_equal(fadt.smi_command_port, 0xb2);
    assert_int_equal(fadt.acpi_enable, 0xf1);
    assert_int_equal(fadt.pm1a_control.space, ACPI_SPACE_IO);
    assert_int_equal(fadt.pm1a_control.address, 0xb004);
    assert_int_equal(fadt.pm1b_control.address, 0);
    assert_int_equal(fadt.pm_timer_port, 0xb008);
    assert_int_equal(fadt.reset.address, 0);
    assert_true(fadt.may_have_8042);
}

static void a_new_fadt_gives_the_new_registers(void **unused)
{
    struct acpi_fadt fadt;

    (void)unused;
    put(FADT_AT + 112, 1u << 10 | 1u << 20, 4);
    put(FADT_AT + 116, 1, 1);
    put(FADT_AT + 120, 0xcf9, 8);
    put(FADT_AT + 128, 0x0f, 1);
    put(FADT_AT + 140, 0x123456789, 8);
    put(FADT_AT + 172, 1, 1);
    put(FADT_AT + 176, 0x604, 8);
    put(FADT_AT + 244, 0, 1);
    put(FADT_AT + 248, 0xfea00000, 8);
    assert_true(parse_fadt(276, &fadt));
    assert_int_equal(fadt.dsdt_phys, 0x123456789);
    assert_true(fadt.hardware_reduced);
    assert_false(fadt.may_have_8042);
    assert_int_equal(fadt.reset.address, 0xcf9);
    assert_int_equal(fadt.reset_value, 0x0f);
    assert_int_equal(fadt.pm1a_control.address, 0x604);
    assert_int_equal(fadt.sleep_control.space, ACPI_SPACE_MEMORY);
    assert_int_equal(fadt.sleep_control.address, 0xfea00000);
}

static void a_fadt_of_any_length_is_read_within_it(void **unused)
{
    struct acpi_fadt fadt;

    (void)unused;
    memset(memory_bytes + FADT_AT, 0xff, 400);
    for (size_t n = 1; n < 400; n++)
        assert_int_equal(parse_fadt(n, &fadt), n >= 116);
}

/* ---- _S5_ ---- */

/* Looks for _S5_ in AML of just these bytes behind a header.  Returns a << 8 | b, -1 when there is none. */
static int find_s5(const void *code, size_t n)
{
    struct acpi_sleep_type type;
    u8 *aml = malloc(ACPI_HEADER_BYTES + n);
    bool found;

    memset(aml, 0x5f, ACPI_HEADER_BYTES);
    memcpy(aml + ACPI_HEADER_BYTES, code, n);
    found = acpi_find_s5(aml, ACPI_HEADER_BYTES + n, &type);
    free(aml);
    return found ? type.a << 8 | type.b : -1;
}

#define FIND_S5(code) find_s5(code, sizeof(code) - 1)

static void s5_is_read_in_all_its_spellings(void **unused)
{
    (void)unused;
    assert_int_equal(FIND_S5("\x08_S5_\x12\x06\x04\x00\x00\x00\x00"), 0x000);
    assert_int_equal(FIND_S5("junk\x08_S5_\x12\x08\x04\x0a\x05\x0a\x06\x00\x00"), 0x506);
    assert_int_equal(FIND_S5("\x08\\_S5_\x12\x08\x02\x0a\x07\x01"), 0x701);
    assert_int_equal(FIND_S5("\x08_S5_\x12\x47\x00\x02\x0b\x05\x00\x0c\x03\x00\x00\x00"), 0x503);
    assert_int_equal(FIND_S5("\x08_S5_\x12\x03\x01\x01"), 0x101); /* one element serves both */
    assert_int_equal(FIND_S5("\x08_S5_\x12\x04\x02\x01\x68"),
                     0x101); /* so does one that is followed by no number */
}

static void s5_that_is_no_package_of_numbers_is_passed_over(void **unused)
{
    (void)unused;
    assert_int_equal(FIND_S5(""), -1);
    assert_int_equal(FIND_S5("_S5_"), -1);
    assert_int_equal(FIND_S5("\x10_S5_\x12\x06\x04\x00\x00\x00\x00"), -1);
    assert_int_equal(FIND_S5("\x08_S5_\x11\x06\x04\x00\x00\x00\x00"), -1);
    assert_int_equal(FIND_S5("\x08_S5_\x12\x02\x00"), -1);
    assert_int_equal(FIND_S5("\x08_S5_\x12\x06\x04\x68\x00\x00\x00"), -1);
    /* A reference first, the definition behind it. */
    assert_int_equal(FIND_S5("\x70_S5_\x60\x08_S5_\x12\x06\x04\x0a\x03\x00\x00\x00"), 0x300);
}

static void s5_is_never_read_past_the_table(void **unused)
{
    static const char whole[] = "\x08_S5_\x12\xc8\x00\x00\x00\x02\x0c\x05\x00\x00\x00\x0c\x06\x00\x00\x00";

    (void)unused;
    for (size_t n = 0; n < 16; n++)
        assert_int_equal(find_s5(whole, n), -1);
    for (size_t n = 16; n < sizeof(whole) - 1; n++)
        assert_int_equal(find_s5(whole, n), 0x505);
    assert_int_equal(find_s5(whole, sizeof(whole) - 1), 0x506);
}

static void s5_in_random_bytes_is_safe(void **unused)
{
    static const u8 alphabet[] = {'_',  'S',  '5',  '_',  0x08, 0x12, 0x5c,
                                  0x0a, 0x0b, 0x0c, 0x00, 0x01, 0xff, 0xc3};
    u64 seed = 5;
    u8 code[64];

    (void)unused;
    for (int round = 0; round < 20000; round++) {
        size_t n = random_below(&seed, sizeof(code));

        for (size_t i = 0; i < n; i++)
            code[i] = alphabet[random_below(&seed, sizeof(alphabet))];
        if (n >= 8 && random_below(&seed, 2) == 0)
            memcpy(code + random_below(&seed, n - 7), "\x08_S5_\x12\x06\x02", 8);
        find_s5(code, n);
    }
}

/* ---- everything broken at random ---- */

static void random_damage_is_survived(void **unused)
{
    static const u32 places[] = {RSDP_AT, RSDT_AT, XSDT_AT, FADT_AT, MADT_AT, DSDT_AT};
    u64 seed = 7;

    for (int round = 0; round < 3000; round++) {
        struct acpi_tables tables;
        struct acpi_fadt fadt;
        const struct acpi_table *table;

        start_with_a_machine(unused);
        for (u64 n = 1 + random_below(&seed, 4); n > 0; n--) {
            u32 at = places[random_below(&seed, 6)];

            memory_bytes[at + random_below(&seed, 64)] = (u8)random_next(&seed);
            if (at == RSDP_AT)
                finish_rsdp(at);
            else if (acpi_get32(memory_bytes + at + 4) < MEMORY_BYTES - at)
                finish_table(at); /* as if it were meant */
        }
        list(&tables);
        table = acpi_tables_find(&tables, "FACP", 0);
        if (table != NULL && table->phys == FADT_AT && parse_fadt(table->length, &fadt))
            acpi_tables_add(&memory, &tables, fadt.dsdt_phys);
        assert_true(tables.n_tables <= ACPI_N_TABLES);
        assert_int_equal(n_mapped, 0);
    }
}

#define MACHINE_TEST(name) cmocka_unit_test_setup_teardown(name, start_with_a_machine, everything_is_unmapped)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TEST(an_rsdp_needs_signature_length_and_checksum),
        MACHINE_TEST(the_search_finds_the_bios_area),
        MACHINE_TEST(the_search_prefers_the_extended_bios_data_area),
        MACHINE_TEST(the_search_does_not_look_past_the_area),
        MACHINE_TEST(the_xsdt_is_preferred),
        MACHINE_TEST(a_broken_xsdt_leaves_the_rsdt),
        MACHINE_TEST(a_bad_second_checksum_leaves_the_rsdt),
        MACHINE_TEST(an_old_rsdp_has_no_xsdt),
        MACHINE_TEST(without_a_good_root_there_is_nothing),
        MACHINE_TEST(broken_tables_are_listed_and_not_found),
        MACHINE_TEST(a_table_that_leaves_memory_is_unreadable),
        MACHINE_TEST(a_torn_last_entry_is_ignored),
        MACHINE_TEST(tables_beyond_the_limit_are_counted),
        MACHINE_TEST(tables_of_one_kind_are_found_in_turn),
        MACHINE_TEST(an_old_fadt_gives_the_old_registers),
        MACHINE_TEST(a_new_fadt_gives_the_new_registers),
        MACHINE_TEST(a_fadt_of_any_length_is_read_within_it),
        MACHINE_TEST(s5_is_read_in_all_its_spellings),
        MACHINE_TEST(s5_that_is_no_package_of_numbers_is_passed_over),
        MACHINE_TEST(s5_is_never_read_past_the_table),
        MACHINE_TEST(s5_in_random_bytes_is_safe),
        MACHINE_TEST(random_damage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
