/* SPDX-License-Identifier: MIT */
/* Stress: all of mm at once, on all CPUs. */
#include <kernel/cpu/registers.h>
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/out.h>
#include <kernel/stress/stress.h>
#include <lib/string.h>
#include <mm/fail.h>

static const struct {
    const char *name;
    u32 parts;
} parts[] = {
    {"objects", STRESS_OBJECTS},   {"blocks", STRESS_BLOCKS}, {"pages", STRESS_PAGES},
    {"mappings", STRESS_MAPPINGS}, {"shrink", STRESS_SHRINK}, {"shoot", STRESS_SHOOT},
    {"shortage", STRESS_SHORTAGE}, {"wrong", STRESS_WRONG},   {"duels", STRESS_DUELS},
    {"crowd", STRESS_CROWD},       {"faults", STRESS_FAULTS},     {"spoil", STRESS_SPOIL},
};

/* The parts named in a list "a,b,c"; 0 after an error line. */
static u32 parse_parts(const char *list)
{
    u32 found = 0;

    while (*list != 0) {
        const char *end = strchr(list, ',');
        size_t n = end != NULL ? (size_t)(end - list) : strlen(list), i = 0;

        while (i < sizeof parts / sizeof parts[0] &&
               (strlen(parts[i].name) != n || strncmp(parts[i].name, list, n) != 0))
            i++;
        if (i == sizeof parts / sizeof parts[0]) {
            out_error("there is no part '%s'; 'help stress' lists them", list);
            return 0;
        }
        found |= parts[i].parts;
        list += n + (end != NULL);
    }
    if (found == 0)
        out_error("-p wants at least one part");
    return found;
}

/* What somebody set with `fail` stays: the part faults would set its own. */
static void spare_fail(struct stress_request *request)
{
    struct fail_info fail;
    fail_info(&fail);
    if (fail.mode == FAIL_OFF || (request->parts & STRESS_FAULTS) == 0)
        return;
    request->parts &= ~(u32)STRESS_FAULTS;
    out("'fail' is set, and stays: the part faults, which would set its own, is left out\n");
}

static bool run_stress(struct call *call)
{
    struct stress_request request = {.seed = tsc_read() | 1, .parts = STRESS_ALL};

    if (!call_seconds(call->argument[0], &request.seconds))
        return false;
    if (call->n > 1 && !call_number(call, 1, &request.seed))
        return false;
    if (call_has(call, "-p"))
        request.parts = parse_parts(call_option(call, "-p"));
    if (request.parts == 0)
        return false;
    if ((request.parts & STRESS_ACTS) == 0)
        return out_error("-p %s: nothing is taken and freed; add objects, blocks, pages, mappings, ...",
                         call_option(call, "-p"));
    if (call_has(call, "-i"))
        request.parts |= STRESS_INTERRUPTS;
    spare_fail(&request);
    return stress_run(&request);
}

static const struct command_option options_stress[] = {
    {"-i", NULL, "allocate in timer interrupts, too"},
    {"-p", "PARTS",
     "only objects,blocks,pages,mappings,shrink,shortage,wrong,faults,shoot,duels,crowd; "
     "spoil: an object, to see the report"},
    {NULL, NULL, NULL},
};

const struct command commands_stress[] = {
    {.name = "stress",
     .usage = "stress [-i] [-p PARTS] SECS [SEED]",
     .summary = "all that mm can do, at once, on all CPUs, every content checked",
     .example = "stress 10\nstress -i 60 42",
     .trouble = "a fault of mm ends it with each CPU's last events and an error that names CPU, step and seed; "
                "Ctrl-C ends it early",
     .run = run_stress,
     .options = options_stress,
     .n_min = 1,
     .n_max = 2},
    {.name = NULL},
};
