/* SPDX-License-Identifier: MIT */
/* Break: failures, faults and shortage on purpose. */
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/fault.h>
#include <kernel/shell/oom.h>
#include <kernel/shell/out.h>
#include <lib/string.h>
#include <mm/fail.h>

static const struct choice fail_choices[] = {
    {"nth", "only request N fails"},
    {"every", "requests N, 2N, 3N ... fail"},
    {"from", "request N and all after it fail"},
    {"off", "none fails"},
    {NULL, NULL},
};

/* By enum fail_mode. */
static const char *const mode_names[] = {"off", "nth", "every", "from"};

static bool show_fail(void)
{
    struct fail_info info;
    fail_info(&info);
    if (info.mode == FAIL_OFF)
        out("off\n");
    else
        out("%s %lu%s: %lu requests so far, %lu failed\n", mode_names[info.mode], info.n,
            info.with_caches ? ", CPUs' caches in use" : "", info.n_requests, info.n_failed);
    if (info.last_zone)
        out("the last to fail wanted %lu frame%s of zone %s\n", info.last_frames,
            info.last_frames == 1 ? "" : "s", info.last_zone);
    return true;
}

static enum fail_mode find_mode(const char *word)
{
    unsigned mode = FAIL_NTH;
    while (mode <= FAIL_FROM && strcmp(word, mode_names[mode]))
        mode++;
    return mode <= FAIL_FROM ? (enum fail_mode)mode : FAIL_OFF;
}

static bool run_fail(struct call *call)
{
    u64 n = 0;
    if (!call->n)
        return show_fail();
    const char *word = call->argument[0];
    enum fail_mode mode = find_mode(word);
    if (!choice_find(fail_choices, word))
        return out_error("'%s' is none of nth, every, from, off", word);
    if (mode == FAIL_OFF && call->n > 1)
        return out_error("'fail off' takes no number");
    if (mode == FAIL_OFF)
        return fail_disarm() ? out_ok() : out_error("the CPUs' caches cannot be taken into use here");
    if (call->n < 2)
        return out_error("'fail %s' wants a number: 1, 2, ...", word);
    if (!call_number(call, 1, &n))
        return false;
    if (!n)
        return out_error("requests are counted from 1");
    if (!fail_arm(mode, n, call_has(call, "-c")))
        return out_error("the CPUs' caches cannot be taken out of use here");
    return out_ok();
}

static const struct command_option options_fail[] = {
    {"-c", NULL, "CPUs' caches stay in use: count only requests that they cannot serve"},
    {NULL, NULL, NULL},
};

static const struct command_option options_oom[] = {
    {"-w", "WAY", "only kmalloc, alloc_pages or mapping"},
    {NULL, NULL, NULL},
};

static const struct command_option options_fault[] = {
    {"-c", "CPU", "on another CPU (1 ..) instead of this one"},
    {NULL, NULL, NULL},
};

const struct command commands_break[] = {
    {.name = "fail",
     .usage = "fail [-c] [nth N|every N|from N|off]",
     .summary = "make requests for frames fail; alone: what is set, and how many did",
     .example = "fail nth 1\nkmalloc 1M\nfail\nfail off",
     .trouble = "stays until 'fail off'; whatever needs memory meanwhile may be refused; selftest may end it",
     .run = run_fail,
     .options = options_fail,
     .choices = fail_choices,
     .n_max = 2,
     .kinds = {ARGUMENT_CHOICE, ARGUMENT_NONE}},
    {.name = "oom",
     .usage = "oom [-w WAY] [CMD...]",
     .summary = "take all memory, by kmalloc, alloc_pages and mappings, and give it back",
     .example = "oom\noom kmalloc 4K\noom -w mapping mm_stat -h",
     .trouble = "with CMD: takes it by WAY (kmalloc), runs CMD with nothing left, and gives it back",
     .run = oom_run,
     .options = options_oom,
     .n_max = COMMAND_ANY_NUMBER,
     .flags = COMMAND_REST,
     .kinds = {ARGUMENT_COMMAND}},
    {.name = "fault",
     .usage = "fault [-c CPU] KIND",
     .summary = "make the kernel fault, to see the report",
     .example = "fault write-ro\nfault -c 1 null",
     .trouble = "that is its purpose: the panic shell, or what panic= says, follows",
     .run = fault_run,
     .options = options_fault,
     .choices = fault_choices,
     .n_min = 1,
     .n_max = 1,
     .kinds = {ARGUMENT_CHOICE}},
    {.name = NULL},
};
