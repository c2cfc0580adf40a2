/* SPDX-License-Identifier: MIT */
/* The 8259 pair, in its plain mode: edge-triggered, fixed priority, explicit end of interrupt. */
#include <kernel/cpu/io.h>
#include <kernel/cpu/pic.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>

#define FIRST_COMMAND  0x20
#define FIRST_DATA     0x21
#define SECOND_COMMAND 0xa0
#define SECOND_DATA    0xa1

#define LINE_CASCADE          2
#define ICW1_START_WITH_ICW4  0x11
#define ICW4_8086             0x01
#define OCW2_END_OF_INTERRUPT 0x20
#define OCW3_READ_IN_SERVICE  0x0b

static u16 masks = 0xffff;

static void write(u16 port, u8 value)
{
    outb(port, value);
    io_wait();
}

static void write_masks(void)
{
    outb(FIRST_DATA, (u8)masks);
    outb(SECOND_DATA, (u8)(masks >> 8));
}

void pic_start(void)
{
    u64 flags = interrupts_save();
    write(FIRST_COMMAND, ICW1_START_WITH_ICW4);
    write(SECOND_COMMAND, ICW1_START_WITH_ICW4);
    write(FIRST_DATA, VECTOR_IRQ_BASE);
    write(SECOND_DATA, VECTOR_IRQ_BASE + 8);
    write(FIRST_DATA, 1 << LINE_CASCADE);
    write(SECOND_DATA, LINE_CASCADE);
    write(FIRST_DATA, ICW4_8086);
    write(SECOND_DATA, ICW4_8086);
    masks = 0xffff;
    write_masks();
    interrupts_restore(flags);
}

void pic_set_masked(unsigned line, bool masked)
{
    u64 flags = interrupts_save();
    u16 bit = (u16)(1U << line);
    masks = (u16)(masked ? masks | bit : masks & ~bit);
    /* The second controller gets through only while the cascade line is open. */
    if ((masks & 0xff00) != 0xff00)
        masks = (u16)(masks & ~(1U << LINE_CASCADE));
    write_masks();
    interrupts_restore(flags);
}

static bool in_service(u16 command_port, unsigned bit)
{
    outb(command_port, OCW3_READ_IN_SERVICE);
    return (inb(command_port) >> bit & 1) != 0;
}

bool pic_is_spurious(unsigned line)
{
    if (line == 7)
        return !in_service(FIRST_COMMAND, 7);
    if (line != 15 || in_service(SECOND_COMMAND, 7))
        return false;
    outb(FIRST_COMMAND, OCW2_END_OF_INTERRUPT); /* for the first one the cascade line was real */
    return true;
}

void pic_acknowledge(unsigned line)
{
    if (line >= 8)
        outb(SECOND_COMMAND, OCW2_END_OF_INTERRUPT);
    outb(FIRST_COMMAND, OCW2_END_OF_INTERRUPT);
}
