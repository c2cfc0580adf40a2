/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line.
 *
 *      autorun="CMD; CMD"              commands for the shell at boot
 *      console=auto|serial|screen|both
 *      panic=shell|reboot|poweroff|exit
 *      zone_dma=SIZE                   the top of the DMA zone
 *      direct_map=SIZE|all             RAM in the direct map at boot
 *      mem=SIZE                        use only the first so many bytes of RAM
 *      mm.onbug=report|panic           what a wrong call of mm does
 *      mm.debug=off|on|FEATURE,...     find damaged and lost memory: owner, poison, redzone, quarantine, trace
 *      smp=N                           use N CPUs at most
 *      safe                            as little of the hardware as possible
 *
 * SIZE is decimal or 0x hexadecimal with an optional K, M, G or T in either case.  Of a repeated option the
 * last counts.
 */
#ifndef KERNEL_BOOT_OPTIONS_H
#define KERNEL_BOOT_OPTIONS_H

#include <kernel/boot/warnings.h>
#include <lib/types.h>

#define OPTIONS_AUTORUN_BYTES 1024

#define OPTIONS_DIRECT_MAP_ALL (~(u64)0)

enum console_choice { CONSOLE_AUTO, CONSOLE_SERIAL, CONSOLE_SCREEN, CONSOLE_BOTH };

enum panic_action { PANIC_SHELL, PANIC_REBOOT, PANIC_POWEROFF, PANIC_EXIT };

/* All zero is what holds without any option. */
struct options {
    char autorun[OPTIONS_AUTORUN_BYTES];
    enum console_choice console;
    enum panic_action panic_action;
    u64 zone_dma_bytes;   /* 0: the default */
    u64 direct_map_bytes; /* 0: the default; OPTIONS_DIRECT_MAP_ALL: all RAM */
    u64 mem_bytes;        /* 0: all RAM */
    u32 smp_cpus;         /* 0: all */
    bool onbug_panic;
    u32 mm_debug; /* MM_DEBUG_* of mm/debug.h */
    bool safe;
};

/*
 * Reads a command line into *options, defaults first.  An unknown option or a bad value gives a warning that
 * names the word, and changes nothing.
 *
 * Words are separated by blanks; a part between double quotes may contain blanks, whether the quotes surround
 * the value (autorun="a; b") or, as GRUB hands it over, the word ("autorun=a; b").  \" \' and \\ are the
 * character alone, since GRUB puts a backslash before each of them.
 *
 * Cost: linear in the line; about 1.2 KiB of stack.
 */
void options_parse(struct options *options, const char *command_line, const struct boot_warnings *warnings);

#endif
