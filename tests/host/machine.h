/* SPDX-License-Identifier: MIT */
/* A machine made to measure for a test: RAM, features and a kernel image, and mm started on it. */
#ifndef TESTS_HOST_MACHINE_H
#define TESTS_HOST_MACHINE_H

#include <host.h>
#include <mm/boot.h>
#include <mm/mm.h>
#include <mm/paging.h>

#define KIB(n) ((u64)(n) << 10)
#define MIB(n) ((u64)(n) << 20)
#define GIB(n) ((u64)(n) << 30)
#define TIB(n) ((u64)(n) << 40)

/* The made-up kernel image at 1 MiB: text, rodata and data, at MM_IMAGE_START + the same offset. */
#define MACHINE_TEXT_PHYS    MIB(1)
#define MACHINE_TEXT_BYTES   KIB(256)
#define MACHINE_RODATA_PHYS  (MACHINE_TEXT_PHYS + MACHINE_TEXT_BYTES)
#define MACHINE_RODATA_BYTES KIB(128)
#define MACHINE_DATA_PHYS    (MACHINE_RODATA_PHYS + MACHINE_RODATA_BYTES)
#define MACHINE_DATA_BYTES   KIB(384)
#define MACHINE_IMAGE_END    (MACHINE_DATA_PHYS + MACHINE_DATA_BYTES)

/* Usable RAM as the firmware gives it. */
struct machine_ram {
    u64 start, bytes;
};

/* What a test may set; all zero is a current CPU and mm's defaults. */
struct machine_options {
    u64 mem_bytes, dma_bytes, direct_map_bytes; /* as in struct mm_boot */
    bool old_cpu;                               /* no NX, no 1 GiB leaves, no global pages, no PAT; 36 bits */
    bool no_gigabyte_pages;
    u8 phys_bits;                       /* 0: 46 */
    u32 debug;                          /* MM_DEBUG_* */
    const struct mm_reserved *reserved; /* besides low memory and the image */
    u32 n_reserved;
};

/*
 * Starts a machine with this RAM (low memory is cut as on a PC: no usable RAM from 640 KiB to 1 MiB) and mm
 * on it. Forgets the machine before.  `options` may be NULL.  Returns what mm_start returned.
 */
const char *machine_start(const struct machine_ram *ram, unsigned n_ram,
                          const struct machine_options *options);

/* The common case: `bytes` of RAM from 0 on, with the PC's hole below 4 GiB (3 GiB .. 4 GiB) when it is more
 * than 3. */
const char *machine_start_bytes(u64 bytes, const struct machine_options *options);

/* The struct mm_boot of the last machine_start. */
const struct mm_boot *machine_boot(void);

/* Builds the machine (memory, MMU, struct mm_boot) without starting mm. */
struct mm_boot *machine_build(const struct machine_ram *ram, unsigned n_ram,
                              const struct machine_options *options);

/* Ends the machine and gives its memory back. */
void machine_stop(void);

#endif
