/* SPDX-License-Identifier: MIT */
/*
 * The per-CPU block, reached through GS, and starting a CPU.
 *
 * GS.base points to it whenever the kernel runs; the user's GS.base is parked in KERNEL_GS_BASE meanwhile
 * (SWAPGS).
 */
#ifndef KERNEL_CPU_CPU_H
#define KERNEL_CPU_CPU_H

#include <kernel/cpu/gdt.h>
#include <kernel/cpu/probe.h>
#include <lib/types.h>

struct options;
struct probe;
struct user_exit;

struct stack_bounds {
    u64 low, top; /* [low, top); 0, 0 when unknown */
};

struct cpu {
    void *mm_context;     /* gs:0   mm's state of the running context: code, or interrupt handler */
    struct cpu *self;     /* gs:8   this block's own address */
    void *mm_contexts[2]; /* what mm_context is set to: [0] in code, [1] in interrupt handlers */
    u32 number;           /* 0 is the boot CPU */
    u32 apic_id;
    u32 n_nested_interrupts; /* 0 in code */

    struct probe *probe;         /* the innermost access that may fault, or NULL (probe.h) */
    struct probe_fault fault;    /* what stopped the last one that failed */
    struct user_exit *user_exit; /* filled when ring 3 ends; NULL when no user code runs (user.h) */

    struct stack_bounds stack;          /* the one that ordinary code runs on */
    struct stack_bounds ist[IST_COUNT]; /* [0] unused */

    u64 n_nmis;
    struct tss tss;
    struct gdt gdt;
} __attribute__((aligned(64))); /* each call of mm reads its first word: no line that other CPUs write */

_Static_assert(offsetof(struct cpu, mm_context) == 0 && offsetof(struct cpu, self) == 8,
               "gs:0 and gs:8 are fixed");

/* This CPU's block.  Valid after cpu_start_early. */
static inline struct cpu *cpu_this(void)
{
    struct cpu *cpu;
    __asm__ volatile("movq %%gs:8, %0" : "=r"(cpu));
    return cpu;
}

/* True once cpu_start_early has run: before it, GS leads nowhere. */
extern bool cpu_started;

/*
 * The boot CPU's first steps, before memory management: detects and enables features (options->safe leaves
 * the optional ones off), loads segments, task state and interrupt table.  Interrupts stay off.
 */
void cpu_start_early(const struct options *options);

/* Another CPU's first steps: `cpu` has its number, stacks and mm contexts already.  After
 * cpu_features_enable. */
void cpu_start_other(struct cpu *cpu);

/*
 * Replaces an interrupt stack of this CPU by [low, top), writable and 16-byte aligned, as soon as nothing
 * runs on it.
 */
void cpu_set_ist(enum ist index, u64 low, u64 top);

/* Says where the stack of ordinary code lies: for backtraces, and to tell an overflow from another fault. */
void cpu_set_stack(u64 low, u64 top);

/*
 * For panic(): forgets whatever runs on any stack of this CPU, so that traps start at their tops again.
 * Ordinary code lives in [low, top) from here on.
 */
void cpu_abandon_stacks(u64 low, u64 top);

/*
 * Gives mm its two contexts on this CPU; mm_context becomes `code`, and `interrupt` inside interrupt
 * handlers.
 */
void cpu_set_mm_contexts(void *code, void *interrupt);

/* The stack of this CPU that `sp` lies in, or {0, 0}. */
struct stack_bounds cpu_stack_of(u64 sp);

/*
 * Drops every translation that this CPU caches, global ones included (SDM volume 3, "Invalidation of TLBs": a
 * change of CR4.PGE does it).
 */
void cpu_flush_tlb(void);

/*
 * Drops the translations of n pages of 4 KiB from an address on, and all that is cached of tables (INVLPG).
 */
void cpu_flush_pages(u64 start, u64 n_pages);

#endif
