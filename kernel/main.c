/* SPDX-License-Identifier: MIT */
/*
 * The kernel, as a list: each subsystem is one line, in the order in which each can stand on those before it.
 *
 * boot/entry.asm calls kernel_main in long mode, in the higher half, on the boot stack, with early page tables.
 */
#include <kernel/acpi/acpi.h>
#include <kernel/boot/loader.h>
#include <kernel/console/console.h>
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/interrupt.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/memory.h>
#include <kernel/sanitize/sanitize.h>
#include <kernel/shell/shell.h>
#include <kernel/smp/smp.h>
#include <kernel/time/time.h>
#include <mm/mm.h>

_Noreturn void kernel_main(u32 magic, u64 info_phys);

static struct boot_info boot_info;
static struct options options;

/* The rest, on a stack with guard pages. */
static void kernel_continue(void)
{
    acpi_start(&boot_info);    /* the firmware's tables: how to switch off */
    interrupts_start();        /* interrupt controller; interrupts on */
    time_start();              /* tick, clock */
    smp_start(&options);       /* the other CPUs */
    console_start_screen();    /* the framebuffer, through the MMIO window; keys by interrupt */
    shell_start(&boot_info, &options);
    mm_shrink();               /* what starting left in caches */
    shell_run();               /* autorun, then the prompt; for ever */
}

_Noreturn void kernel_main(u32 magic, u64 info_phys)
{
    bool has_map;

    sanitize_start();                         /* nothing, but in the build that checks every access */
    has_map = loader_read(magic, info_phys, &boot_info, &options); /* memory map, command line, screen */
    cpu_start_early(&options);                /* segments, traps, features */
    panic_start(&options);                    /* what to do when it goes wrong */
    console_start(&boot_info, &options);      /* serial line and VGA text: from here on there is something to see */
    if (!has_map)
        panic("the loader gave no memory map");
    memory_start(&boot_info, &options);       /* zones, frames, paging, slabs */
    stacks_start(kernel_continue);            /* off the boot stack */
}
