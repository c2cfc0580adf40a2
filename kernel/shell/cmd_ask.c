/* SPDX-License-Identifier: MIT */
/* whatis: what an address is, in every reading that makes sense. */
#include <kernel/debug/symbols.h>
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/names.h>
#include <kernel/shell/out.h>
#include <kernel/shell/regions.h>
#include <kernel/shell/show.h>
#include <kernel/shell/tables.h>
#include <mm/memory_map.h>
#include <mm/mm.h>
#include <mm/paging.h>

static void show_symbol(u64 at)
{
    const char *name;
    u64 offset;
    if (at >= MM_IMAGE_START && symbol_find(at, &name, &offset))
        out("  %-10s %s + 0x%lx\n", "symbol", name, offset);
}

/* The virtual reading.  False when nothing is mapped there. */
static bool show_virtual(u64 at)
{
    struct paging_path path;
    out_styled(OUT_TITLE, "0x%lx as a virtual address", at);
    out("  %-10s %s\n", "region", region_find(at)->name);
    if (!region_is_canonical(at)) {
        out("  %-10s no address: its bits 48 to 63 are not all as bit 47 is\n", "what");
        return false;
    }
    show_symbol(at);
    paging_walk(tables_current(), virt(at), &path);
    if (!path.mapped) {
        out("  %-10s nothing, in the current table\n", "mapped to");
        return false;
    }
    out("  %-10s 0x%lx %s %s\n", "mapped to", path.phys.addr, names_leaf(path.leaf_bytes),
        names_mapping(path.flags).s);
    show_physical(path.phys.addr);
    return true;
}

static bool is_user_mapped(u64 at)
{
    struct paging_path path;
    paging_walk(tables_current(), virt(at), &path);
    return path.mapped;
}

static bool run_whatis(struct call *call)
{
    u64 at;
    if (!call_number(call, 0, &at))
        return false;
    if (at >= MEMORY_MAP_END) {
        show_virtual(at);
        return true;
    }
    if (at < MM_USER_END && is_user_mapped(at))
        show_virtual(at);
    out_styled(OUT_TITLE, "0x%lx as a physical address", at);
    show_physical(at);
    return true;
}

const struct command commands_ask[] = {
    {.name = "whatis",
     .usage = "whatis ADDR",
     .summary = "what an address is: frame, object, table, symbol, module, firmware",
     .example = "kmalloc 100\nwhatis $$\nwhatis 0xfee00000\nwhatis kernel_main",
     .trouble =
         "nothing; a low number is taken for a physical address, and for a virtual one if that is mapped",
     .run = run_whatis,
     .n_min = 1,
     .n_max = 1,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_ADDRESS}},
    {.name = NULL},
};
