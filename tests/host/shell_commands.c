/* SPDX-License-Identifier: MIT */
/* A small set of commands, for what looks at the tables of commands: completion, suggestions. */
#include <kernel/selftest/selftest.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/tables.h>

static const struct command_option stat_options[] = {
    {"-h", NULL, "human"},
    {"-j", NULL, "JSON"},
    {"-w", "SECS", "again"},
    {NULL, NULL, NULL},
};

static const struct choice pt_choices[] = {{"new", "make one"}, {"map", "map in it"}, {NULL, NULL}};

const struct command commands_look[] = {
    {.name = "mm_stat", .alias = "free", .summary = "numbers", .options = stat_options, .n_max = 0},
    {.name = "memmap", .summary = "the map"},
    {.name = NULL},
};
const struct command commands_frames[] = {
    {.name = "alloc_pages",
     .n_min = 2,
     .n_max = COMMAND_ANY_NUMBER,
     .kinds = {ARGUMENT_ZONE, ARGUMENT_NONE, ARGUMENT_PAGE_FLAG}},
    {.name = NULL},
};
const struct command commands_slab[] = {
    {.name = "kfree", .n_min = 1, .n_max = 1, .kinds = {ARGUMENT_ADDRESS}},
    {.name = NULL},
};
const struct command commands_paging[] = {
    {.name = "pt",
     .choices = pt_choices,
     .n_min = 1,
     .n_max = COMMAND_ANY_NUMBER,
     .kinds = {ARGUMENT_CHOICE, ARGUMENT_TABLE, ARGUMENT_NONE, ARGUMENT_MAP_FLAG}},
    {.name = NULL},
};
const struct command commands_memory[] = {{.name = NULL}};
const struct command commands_ask[] = {{.name = NULL}};
const struct command commands_debug[] = {{.name = NULL}};
const struct command commands_break[] = {{.name = NULL}};
const struct command commands_bench[] = {{.name = NULL}};
const struct command commands_cpus[] = {{.name = NULL}};
const struct command commands_stress[] = {{.name = NULL}};
const struct command commands_work[] = {
    {.name = "selftest", .n_max = 1, .kinds = {ARGUMENT_SUITE}},
    {.name = NULL},
};
const struct command commands_shell[] = {
    {.name = "repeat",
     .n_min = 2,
     .n_max = COMMAND_ANY_NUMBER,
     .flags = COMMAND_REST,
     .kinds = {ARGUMENT_NONE, ARGUMENT_COMMAND}},
    {.name = NULL},
};

u64 tables_get(unsigned number)
{
    return number == 3 ? 0x1000 : 0;
}

const char *selftest_name(unsigned i)
{
    return i == 0 ? "slab" : NULL;
}

const char *selftest_summary(unsigned i)
{
    return i == 0 ? "objects" : NULL;
}
