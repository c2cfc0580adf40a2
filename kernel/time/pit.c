/* SPDX-License-Identifier: MIT */
/* The 8254 timer (Intel 8254 data sheet, "Programming the 8254"). */
#include <kernel/cpu/io.h>
#include <kernel/time/pit.h>

#define PORT_CHANNEL_0     0x40
#define PORT_CHANNEL_2     0x42
#define PORT_MODE          0x43
#define PORT_CONTROL_B     0x61
#define CONTROL_B_GATE_2   (1U << 0)
#define CONTROL_B_SPEAKER  (1U << 1)
#define CONTROL_B_WRITABLE 0x0fU

#define MODE_CHANNEL_0_RATE  0x34 /* both bytes, mode 2: a pulse whenever the count is through */
#define MODE_CHANNEL_2_COUNT 0xb0 /* both bytes, mode 0: counts down, and on below 0 */
#define LATCH_CHANNEL_2      0x80

static void load(u16 port, u32 counts)
{
    outb(port, (u8)counts);
    outb(port, (u8)(counts >> 8));
}

void pit_tick_start(u32 hz)
{
    outb(PORT_MODE, MODE_CHANNEL_0_RATE);
    load(PORT_CHANNEL_0, (PIT_HZ + hz / 2) / hz);
}

void pit_counter_start(void)
{
    u32 control = inb(PORT_CONTROL_B) & CONTROL_B_WRITABLE & ~CONTROL_B_SPEAKER;
    outb(PORT_CONTROL_B, (u8)(control | CONTROL_B_GATE_2));
    outb(PORT_MODE, MODE_CHANNEL_2_COUNT);
    load(PORT_CHANNEL_2, PIT_COUNTER_MASK);
}

u32 pit_counter_read(void)
{
    outb(PORT_MODE, LATCH_CHANNEL_2);
    u32 low = inb(PORT_CHANNEL_2);
    u32 high = inb(PORT_CHANNEL_2);
    return PIT_COUNTER_MASK - (low | high << 8);
}

void pit_counter_stop(void)
{
    outb(PORT_CONTROL_B, (u8)(inb(PORT_CONTROL_B) & CONTROL_B_WRITABLE & ~CONTROL_B_GATE_2));
}
