/* SPDX-License-Identifier: MIT */
/* The command `fault`: does what a broken kernel would do, to show the report and that the protections are
 * real. */
#include <kernel/shell/fault.h>

#include <kernel/debug/panic.h>
#include <kernel/shell/call.h>
#include <kernel/shell/out.h>
#include <kernel/shell/suggest.h>
#include <lib/string.h>
#include <mm/state.h>

#define NOT_CANONICAL (1UL << 62)

const struct choice fault_choices[] = {
    {"null", "read virtual page 0"},
    {"write-ro", "write to the kernel's read-only data"},
    {"exec-nx", "jump into data"},
    {"unmapped", "read a kernel address that nothing maps"},
    {"canonical", "read an address that is not canonical"},
    {"divide", "divide by zero"},
    {"ud", "an invalid instruction"},
    {"int3", "a breakpoint"},
    {"stack", "recurse until the guard page"},
    {"rsp", "an exception with a stack pointer that leads nowhere"},
    {"panic", "call panic()"},
    {"locked", "the same, with a lock of mm held"},
    {"freed", "read an object that was freed; only the sanitized build notices"},
    {"overrun", "write behind what was asked for of an object; likewise"},
    {"shift", "shift by too many places; likewise"},
    {NULL, NULL},
};

static u8 return_instruction[1] = {0xc3}; /* data: may be read and written, not executed */

static void read_at(u64 at)
{
    u64 value;
    __asm__ volatile("movq (%1), %0" : "=r"(value) : "r"(at) : "memory");
}

static void fault_null(void)
{
    read_at(8);
}

static void fault_write_ro(void)
{
    __asm__ volatile("movb $0, (%0)" : : "r"(fault_choices[0].word) : "memory");
}

static void fault_exec_nx(void)
{
    __asm__ volatile("call *%0" : : "r"(return_instruction) : "memory");
}

static void fault_unmapped(void)
{
    read_at(MM_SPECIAL_END - PAGE_4K_SIZE);
}

static void fault_canonical(void)
{
    read_at(NOT_CANONICAL);
}

static void fault_divide(void)
{
    u64 quotient = 1, rest = 0;
    __asm__ volatile("divq %2" : "+a"(quotient), "+d"(rest) : "r"(0UL) : "cc");
}

static void fault_ud(void)
{
    __asm__ volatile("ud2");
}

static void fault_int3(void)
{
    __asm__ volatile("int3");
}

/* Not a tail call: the frame is used after it.  The stack ends long before the depth does. */
static u64 recurse(u64 depth)
{
    volatile u64 frame[64];
    frame[depth % 64] = depth;
    return depth == UINT64_MAX ? 0 : recurse(depth + 1) + frame[depth % 64];
}

static void fault_stack(void)
{
    __asm__ volatile("" : : "r"(recurse(0)));
}

/* Any exception will do: its frame cannot be pushed where the stack pointer leads, so the handler needs its
 * own. */
static void fault_rsp(void)
{
    __asm__ volatile("movq %0, %%rsp\n\tud2" : : "r"(NOT_CANONICAL) : "memory");
}

static void fault_panic(void)
{
    panic("asked for by the command fault");
}

/* What looks for the lock afterwards must break it, or hang. */
static void fault_locked(void)
{
    platform_lock(&mm.zone[1].lock);
    panic("asked for by the command fault, with a lock held");
}

/* The rest does no harm: nothing is written into free objects, and 100 bytes lie in an object of 128. */
static void fault_freed(void)
{
    volatile u64 *object = kmalloc(64, 0);
    kfree((void *)object);
    (void)*object;
}

static void fault_overrun(void)
{
    volatile u8 *object = kmalloc(100, 0);
    if (object != NULL)
        object[100] = 0;
    kfree((void *)object);
}

static void fault_shift(void)
{
    volatile unsigned places = 32, one = 1;
    one = one << places;
}

/* In the order of fault_choices. */
static void (*const faults[])(void) = {
    fault_null, fault_write_ro, fault_exec_nx, fault_unmapped, fault_canonical, fault_divide,
    fault_ud,   fault_int3,     fault_stack,   fault_rsp,      fault_panic,     fault_locked,
    fault_freed, fault_overrun, fault_shift,
};

_Static_assert(sizeof faults / sizeof faults[0] + 1 == sizeof fault_choices / sizeof fault_choices[0],
               "a function for each kind");

static void fault_here(void *which)
{
    faults[(size_t)which]();
}

bool fault_run(struct call *call)
{
    u64 number;
    struct suggestion nearest;
    suggest_start(&nearest, call->argument[0]);
    for (unsigned i = 0; fault_choices[i].word; i++) {
        suggest_try(&nearest, fault_choices[i].word);
        if (strcmp(fault_choices[i].word, call->argument[0]))
            continue;
        if (call_has(call, "-c"))
            return call_option_number(call, "-c", &number) &&
                   call_on_cpu(number, fault_here, (void *)(size_t)i) && out_ok();
        faults[i]();
        return out_ok();
    }
    if (nearest.best)
        return out_error("unknown fault '%s'; did you mean '%s'?", call->argument[0], nearest.best);
    return out_error("unknown fault '%s'; 'help fault' lists them", call->argument[0]);
}
