/* SPDX-License-Identifier: MIT */
/*
 * Backtraces.
 *
 *     higher addresses   ...
 *                        return address of the caller        ◄── what we look for
 *          rbp ─────►    saved rbp (if the function keeps a frame pointer)
 *                        locals, saved registers, and stale words of earlier calls
 *          rsp ─────►
 *
 * The candidates, best first:
 *  1. the word above the saved rbp, if the call before it goes to the very function that we are in;
 *  2. the first word from rsp up of which that is true: a function without frame pointer;
 *  3. the word above the saved rbp, if any call is before it: an indirect call, a tail call in between;
 *  4. the first word from rsp up with any call before it: a guess, shown as such.
 * A call is recognised by its encoding (Intel SDM volume 2, "CALL"): E8 rel32, or FF /2 with the length that
 * its ModRM byte asks for.
 *
 * A return into the trap stub means that struct trap_frame lies above; the walk goes on with the registers in
 * it, on the stack that was interrupted.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/trap.h>
#include <kernel/debug/backtrace.h>
#include <kernel/debug/symbols.h>
#include <kernel/debug/trap_report.h>
#include <lib/bits.h>
#include <lib/string.h>

#define UNKNOWN_STACK_BYTES 16384 /* how far to look on a stack that is not one of ours */

static bool read_word(u64 at, u64 *word)
{
    return at % 8 == 0 && probe_read(at, word, sizeof *word);
}

/* The length of FF /2 with this ModRM and SIB byte; 0 if it is another instruction. */
static unsigned indirect_call_bytes(const u8 *code)
{
    unsigned mod = code[1] >> 6, rm = code[1] & 7;
    if (code[0] != 0xff || (code[1] >> 3 & 7) != 2)
        return 0;
    if (mod == 3)
        return 2;
    unsigned bytes = rm == 4 ? 3 : 2;
    if (mod == 1)
        return bytes + 1;
    bool far_displacement = mod == 2 || rm == 5 || (rm == 4 && (code[2] & 7) == 5);
    return far_displacement ? bytes + 4 : bytes;
}

/* True when a call instruction ends at `address`; *target is where it goes, 0 when that is not in the code. */
static bool is_after_call(u64 address, u64 *target)
{
    u8 code[8] = {0};
    *target = 0;
    if (!symbol_is_text(address) || !symbol_is_text(address - sizeof code))
        return false;
    memcpy(code, (const u8 *)(address - 7), 7);
    if (code[2] == 0xe8) {
        s32 distance;
        memcpy(&distance, code + 3, sizeof distance);
        u64 goal = address + (u64)(s64)distance;
        if (symbol_is_text(goal)) {
            *target = goal;
            return true;
        }
    }
    for (unsigned n = 2; n <= 7; n++)
        if (indirect_call_bytes(code + 7 - n) == n)
            return true;
    return false;
}

/* Where the function begins that the walk stands in; 0 if unknown. */
static u64 function_start(const struct backtrace *walk)
{
    const char *name;
    u64 offset;
    u64 inside =
        walk->address - (walk->is_return ? 1 : 0); /* a call may be its function's last instruction */
    return symbol_find(inside, &name, &offset) ? inside - offset : 0;
}

static u64 stack_end(u64 sp)
{
    u64 top = cpu_stack_of(sp).top;
    return top != 0 ? top : align_up(sp, 8) + UNKNOWN_STACK_BYTES;
}

/* Lowest place in [from, to) of a return address; of a call to `start` unless that is 0. */
static bool scan(u64 from, u64 to, u64 start, u64 *at, u64 *address)
{
    for (*at = align_up(from, 8); *at < to; *at += 8) {
        u64 target;
        if (!read_word(*at, address))
            return false;
        if (is_after_call(*address, &target) && (start == 0 || target == start))
            return true;
    }
    return false;
}

static bool take(struct backtrace *walk, u64 at, u64 address, bool certain)
{
    u64 saved;
    if (at == walk->frame_at + 8 && read_word(walk->frame_at, &saved))
        walk->frame_at = saved;
    walk->address = address;
    walk->is_return = true;
    walk->certain = certain;
    walk->stack_at = at + 8;
    return true;
}

static bool step(struct backtrace *walk)
{
    u64 sp = walk->stack_at, end = stack_end(sp);
    u64 at, address, target;
    u64 start = function_start(walk);

    u64 chain_at = walk->frame_at + 8, chain_address = 0, chain_target = 0;
    bool chain = walk->frame_at >= sp && chain_at < end && read_word(chain_at, &chain_address) &&
                 is_after_call(chain_address, &chain_target);
    if (chain && start != 0 && chain_target == start)
        return take(walk, chain_at, chain_address, true);
    if (!symbol_is_text(walk->address) && read_word(sp, &address) && is_after_call(address, &target))
        return take(walk, sp, address, true); /* a call of something that is no function */
    if (start != 0 && scan(sp, chain ? chain_at : end, start, &at, &address))
        return take(walk, at, address, true);
    if (chain)
        return take(walk, chain_at, chain_address, true);
    return scan(sp, end, 0, &at, &address) && take(walk, at, address, false);
}

/* The walk has come to the stub: on with what it interrupted. */
static bool cross_trap(struct backtrace *walk)
{
    const struct trap_frame *frame = (const struct trap_frame *)walk->stack_at;
    struct trap_frame copy;
    if (!probe_read(walk->stack_at, &copy, sizeof copy) || trap_from_user(&copy))
        return false;
    backtrace_start(walk, copy.rip, copy.rsp, copy.rbp);
    walk->trap = frame;
    return true;
}

void backtrace_start(struct backtrace *walk, u64 rip, u64 rsp, u64 rbp)
{
    *walk = (struct backtrace){.address = rip, .certain = true, .stack_at = rsp, .frame_at = rbp};
    bool lost = cpu_stack_of(rsp).top == 0 && cpu_stack_of(rbp).top != 0;
    if (lost)
        walk->stack_at = rbp; /* the stack pointer is what went wrong; the frame pointer still leads home */
}

bool backtrace_next(struct backtrace *walk)
{
    walk->trap = NULL;
    if (walk->address == (u64)trap_after_handler)
        return cross_trap(walk);
    return step(walk);
}

static void print_place(const struct backtrace *walk, report_line line)
{
    const char *name;
    u64 offset;
    u64 inside = walk->address - (walk->is_return ? 1 : 0);
    if (walk->trap != NULL)
        line("  -- %s --", trap_vector_name(walk->trap->vector));
    if (symbol_find(inside, &name, &offset))
        line("  %s %016lx %s+0x%lx", walk->certain ? " " : "?", walk->address, name,
             offset + walk->address - inside);
    else
        line("  %s %016lx (not in the kernel's code)", walk->certain ? " " : "?", walk->address);
}

/* Goes on while the place stays the same (a function that calls itself); counts how often.  False at the end. */
static bool skip_repeats(struct backtrace *walk, unsigned *n_repeats)
{
    u64 address = walk->address;
    bool more = backtrace_next(walk);
    for (*n_repeats = 0; more && walk->address == address; ++*n_repeats)
        more = backtrace_next(walk);
    return more;
}

static void print_from(struct backtrace *walk, report_line line)
{
    unsigned n_repeats, n_lines = 0;
    bool more;
    do {
        print_place(walk, line);
        more = skip_repeats(walk, &n_repeats);
        if (n_repeats > 0)
            line("      and %u times more", n_repeats);
    } while (more && ++n_lines < BACKTRACE_MAX_LINES);
    if (more)
        line("    ...");
}

void backtrace_print(u64 rip, u64 rsp, u64 rbp, report_line line)
{
    struct backtrace walk;
    backtrace_start(&walk, rip, rsp, rbp);
    print_from(&walk, line);
}

__attribute__((noinline)) void backtrace_print_here(report_line line)
{
    struct backtrace walk;
    u64 here, rsp;
    __asm__ volatile("leaq (%%rip), %0\n\tmovq %%rsp, %1" : "=r"(here), "=r"(rsp));
    backtrace_start(&walk, here, rsp, (u64)__builtin_frame_address(0));
    if (backtrace_next(&walk))
        print_from(&walk, line);
}
