/* SPDX-License-Identifier: MIT */
/*
 * Tests of kernel/boot/multiboot2.c.  Information is put together tag by tag in a builder, copied to a block
 * of exactly its size, so that a sanitizer sees every byte read outside, and parsed from there.
 */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include <kernel/boot/multiboot2.h>
#include <lib/bits.h>

#include "warning_log.h"

#define INFO_PHYS 0x9500

struct builder {
    u8 bytes[16384];
    size_t n_bytes;
    size_t tag_at;
};

static struct warning_log said;

static void put(struct builder *b, const void *bytes, size_t n_bytes)
{
    assert_true(b->n_bytes + n_bytes <= sizeof(b->bytes));
    memcpy(b->bytes + b->n_bytes, bytes, n_bytes);
    b->n_bytes += n_bytes;
}

static void put8(struct builder *b, u8 value)
{
    put(b, &value, sizeof(value));
}

static void put32(struct builder *b, u32 value)
{
    put(b, &value, sizeof(value));
}

static void put64(struct builder *b, u64 value)
{
    put(b, &value, sizeof(value));
}

static void set32(struct builder *b, size_t at, u32 value)
{
    memcpy(b->bytes + at, &value, sizeof(value));
}

static void start(struct builder *b)
{
    memset(b, 0, sizeof(*b));
    put64(b, 0);
}

static void open_tag(struct builder *b, u32 type)
{
    b->tag_at = b->n_bytes;
    put32(b, type);
    put32(b, 0);
}

static void close_tag(struct builder *b)
{
    set32(b, b->tag_at + 4, (u32)(b->n_bytes - b->tag_at));
    b->n_bytes = align_up(b->n_bytes, 8);
}

static void put_text_tag(struct builder *b, u32 type, const char *text)
{
    open_tag(b, type);
    put(b, text, strlen(text) + 1);
    close_tag(b);
}

/* A map of two entries, each `stride` bytes. */
static void put_map(struct builder *b, u32 stride)
{
    open_tag(b, 6);
    put32(b, stride);
    put32(b, 0);
    for (u64 i = 0; i < 2; i++) {
        put64(b, i << 20);
        put64(b, 0x1000);
        put64(b, 1);
        for (u32 k = 24; k < stride; k += 4)
            put32(b, 0xffffffff);
    }
    close_tag(b);
}

static void put_module(struct builder *b, u32 from, u32 to, const char *name)
{
    open_tag(b, 3);
    put32(b, from);
    put32(b, to);
    put(b, name, strlen(name) + 1);
    close_tag(b);
}

static void put_screen(struct builder *b, u8 type, u64 phys, u32 pitch, u32 width, u32 height, u8 bits)
{
    open_tag(b, 8);
    put64(b, phys);
    put32(b, pitch);
    put32(b, width);
    put32(b, height);
    put8(b, bits);
    put8(b, type);
    put8(b, 0);
    put8(b, 0);
    if (type == 1)
        put(b, "\x10\x08\x08\x08\x00\x08", 6);
    close_tag(b);
}

static void put_section(struct builder *b, u32 type, u64 flags, u64 address, u64 size)
{
    put32(b, 0);
    put32(b, type);
    put64(b, flags);
    put64(b, address);
    put64(b, 0);
    put64(b, size);
    for (int i = 0; i < 3; i++)
        put64(b, 0);
}

/* Parses n_bytes as they are, from a block of their own. */
static bool parse_bytes(const u8 *bytes, size_t n_bytes, struct boot_info *out)
{
    struct boot_warnings warnings = warning_log_start(&said);
    u8 *exact = malloc(n_bytes + 1);

    assert_non_null(exact);
    memcpy(exact + 1, bytes, n_bytes);
    memset(out, 0x5a, sizeof(*out));

    bool good = multiboot2_parse(exact + 1, n_bytes, INFO_PHYS, out, &warnings);

    free(exact);
    return good;
}

/* Ends the information and parses it. */
static bool finish(struct builder *b, struct boot_info *out)
{
    open_tag(b, 0);
    close_tag(b);
    set32(b, 0, (u32)b->n_bytes);
    return parse_bytes(b->bytes, b->n_bytes, out);
}

static void what_a_loader_says_is_taken(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    start(&b);
    put_text_tag(&b, 1, "safe mem=64M");
    put_text_tag(&b, 2, "GRUB 2.06");
    put_module(&b, 0x200000, 0x201234, "trace.bin");
    put_module(&b, 0x300000, 0x300000, "");

    size_t map_at = b.n_bytes;

    put_map(&b, 24);
    open_tag(&b, 12);
    put64(&b, 0x7fe00018);
    close_tag(&b);
    assert_true(finish(&b, &info));
    assert_string_equal(said.text, "");
    assert_string_equal(info.command_line, "safe mem=64M");
    assert_false(info.command_line_cut);
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_int_equal(info.n_modules, 2);
    assert_int_equal(info.modules[0].start, 0x200000);
    assert_int_equal(info.modules[0].end, 0x201234);
    assert_string_equal(info.modules[0].name, "trace.bin");
    assert_string_equal(info.modules[1].name, "");
    assert_int_equal(info.map_phys, INFO_PHYS + map_at + 16);
    assert_int_equal(info.map_stride_bytes, 24);
    assert_int_equal(info.n_map_entries, 2);
    assert_int_equal(info.efi_system_table_phys, 0x7fe00018);
    assert_int_equal(info.info_phys, INFO_PHYS);
    assert_int_equal(info.info_bytes, b.n_bytes);
    assert_int_equal(info.framebuffer.kind, BOOT_SCREEN_NONE);
    assert_int_equal(info.rsdp_bytes, 0);
    assert_int_equal(info.n_sections, 0);
}

static void without_a_memory_map_parsing_fails_and_keeps_the_rest(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    start(&b);
    put_text_tag(&b, 1, "safe");
    assert_false(finish(&b, &info));
    assert_string_equal(said.text, "multiboot2: no memory map\n");
    assert_string_equal(info.command_line, "safe");
    assert_int_equal(info.n_map_entries, 0);
}

static void map_entries_may_be_longer_but_not_shorter_or_odd(void **unused)
{
    static const struct {
        u32 stride;
        bool good;
    } cases[] = {{24, true}, {32, true}, {40, true}, {0, false}, {20, false}, {28, false}, {8, false}};

    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct builder b;
        struct boot_info info;

        start(&b);
        put_map(&b, cases[i].stride);
        assert_int_equal(finish(&b, &info), cases[i].good);
        assert_int_equal(info.n_map_entries, cases[i].good ? 2 : 0);
        assert_int_equal(info.map_stride_bytes, cases[i].good ? cases[i].stride : 0);
        assert_int_equal(said.n_warnings, cases[i].good ? 0 : 2);
    }
}

static void screens_of_direct_colour_and_text_are_taken(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    for (u8 bits = 24; bits <= 32; bits = (u8)(bits + 8)) {
        start(&b);
        put_map(&b, 24);
        put_screen(&b, 1, 0xfd000000, 4096, 1024, 768, bits);
        assert_true(finish(&b, &info));
        assert_string_equal(said.text, "");
        assert_int_equal(info.framebuffer.kind, BOOT_SCREEN_PIXELS);
        assert_int_equal(info.framebuffer.phys, 0xfd000000);
        assert_int_equal(info.framebuffer.pitch_bytes, 4096);
        assert_int_equal(info.framebuffer.width, 1024);
        assert_int_equal(info.framebuffer.height, 768);
        assert_int_equal(info.framebuffer.bits_per_pixel, bits);
        assert_int_equal(info.framebuffer.red_shift, 16);
        assert_int_equal(info.framebuffer.green_shift, 8);
        assert_int_equal(info.framebuffer.blue_shift, 0);
        assert_int_equal(info.framebuffer.blue_bits, 8);
    }
    start(&b);
    put_map(&b, 24);
    put_screen(&b, 2, 0xb8000, 160, 80, 25, 16);
    assert_true(finish(&b, &info));
    assert_int_equal(info.framebuffer.kind, BOOT_SCREEN_TEXT);
    assert_int_equal(info.framebuffer.width, 80);
}

static void screens_that_make_no_sense_are_refused_with_a_warning(void **unused)
{
    static const struct {
        u8 type;
        u64 phys;
        u32 pitch, width, height;
        u8 bits;
    } cases[] = {
        {0, 0xa0000, 80, 640, 480, 1},        /* indexed */
        {3, 0xfd000000, 4096, 1024, 768, 32}, /* unknown */
        {1, 0, 4096, 1024, 768, 32},          /* nowhere */
        {1, 0xfd000000, 4095, 1024, 768, 32}, /* lines that overlap */
        {1, 0xfd000000, 4096, 0, 768, 32},
        {1, 0xfd000000, 4096, 1024, 0, 32},
        {1, 0xfd000000, 4096, 1024, 768, 8},
        {1, 0xfd000000, 4096, 1024, 768, 16}, /* red at 16 does not fit */
        {1, 0xfd000000, 0xffffffff, 0x40000001, 768, 32},
        {1, 0xffffffffff000000, 4096, 1024, 768, 32},
        {2, 0xb8000, 160, 81, 25, 16},
        {2, 0xb8000, 160, 80, 0, 16},
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct builder b;
        struct boot_info info;

        start(&b);
        put_map(&b, 24);
        put_screen(&b, cases[i].type, cases[i].phys, cases[i].pitch, cases[i].width, cases[i].height,
                   cases[i].bits);
        assert_true(finish(&b, &info));
        assert_int_equal(info.framebuffer.kind, BOOT_SCREEN_NONE);
        assert_int_equal(said.n_warnings, 1);
    }
}

static void put_rsdp(struct builder *b, u32 type, char mark, size_t n_bytes)
{
    open_tag(b, type);
    for (size_t i = 0; i < n_bytes; i++)
        put8(b, (u8)mark);
    close_tag(b);
}

static void the_new_rsdp_wins_in_either_order(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    start(&b);
    put_map(&b, 24);
    put_rsdp(&b, 14, 'o', 20);
    assert_true(finish(&b, &info));
    assert_int_equal(info.rsdp_bytes, 20);
    assert_int_equal(info.rsdp[19], 'o');
    assert_int_equal(info.rsdp[20], 0);
    for (int order = 0; order < 2; order++) {
        start(&b);
        put_map(&b, 24);
        put_rsdp(&b, order == 0 ? 14 : 15, order == 0 ? 'o' : 'n', order == 0 ? 20 : 36);
        put_rsdp(&b, order == 0 ? 15 : 14, order == 0 ? 'n' : 'o', order == 0 ? 36 : 20);
        assert_true(finish(&b, &info));
        assert_int_equal(info.rsdp_bytes, 36);
        assert_int_equal(info.rsdp[0], 'n');
        assert_int_equal(info.rsdp[35], 'n');
    }
}

static void sections_loaded_beside_the_image_are_recorded(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    start(&b);
    put_map(&b, 24);
    open_tag(&b, 9);
    put32(&b, 7);
    put32(&b, 64);
    put32(&b, 0);
    put_section(&b, 0, 0, 0, 0);
    put_section(&b, 1, 2, 0x100000, 0x1000); /* allocated: the image */
    put_section(&b, 8, 0, 0x180000, 0x1000); /* without contents */
    put_section(&b, 2, 0, 0x200000, 0x800);  /* symbols */
    put_section(&b, 3, 0, 0x200800, 0x900);  /* their names, right behind */
    put_section(&b, 1, 0, 0x300000, 0x10);
    put_section(&b, 1, 0, 0xffffffff80000000, 0x10);
    close_tag(&b);
    assert_true(finish(&b, &info));
    assert_string_equal(said.text, "");
    assert_int_equal(info.n_sections, 2);
    assert_int_equal(info.sections[0].start, 0x200000);
    assert_int_equal(info.sections[0].end, 0x201100);
    assert_int_equal(info.sections[1].start, 0x300000);
    assert_int_equal(info.sections[1].end, 0x300010);
}

static void more_sections_than_there_is_room_for_are_all_covered(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    start(&b);
    put_map(&b, 24);
    open_tag(&b, 9);
    put32(&b, 40);
    put32(&b, 64);
    put32(&b, 0);
    for (u64 i = 0; i < 40; i++)
        put_section(&b, 1, 0, 0x1000000 + i * 0x10000, 0x100);
    close_tag(&b);
    assert_true(finish(&b, &info));
    assert_int_equal(info.n_sections, ARRAY_LENGTH(info.sections));
    for (u64 i = 0; i < 40; i++) {
        bool covered = false;

        for (u32 k = 0; k < info.n_sections; k++)
            covered = covered || (info.sections[k].start <= 0x1000000 + i * 0x10000 &&
                                  info.sections[k].end >= 0x1000000 + i * 0x10000 + 0x100);
        assert_true(covered);
    }
}

static void a_section_count_that_lies_is_refused(void **unused)
{
    static const u32 counts[][2] = {{2, 64}, {0xffffffff, 64}, {1, 0}, {1, 40}, {0x04000000, 64}};

    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        struct builder b;
        struct boot_info info;

        start(&b);
        put_map(&b, 24);
        open_tag(&b, 9);
        put32(&b, counts[i][0]);
        put32(&b, counts[i][1]);
        put32(&b, 0);
        put_section(&b, 2, 0, 0x200000, 0x800);
        close_tag(&b);
        assert_true(finish(&b, &info));
        assert_int_equal(info.n_sections, 0);
        assert_int_equal(said.n_warnings, 1);
    }
}

static void modules_beyond_the_room_are_counted(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    start(&b);
    put_map(&b, 24);
    for (u32 i = 0; i < BOOT_N_MODULES + 3; i++)
        put_module(&b, 0x100000 * (i + 1), 0x100000 * (i + 1) + 1, "m");
    put_module(&b, 0x2000, 0x1000, "backwards");
    assert_true(finish(&b, &info));
    assert_int_equal(info.n_modules, BOOT_N_MODULES);
    assert_int_equal(info.n_modules_dropped, 3);
    assert_string_equal(said.text, "multiboot2: module of 0x2000 to 0x1000 ignored\n"
                                   "multiboot2: 3 modules more than 16 ignored\n");
}

static void long_texts_are_cut_and_terminated(void **unused)
{
    char text[BOOT_COMMAND_LINE_BYTES + 100];
    struct builder b;
    struct boot_info info;

    (void)unused;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    start(&b);
    put_map(&b, 24);
    put_text_tag(&b, 1, text);
    put_text_tag(&b, 2, text);
    put_module(&b, 1, 2, text);
    assert_true(finish(&b, &info));
    assert_true(info.command_line_cut);
    assert_int_equal(strlen(info.command_line), BOOT_COMMAND_LINE_BYTES - 1);
    assert_int_equal(strlen(info.loader), BOOT_LOADER_NAME_BYTES - 1);
    assert_int_equal(strlen(info.modules[0].name), BOOT_MODULE_NAME_BYTES - 1);
    assert_int_equal(said.n_warnings, 1);
}

static void a_text_without_its_zero_ends_with_its_tag(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    start(&b);
    put_map(&b, 24);
    open_tag(&b, 1);
    put(&b, "abcdefgh", 8);
    close_tag(&b);
    open_tag(&b, 2);
    close_tag(&b);
    assert_true(finish(&b, &info));
    assert_string_equal(info.command_line, "abcdefgh");
    assert_string_equal(info.loader, "");
}

static void a_tag_size_that_lies_ends_the_walk_with_a_warning(void **unused)
{
    static const u32 sizes[] = {0, 1, 7, 0x1000, 0x7fffffff, 0xfffffff9, 0xffffffff};

    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct builder b;
        struct boot_info info;

        start(&b);
        put_map(&b, 24);
        put_text_tag(&b, 1, "never read");
        set32(&b, b.tag_at + 4, sizes[i]);
        put_text_tag(&b, 2, "nor this");
        assert_true(finish(&b, &info));
        assert_int_equal(said.n_warnings, 1);
        assert_string_equal(info.command_line, "");
        assert_string_equal(info.loader, "");
    }
}

static void a_missing_end_tag_is_told(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    start(&b);
    put_map(&b, 24);
    set32(&b, 0, (u32)b.n_bytes);
    assert_true(parse_bytes(b.bytes, b.n_bytes, &info));
    assert_string_equal(said.text, "multiboot2: the end tag is missing\n");
}

static void a_total_size_that_lies_is_cut_to_what_can_be_read(void **unused)
{
    struct builder b;
    struct boot_info info;

    (void)unused;
    start(&b);
    put_map(&b, 24);
    set32(&b, 0, 0xffffffff);
    assert_true(parse_bytes(b.bytes, b.n_bytes, &info));
    assert_int_equal(info.info_bytes, b.n_bytes);
    assert_int_equal(said.n_warnings, 2);
    for (size_t n = 0; n < 16; n++) {
        assert_false(parse_bytes(b.bytes, n, &info));
        assert_true(info.info_bytes <= n);
    }
    set32(&b, 0, 7);
    assert_false(parse_bytes(b.bytes, b.n_bytes, &info));
    assert_string_equal(said.text, "multiboot2: no boot information\n");
}

/* Everything a parse gives must be within what it was given, whatever the bytes. */
static void assert_sane(const struct boot_info *info, size_t n_bytes)
{
    assert_non_null(memchr(info->command_line, '\0', sizeof(info->command_line)));
    assert_non_null(memchr(info->loader, '\0', sizeof(info->loader)));
    assert_true(info->n_modules <= BOOT_N_MODULES && info->n_sections <= ARRAY_LENGTH(info->sections));
    assert_true(info->info_bytes <= n_bytes);
    if (info->n_map_entries != 0)
        assert_true(info->map_phys >= INFO_PHYS &&
                    info->map_phys + (u64)info->n_map_entries * info->map_stride_bytes <=
                        INFO_PHYS + n_bytes);
    for (u32 i = 0; i < info->n_modules; i++) {
        assert_true(info->modules[i].start <= info->modules[i].end);
        assert_non_null(memchr(info->modules[i].name, '\0', BOOT_MODULE_NAME_BYTES));
    }
    for (u32 i = 0; i < info->n_sections; i++)
        assert_true(info->sections[i].start < info->sections[i].end);
}

static void put_one_of_everything(struct builder *b)
{
    start(b);
    put_text_tag(b, 1, "console=both");
    put_text_tag(b, 2, "GRUB");
    put_module(b, 0x200000, 0x201234, "trace");
    put_map(b, 24);
    put_screen(b, 1, 0xfd000000, 4096, 1024, 768, 32);
    open_tag(b, 9);
    put32(b, 1);
    put32(b, 64);
    put32(b, 0);
    put_section(b, 2, 0, 0x200000, 0x800);
    close_tag(b);
    put_rsdp(b, 14, 'o', 20);
    put_rsdp(b, 15, 'n', 36);
    open_tag(b, 0);
    close_tag(b);
    set32(b, 0, (u32)b->n_bytes);
}

static void damaged_information_is_survived(void **unused)
{
    static const u8 evil[] = {0, 1, 7, 8, 0x7f, 0x80, 0xff};
    struct builder whole, b;
    struct boot_info info;
    u64 state = 4711;

    (void)unused;
    put_one_of_everything(&whole);
    for (int round = 0; round < 20000; round++) {
        size_t n_bytes =
            random_below(&state, 4) == 0 ? random_below(&state, whole.n_bytes + 1) : whole.n_bytes;

        b = whole;
        for (u64 n = random_below(&state, 6); n > 0; n--)
            b.bytes[random_below(&state, b.n_bytes)] = evil[random_below(&state, sizeof(evil))];
        parse_bytes(b.bytes, n_bytes, &info);
        assert_sane(&info, n_bytes);
    }
}

static void random_bytes_are_survived(void **unused)
{
    u8 bytes[512];
    struct boot_info info;
    u64 state = 4712;

    (void)unused;
    for (int round = 0; round < 20000; round++) {
        size_t n_bytes = random_below(&state, sizeof(bytes) + 1);

        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = random_below(&state, 3) == 0 ? (u8)random_below(&state, 32) : 0;
        bytes[1] = 1;
        parse_bytes(bytes, n_bytes, &info);
        assert_sane(&info, n_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_loader_says_is_taken),
        cmocka_unit_test(without_a_memory_map_parsing_fails_and_keeps_the_rest),
        cmocka_unit_test(map_entries_may_be_longer_but_not_shorter_or_odd),
        cmocka_unit_test(screens_of_direct_colour_and_text_are_taken),
        cmocka_unit_test(screens_that_make_no_sense_are_refused_with_a_warning),
        cmocka_unit_test(the_new_rsdp_wins_in_either_order),
        cmocka_unit_test(sections_loaded_beside_the_image_are_recorded),
        cmocka_unit_test(more_sections_than_there_is_room_for_are_all_covered),
        cmocka_unit_test(a_section_count_that_lies_is_refused),
        cmocka_unit_test(modules_beyond_the_room_are_counted),
        cmocka_unit_test(long_texts_are_cut_and_terminated),
        cmocka_unit_test(a_text_without_its_zero_ends_with_its_tag),
        cmocka_unit_test(a_tag_size_that_lies_ends_the_walk_with_a_warning),
        cmocka_unit_test(a_missing_end_tag_is_told),
        cmocka_unit_test(a_total_size_that_lies_is_cut_to_what_can_be_read),
        cmocka_unit_test(damaged_information_is_survived),
        cmocka_unit_test(random_bytes_are_survived),
    };
    return cmocka_run_group_tests_name("multiboot2", tests, NULL, NULL);
}
