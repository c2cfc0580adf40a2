/* SPDX-License-Identifier: MIT */
/*
 * Segments and the task-state segment of one CPU (Intel SDM volume 3, "Segment Descriptors", "64-Bit TSS").
 *
 * In long mode segments have neither base nor limit; what remains of them is the privilege level.  The
 * task-state segment tells the CPU which stacks to switch to: RSP0 when it comes from ring 3, an IST entry
 * for chosen vectors.
 */
#ifndef KERNEL_CPU_GDT_H
#define KERNEL_CPU_GDT_H

#include <lib/types.h>

/* trap_entry.asm and user_entry.asm know these numbers too. */
#define GDT_KERNEL_CODE 0x08
#define GDT_KERNEL_DATA 0x10
#define GDT_USER_DATA   (0x18 | 3)
#define GDT_USER_CODE   (0x20 | 3)
#define GDT_TSS         0x28
#define GDT_N_ENTRIES   7 /* null, four segments, and the TSS's descriptor takes two */

/* IST entries 1..7: a stack each for what may arrive on a stack that is not to be trusted. */
enum ist {
    IST_NONE = 0,
    IST_DOUBLE_FAULT = 1,
    IST_NMI = 2,
    IST_MACHINE_CHECK = 3,
    IST_PAGE_FAULT = 4,
    IST_GENERAL = 5, /* every other exception */
    IST_COUNT = 6,
};

struct tss {
    u32 reserved0;
    u64 rsp[3];
    u64 ist[8]; /* [0] is reserved: an IST number indexes it */
    u64 reserved1;
    u16 reserved2;
    u16 io_map_offset; /* beyond the segment: ring 3 may use no port */
} __attribute__((packed));

struct gdt {
    u64 entry[GDT_N_ENTRIES];
};

/* Fills both and loads them on this CPU.  DS, ES, FS, GS become null, SS the kernel's data segment. */
void gdt_load(struct gdt *gdt, struct tss *tss);

#endif
