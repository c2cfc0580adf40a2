/* SPDX-License-Identifier: MIT */
/*
 * The interrupt descriptor table.
 *
 * All 256 gates are interrupt gates (IF is cleared on entry) to the stubs of trap_entry.asm, which lie
 * TRAP_STUB_BYTES apart.  Exceptions run on an IST stack, interrupts on the stack they interrupt.  Ring 3 may
 * reach int3 and the system-call vector by an INT instruction; any other INT there is a general protection
 * fault.
 */
#include <kernel/cpu/idt.h>
#include <kernel/cpu/trap.h>
#include <lib/bits.h>

#define GATE_INTERRUPT 0x8e /* present, type 14 */
#define GATE_USER      0x60 /* descriptor privilege level 3 */

struct gate {
    u16 offset_0;
    u16 selector;
    u8 ist;
    u8 type;
    u16 offset_16;
    u32 offset_32;
    u32 reserved;
} __attribute__((packed));

struct table_register {
    u16 limit;
    u64 base;
} __attribute__((packed));

static struct gate idt[TRAP_N_VECTORS] __attribute__((aligned(16)));

enum ist idt_ist_of(u64 vector)
{
    switch (vector) {
    case VECTOR_NMI:
        return IST_NMI;
    case VECTOR_DOUBLE_FAULT:
        return IST_DOUBLE_FAULT;
    case VECTOR_PAGE_FAULT:
        return IST_PAGE_FAULT;
    case VECTOR_MACHINE_CHECK:
        return IST_MACHINE_CHECK;
    default:
        return vector < TRAP_N_EXCEPTIONS ? IST_GENERAL : IST_NONE;
    }
}

static void set_gate(unsigned vector)
{
    u64 stub = (u64)trap_stubs + vector * TRAP_STUB_BYTES;
    bool user = vector == VECTOR_BREAKPOINT || vector == VECTOR_USER_EXIT;
    idt[vector] = (struct gate){
        .offset_0 = (u16)stub,
        .selector = GDT_KERNEL_CODE,
        .ist = (u8)idt_ist_of(vector),
        .type = (u8)(GATE_INTERRUPT | (user ? GATE_USER : 0)),
        .offset_16 = (u16)(stub >> 16),
        .offset_32 = (u32)(stub >> 32),
    };
}

static void load(u64 base, u16 limit)
{
    struct table_register reg = {limit, base};
    __asm__ volatile("lidt %0" : : "m"(reg) : "memory");
}

void idt_load(void)
{
    for (unsigned vector = 0; vector < ARRAY_LENGTH(idt); vector++)
        set_gate(vector);
    load((u64)idt, sizeof idt - 1);
}

void idt_unload(void)
{
    load(0, 0);
}
