/* SPDX-License-Identifier: MIT */
/*
 * Where C begins: boot/entry.asm calls kernel_main in long mode, in the higher half, on the boot stack.
 */
#include <lib/types.h>

#define COM1 0x3f8

_Noreturn void kernel_main(u32 magic, u64 info_phys);

static void serial_write(const char *text)
{
    for (; *text != '\0'; text++) {
        __asm__ volatile("outb %0, %1" : : "a"(*text), "Nd"((u16)COM1));
    }
}

_Noreturn void kernel_main(u32 magic, u64 info_phys)
{
    (void)magic;
    (void)info_phys;
    serial_write("Tessera\r\n");
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}
