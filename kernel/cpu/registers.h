/* SPDX-License-Identifier: MIT */
/*
 * The registers of the CPU that C cannot name: control registers, model-specific registers, CPUID, flags.
 * Bit names as in Intel SDM volume 3, "Control Registers", and volume 4.  Ring 0 only.
 */
#ifndef KERNEL_CPU_REGISTERS_H
#define KERNEL_CPU_REGISTERS_H

#include <lib/types.h>

#define CR0_PE (1UL << 0)
#define CR0_MP (1UL << 1)
#define CR0_ET (1UL << 4)
#define CR0_NE (1UL << 5)
#define CR0_WP (1UL << 16)
#define CR0_PG (1UL << 31)

#define CR4_DE   (1UL << 3)
#define CR4_PAE  (1UL << 5)
#define CR4_MCE  (1UL << 6)
#define CR4_PGE  (1UL << 7)
#define CR4_UMIP (1UL << 11)
#define CR4_LA57 (1UL << 12)
#define CR4_SMEP (1UL << 20)
#define CR4_SMAP (1UL << 21)

#define MSR_APIC_BASE       0x1bU
#define MSR_FEATURE_CONTROL 0x3aU
#define MSR_PAT             0x277U
#define MSR_EFER            0xc0000080U
#define MSR_GS_BASE         0xc0000101U
#define MSR_KERNEL_GS_BASE  0xc0000102U

#define EFER_LME (1UL << 8)
#define EFER_LMA (1UL << 10)
#define EFER_NXE (1UL << 11)

#define FEATURE_CONTROL_LOCK (1UL << 0)

#define RFLAGS_FIXED (1UL << 1)
#define RFLAGS_TF    (1UL << 8)
#define RFLAGS_IF    (1UL << 9)
#define RFLAGS_AC    (1UL << 18)

struct cpuid_regs {
    u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

static inline u64 msr_read(u32 msr)
{
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (u64)high << 32 | low;
}

static inline void msr_write(u32 msr, u64 value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline u64 cr0_read(void)
{
    u64 value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value) : : "memory");
    return value;
}

static inline void cr0_write(u64 value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static inline u64 cr2_read(void)
{
    u64 value;
    __asm__ volatile("mov %%cr2, %0" : "=r"(value) : : "memory");
    return value;
}

static inline void cr2_write(u64 value)
{
    __asm__ volatile("mov %0, %%cr2" : : "r"(value) : "memory");
}

static inline u64 cr3_read(void)
{
    u64 value;
    __asm__ volatile("mov %%cr3, %0" : "=r"(value) : : "memory");
    return value;
}

static inline void cr3_write(u64 value)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline u64 cr4_read(void)
{
    u64 value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value) : : "memory");
    return value;
}

static inline void cr4_write(u64 value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static inline u64 tsc_read(void)
{
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (u64)high << 32 | low;
}

static inline u64 rflags_read(void)
{
    u64 value;
    __asm__ volatile("pushfq; popq %0" : "=r"(value) : : "memory");
    return value;
}

static inline void interrupts_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void interrupts_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Turns interrupts off; the value tells interrupts_restore whether they were on. */
static inline u64 interrupts_save(void)
{
    u64 flags = rflags_read();
    interrupts_disable();
    return flags;
}

static inline void interrupts_restore(u64 flags)
{
    if (flags & RFLAGS_IF)
        interrupts_enable();
}

/* Sleeps until the next interrupt.  Enables them in the same breath, so that none is missed in between. */
static inline void cpu_wait_interrupt(void)
{
    __asm__ volatile("sti; hlt" : : : "memory");
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* Stops this CPU for good. */
static inline _Noreturn void cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}

#endif
