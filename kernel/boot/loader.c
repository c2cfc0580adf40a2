/* SPDX-License-Identifier: MIT */
#include <kernel/boot/loader.h>
#include <kernel/boot/multiboot2.h>
#include <kernel/boot/pvh.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <lib/bits.h>
#include <mm/layout.h>

#define EARLY_MAPPED_END (4UL << 30) /* what boot's tables show at PAGE_OFFSET */
#define MAX_INFORMATION_BYTES (1UL << 20)

extern const char boot_start[], image_end[];

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

/* A screen that is said to lie where the kernel does would be painted over it. */
static void refuse_screen_in_image(struct boot_framebuffer *screen)
{
    u64 end = screen->phys + (u64)screen->pitch_bytes * screen->height;

    if (screen->kind == BOOT_SCREEN_NONE || end <= (u64)boot_start || screen->phys >= (u64)image_end - MM_IMAGE_START)
        return;
    klog("warning: the screen at 0x%lx lies in the kernel: not used", screen->phys);
    screen->kind = BOOT_SCREEN_NONE;
}

bool loader_read(u32 magic, u64 info_phys, struct boot_info *info, struct options *options)
{
    static const struct boot_reader reader = {early_at, NULL};
    u64 n_bytes = min_u64(MAX_INFORMATION_BYTES, EARLY_MAPPED_END - info_phys); /* info_phys has 32 bits */
    u64 begin = tsc_read();
    bool has_map;

    if (magic == PVH_MAGIC)
        has_map = pvh_parse(&reader, info_phys, info, &to_log);
    else
        has_map = multiboot2_parse(early_at(NULL, info_phys, n_bytes), n_bytes, info_phys, info, &to_log);
    info->read_since = begin; /* the parsers clear what they fill in */
    refuse_screen_in_image(&info->framebuffer);
    options_parse(options, info->command_line, &to_log);
    return has_map;
}
