/* SPDX-License-Identifier: MIT */
/* The banner and the command `about`. */
#include <kernel/shell/about.h>

#include <kernel/boot/boot_info.h>
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/features.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/shell/shell.h>
#include <kernel/time/time.h>
#include <mm/mm.h>

#define FEATURES_BYTES 160

/* Tiles: three rows of coloured blanks, which only the screen shows. */
static const char *const tiles[] = {
    "  \033[46m    \033[0m \033[44m  \033[0m \033[45m  \033[0m",
    "  \033[46m    \033[0m \033[43m     \033[0m",
    "  \033[42m  \033[0m \033[44m  \033[0m \033[43m    \033[0m",
};

static const char *loader(void)
{
    const struct boot_info *info = shell_boot_info();
    return info && info->loader[0] ? info->loader : "an unnamed loader";
}

static const char *cpu_name(void)
{
    const char *name = cpu_features.brand;
    while (*name == ' ')
        name++;
    return *name ? name : cpu_features.vendor;
}

void about_banner(void)
{
    struct mm_stat_t stat = mm_stat();
    out("\n%s    \033[1mTessera " TESSERA_VERSION "\033[0m, a kernel that is all memory management\n",
        tiles[0]);
    out("%s    %s of RAM, %s free\n", tiles[1], format_size(stat.total).s, format_size(stat.free).s);
    out("%s    help lists the commands, TAB completes them\n\n", tiles[2]);
}

bool about_run(struct call *call)
{
    char features[FEATURES_BYTES];
    const struct boot_info *info = shell_boot_info();
    struct mm_stat_t stat = mm_stat();
    (void)call;
    cpu_features_text(features, sizeof features);
    out("Tessera    " TESSERA_VERSION ", built by gcc " __VERSION__ "\n");
    out("CPU        %s (%s)\n", cpu_name(), cpu_features.vendor);
    out("uses       %s\n", features[0] ? features : "nothing optional");
    out("addresses  %u bits physical, %u bits virtual\n", cpu_features.phys_bits, cpu_features.virt_bits);
    out("RAM        %s, %s free\n", format_size(stat.total).s, format_size(stat.free).s);
    out("loader     %s%s\n", loader(), info && info->efi_system_table_phys ? ", UEFI" : "");
    out("options    %s\n", info && info->command_line[0] ? info->command_line : "none");
    out("up         %lu s\n", time_ms() / 1000);
    return true;
}
