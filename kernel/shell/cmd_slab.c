/* SPDX-License-Identifier: MIT */
/* Objects: kmalloc, kzalloc and kfree as they are, and giving cached memory back. */
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/shell/results.h>
#include <kernel/shell/tables.h>
#include <mm/mm.h>

#define MAX_OBJECT_BYTES (1UL << 20) /* the largest kmalloc class, 1 MiB */

static bool report_object(const struct call *call, const void *object, u64 size)
{
    if (!object && size > MAX_OBJECT_BYTES)
        return out_error("%s(%lu): objects are at most 1 MiB", call->command->name, size);
    if (!object)
        return out_error("%s(%lu): no memory", call->command->name, size);
    results_add((u64)object, RESULT_OBJECT, 0);
    out("0x%lx\n", (u64)object);
    return true;
}

static bool run_kmalloc(struct call *call)
{
    u64 size;
    return call_number(call, 0, &size) && report_object(call, kmalloc(size, 0), size);
}

static bool run_kzalloc(struct call *call)
{
    u64 size;
    return call_number(call, 0, &size) && report_object(call, kzalloc(size, 0), size);
}

/* An address to free on another CPU, then what kfree said. */
static void free_there(void *address_and_result)
{
    u64 *word = address_and_result;
    *word = kfree((void *)*word);
}

static bool run_kfree(struct call *call)
{
    u64 address, number, result;
    if (!call_number(call, 0, &address))
        return false;
    result = address;
    if (!call_has(call, "-c"))
        result = kfree((void *)address);
    else if (!call_option_number(call, "-c", &number) || !call_on_cpu(number, free_there, &result))
        return false;
    if (result)
        return out_error("kfree(0x%lx) was refused (result %ld)", address, (long)result);
    results_forget(address, RESULT_OBJECT);
    tables_forget(address);
    return out_ok();
}

static bool run_shrink(struct call *call)
{
    (void)call;
    ul bytes = mm_shrink();
    out("%lu bytes became free\n", bytes);
    return out_ok();
}

static const struct command_option kfree_options[] = {
    {"-c", "CPU", "on another CPU (1 ..) instead of this one"},
    {NULL, NULL, NULL},
};

const struct command commands_slab[] = {
    {.name = "kmalloc",
     .usage = "kmalloc SIZE",
     .summary = "take an object of at least SIZE bytes; prints its address",
     .example = "kmalloc 4K\npeek $$ 64\nkfree $$",
     .trouble = "more than 1 MiB, or no memory: an error, and nothing is taken",
     .run = run_kmalloc,
     .n_min = 1,
     .n_max = 1,
     .kinds = {ARGUMENT_SIZE}},
    {.name = "kzalloc",
     .usage = "kzalloc SIZE",
     .summary = "the same, cleared",
     .example = "kzalloc 2048",
     .trouble = "as kmalloc",
     .run = run_kzalloc,
     .n_min = 1,
     .n_max = 1,
     .kinds = {ARGUMENT_SIZE}},
    {.name = "kfree",
     .usage = "kfree ADDR [-c CPU]",
     .summary = "give an object back",
     .example = "kmalloc 100\nkfree $$\nkmalloc 100\nkfree $$ -c 1",
     .trouble =
         "anything but the start of a live object is reported and has no effect; 0 is no object and fine",
     .run = run_kfree,
     .n_min = 1,
     .n_max = 1,
     .options = kfree_options,
     .kinds = {ARGUMENT_ADDRESS}},
    {.name = "shrink",
     .usage = "shrink",
     .summary = "give cached memory back",
     .example = "shrink",
     .trouble = "nothing; what goes back: magazines, stacks of frames, empty slabs, grown pages",
     .run = run_shrink},
    {.name = NULL},
};
