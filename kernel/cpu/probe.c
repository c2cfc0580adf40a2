/* SPDX-License-Identifier: MIT */
/*
 * Accesses that may fault.
 *
 * The CPU's block points to the innermost probe, which knows the stack pointer to resume with.  When an
 * exception comes from ring 0 at the same depth of interrupts as the probe began at, it belongs to the probe:
 * the trap frame is changed so that the CPU goes on at probe_resume.  Because that path leaves through the
 * trap stub as every trap does, nothing of the trap's state has to be undone by hand.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/sanitize/sanitize.h>
#include <lib/string.h>

struct probe {
    u64 resume_rsp;
    u32 n_nested_interrupts;
    struct probe *outer;
};

/* One access; kept in memory, because after a fault registers hold nothing. */
struct access {
    volatile u8 *to;
    const volatile u8 *from;
    size_t n;
};

bool probe_enter(void (*fn)(void *), void *argument, u64 *resume);
extern const u8 probe_resume[];

bool probe_call(void (*fn)(void *argument), void *argument)
{
    struct cpu *cpu = cpu_this();
    struct probe probe = {.n_nested_interrupts = cpu->n_nested_interrupts, .outer = cpu->probe};
    cpu->probe = &probe;
    bool done = probe_enter(fn, argument, &probe.resume_rsp);
    cpu->probe = probe.outer;
    return done;
}

static bool is_catchable(u64 vector)
{
    return vector != VECTOR_NMI && vector != VECTOR_DOUBLE_FAULT && vector != VECTOR_MACHINE_CHECK &&
           vector != VECTOR_BREAKPOINT && vector != VECTOR_DEBUG;
}

bool probe_catch(struct trap_frame *frame)
{
    struct cpu *cpu = cpu_this();
    const struct probe *probe = cpu->probe;
    if (probe == NULL || probe->n_nested_interrupts != cpu->n_nested_interrupts ||
        !is_catchable(frame->vector))
        return false;
    cpu->fault = (struct probe_fault){
        .vector = frame->vector,
        .error = frame->error,
        .address = frame->vector == VECTOR_PAGE_FAULT ? cr2_read() : 0,
        .rip = frame->rip,
    };
    sanitize_stack_left(frame->rsp, probe->resume_rsp);
    frame->rip = (u64)probe_resume;
    frame->rsp = probe->resume_rsp;
    return true;
}

struct probe_fault probe_last_fault(void)
{
    return cpu_this()->fault;
}

static void copy_one_access(void *argument)
{
    struct access a = *(struct access *)argument;
    u64 both = (u64)a.to | (u64)a.from;
    if (a.n == 8 && both % 8 == 0)
        *(volatile u64 *)a.to = *(const volatile u64 *)a.from;
    else if (a.n == 4 && both % 4 == 0)
        *(volatile u32 *)a.to = *(const volatile u32 *)a.from;
    else if (a.n == 2 && both % 2 == 0)
        *(volatile u16 *)a.to = *(const volatile u16 *)a.from;
    else
        for (size_t i = 0; i < a.n; i++)
            a.to[i] = a.from[i];
}

static void copy_past_smap(void *argument)
{
    if (cpu_features.smap)
        __asm__ volatile("stac" : : : "memory"); /* probe_enter restores the flags */
    copy_one_access(argument);
}

/* `n` bytes through a buffer of ours that is aligned as a single access needs it. */
bool probe_read(u64 virt, void *to, size_t n)
{
    u64 aligned = 0;
    bool single = n <= sizeof aligned;
    struct access access = {single ? (volatile u8 *)&aligned : to, (const volatile u8 *)virt, n};
    if (!probe_call(copy_past_smap, &access))
        return false;
    if (single)
        memcpy(to, &aligned, n);
    return true;
}

bool probe_write(u64 virt, const void *from, size_t n)
{
    u64 aligned = 0;
    bool single = n <= sizeof aligned;
    if (single)
        memcpy(&aligned, from, n);
    struct access access = {(volatile u8 *)virt, single ? (const volatile u8 *)&aligned : from, n};
    return probe_call(copy_past_smap, &access);
}

static void call_code(void *argument)
{
    ((void (*)(void))argument)();
}

bool probe_execute(u64 virt)
{
    return probe_call(call_code, (void *)virt);
}
