/* SPDX-License-Identifier: MIT */
/* Tests of kernel/boot/pvh.c, over a small physical memory with nothing before and behind it. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include <kernel/boot/pvh.h>
#include <lib/bits.h>

#include "warning_log.h"

#define RAM_START 0x1000
#define RAM_BYTES 8192

#define INFO_PHYS    0x1000
#define LINE_PHYS    0x1100
#define MODULES_PHYS 0x1400
#define NAME_PHYS    0x1700
#define MAP_PHYS     0x1800

static struct warning_log said;

/* The memory; every read is given in a block of its own size, so that a sanitizer sees what is beyond. */
struct machine {
    u8 ram[RAM_BYTES];
    u8 *block;
};

static const void *machine_at(void *context, u64 phys, u64 n_bytes)
{
    struct machine *machine = context;

    assert_true(n_bytes > 0);
    free(machine->block);
    machine->block = NULL;
    if (phys < RAM_START || phys - RAM_START >= RAM_BYTES || n_bytes > RAM_BYTES - (phys - RAM_START))
        return NULL;
    machine->block = malloc(n_bytes);
    assert_non_null(machine->block);
    memcpy(machine->block, machine->ram + (phys - RAM_START), n_bytes);
    return machine->block;
}

static void set(struct machine *machine, u64 phys, const void *bytes, size_t n_bytes)
{
    memcpy(machine->ram + (phys - RAM_START), bytes, n_bytes);
}

static void set32(struct machine *machine, u64 phys, u32 value)
{
    set(machine, phys, &value, sizeof(value));
}

static void set64(struct machine *machine, u64 phys, u64 value)
{
    set(machine, phys, &value, sizeof(value));
}

/* A loader's work: version 1, a line, two modules, three map entries. */
static void machine_init(struct machine *machine)
{
    memset(machine, 0, sizeof(*machine));
    set32(machine, INFO_PHYS + 0, PVH_MAGIC);
    set32(machine, INFO_PHYS + 4, 1);
    set32(machine, INFO_PHYS + 12, 2);
    set64(machine, INFO_PHYS + 16, MODULES_PHYS);
    set64(machine, INFO_PHYS + 24, LINE_PHYS);
    set64(machine, INFO_PHYS + 32, 0xf5a80);
    set64(machine, INFO_PHYS + 40, MAP_PHYS);
    set32(machine, INFO_PHYS + 48, 3);
    set(machine, LINE_PHYS, "console=serial", 15);
    set64(machine, MODULES_PHYS + 0, 0x7000000);
    set64(machine, MODULES_PHYS + 8, 0x1234);
    set64(machine, MODULES_PHYS + 16, NAME_PHYS);
    set64(machine, MODULES_PHYS + 32, 0x7100000);
    set64(machine, MODULES_PHYS + 40, 0x10);
    set(machine, NAME_PHYS, "trace", 6);
}

static bool parse(struct machine *machine, struct boot_info *out)
{
    struct boot_warnings warnings = warning_log_start(&said);
    struct boot_reader reader = {machine_at, machine};

    memset(out, 0x5a, sizeof(*out));

    bool good = pvh_parse(&reader, INFO_PHYS, out, &warnings);

    free(machine->block);
    machine->block = NULL;
    return good;
}

static void what_a_loader_says_is_taken(void **unused)
{
    struct machine machine;
    struct boot_info info;

    (void)unused;
    machine_init(&machine);
    assert_true(parse(&machine, &info));
    assert_string_equal(said.text, "");
    assert_string_equal(info.loader, "PVH");
    assert_string_equal(info.command_line, "console=serial");
    assert_false(info.command_line_cut);
    assert_int_equal(info.n_modules, 2);
    assert_int_equal(info.modules[0].start, 0x7000000);
    assert_int_equal(info.modules[0].end, 0x7001234);
    assert_string_equal(info.modules[0].name, "trace");
    assert_string_equal(info.modules[1].name, "");
    assert_int_equal(info.rsdp_phys, 0xf5a80);
    assert_int_equal(info.map_phys, MAP_PHYS);
    assert_int_equal(info.map_stride_bytes, 24);
    assert_int_equal(info.n_map_entries, 3);
    assert_int_equal(info.info_bytes, 56);
    assert_int_equal(info.framebuffer.kind, BOOT_SCREEN_NONE);
}

static void version_0_is_refused_for_want_of_a_map_but_read(void **unused)
{
    struct machine machine;
    struct boot_info info;

    (void)unused;
    machine_init(&machine);
    set32(&machine, INFO_PHYS + 4, 0);
    assert_false(parse(&machine, &info));
    assert_string_equal(said.text, "pvh: start information of version 0 has no memory map\n");
    assert_string_equal(info.command_line, "console=serial");
    assert_int_equal(info.n_modules, 2);
    assert_int_equal(info.n_map_entries, 0);
    assert_int_equal(info.info_bytes, 40);
}

static void a_wrong_magic_or_unreadable_information_is_refused(void **unused)
{
    struct machine machine;
    struct boot_info info;
    struct boot_reader reader = {machine_at, &machine};

    (void)unused;
    machine_init(&machine);
    set32(&machine, INFO_PHYS, 0x2badb002);
    assert_false(parse(&machine, &info));
    assert_string_equal(said.text, "pvh: no start information\n");
    machine_init(&machine);
    assert_false(pvh_parse(&reader, 0, &info, NULL));
    assert_false(pvh_parse(&reader, ~(u64)0, &info, NULL));
    assert_false(pvh_parse(&reader, RAM_START + RAM_BYTES - 8, &info, NULL));
}

static void a_map_that_cannot_be_read_as_a_whole_is_refused(void **unused)
{
    struct machine machine;
    struct boot_info info;

    (void)unused;
    machine_init(&machine);
    set32(&machine, INFO_PHYS + 48, 0xffffffff);
    assert_false(parse(&machine, &info));
    assert_string_equal(said.text, "pvh: the memory map cannot be read\n");
    machine_init(&machine);
    set32(&machine, INFO_PHYS + 48, 0);
    assert_false(parse(&machine, &info));
    assert_string_equal(said.text, "pvh: no memory map\n");
    machine_init(&machine);
    set64(&machine, INFO_PHYS + 40, ~(u64)0 - 10);
    assert_false(parse(&machine, &info));
}

static void no_command_line_is_an_empty_one(void **unused)
{
    struct machine machine;
    struct boot_info info;

    (void)unused;
    machine_init(&machine);
    set64(&machine, INFO_PHYS + 24, 0);
    assert_true(parse(&machine, &info));
    assert_string_equal(info.command_line, "");
    assert_false(info.command_line_cut);
    assert_string_equal(said.text, "");
}

static void a_text_that_runs_off_memory_or_is_too_long_is_cut(void **unused)
{
    struct machine machine;
    struct boot_info info;

    (void)unused;
    machine_init(&machine);
    set(&machine, RAM_START + RAM_BYTES - 4, "tail", 4);
    set64(&machine, INFO_PHYS + 24, RAM_START + RAM_BYTES - 4);
    assert_true(parse(&machine, &info));
    assert_string_equal(info.command_line, "tail");
    assert_true(info.command_line_cut);

    machine_init(&machine);
    memset(machine.ram + 4096, 'x', 4096);
    set64(&machine, INFO_PHYS + 24, RAM_START + 4096);
    assert_true(parse(&machine, &info));
    assert_int_equal(strlen(info.command_line), BOOT_COMMAND_LINE_BYTES - 1);
    assert_true(info.command_line_cut);
    assert_string_equal(said.text, "pvh: the command line is cut after 2047 bytes\n");
}

static void modules_that_make_no_sense_are_told(void **unused)
{
    struct machine machine;
    struct boot_info info;

    (void)unused;
    machine_init(&machine);
    set64(&machine, MODULES_PHYS + 8, ~(u64)0);
    assert_true(parse(&machine, &info));
    assert_int_equal(info.n_modules, 1);
    assert_int_equal(info.modules[0].start, 0x7100000);
    assert_string_equal(said.text, "pvh: module of 0xffffffffffffffff bytes at 0x7000000 ignored\n");

    machine_init(&machine);
    set64(&machine, INFO_PHYS + 16, 0x100000);
    assert_true(parse(&machine, &info));
    assert_int_equal(info.n_modules, 0);
    assert_string_equal(said.text, "pvh: the list of modules cannot be read\n");

    machine_init(&machine);
    set32(&machine, INFO_PHYS + 12, 20);
    assert_true(parse(&machine, &info));
    assert_int_equal(info.n_modules, BOOT_N_MODULES);
    assert_int_equal(info.n_modules_dropped, 4);
}

static void damaged_information_is_survived(void **unused)
{
    static const u8 evil[] = {0, 1, 0x10, 0x1f, 0x20, 0x7f, 0x80, 0xff};
    struct machine machine;
    struct boot_info info;
    u64 state = 31337;

    (void)unused;
    for (int round = 0; round < 5000; round++) {
        machine_init(&machine);
        for (u64 n = random_below(&state, 6); n > 0; n--)
            machine.ram[4 + random_below(&state, 52)] = evil[random_below(&state, sizeof(evil))];
        for (u64 n = random_below(&state, 3); n > 0; n--)
            machine.ram[MODULES_PHYS - RAM_START + random_below(&state, 64)] =
                evil[random_below(&state, sizeof(evil))];

        bool good = parse(&machine, &info);

        assert_int_equal(good, info.n_map_entries != 0);
        assert_true(info.n_modules <= BOOT_N_MODULES);
        assert_non_null(memchr(info.command_line, '\0', sizeof(info.command_line)));
        for (u32 i = 0; i < info.n_modules; i++)
            assert_true(info.modules[i].start <= info.modules[i].end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_loader_says_is_taken),
        cmocka_unit_test(version_0_is_refused_for_want_of_a_map_but_read),
        cmocka_unit_test(a_wrong_magic_or_unreadable_information_is_refused),
        cmocka_unit_test(a_map_that_cannot_be_read_as_a_whole_is_refused),
        cmocka_unit_test(no_command_line_is_an_empty_one),
        cmocka_unit_test(a_text_that_runs_off_memory_or_is_too_long_is_cut),
        cmocka_unit_test(modules_that_make_no_sense_are_told),
        cmocka_unit_test(damaged_information_is_survived),
    };
    return cmocka_run_group_tests_name("pvh", tests, NULL, NULL);
}
