/* SPDX-License-Identifier: MIT */
/* A machine for a test: see machine.h. */
#include <machine.h>

#include <lib/bits.h>
#include <mm/cpu.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ENTRIES 4096

static struct memory_map_entry entries[N_ENTRIES];
static unsigned n_entries;
static struct mm_boot boot;

/* Adds [start, end) to the firmware's map, and to the machine's memory. */
static void add_ram(u64 start, u64 end)
{
    if (start >= end)
        return;
    if (n_entries == N_ENTRIES) {
        fprintf(stderr, "machine: too many ranges\n");
        abort();
    }
    entries[n_entries++] = (struct memory_map_entry){start, end - start, MEMORY_USABLE};
    start = align_down(start, FRAME_BYTES);
    if (start < MM_RAM_LIMIT)
        host_memory_add(start, min_u64(align_up(end, FRAME_BYTES), MM_RAM_LIMIT) - start);
}

static struct mm_features features_of(const struct machine_options *options)
{
    bool modern = !options->old_cpu;

    return (struct mm_features){
        .no_execute = modern,
        .gigabyte_pages = modern && !options->no_gigabyte_pages,
        .global_pages = modern,
        .pat = modern,
        .phys_bits = options->phys_bits != 0 ? options->phys_bits
                     : modern                ? 46
                                             : 36,
    };
}

static void add_segment(u64 at, u64 bytes, ul flags, const char *name)
{
    boot.segments[boot.n_segments++] = (struct mm_segment){MM_IMAGE_START + at, at, bytes, flags, name};
}

static void add_reserved(u64 start, u64 end, const char *name)
{
    boot.reserved[boot.n_reserved++] = (struct mm_reserved){start, end, name};
}

struct mm_boot *machine_build(const struct machine_ram *ram, unsigned n_ram,
                              const struct machine_options *options)
{
    static const struct machine_options defaults;

    if (options == NULL)
        options = &defaults;
    host_memory_start();
    host_reports_forget();
    n_entries = 0;
    for (unsigned i = 0; i < n_ram; i++) {
        add_ram(ram[i].start, min_u64(ram[i].start + ram[i].bytes, max_u64(ram[i].start, KIB(640))));
        add_ram(max_u64(ram[i].start, MIB(1)), ram[i].start + ram[i].bytes);
    }
    memset(&boot, 0, sizeof(boot));
    boot.map =
        (struct memory_map){.entries = entries, .n_entries = n_entries, .stride_bytes = sizeof(entries[0])};
    boot.mem_bytes = options->mem_bytes;
    boot.dma_bytes = options->dma_bytes;
    boot.direct_map_bytes = options->direct_map_bytes;
    boot.features = features_of(options);
    boot.debug.features = options->debug;
    boot.early_limit = GIB(4);
    add_segment(MACHINE_TEXT_PHYS, MACHINE_TEXT_BYTES, 0, "text");
    add_segment(MACHINE_RODATA_PHYS, MACHINE_RODATA_BYTES, PAGE_XD, "rodata");
    add_segment(MACHINE_DATA_PHYS, MACHINE_DATA_BYTES, PAGE_R_W | PAGE_XD, "data");
    add_reserved(0, MIB(1), "low memory");
    add_reserved(MACHINE_TEXT_PHYS, MACHINE_IMAGE_END, "the kernel image");
    for (u32 i = 0; i < options->n_reserved; i++)
        boot.reserved[boot.n_reserved++] = options->reserved[i];
    host_mmu_start(&boot.features);
    host_cpu_select(MM_CONTEXT_CODE);
    return &boot;
}

const char *machine_start(const struct machine_ram *ram, unsigned n_ram,
                          const struct machine_options *options)
{
    return mm_start(machine_build(ram, n_ram, options));
}

const char *machine_start_bytes(u64 bytes, const struct machine_options *options)
{
    u64 low_bytes = min_u64(bytes, GIB(3));
    struct machine_ram ram[2] = {{0, low_bytes}, {GIB(4), bytes - low_bytes}};

    return machine_start(ram, bytes > low_bytes ? 2 : 1, options);
}

const struct mm_boot *machine_boot(void)
{
    return &boot;
}

void machine_stop(void)
{
    host_memory_stop();
}
