/* SPDX-License-Identifier: MIT */
/* Mapping: the calls of mm.h on the current table and on others. */
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/mapping.h>
#include <kernel/shell/names.h>
#include <kernel/shell/out.h>
#include <kernel/shell/results.h>
#include <kernel/shell/show.h>
#include <kernel/shell/suggest.h>
#include <kernel/shell/tables.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/paging.h>

#define REASON_BYTES 160

/* ---- map and unmap, in any table ---- */

static bool unknown_map_flag(const char *word)
{
    struct suggestion nearest;
    suggest_start(&nearest, word);
    for (const struct choice *choice = names_map_flags; choice->word; choice++)
        suggest_try(&nearest, choice->word);
    if (nearest.best && nearest.distance < strlen(nearest.best))
        return out_error("unknown flag '%s'; did you mean '%s'?", word, nearest.best);
    return out_error("unknown flag '%s'; flags are ro nx user uc wt wc 4k", word);
}

/* VIRT PHYS LEN [FLAG...] from argument `i` on. */
static bool map_arguments(const struct call *call, unsigned i, struct mapping_request *request)
{
    if (!call_number(call, i, &request->virt) || !call_number(call, i + 1, &request->phys) ||
        !call_number(call, i + 2, &request->length))
        return false;
    request->flags = MAP_FLAGS_DEFAULT;
    for (i += 3; i < call->n; i++) {
        if (!names_map_flag(call->argument[i], &request->flags))
            return unknown_map_flag(call->argument[i]);
    }
    return true;
}

static bool report_map(const struct mapping_request *request, int result)
{
    char why[REASON_BYTES];
    if (!result)
        return out_ok();
    mapping_why_not(request, why, sizeof why);
    return out_error("EFAULT %s", why);
}

static bool report_unmap(u64 start, u64 length, int result)
{
    char why[REASON_BYTES];
    if (!result)
        return out_ok();
    mapping_why_not_unmapped(start, length, why, sizeof why);
    return out_error("EFAULT %s", why);
}

static bool run_map(struct call *call)
{
    struct mapping_request r = {.top = tables_current()};
    if (!map_arguments(call, 0, &r))
        return false;
    ul flags = r.flags.flags | (r.flags.user ? PAGE_U_S : 0);
    return report_map(&r, mm_map_phys_addr(r.virt, r.phys, r.length, flags, r.flags.use4k));
}

static bool run_unmap(struct call *call)
{
    u64 start, length;
    if (!call_number(call, 0, &start) || !call_number(call, 1, &length))
        return false;
    return report_unmap(start, length, mm_unmap_range(tables_current().addr, true, start, length));
}

/* ---- pt: other address spaces ---- */

static bool pt_new(struct call *call)
{
    (void)call;
    void *table = tables_new();
    if (!table)
        return false;
    results_add((u64)table, RESULT_TABLE, 0);
    out("0x%lx\n", (u64)table);
    return true;
}

static bool pt_free(struct call *call)
{
    phys_t top;
    if (!tables_argument(call, 1, &top))
        return false;
    u64 table = top.addr + PAGE_OFFSET;
    for (unsigned number = 1; number <= TABLES_MAX; number++) {
        if (tables_get(number) == table)
            return tables_free(table) && out_ok();
    }
    return out_error("'%s' is no table of pt new; pt list shows them", call->argument[1]);
}

static bool pt_map(struct call *call)
{
    struct mapping_request r;
    if (!tables_argument(call, 1, &r.top) || !map_arguments(call, 2, &r))
        return false;
    return report_map(&r, mm_map_proc_page_table(r.top.addr, true, r.virt, r.phys, r.length, r.flags.flags,
                                                 r.flags.user, true, r.flags.use4k));
}

static bool pt_unmap(struct call *call)
{
    phys_t top;
    u64 start, length;
    if (!tables_argument(call, 1, &top) || !call_number(call, 2, &start) || !call_number(call, 3, &length))
        return false;
    return report_unmap(start, length, mm_unmap_range(top.addr, true, start, length));
}

/* Bytes mapped in the lower half. */
static u64 user_bytes(phys_t top)
{
    struct paging_run run;
    u64 bytes = 0;
    for (u64 from = 0; paging_next_run(top, virt(from), virt(MM_USER_END), &run);
         from = run.start.addr + run.bytes)
        bytes += run.bytes;
    return bytes;
}

static bool pt_list(struct call *call)
{
    unsigned n = 0;
    (void)call;
    for (unsigned number = 1; number <= TABLES_MAX; number++) {
        u64 table = tables_get(number);
        if (!table)
            continue;
        out("%2u  0x%lx  physical 0x%lx  %lu bytes mapped in the user half\n", number, table,
            virt_2_phys(table), user_bytes(phys(virt_2_phys(table))));
        n++;
    }
    if (!n)
        out("no address spaces; pt new makes one\n");
    return true;
}

struct pt_command {
    const char *name, *usage;
    bool (*run)(struct call *call);
    unsigned n_min, n_max; /* arguments with the sub-command itself */
};

static const struct pt_command pt_commands[] = {
    {"new", "pt new", pt_new, 1, 1},
    {"free", "pt free T", pt_free, 2, 2},
    {"map", "pt map T VIRT PHYS LEN [FLAG...]", pt_map, 5, COMMAND_ANY_NUMBER},
    {"unmap", "pt unmap T VIRT LEN", pt_unmap, 4, 4},
    {"list", "pt list", pt_list, 1, 1},
};

static bool run_pt(struct call *call)
{
    struct suggestion nearest;
    suggest_start(&nearest, call->argument[0]);
    for (unsigned i = 0; i < sizeof pt_commands / sizeof pt_commands[0]; i++) {
        const struct pt_command *command = &pt_commands[i];
        suggest_try(&nearest, command->name);
        if (strcmp(command->name, call->argument[0]))
            continue;
        if (call->n < command->n_min || call->n > command->n_max)
            return out_error("pt %s: wrong number of arguments; usage: %s", command->name, command->usage);
        return command->run(call);
    }
    if (nearest.best)
        return out_error("unknown sub-command 'pt %s'; did you mean 'pt %s'?", call->argument[0],
                         nearest.best);
    return out_error("unknown sub-command 'pt %s'; there are new free map unmap list", call->argument[0]);
}

/* ---- the table ---- */

static const struct choice pt_choices[] = {
    {"new", "make an address space; prints its top-level table"},
    {"free", "unmap all that is in it and free it"},
    {"map", "map in it, as map does"},
    {"unmap", "unmap in it, as unmap does"},
    {"list", "all of them with their numbers"},
    {NULL, NULL},
};

static const struct command_option dump_options[] = {
    {"-t", "T", "another table: a number of pt list, an address, or kernel"},
    {NULL, NULL, NULL},
};

const struct command commands_paging[] = {
    {.name = "map",
     .usage = "map VIRT PHYS LEN [ro] [nx] [user] [uc|wt|wc] [4k]",
     .summary = "map physical memory in the current table",
     .example = "map 0xffffa00000000000 0xfee00000 4K nx uc\nvtop 0xffffa00000000000",
     .trouble =
         "EFAULT, and nothing changed: something else is mapped there, a bad range, uncached RAM, no memory",
     .run = run_map,
     .n_min = 3,
     .n_max = COMMAND_ANY_NUMBER,
     .kinds = {ARGUMENT_ADDRESS, ARGUMENT_ADDRESS, ARGUMENT_NONE, ARGUMENT_MAP_FLAG}},
    {.name = "unmap",
     .usage = "unmap VIRT LEN",
     .summary = "remove exactly this range; large pages are split, holes are skipped",
     .example = "unmap 0xffffa00000000000 4K",
     .trouble = "ranges of the kernel's own are refused and reported",
     .run = run_unmap,
     .n_min = 2,
     .n_max = 2,
     .kinds = {ARGUMENT_ADDRESS, ARGUMENT_NONE}},
    {.name = "pt",
     .usage = "pt new | free T | map T VIRT PHYS LEN [FLAG...] | unmap T VIRT LEN | list",
     .summary = "other address spaces: make, change, list, free",
     .example = "pt new\npt map $$ 0x400000 0x200000 2M user\nvtop 0x400000 $$\npt free $$",
     .trouble =
         "as map and unmap; T is a number of pt list or the table's address; a table in use is not freed",
     .run = run_pt,
     .choices = pt_choices,
     .n_min = 1,
     .n_max = COMMAND_ANY_NUMBER,
     .kinds = {ARGUMENT_CHOICE, ARGUMENT_TABLE, ARGUMENT_ADDRESS, ARGUMENT_ADDRESS, ARGUMENT_NONE,
               ARGUMENT_MAP_FLAG}},
    {.name = "vtop",
     .usage = "vtop VIRT [T]",
     .summary = "walk the page tables to an address, entry by entry",
     .example = "vtop 0xffff800000000000",
     .trouble = "an address that nothing maps is said not to be",
     .run = show_vtop,
     .n_min = 1,
     .n_max = 2,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_ADDRESS, ARGUMENT_TABLE}},
    {.name = "ptdump",
     .usage = "ptdump [START [END]] [-t T]",
     .summary = "all that is mapped, equal neighbours merged",
     .example = "ptdump 0xffffa00000000000",
     .trouble = "long; Ctrl-C stops it",
     .run = show_ptdump,
     .options = dump_options,
     .n_max = 2,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_ADDRESS}},
    {.name = NULL},
};
