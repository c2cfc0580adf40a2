/* SPDX-License-Identifier: MIT */
/* The interrupt descriptor table, one for all CPUs (Intel SDM volume 3, "64-Bit Mode IDT"). */
#ifndef KERNEL_CPU_IDT_H
#define KERNEL_CPU_IDT_H

#include <kernel/cpu/gdt.h>
#include <lib/types.h>

/* Which stack a vector's handler starts on. */
enum ist idt_ist_of(u64 vector);

/* Fills the table if need be and loads it on this CPU.  Needs the segments of gdt_load. */
void idt_load(void);

/* Loads an empty table: the next interrupt or exception is a triple fault, which resets the machine. */
void idt_unload(void);

#endif
