/* SPDX-License-Identifier: MIT */
#include <kernel/boot/loader.h>
#include <kernel/boot/multiboot2.h>
#include <kernel/boot/pvh.h>
#include <kernel/debug/log.h>
#include <mm/layout.h>

#define EARLY_MAPPED_END (4UL << 30) /* what boot's tables show at PAGE_OFFSET */
#define MAX_INFORMATION_BYTES (1UL << 20)

static void say(void *context, const char *line)
{
    (void)context;
    klog("warning: %s", line);
}

static const struct boot_warnings to_log = {say, NULL};

static const void *early_at(void *context, u64 phys, u64 n_bytes)
{
    (void)context;
    if (n_bytes > EARLY_MAPPED_END || phys > EARLY_MAPPED_END - n_bytes)
        return NULL;
    return (const void *)(PAGE_OFFSET + phys);
}

bool loader_read(u32 magic, u64 info_phys, struct boot_info *info, struct options *options)
{
    static const struct boot_reader reader = {early_at, NULL};
    bool has_map;

    if (magic == PVH_MAGIC)
        has_map = pvh_parse(&reader, info_phys, info, &to_log);
    else
        has_map = multiboot2_parse(early_at(NULL, info_phys, MAX_INFORMATION_BYTES), MAX_INFORMATION_BYTES, info_phys,
                                   info, &to_log);
    options_parse(options, info->command_line, &to_log);
    return has_map;
}
