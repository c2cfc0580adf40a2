/* SPDX-License-Identifier: MIT */
/*
 * Ports (Intel SDM volume 1, "Input/Output").  Any context.  Reading a port that nobody decodes gives all
 * ones and writing one has no effect, so probing is safe; waiting for a value is not: bound every loop.
 */
#ifndef KERNEL_CPU_IO_H
#define KERNEL_CPU_IO_H

#include <lib/types.h>

static inline void outb(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(u16 port, u16 value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline u8 inb(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline u16 inw(u16 port)
{
    u16 value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline u32 inl(u16 port)
{
    u32 value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

/* About a microsecond on a real bus: a write to the POST port.  Old chips need it between two accesses. */
static inline void io_wait(void)
{
    outb(0x80, 0);
}

#endif
