/* SPDX-License-Identifier: MIT */
/*
 * The boot CPU's block and its interrupt stacks.
 *
 * The stacks here serve from the first instruction on; mm is not up yet, so they cannot have guard pages.
 * cpu_set_ist exchanges them later for guarded ones.
 *
 * Page faults and general exceptions nest (a fault report may fault, and the probes it reads through catch
 * it), and the CPU starts every one of them at the same stack top.  trap.c therefore lowers the top by
 * TRAP_NEST_BYTES while one is being handled; these two stacks are as large as TRAP_MAX_NESTED of them.
 */
#include <kernel/boot/options.h>
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/idt.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/sanitize/sanitize.h>
#include <lib/bits.h>
#include <mm/types.h>

#define SINGLE_STACK_BYTES 8192

extern const u8 boot_stack_start[], boot_stack_end[]; /* boot/entry.asm */

static struct cpu boot_cpu;
bool cpu_started;

static u8 double_fault_stack[SINGLE_STACK_BYTES] __attribute__((aligned(16)));
static u8 nmi_stack[SINGLE_STACK_BYTES] __attribute__((aligned(16)));
static u8 machine_check_stack[SINGLE_STACK_BYTES] __attribute__((aligned(16)));
static u8 page_fault_stack[TRAP_STACK_BYTES] __attribute__((aligned(16)));
static u8 general_stack[TRAP_STACK_BYTES] __attribute__((aligned(16)));

void cpu_set_ist(enum ist index, u64 low, u64 top)
{
    struct cpu *cpu = cpu_this();
    u64 flags = interrupts_save();
    cpu->ist[index] = (struct stack_bounds){low, top};
    cpu->tss.ist[index] = top;
    interrupts_restore(flags);
}

void cpu_set_stack(u64 low, u64 top)
{
    cpu_this()->stack = (struct stack_bounds){low, top};
}

void cpu_abandon_stacks(u64 low, u64 top)
{
    struct cpu *cpu = cpu_this();
    for (size_t i = 1; i < ARRAY_LENGTH(cpu->ist); i++) {
        cpu->tss.ist[i] = cpu->ist[i].top;
        sanitize_stack_left(cpu->ist[i].low, cpu->ist[i].top);
    }
    sanitize_stack_left(low, top);
    cpu->n_nested_interrupts = 0;
    cpu->probe = NULL;
    cpu->user_exit = NULL;
    cpu_set_stack(low, top);
}

void cpu_set_mm_contexts(void *code, void *interrupt)
{
    struct cpu *cpu = cpu_this();
    u64 flags = interrupts_save();
    cpu->mm_contexts[0] = code;
    cpu->mm_contexts[1] = interrupt;
    cpu->mm_context = cpu->mm_contexts[cpu->n_nested_interrupts > 0];
    interrupts_restore(flags);
}

struct stack_bounds cpu_stack_of(u64 sp)
{
    const struct cpu *cpu = cpu_this();
    if (sp >= cpu->stack.low && sp < cpu->stack.top)
        return cpu->stack;
    for (size_t i = 1; i < ARRAY_LENGTH(cpu->ist); i++)
        if (sp >= cpu->ist[i].low && sp < cpu->ist[i].top)
            return cpu->ist[i];
    return (struct stack_bounds){0, 0};
}

void cpu_flush_tlb(void)
{
    u64 flags = interrupts_save();
    u64 cr4 = cr4_read();
    if (cr4 & CR4_PGE) {
        cr4_write(cr4 & ~CR4_PGE);
        cr4_write(cr4);
    } else {
        cr3_write(cr3_read());
    }
    interrupts_restore(flags);
}

static inline void flush_page(u64 at)
{
    __asm__ volatile("invlpg %0" : : "m"(*(const u8 *)at) : "memory");
}

void cpu_flush_pages(u64 start, u64 n_pages)
{
    for (; n_pages % 8 != 0; n_pages--, start += FRAME_BYTES)
        flush_page(start);
    for (; n_pages != 0; n_pages -= 8, start += 8 * FRAME_BYTES) {
#pragma GCC unroll 8
        for (u64 i = 0; i < 8; i++)
            flush_page(start + i * FRAME_BYTES);
    }
}

static void set_boot_stack(enum ist index, u8 *stack, u64 bytes)
{
    cpu_set_ist(index, (u64)stack, (u64)stack + bytes);
}

/* Loads a CPU's segments and finds its block by GS. */
static void load_segments(struct cpu *cpu)
{
    gdt_load(&cpu->gdt, &cpu->tss);
    /* After the segments: loading a null GS may clear the base. */
    msr_write(MSR_GS_BASE, (u64)cpu);
    msr_write(MSR_KERNEL_GS_BASE, 0);
}

void cpu_start_other(struct cpu *cpu)
{
    load_segments(cpu);
    idt_load();
}

void cpu_start_early(const struct options *options)
{
    cpu_features_detect(options->safe);
    cpu_features_enable();

    struct cpu *cpu = &boot_cpu;
    cpu->self = cpu;
    cpu->apic_id = cpuid(1, 0).ebx >> 24;
    load_segments(cpu);

    cpu_set_stack((u64)boot_stack_start, (u64)boot_stack_end);
    set_boot_stack(IST_DOUBLE_FAULT, double_fault_stack, sizeof double_fault_stack);
    set_boot_stack(IST_NMI, nmi_stack, sizeof nmi_stack);
    set_boot_stack(IST_MACHINE_CHECK, machine_check_stack, sizeof machine_check_stack);
    set_boot_stack(IST_PAGE_FAULT, page_fault_stack, sizeof page_fault_stack);
    set_boot_stack(IST_GENERAL, general_stack, sizeof general_stack);
    idt_load();
    cpu_started = true;
}
