/* SPDX-License-Identifier: MIT */
/*
 * Starting mm: the loader's information becomes a struct mm_boot.
 *
 * Reserved before any frame is free: all below 1 MiB (firmware and SMM scribble there, and other CPUs start there), the
 * image, the start-up code below it, what the loader left (its structure, its map, modules, symbol sections) and the
 * framebuffer, should it lie in RAM.  Start-up code and the loader's structure are given back once mm runs: by then both
 * have been read.
 */
#include <kernel/boot/boot_info.h>
#include <kernel/boot/options.h>
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/debug/symbols.h>
#include <kernel/mm/memory.h>
#include <kernel/sanitize/sanitize.h>
#include <mm/boot.h>
#include <mm/cpu.h>
#include <mm/inspect.h>

#define LOW_MEMORY_END 0x100000UL
#define N_WARNINGS 16 /* about single entries of the map */
#define EARLY_MAPPED_END (4UL << 30) /* what boot's tables show at PAGE_OFFSET */

extern const char boot_start[], boot_end[], image_start[], image_end[];
extern const char image_text_start[], image_text_end[], image_rodata_start[], image_rodata_end[];
extern const char image_data_start[], image_data_end[];

static struct mm_boot mm_boot;

static u64 image_phys(const char *symbol)
{
    return (u64)symbol - MM_IMAGE_START;
}

static void reserve(u64 start, u64 end, const char *name)
{
    if (start >= end)
        return;
    if (mm_boot.n_reserved == MM_N_RESERVED) {
        klog("memory: no place to note that 0x%lx-0x%lx is %s; it will be overwritten", start, end, name);
        return;
    }
    mm_boot.reserved[mm_boot.n_reserved++] = (struct mm_reserved){start, end, name};
}

static void reserve_all(const struct boot_info *info)
{
    const struct boot_framebuffer *screen = &info->framebuffer;

    reserve(0, LOW_MEMORY_END, "low memory");
    reserve((u64)boot_start, (u64)boot_end, MEMORY_START_UP_CODE);
    reserve(image_phys(image_start), image_phys(image_end), "the kernel image");
    reserve(info->info_phys, info->info_phys + info->info_bytes, MEMORY_LOADER_INFORMATION);
    reserve(info->map_phys, info->map_phys + (u64)info->n_map_entries * info->map_stride_bytes,
            MEMORY_LOADER_INFORMATION);
    for (u32 i = 0; i < info->n_sections; i++)
        reserve(info->sections[i].start, info->sections[i].end, MEMORY_LOADER_INFORMATION);
    for (u32 i = 0; i < info->n_modules; i++)
        reserve(info->modules[i].start, info->modules[i].end, "a boot module");
    if (screen->kind != BOOT_SCREEN_NONE)
        reserve(screen->phys, screen->phys + (u64)screen->pitch_bytes * screen->height, "the framebuffer");
}

static void add_segment(const char *name, const char *start, const char *end, ul flags)
{
    mm_boot.segments[mm_boot.n_segments++] =
        (struct mm_segment){(u64)start, image_phys(start), (u64)(end - start), flags, name};
}

/*
 * Stops where the firmware's map does not let the kernel lie where the loader put it: what is there may be written by
 * others, or be no memory at all.
 */
static void require_room_for_image(const struct memory_map *map)
{
    u64 start = (u64)boot_start, end = image_phys(image_end);
    struct memory_range range = {0};

    if (memory_map_is_usable(map, start, end))
        return;
    while (memory_map_next(map, start, &range) && range.start <= start && range.type == MEMORY_USABLE)
        start = range.end;
    if (range.start <= start && start < range.end)
        panic("memory: no room for the kernel at 0x%lx-0x%lx: 0x%lx is %s (type %u) in the firmware's map",
              (u64)boot_start, end, start, memory_map_type_name(range.type), range.type);
    panic("memory: no room for the kernel at 0x%lx-0x%lx: 0x%lx is not in the firmware's map", (u64)boot_start, end,
          start);
}

static void describe_machine(const struct boot_info *info, const struct options *options)
{
    mm_boot.map = (struct memory_map){.entries = (const void *)(PAGE_OFFSET + info->map_phys),
                                      .n_entries = info->n_map_entries,
                                      .stride_bytes = info->map_stride_bytes};
    mm_boot.mem_bytes = options->mem_bytes;
    mm_boot.dma_bytes = options->zone_dma_bytes;
    mm_boot.direct_map_bytes = options->direct_map_bytes;
    mm_boot.features = (struct mm_features){cpu_features.no_execute, cpu_features.gigabyte_pages,
                                            cpu_features.global_pages, cpu_features.pat, cpu_features.phys_bits};
    mm_boot.debug = (struct mm_debug_boot){options->mm_debug, memory_where, symbol_text};
    mm_boot.early_limit = EARLY_MAPPED_END;
    reserve_all(info);
    add_segment("text", image_text_start, image_text_end, 0);
    add_segment("rodata", image_rodata_start, image_rodata_end, PAGE_XD);
    add_segment("data", image_data_start, image_data_end, PAGE_R_W | PAGE_XD);
    sanitize_describe(&mm_boot);
}

static void warn_about_entry(const struct memory_map *map, u64 i)
{
    struct memory_map_entry entry = memory_map_entry(map, i);

    klog("warning: memory map: entry %lu (0x%lx + 0x%lx, type %u): %s", i, entry.base, entry.length, entry.type,
         memory_map_defect_text(memory_map_defect(map, i)));
}

static void warn_about_map(const struct memory_map *map, u64 mem_bytes)
{
    struct memory_map whole = *map;
    u64 n_odd = 0;

    for (u64 i = 0; i < map->n_entries; i++)
        if (memory_map_defect(map, i) != MEMORY_MAP_SOUND && n_odd++ < N_WARNINGS)
            warn_about_entry(map, i);
    if (n_odd > N_WARNINGS)
        klog("warning: memory map: %lu entries more of that kind; memmap shows all", n_odd - N_WARNINGS);
    memory_map_limit(&whole, mem_bytes);
    if (memory_map_usable_end(&whole) > map->usable_limit)
        klog("warning: memory map: RAM from %lu GiB on is ignored: out of reach", map->usable_limit >> 30);
}

static void log_zones(u64 instructions)
{
    struct mm_stat_t s = mm_stat();

    klog("memory: %lu KiB of RAM, %lu KiB free; set up in %lu TSC ticks", s.total >> 10, s.free >> 10, instructions);
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        struct mm_zone_info zone;

        mm_zone_info(i, &zone);
        klog("memory: zone %-8s 0x%09lx-0x%09lx  %8lu KiB, %8lu KiB free", zone.name, zone.start, zone.end,
             zone.managed_bytes >> 10, zone.free_bytes >> 10);
    }
}

void memory_start(const struct boot_info *info, const struct options *options)
{
    const char *wrong;
    u64 end;

    memory_panic_on_misuse(options->onbug_panic);
    describe_machine(info, options);
    if (info->map_phys + (u64)info->n_map_entries * info->map_stride_bytes > EARLY_MAPPED_END)
        panic("memory: the loader's map lies above 4 GiB, out of reach");
    require_room_for_image(&mm_boot.map);
    cpu_set_mm_contexts(mm_boot_cpu(MM_CONTEXT_CODE), mm_boot_cpu(MM_CONTEXT_INTERRUPT));
    wrong = mm_start(&mm_boot);
    if (wrong != NULL)
        panic("memory: %s", wrong);
    if (kfree(kmalloc(1, 0)) != 0)
        panic("memory: the first object could not be freed");
    end = tsc_read();
    mm_give_back(MEMORY_START_UP_CODE);
    mm_give_back(MEMORY_LOADER_INFORMATION);
    warn_about_map(mm_firmware_map(), options->mem_bytes);
    log_zones(end - info->read_since);
}
