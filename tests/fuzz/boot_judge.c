/* SPDX-License-Identifier: MIT */
/* Judging a struct boot_info: see boot_judge.h. */
#include <boot_judge.h>
#include <fuzz.h>

#include <kernel/acpi/tables.h>
#include <kernel/boot/options.h>
#include <lib/bits.h>
#include <mm/memory_map.h>

#include <string.h>

#define MAP_ENTRIES_MAX 256 /* a walk costs their square */

void boot_judge_warning(void *context, const char *line)
{
    (void)context;
    expect(line[0] != '\0' && strnlen(line, BOOT_WARNING_BYTES) < BOOT_WARNING_BYTES);
    for (; *line != '\0'; line++)
        expect(*line >= ' ' && *line <= '~');
}

static void judge_screen(const struct boot_framebuffer *f)
{
    u64 n_bytes = (u64)f->pitch_bytes * f->height, row_bytes;

    expect((unsigned)f->kind <= BOOT_SCREEN_PIXELS);
    if (f->kind == BOOT_SCREEN_NONE)
        return;
    row_bytes = f->kind == BOOT_SCREEN_TEXT ? f->width * 2UL : (u64)f->width * f->bits_per_pixel / 8;
    expect(f->width != 0 && f->height != 0 && row_bytes <= f->pitch_bytes);
    expect(f->phys != 0 && f->phys + n_bytes > f->phys && f->phys + n_bytes <= MEMORY_MAP_END);
    if (f->kind == BOOT_SCREEN_PIXELS) {
        expect(f->red_shift + f->red_bits <= f->bits_per_pixel);
        expect(f->green_shift + f->green_bits <= f->bits_per_pixel);
        expect(f->blue_shift + f->blue_bits <= f->bits_per_pixel);
    }
}

void boot_judge_info(const struct boot_info *info, bool has_map)
{
    static struct options options;

    expect(fuzz_is_ended(info->loader, sizeof(info->loader)));
    expect(fuzz_is_ended(info->command_line, sizeof(info->command_line)));
    expect(info->n_modules <= BOOT_N_MODULES && info->n_sections <= ARRAY_LENGTH(info->sections));
    for (u32 i = 0; i < info->n_modules; i++) {
        expect(info->modules[i].start <= info->modules[i].end);
        expect(fuzz_is_ended(info->modules[i].name, sizeof(info->modules[i].name)));
    }
    for (u32 i = 0; i < info->n_sections; i++)
        expect(info->sections[i].start < info->sections[i].end);
    expect(info->rsdp_bytes == 0 || info->rsdp_bytes == 20 || info->rsdp_bytes == 36);
    acpi_rsdp_is_valid(info->rsdp, info->rsdp_bytes);
    judge_screen(&info->framebuffer);
    expect(!has_map || (info->n_map_entries != 0 && info->map_stride_bytes >= 20));
    options_parse(&options, info->command_line, NULL);
}

void boot_judge_map(const void *entries, const struct boot_info *info)
{
    struct memory_map map = {
        .entries = entries,
        .n_entries = min_u64(info->n_map_entries, MAP_ENTRIES_MAX),
        .stride_bytes = info->map_stride_bytes,
    };
    struct memory_range range = {0};
    u64 n_ranges = 0, last_end = 0;

    memory_map_entry(&map, map.n_entries - 1);
    for (; memory_map_next(&map, range.end, &range); last_end = range.end, n_ranges++)
        expect(range.start >= last_end && range.start < range.end && range.end <= MEMORY_MAP_END);
    expect(n_ranges <= 2 * map.n_entries);
    expect(memory_map_usable_bytes(&map) <= MEMORY_MAP_END);
}
