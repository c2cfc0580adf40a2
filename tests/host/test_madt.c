/* SPDX-License-Identifier: MIT */
/*
 * Tests of kernel/smp/madt.c.  Each table is parsed out of an allocation of exactly its length, so that the
 * address sanitizer sees a read of a single byte too many.
 */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include <kernel/smp/madt.h>

#define HEADER_BYTES 44
#define TABLE_MOST   8192

static u8 table[TABLE_MOST];
static size_t n_bytes;

static int start_with_a_header(void **state)
{
    (void)state;
    memset(table, 0, sizeof(table));
    memcpy(table, "APIC", 4);
    n_bytes = HEADER_BYTES;
    return 0;
}

static void put32(u8 *at, u32 value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (u8)(value >> 8 * i);
}

static u8 *add_entry(u8 type, u8 length)
{
    u8 *entry = table + n_bytes;

    entry[0] = type;
    entry[1] = length;
    n_bytes += length;
    return entry;
}

static void add_lapic(u8 id, u32 flags)
{
    u8 *entry = add_entry(0, 8);

    entry[2] = 0xee; /* the processor's ACPI id: nobody's business */
    entry[3] = id;
    put32(entry + 4, flags);
}

static void add_x2apic(u32 id, u32 flags)
{
    u8 *entry = add_entry(9, 16);

    put32(entry + 4, id);
    put32(entry + 8, flags);
}

/* Parses the first n bytes. */
static bool parse_part(size_t n, struct madt *out)
{
    u8 *copy = malloc(n != 0 ? n : 1);
    bool good;

    memcpy(copy, table, n);
    memset(out, 0x5a, sizeof(*out));
    good = madt_parse(copy, n, out);
    free(copy);
    return good;
}

static struct madt parse(void)
{
    struct madt madt;

    assert_true(parse_part(n_bytes, &madt));
    return madt;
}

static void a_table_shorter_than_its_header_is_none(void **unused)
{
    struct madt madt;

    (void)unused;
    assert_false(parse_part(0, &madt));
    assert_false(parse_part(HEADER_BYTES - 1, &madt));
    assert_int_equal(parse().n_cpus, 0);
}

static void enabled_cpus_come_in_the_order_of_the_table(void **unused)
{
    struct madt madt;

    (void)unused;
    add_lapic(4, 1);
    add_lapic(0, 1);
    add_lapic(7, 3);
    madt = parse();
    assert_int_equal(madt.n_cpus, 3);
    assert_int_equal(madt.apic_id[0], 4);
    assert_int_equal(madt.apic_id[1], 0);
    assert_int_equal(madt.apic_id[2], 7);
    assert_int_equal(madt.n_dropped, 0);
}

static void disabled_and_hotpluggable_cpus_are_left_out(void **unused)
{
    (void)unused;
    add_lapic(1, 0);
    add_lapic(2, 2); /* not enabled, but may be one day */
    add_x2apic(3, 0);
    assert_int_equal(parse().n_cpus, 0);
}

static void x2apic_entries_may_have_large_ids(void **unused)
{
    struct madt madt;

    (void)unused;
    add_x2apic(0x12345, 1);
    add_x2apic(255, 1);
    madt = parse();
    assert_int_equal(madt.n_cpus, 2);
    assert_int_equal(madt.apic_id[0], 0x12345);
    assert_int_equal(madt.apic_id[1], 255);
}

static void a_cpu_listed_twice_counts_once(void **unused)
{
    (void)unused;
    add_lapic(5, 1);
    add_x2apic(5, 1);
    add_lapic(5, 1);
    assert_int_equal(parse().n_cpus, 1);
}

static void the_id_of_all_cpus_is_nobodys(void **unused)
{
    (void)unused;
    add_lapic(0xff, 1);
    add_x2apic(0xffffffff, 1);
    assert_int_equal(parse().n_cpus, 0);
}

static void other_entries_are_skipped(void **unused)
{
    (void)unused;
    add_entry(1, 12); /* I/O APIC */
    add_entry(5, 12); /* address override */
    add_entry(77, 2); /* nothing but its header */
    add_lapic(1, 1);
    add_entry(4, 255);
    add_lapic(2, 1);
    assert_int_equal(parse().n_cpus, 2);
}

static void entries_too_short_for_their_type_are_skipped(void **unused)
{
    u8 *entry;

    (void)unused;
    entry = add_entry(0, 7);
    entry[3] = 1;
    entry[4] = 1;
    entry = add_entry(9, 15);
    entry[4] = 2;
    entry[8] = 1;
    add_lapic(3, 1);
    assert_int_equal(parse().n_cpus, 1);
}

static void an_entry_without_length_ends_the_list(void **unused)
{
    (void)unused;
    add_lapic(1, 1);
    table[n_bytes + 1] = 0;
    n_bytes += 2;
    add_lapic(2, 1);
    assert_int_equal(parse().n_cpus, 1);
}

static void an_entry_past_the_end_is_not_read(void **unused)
{
    struct madt madt;

    (void)unused;
    add_lapic(1, 1);
    add_lapic(2, 1);
    for (size_t cut = 1; cut <= 8; cut++) {
        assert_true(parse_part(n_bytes - cut, &madt));
        assert_int_equal(madt.n_cpus, 1);
    }
}

static void more_cpus_than_fit_are_counted(void **unused)
{
    struct madt madt;

    (void)unused;
    for (u32 i = 0; i < MADT_N_CPUS + 10; i++)
        add_x2apic(1000 + i, 1);
    madt = parse();
    assert_int_equal(madt.n_cpus, MADT_N_CPUS);
    assert_int_equal(madt.n_dropped, 10);
    assert_int_equal(madt.apic_id[MADT_N_CPUS - 1], 1000 + MADT_N_CPUS - 1);
}

static void random_bytes_are_survived(void **unused)
{
    u64 state = 4711;

    (void)unused;
    for (int round = 0; round < 20000; round++) {
        size_t n = random_below(&state, 600);
        struct madt madt;

        for (size_t i = 0; i < n; i++)
            table[i] = (u8)random_below(&state, random_below(&state, 2) ? 256 : 17);
        assert_int_equal(parse_part(n, &madt), n >= HEADER_BYTES);
        assert_true(madt.n_cpus <= MADT_N_CPUS);
        for (u32 i = 0; i < madt.n_cpus; i++)
            for (u32 j = 0; j < i; j++)
                assert_int_not_equal(madt.apic_id[i], madt.apic_id[j]);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, start_with_a_header)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_table_shorter_than_its_header_is_none),
        TEST(enabled_cpus_come_in_the_order_of_the_table),
        TEST(disabled_and_hotpluggable_cpus_are_left_out),
        TEST(x2apic_entries_may_have_large_ids),
        TEST(a_cpu_listed_twice_counts_once),
        TEST(the_id_of_all_cpus_is_nobodys),
        TEST(other_entries_are_skipped),
        TEST(entries_too_short_for_their_type_are_skipped),
        TEST(an_entry_without_length_ends_the_list),
        TEST(an_entry_past_the_end_is_not_read),
        TEST(more_cpus_than_fit_are_counted),
        TEST(random_bytes_are_survived),
    };
    return cmocka_run_group_tests_name("madt", tests, NULL, NULL);
}
