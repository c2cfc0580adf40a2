/* SPDX-License-Identifier: MIT */
/*
 * The xAPIC's registers are 32 bits wide, 16 bytes apart, at the same physical address on every CPU: one mapping, and
 * each CPU sees its own.
 *
 * An interprocessor interrupt is two writes, the target and then the command; the delivery bit says when the next
 * one may be sent.  Interrupts stay off between the two writes, since a handler may send one too.
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
};

#define SPURIOUS_ENABLE (1u << 8)
#define COMMAND_FIXED 0x0000u
#define COMMAND_INIT 0x0500u
#define COMMAND_STARTUP 0x0600u
#define COMMAND_PENDING (1u << 12)
#define COMMAND_ASSERT (1u << 14)
#define SEND_TRIES 1000000

static volatile u8 *registers;

static u32 read(enum lapic_register at)
{
    return *(volatile u32 *)(registers + at);
}

static void write(enum lapic_register at, u32 value)
{
    *(volatile u32 *)(registers + at) = value;
}

bool lapic_map(u64 at)
{
    registers = mmio_map(phys(at), REGISTER_BYTES, MMIO_UNCACHED);
    return registers != NULL;
}

void lapic_enable(u8 spurious_vector)
{
    write(LAPIC_TASK_PRIORITY, 0);
    write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | spurious_vector);
}

u8 lapic_id(void)
{
    return (u8)(read(LAPIC_ID) >> 24);
}

static void send(u8 id, u32 command)
{
    u64 flags = interrupts_save();

    for (u32 i = 0; i < SEND_TRIES && (read(LAPIC_COMMAND_LOW) & COMMAND_PENDING) != 0; i++)
        cpu_pause();
    write(LAPIC_COMMAND_HIGH, (u32)id << 24);
    write(LAPIC_COMMAND_LOW, command | COMMAND_ASSERT);
    interrupts_restore(flags);
}

void lapic_send(u8 id, u8 vector)
{
    send(id, COMMAND_FIXED | vector);
}

void lapic_send_init(u8 id)
{
    send(id, COMMAND_INIT);
}

void lapic_send_startup(u8 id, u8 page)
{
    send(id, COMMAND_STARTUP | page);
}

void lapic_acknowledge(void)
{
    write(LAPIC_END_OF_INTERRUPT, 0);
}
