/* SPDX-License-Identifier: MIT */
/* Work: the self-tests, the check of all invariants. */
#include <kernel/debug/panic.h>
#include <kernel/selftest/selftest.h>
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/out.h>
#include <kernel/shell/suggest.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/debug.h>
#include <mm/fail.h>
#include <mm/inspect.h>

#define NAMES_BYTES 320

/* "a b c", as much as there is room for. */
static void suite_names(char *text, size_t size)
{
    const char *name;
    size_t length = 0;
    text[0] = 0;
    for (unsigned i = 0; (name = selftest_name(i)) && length + strlen(name) + 2 < size; i++)
        length += (size_t)ksnprintf(text + length, size - length, "%s%s", i ? " " : "", name);
}

static bool unknown_suite(const char *word)
{
    struct suggestion nearest;
    char names[NAMES_BYTES];
    const char *name;
    suggest_start(&nearest, word);
    for (unsigned i = 0; (name = selftest_name(i)); i++)
        suggest_try(&nearest, name);
    suite_names(names, sizeof names);
    if (nearest.best)
        return out_error("there is no test suite '%s'; did you mean '%s'? there are %s", word, nearest.best, names);
    return out_error("there is no test suite '%s'; there are %s", word, names);
}

static bool is_fail_off(void)
{
    struct fail_info fail;
    fail_info(&fail);
    return fail.mode == FAIL_OFF;
}

static bool run_selftest(struct call *call)
{
    const char *suite = call->n ? call->argument[0] : NULL;
    struct fail_info fail;
    fail_info(&fail);
    if (fail.mode != FAIL_OFF)
        out("# requests for memory fail on purpose ('fail'): so will tests, and some then keep what they took\n");
    int n_failed = selftest_run(suite);
    if (fail.mode != FAIL_OFF && is_fail_off())
        out("# 'fail' is off now: a test set its own\n");
    if (n_failed == SELFTEST_INTERRUPTED)
        return false; /* the shell says so */
    if (n_failed < 0 && suite)
        return unknown_suite(suite);
    if (n_failed < 0)
        return out_error("there are no tests");
    return !n_failed || out_error("%d tests failed", n_failed);
}

/* What the debug mode can tell of the content of memory. */
static bool check_content(void)
{
    u64 n = panic_is_on() ? 0 : mm_debug_check();
    return n ? out_error("memory was overwritten in %lu %s: the reports above tell", n, n == 1 ? "place" : "places") : out_ok();
}

static bool run_check(struct call *call)
{
    struct mm_violation v;
    (void)call;
    if (mm_check(&v))
        return check_content();
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
     .n_max = 1,
     .kinds = {ARGUMENT_SUITE}},
    {.name = "check",
     .usage = "check",
     .summary = "recount everything that memory management believes",
     .example = "check",
     .trouble =
         "a broken invariant is an error that names it by number; the comments on top of mm/*.c list them",
     .run = run_check,
     .flags = COMMAND_LOOKS},
    {.name = NULL},
};
