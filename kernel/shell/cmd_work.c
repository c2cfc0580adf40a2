/* SPDX-License-Identifier: MIT */
/* Work: the self-tests, the check of all invariants, faults on purpose. */
#include <kernel/selftest/selftest.h>
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/fault.h>
#include <kernel/shell/out.h>
#include <mm/inspect.h>

static bool run_selftest(struct call *call)
{
    int n_failed = selftest_run(call->n ? call->argument[0] : NULL);
    if (n_failed < 0)
        return out_error("there is no test '%s'", call->argument[0]);
    return !n_failed || out_error("%d tests failed", n_failed);
}

static bool run_check(struct call *call)
{
    struct mm_violation v;
    (void)call;
    if (mm_check(&v))
        return out_ok();
    return out_error("invariant I%u is broken: %s, at 0x%lx: expected %lu (0x%lx), found %lu (0x%lx)",
                     v.number, v.text, v.where, v.expected, v.expected, v.found, v.found);
}

const struct command commands_work[] = {
    {.name = "selftest",
     .usage = "selftest [NAME]",
     .summary = "run the tests inside the kernel, all or NAME; prints KTAP",
     .example = "selftest",
     .trouble = "a failed test is a line that begins with 'not ok'",
     .run = run_selftest,
     .n_max = 1},
    {.name = "check",
     .usage = "check",
     .summary = "recount everything that memory management believes",
     .example = "check",
     .trouble =
         "a broken invariant is an error that names it by number; the comments on top of mm/*.c list them",
     .run = run_check,
     .flags = COMMAND_LOOKS},
    {.name = "fault",
     .usage = "fault KIND",
     .summary = "make the kernel fault, to see the report; there is no way back",
     .example = "fault write-ro",
     .trouble = "that is its purpose: the panic shell, or what panic= says, follows",
     .run = fault_run,
     .choices = fault_choices,
     .n_min = 1,
     .n_max = 1,
     .kinds = {ARGUMENT_CHOICE}},
    {.name = NULL},
};
