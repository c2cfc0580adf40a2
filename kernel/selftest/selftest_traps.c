/* SPDX-License-Identifier: MIT */
/* Exceptions: each is delivered with what the CPU says about it, ends what it should, and leaves nothing
 * behind. */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <kernel/time/time.h>

#define NOT_CANONICAL (1UL << 62)
#define NOTHING_THERE (SPECIAL_BORDER + GIB(3))

static void expect_fault(u64 vector, u64 error, u64 address)
{
    struct probe_fault fault = probe_last_fault();

    EXPECT_EQUAL(fault.vector, vector);
    EXPECT_EQUAL(fault.error, error);
    EXPECT_EQUAL(fault.address, address);
}

static void page_faults_tell_address_and_kind_of_access(void)
{
    u64 value = 0;

    EXPECT(!probe_read(NOTHING_THERE + 5, &value, 1));
    expect_fault(VECTOR_PAGE_FAULT, 0, NOTHING_THERE + 5);
    EXPECT(!probe_write(NOTHING_THERE + 8, &value, 8));
    expect_fault(VECTOR_PAGE_FAULT, 2, NOTHING_THERE + 8);
    EXPECT(!probe_execute(NOTHING_THERE));
    expect_fault(VECTOR_PAGE_FAULT, cpu_features.no_execute || cpu_features.smep ? 16 : 0, NOTHING_THERE);
}

static void an_address_that_is_not_canonical_is_a_general_protection_fault(void)
{
    u64 value = 0;

    EXPECT(!probe_read(NOT_CANONICAL, &value, 8));
    expect_fault(VECTOR_GENERAL, 0, 0);
    EXPECT(!probe_write(NOT_CANONICAL, &value, 8));
    expect_fault(VECTOR_GENERAL, 0, 0);
    EXPECT(!probe_execute(NOT_CANONICAL));
    expect_fault(VECTOR_GENERAL, 0, 0);
}

static void divide_by_zero(void *unused)
{
    u64 quotient = 1, rest = 0;

    (void)unused;
    __asm__ volatile("divq %2" : "+a"(quotient), "+d"(rest) : "r"(0UL) : "cc");
}

static void execute_nothing(void *unused)
{
    (void)unused;
    __asm__ volatile("ud2");
}

/* Addresses relative to RSP are the stack segment's. */
static void read_through_stack_segment(void *unused)
{
    u64 value;

    (void)unused;
    __asm__ volatile("movq (%%rsp,%1), %0" : "=r"(value) : "r"(NOT_CANONICAL - 4096) : "memory");
}

static void load_wrong_segment(void *unused)
{
    (void)unused;
    __asm__ volatile("movw %w0, %%ds" : : "r"(0x7ff8) : "memory");
}

static void other_exceptions_have_their_vectors_and_error_codes(void)
{
    EXPECT(!probe_call(divide_by_zero, NULL));
    expect_fault(VECTOR_DIVIDE, 0, 0);
    EXPECT(!probe_call(execute_nothing, NULL));
    expect_fault(VECTOR_INVALID_OPCODE, 0, 0);
    EXPECT(!probe_call(load_wrong_segment, NULL));
    expect_fault(VECTOR_GENERAL, 0x7ff8, 0);
    EXPECT(!probe_call(read_through_stack_segment, NULL));
    if (probe_last_fault().vector != VECTOR_GENERAL) /* QEMU does not tell the two apart */
        expect_fault(VECTOR_STACK, 0, 0);
}

static void probe_inside(void *done)
{
    u64 value;

    *(bool *)done = !probe_read(NOTHING_THERE, &value, 8) && probe_read((u64)&value, &value, 8);
    execute_nothing(NULL);
}

static void probes_nest(void)
{
    bool inner_done = false;

    EXPECT(!probe_call(probe_inside, &inner_done));
    EXPECT(inner_done);
    expect_fault(VECTOR_INVALID_OPCODE, 0, 0);
}

static void a_thousand_faults_leave_the_interrupt_stacks_as_they_were(void)
{
    const struct cpu *cpu = cpu_this();
    u64 before[IST_COUNT], value;

    for (unsigned i = 1; i < IST_COUNT; i++)
        before[i] = cpu->tss.ist[i];
    for (unsigned i = 0; i < 1000; i++)
        EXPECT(!probe_read(i % 2 ? NOTHING_THERE : NOT_CANONICAL, &value, 8));
    for (unsigned i = 1; i < IST_COUNT; i++)
        EXPECT_EQUAL(cpu->tss.ist[i], before[i]);
    EXPECT(cpu_this() == cpu && cpu->self == cpu);
    EXPECT(cpu->probe == NULL);
}

static void the_interrupt_flag_survives_a_fault(void)
{
    u64 value, flags = interrupts_save();

    EXPECT(!probe_read(NOTHING_THERE, &value, 8));
    EXPECT_EQUAL(rflags_read() & RFLAGS_IF, 0);
    interrupts_restore(flags);
    EXPECT(!probe_read(NOTHING_THERE, &value, 8));
    EXPECT_EQUAL(rflags_read() & RFLAGS_IF, flags & RFLAGS_IF);
    EXPECT(flags & RFLAGS_IF);
}

static u64 recurse(u64 depth)
{
    volatile u64 frame[16];

    frame[depth % 16] = depth;
    return depth == UINT64_MAX ? 0 : recurse(depth + 1) + frame[depth % 16];
}

static void recurse_for_ever(void *unused)
{
    (void)unused;
    __asm__ volatile("" : : "r"(recurse(0)));
}

static void a_stack_that_overflows_hits_its_guard_page(void)
{
    u64 low = cpu_this()->stack.low;
    struct probe_fault fault;

    EXPECT(!probe_call(recurse_for_ever, NULL));
    fault = probe_last_fault();
    EXPECT_EQUAL(fault.vector, VECTOR_PAGE_FAULT);
    EXPECT(fault.address < low && fault.address >= low - PAGE_4K_SIZE);
}

static void a_breakpoint_is_noted_and_execution_goes_on(void)
{
    volatile u64 reached = 0;

    __asm__ volatile("int3");
    reached = 1;
    EXPECT_EQUAL(reached, 1);
}

static struct {
    volatile u64 n_runs;
    volatile u64 n_wrong;
} tick;

static void fault_in_interrupt(void)
{
    u64 value;

    tick.n_wrong += probe_read(NOTHING_THERE, &value, 8);
    tick.n_runs++;
}

static void interrupt_handlers_may_fault_while_code_faults(void)
{
    u64 end = time_ms() + 30, value, n_ticks = time_n_ticks();

    tick.n_runs = tick.n_wrong = 0;
    time_set_tick_hook(fault_in_interrupt);
    while (time_ms() < end) {
        EXPECT(!probe_read(NOTHING_THERE + 8, &value, 8));
        EXPECT(probe_read((u64)&value, &value, 8));
    }
    time_set_tick_hook(NULL);
    EXPECT_EQUAL(tick.n_wrong, 0);
    if (time_n_ticks() == n_ticks)
        test_skip("no timer interrupt comes");
}

static void protections_are_on(void)
{
    EXPECT(cr0_read() & CR0_WP);
    EXPECT_EQUAL((msr_read(MSR_EFER) & EFER_NXE) != 0, cpu_features.no_execute);
    EXPECT_EQUAL((cr4_read() & CR4_PGE) != 0, cpu_features.global_pages);
    EXPECT_EQUAL((cr4_read() & CR4_SMEP) != 0, cpu_features.smep);
    EXPECT_EQUAL((cr4_read() & CR4_SMAP) != 0, cpu_features.smap);
    EXPECT_EQUAL((cr4_read() & CR4_UMIP) != 0, cpu_features.umip);
}

static const struct test tests[] = {
    TEST(page_faults_tell_address_and_kind_of_access),
    TEST(an_address_that_is_not_canonical_is_a_general_protection_fault),
    TEST(other_exceptions_have_their_vectors_and_error_codes),
    TEST(probes_nest),
    TEST(a_thousand_faults_leave_the_interrupt_stacks_as_they_were),
    TEST(the_interrupt_flag_survives_a_fault),
    TEST(a_stack_that_overflows_hits_its_guard_page),
    TEST(a_breakpoint_is_noted_and_execution_goes_on),
    TEST(interrupt_handlers_may_fault_while_code_faults),
    TEST(protections_are_on),
    TEST_END,
};

const struct test_suite selftest_traps = {"traps", "exceptions: what is told about them, and going on",
                                          tests};
