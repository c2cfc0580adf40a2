/* SPDX-License-Identifier: MIT */
/*
 * Two ways to the same registers.  The xAPIC's are 32 bits wide, 16 bytes apart, at the same physical address
 * on every CPU: one mapping, and each CPU sees its own.  In x2APIC mode, which some firmware chooses and
 * which cannot be left without turning the APIC off, register n of these is MSR 0x800 + n.
 *
 * An interprocessor interrupt is one write of an MSR, or two writes of memory: the target and then the
 * command; the delivery bit says when the next one may be sent.  Interrupts stay off between the two, since a
 * handler may send one too.
 */
#include <kernel/cpu/registers.h>
#include <kernel/smp/lapic.h>
#include <mm/mmio.h>

#define REGISTER_BYTES 4096

enum lapic_register {
    LAPIC_ID = 0x020,
    LAPIC_TASK_PRIORITY = 0x080,
    LAPIC_END_OF_INTERRUPT = 0x0b0,
    LAPIC_SPURIOUS = 0x0f0,
    LAPIC_COMMAND_LOW = 0x300,
    LAPIC_COMMAND_HIGH = 0x310,
    LAPIC_TIMER = 0x320,
    LAPIC_LINT0 = 0x350,
    LAPIC_LINT1 = 0x360,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define BASE_X2APIC  (1UL << 10)
#define BASE_ENABLE  (1UL << 11)
#define BASE_ADDRESS 0x000ffffffffff000UL
#define MSR_X2APIC   0x800U

#define SPURIOUS_ENABLE (1u << 8)
#define COMMAND_FIXED   0x0000u
#define COMMAND_NMI     0x0400u
#define COMMAND_INIT    0x0500u
#define COMMAND_STARTUP 0x0600u
#define COMMAND_PENDING (1u << 12)
#define COMMAND_ASSERT  (1u << 14)
#define LOCAL_NMI       0x0400u /* of LINT0 and LINT1 */
#define LOCAL_EXTERNAL  0x0700u /* the interrupt controller of old */
#define LOCAL_MASKED    (1u << 16)
#define DIVIDE_BY_1     0xbu
#define SEND_TRIES      1000000

static volatile u8 *registers;
static bool by_msr;
static bool was_off; /* firmware had not turned the boot CPU's APIC on */

static u32 read(enum lapic_register at)
{
    return by_msr ? (u32)msr_read(MSR_X2APIC + at / 16) : *(volatile u32 *)(registers + at);
}

static void write(enum lapic_register at, u32 value)
{
    if (by_msr)
        msr_write(MSR_X2APIC + at / 16, value);
    else
        *(volatile u32 *)(registers + at) = value;
}

bool lapic_start(void)
{
    u64 base = msr_read(MSR_APIC_BASE);

    by_msr = (base & BASE_X2APIC) != 0;
    was_off = !(base & BASE_ENABLE);
    if (was_off)
        msr_write(MSR_APIC_BASE, base | BASE_ENABLE);
    if (!by_msr)
        registers = mmio_map(phys(base & BASE_ADDRESS), REGISTER_BYTES, MMIO_UNCACHED);
    was_off = was_off || (lapic_is_there() && !(read(LAPIC_SPURIOUS) & SPURIOUS_ENABLE));
    return lapic_is_there();
}

bool lapic_is_there(void)
{
    return by_msr || registers != NULL;
}

/*
 * An APIC that was off comes up with everything masked, also what it let through to the CPU while it was off:
 * the boot CPU's interrupt controller and NMI.
 */
static void connect_old_interrupts(void)
{
    write(LAPIC_LINT0, LOCAL_EXTERNAL);
    write(LAPIC_LINT1, LOCAL_NMI);
    was_off = false;
}

void lapic_enable(u8 spurious_vector)
{
    if (by_msr)
        msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | BASE_ENABLE | BASE_X2APIC);
    write(LAPIC_TASK_PRIORITY, 0);
    write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | spurious_vector);
    if (was_off)
        connect_old_interrupts();
}

u32 lapic_id(void)
{
    return by_msr ? read(LAPIC_ID) : read(LAPIC_ID) >> 24;
}

u32 lapic_max_id(void)
{
    return by_msr ? 0xfffffffe : 0xfe;
}

static void send(u32 id, u32 command)
{
    u64 flags;

    if (by_msr) {
        __asm__ volatile("mfence"
                         :
                         :
                         : "memory"); /* unlike writes to the memory, WRMSR waits for no earlier store */
        msr_write(MSR_X2APIC + LAPIC_COMMAND_LOW / 16, (u64)id << 32 | command | COMMAND_ASSERT);
        return;
    }
    flags = interrupts_save();
    for (u32 i = 0; i < SEND_TRIES && (read(LAPIC_COMMAND_LOW) & COMMAND_PENDING) != 0; i++)
        cpu_pause();
    write(LAPIC_COMMAND_HIGH, id << 24);
    write(LAPIC_COMMAND_LOW, command | COMMAND_ASSERT);
    interrupts_restore(flags);
}

void lapic_send(u32 id, u8 vector)
{
    send(id, COMMAND_FIXED | vector);
}

void lapic_send_nmi(u32 id)
{
    send(id, COMMAND_NMI);
}

void lapic_send_init(u32 id)
{
    send(id, COMMAND_INIT);
}

void lapic_send_startup(u32 id, u8 page)
{
    send(id, COMMAND_STARTUP | page);
}

void lapic_acknowledge(void)
{
    write(LAPIC_END_OF_INTERRUPT, 0);
}

void lapic_timer_arm(u8 vector, u32 counts)
{
    write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    write(LAPIC_TIMER, counts != 0 ? vector : LOCAL_MASKED | vector);
    write(LAPIC_TIMER_INITIAL, counts);
}

u32 lapic_timer_left(void)
{
    return read(LAPIC_TIMER_CURRENT);
}
