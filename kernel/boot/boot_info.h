/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader told us, in one form whatever the loader (Multiboot2 or PVH).
 *
 * The parsers fill it; they copy what is short (strings, the RSDP) and keep physical addresses of what is
 * long (memory map, modules).  The physical ranges stay reserved until they have been read (mm_give_back).
 */
#ifndef KERNEL_BOOT_BOOT_INFO_H
#define KERNEL_BOOT_BOOT_INFO_H

#include <lib/types.h>

#define BOOT_COMMAND_LINE_BYTES 2048
#define BOOT_LOADER_NAME_BYTES  64
#define BOOT_MODULE_NAME_BYTES  64
#define BOOT_N_MODULES          16

/* One file that the loader put into memory: [start, end) physical. */
struct boot_module {
    u64 start, end;
    char name[BOOT_MODULE_NAME_BYTES];
};

enum boot_screen { BOOT_SCREEN_NONE, BOOT_SCREEN_TEXT, BOOT_SCREEN_PIXELS };

/* The screen as the loader left it.  TEXT: 2-byte cells, width/height in cells.  PIXELS: direct colour. */
struct boot_framebuffer {
    enum boot_screen kind;
    u64 phys;
    u32 pitch_bytes, width, height;
    u8 bits_per_pixel;
    u8 red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
};

struct boot_info {
    char loader[BOOT_LOADER_NAME_BYTES];
    char command_line[BOOT_COMMAND_LINE_BYTES];
    bool command_line_cut; /* it was longer than we keep */

    u64 read_since; /* TSC when the parser began to read what the loader left: setting up memory counts from there */

    /*
     * The firmware's memory map: entries of {u64 base, u64 length, u32 type, u32 reserved}, map_stride_bytes
     * apart.  Multiboot2 has it inside its own structure, PVH anywhere.
     */
    u64 map_phys;
    u32 map_stride_bytes;
    u32 n_map_entries;

    u64 info_phys, info_bytes; /* the loader's own structure */
    u64 rsdp_phys;             /* PVH gives an address ... */
    u8 rsdp[36];               /* ... Multiboot2 a copy; rsdp_bytes is 0, 20 or 36 */
    u8 rsdp_bytes;
    u64 efi_system_table_phys; /* 0 when not started by EFI */

    struct boot_framebuffer framebuffer;

    u32 n_modules;
    u32 n_modules_dropped; /* more than BOOT_N_MODULES */
    struct boot_module modules[BOOT_N_MODULES];

    /* ELF sections that the loader put outside the image (symbol tables): one covering range list. */
    u32 n_sections;
    struct {
        u64 start, end;
    } sections[16];
};

#endif
