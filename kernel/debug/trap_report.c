/* SPDX-License-Identifier: MIT */
/* A trap in words: names, error codes, registers, code bytes. */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/debug/fault_report.h>
#include <kernel/debug/symbols.h>
#include <kernel/debug/trap_report.h>
#include <lib/bits.h>
#include <lib/printf.h>

#define CODE_BYTES_BEFORE 12
#define CODE_BYTES_AFTER  12

/* Intel SDM volume 3, "Protected-Mode Exceptions and Interrupts". */
static const char *const vector_names[] = {
    "divide error",
    "debug exception",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound exceeded",
    "invalid opcode",
    "no coprocessor",
    "double fault",
    "coprocessor overrun",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection",
    "page fault",
    "exception 15",
    "floating-point error",
    "alignment check",
    "machine check",
    "SIMD floating-point error",
    "virtualization",
    "control protection",
};

const char *trap_vector_name(u64 vector)
{
    if (vector < ARRAY_LENGTH(vector_names))
        return vector_names[vector];
    return vector < TRAP_N_EXCEPTIONS ? "reserved exception" : "interrupt";
}

static bool has_selector(u64 vector)
{
    return vector == 10 || vector == 11 || vector == VECTOR_STACK || vector == VECTOR_GENERAL;
}

static size_t page_fault_text(u64 error, char *text, size_t size)
{
    const char *who = error & 4 ? "user" : "kernel";
    const char *what = error & 16 ? "instruction fetch" : error & 2 ? "write" : "read";
    const char *why = !(error & 1) ? "nothing is mapped there"
                      : error & 8  ? "a reserved bit is set in a page-table entry"
                      : error & 32 ? "the protection key forbids it"
                                   : "the page does not allow it";
    return (size_t)ksnprintf(text, size, "%s %s, %s", who, what, why);
}

static size_t selector_text(u64 error, char *text, size_t size)
{
    const char *table = error & 2 ? "IDT vector" : error & 4 ? "LDT selector" : "GDT selector";
    u64 index = error & 2 ? error >> 3 & 0x1fff : error & 0xfff8;
    return (size_t)ksnprintf(text, size, "%s 0x%lx%s", table, index, error & 1 ? ", from outside" : "");
}

size_t trap_error_text(u64 vector, u64 error, char *text, size_t size)
{
    size_t n = 0;
    text[0] = 0;
    if (vector == VECTOR_PAGE_FAULT)
        n = page_fault_text(error, text, size);
    else if (has_selector(vector) && error != 0)
        n = selector_text(error, text, size);
    return n < size ? n : size - 1;
}

void trap_report_cause(const struct trap_frame *frame, report_line line)
{
    char text[96];
    bool is_page_fault = frame->vector == VECTOR_PAGE_FAULT;
    u64 address = cr2_read();

    line("%s (vector %lu, error 0x%lx)", trap_vector_name(frame->vector), frame->vector, frame->error);
    if (trap_error_text(frame->vector, frame->error, text, sizeof text) > 0)
        line("  %s", text);
    if (is_page_fault)
        line("  at address 0x%016lx", address);
    const char *guess = fault_guess(frame, address);
    if (guess != NULL)
        line("  probably %s", guess);
    symbol_text(frame->rip, text, sizeof text);
    line("  in %s", text);
}

static void report_registers(const struct trap_frame *f, report_line line)
{
    const struct {
        const char *name;
        u64 value;
    } registers[] = {
        {"rax", f->rax},
        {"rbx", f->rbx},
        {"rcx", f->rcx},
        {"rdx", f->rdx},
        {"rsi", f->rsi},
        {"rdi", f->rdi},
        {"rbp", f->rbp},
        {"rsp", f->rsp},
        {"rip", f->rip},
        {"r8", f->r8},
        {"r9", f->r9},
        {"r10", f->r10},
        {"r11", f->r11},
        {"r12", f->r12},
        {"r13", f->r13},
        {"r14", f->r14},
        {"r15", f->r15},
        {"flags", f->rflags},
        {"cr0", cr0_read()},
        {"cr2", cr2_read()},
        {"cr3", cr3_read()},
        {"cr4", cr4_read()},
        {"efer", msr_read(MSR_EFER)},
        {"cs:ss", f->cs << 16 | f->ss},
    };
    _Static_assert(ARRAY_LENGTH(registers) % 3 == 0, "three to a line");
    for (size_t i = 0; i < ARRAY_LENGTH(registers); i += 3)
        line("  %-5s %016lx  %-5s %016lx  %-5s %016lx", registers[i].name, registers[i].value,
             registers[i + 1].name, registers[i + 1].value, registers[i + 2].name, registers[i + 2].value);
}

static void report_code(u64 rip, report_line line)
{
    char text[4 * (CODE_BYTES_BEFORE + CODE_BYTES_AFTER) + 1];
    size_t n = 0;
    for (u64 at = rip - CODE_BYTES_BEFORE; at != rip + CODE_BYTES_AFTER; at++) {
        u8 byte;
        size_t room = sizeof text - n;
        if (!probe_read(at, &byte, 1))
            n += (size_t)ksnprintf(text + n, room, " ??");
        else
            n += (size_t)ksnprintf(text + n, room,
                                   at == rip       ? " <%02x"
                                   : at == rip + 1 ? "> %02x"
                                                   : " %02x",
                                   byte);
    }
    line("code%s", text);
}

void trap_report_state(const struct trap_frame *frame, report_line line)
{
    report_registers(frame, line);
    report_code(frame->rip, line);
    line("backtrace:");
    backtrace_print(frame->rip, frame->rsp, frame->rbp, line);
}
