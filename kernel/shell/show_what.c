/* SPDX-License-Identifier: MIT */
/* Everything known about one physical byte, one fact a line: what `page`, `whatis` and the fault report show.
 */
#include <kernel/boot/boot_info.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/shell/shell.h>
#include <kernel/shell/show.h>
#include <lib/printf.h>
#include <mm/inspect.h>
#include <mm/memory_map.h>

#define TEXT_BYTES 96

struct name_of_bit {
    ul bit;
    const char *name;
};

static const struct name_of_bit attribute_names[] = {
    {PAGE_PGT_MAPPED, "mapped"}, {PAGE_KERNEL_INIT, "kernel-init"}, {PAGE_DEVICE, "device"},
    {PAGE_KERNEL, "kernel"},     {PAGE_SHARED, "shared"},           {0, NULL},
};

static const char *const table_names[] = {"no table", "PT (level 1)", "PD (level 2)", "PDPT (level 3)",
                                          "PML4 (level 4)"};

static void line(const char *title, const char *text)
{
    out("  %-10s %s\n", title, text);
}

/* "mapped shared" of attr; the rest of the bits as a number. */
static void attributes_text(ul attr, char *text, size_t size)
{
    size_t length = (size_t)ksnprintf(text, size, "%#lx", attr);
    for (const struct name_of_bit *entry = attribute_names; entry->name && length < size; entry++) {
        if (attr & entry->bit)
            length += (size_t)ksnprintf(text + length, size - length, " %s", entry->name);
    }
}

static void show_page_of_caller(const struct mm_what *what)
{
    char text[TEXT_BYTES];
    attributes_text(what->attr, text, sizeof text);
    line("attributes", text);
    line("references", format_bytes(what->ref_counts, false).s);
}

static void show_block(const struct mm_what *what)
{
    char text[TEXT_BYTES];
    ksnprintf(text, sizeof text, "%s, %s",
              format_range(what->block_start, what->block_start + what->block_bytes).s,
              format_size(what->block_bytes).s);
    line("block", text);
}

/* What the kinds have besides their block. */
static void show_kind(const struct mm_what *what)
{
    char text[TEXT_BYTES];
    switch (what->kind) {
    case MM_FREE_FRAME:
        ksnprintf(text, sizeof text, "%u: a block of 2^%u frames", what->order, what->order);
        line("order", text);
        break;
    case MM_LIVE_OBJECT:
    case MM_FREE_OBJECT:
        ksnprintf(text, sizeof text, "kmalloc class of %lu bytes, byte %lu of the object", what->class_bytes,
                  what->phys - what->block_start);
        line("class", text);
        break;
    case MM_TABLE:
        ksnprintf(text, sizeof text, "%s, %u of 512 entries used",
                  table_names[what->level <= 4 ? what->level : 0], what->n_used);
        line("table", text);
        show_table(phys(what->block_start), what->level);
        break;
    case MM_RED_ZONE:
        ksnprintf(text, sizeof text, "%s the object of %lu bytes at 0x%lx",
                  what->phys < what->object_start ? "before" : "behind", what->object_bytes,
                  what->object_start + PAGE_OFFSET);
        line("place", text);
        break;
    case MM_PAGE:
        show_page_of_caller(what);
        break;
    default:
        break;
    }
}

static const char *kind_text(const struct mm_what *what)
{
    switch (what->kind) {
    case MM_NO_RAM:
        return "no RAM there";
    case MM_FREE_FRAME:
        return "a free frame";
    case MM_CACHED_FRAME:
        return "a free frame, kept in a CPU's stack";
    case MM_LIVE_OBJECT:
        return "a live object of kmalloc";
    case MM_FREE_OBJECT:
        return "a free object in a slab";
    case MM_PAGE:
        return "a page of alloc_pages";
    case MM_TABLE:
        return "a page table";
    case MM_METADATA:
        return "allocator metadata";
    case MM_RED_ZONE:
        return "the red zone of an object of kmalloc";
    case MM_RESERVED:
        return what->name ? what->name : "reserved at boot";
    case MM_HELD_FRAME:
        return "a frame in use by the kernel";
    case MM_NOT_CANONICAL:
        return "not an address: not canonical";
    case MM_NOT_DIRECT:
        return "not in the direct map";
    }
    return "unknown";
}

/* What the firmware says about the place. */
static void show_firmware(u64 at)
{
    char text[TEXT_BYTES];
    struct memory_range range;
    if (!memory_map_next(mm_firmware_map(), at, &range) || range.start > at) {
        line("firmware", "not in its map: devices, or nothing");
        return;
    }
    ksnprintf(text, sizeof text, "%s, at least up to 0x%lx", memory_map_type_name(range.type), range.end);
    line("firmware", text);
}

static void show_module(u64 at)
{
    const struct boot_info *info = shell_boot_info();
    for (unsigned i = 0; info && i < info->n_modules; i++) {
        if (at >= info->modules[i].start && at < info->modules[i].end)
            line("module", info->modules[i].name);
    }
}

void show_physical(u64 at)
{
    char text[TEXT_BYTES];
    struct mm_what what;
    mm_describe_phys(phys(at), &what);
    line("what", kind_text(&what));
    if (what.block_bytes)
        show_block(&what);
    show_kind(&what);
    show_owner_of(at, &what);
    if (what.kind == MM_RESERVED)
        show_module(at);
    if (what.zone < MM_N_ZONES) {
        struct mm_zone_info zone;
        mm_zone_info(what.zone, &zone);
        ksnprintf(text, sizeof text, "%s%s", zone.name, what.grown ? ", a page grown out of UNMAPPED" : "");
        line("zone", text);
    }
    if (mm_is_direct(phys(at)))
        line("mapped at", format_hex(at + PAGE_OFFSET).s);
    show_firmware(at);
}
