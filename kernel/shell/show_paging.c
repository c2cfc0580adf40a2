/* SPDX-License-Identifier: MIT */
/* Looking at page tables: one walk (vtop) and all of a table (ptdump). */
#include <kernel/shell/call.h>
#include <kernel/shell/format.h>
#include <kernel/shell/names.h>
#include <kernel/shell/out.h>
#include <kernel/shell/regions.h>
#include <kernel/shell/show.h>
#include <kernel/shell/tables.h>
#include <lib/printf.h>
#include <mm/paging.h>

#define ENTRY_ADDRESS_MASK 0x000ffffffffff000UL /* bits 51..12 */
#define ENTRY_ACCESSED     (1UL << 5)
#define ENTRY_DIRTY        (1UL << 6)

static const char *const level_names[] = {"?", "PT", "PD", "PDPT", "PML4"};

struct bit_name {
    u64 bit;
    const char *name;
};

/* Names of the bits of an entry, as Intel SDM volume 3, "4-Level Paging", has them. */
static const struct bit_name bit_names[] = {
    {PAGE_PRESENT, "P"}, {PAGE_R_W, "RW"},      {PAGE_U_S, "US"},   {PAGE_PWT, "PWT"},
    {PAGE_PCD, "PCD"},   {ENTRY_ACCESSED, "A"}, {ENTRY_DIRTY, "D"}, {PAGE_PS, "PS"},
    {PAGE_GLOBAL, "G"},  {PAGE_XD, "XD"},       {0, NULL},
};

/* Bit 7 is PS above the lowest level and PAT in it. */
static const char *bit_text(const struct bit_name *name, unsigned level)
{
    return name->bit == PAGE_PS && level == 1 ? "PAT" : name->name;
}

static void show_step(const struct paging_step *step)
{
    char names[64];
    size_t length = 0;
    names[0] = 0;
    for (const struct bit_name *name = bit_names; name->name && length < sizeof names; name++) {
        if (step->entry & name->bit)
            length +=
                (size_t)ksnprintf(names + length, sizeof names - length, " %s", bit_text(name, step->level));
    }
    out("%-4s 0x%lx [%3u] = 0x%016lx%s\n", level_names[step->level <= 4 ? step->level : 0], step->table.addr,
        step->index, step->entry, step->entry ? names : " empty");
}

bool show_walk(phys_t top, u64 at)
{
    struct paging_path path;
    paging_walk(top, virt(at), &path);
    if (!region_is_canonical(at))
        out("0x%lx is not canonical: its bits 48 to 63 are not all as bit 47 is, so no table is asked\n", at);
    for (unsigned i = 0; i < path.n_steps && i < 4; i++)
        show_step(&path.step[i]);
    if (path.bad_table)
        out("the walk stops: 0x%lx is no page table\n",
            path.step[path.n_steps - 1].entry & ENTRY_ADDRESS_MASK);
    if (path.mapped)
        out("0x%lx -> 0x%lx %s %s\n", at, path.phys.addr, names_leaf(path.leaf_bytes),
            names_mapping(path.flags).s);
    else
        out("0x%lx not mapped\n", at);
    return path.mapped;
}

bool show_vtop(struct call *call)
{
    u64 at;
    phys_t top = tables_current();
    if (!call_number(call, 0, &at) || (call->n > 1 && !tables_argument(call, 1, &top)))
        return false;
    show_walk(top, at);
    return true;
}

static void show_run(const struct paging_run *run, u64 n_times)
{
    out("  0x%016lx + %9s -> 0x%-13lx %s %s", run->start.addr, format_size(run->bytes).s, run->phys.addr,
        names_leaf(run->leaf_bytes), names_mapping(run->flags).s);
    if (n_times > 1)
        out(", the same frame %lu times", n_times);
    out("\n");
}

/* `next` is one leaf, right behind a run that consists of the same leaf. */
static bool leaf_again(const struct paging_run *run, const struct paging_run *next)
{
    return next->start.addr == run->start.addr + run->bytes && next->phys.addr == run->phys.addr &&
           next->bytes == next->leaf_bytes && next->leaf_bytes == run->leaf_bytes &&
           next->flags == run->flags;
}

/* The next run, or one leaf as often as it follows itself: where no RAM is, the page array has thousands. */
static bool next_line(phys_t top, u64 start, u64 end, struct paging_run *run, u64 *n_times)
{
    struct paging_run next;
    if (!paging_next_run(top, virt(start), virt(end), run))
        return false;
    *n_times = 1;
    if (run->bytes != run->leaf_bytes)
        return true;
    while (run->start.addr + run->bytes && !out_interrupted() &&
           paging_next_run(top, virt(run->start.addr + run->bytes), virt(end), &next) &&
           leaf_again(run, &next)) {
        run->bytes += next.bytes;
        ++*n_times;
    }
    return true;
}

/* All runs of [start, end); end 0 is the top of the address space. */
static void dump(phys_t top, u64 start, u64 end)
{
    struct paging_run run;
    const struct region *region = NULL;
    u64 n_runs = 0, n_times;
    while (!out_interrupted() && next_line(top, start, end, &run, &n_times)) {
        const struct region *here = region_find(run.start.addr);
        if (here != region)
            out_styled(OUT_TITLE, "%s", here->name);
        region = here;
        show_run(&run, n_times);
        n_runs++;
        start = run.start.addr + run.bytes;
        if (!start)
            break;
    }
    if (!n_runs)
        out("nothing is mapped there\n");
}

bool show_ptdump(struct call *call)
{
    u64 start = 0, end = 0;
    phys_t top = tables_current();
    if ((call->n > 0 && !call_number(call, 0, &start)) || (call->n > 1 && !call_number(call, 1, &end)))
        return false;
    if (call->n > 1 && end <= start)
        return out_error("0x%lx is not above 0x%lx", end, start);
    if (call_has(call, "-t")) {
        struct call table = *call;
        const char *word = call_option(call, "-t");
        table.argument = &word;
        if (!tables_argument(&table, 0, &top))
            return false;
    }
    dump(top, start & PAGE_4K_MASK, end);
    return true;
}
