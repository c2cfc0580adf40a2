/* SPDX-License-Identifier: MIT */
/* The shell's own commands: help, commands that run commands, the log, leaving. */
#include <kernel/acpi/power.h>
#include <kernel/console/console.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <kernel/shell/about.h>
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/format.h>
#include <kernel/shell/help.h>
#include <kernel/shell/out.h>
#include <kernel/shell/shell.h>
#include <kernel/shell/wait.h>
#include <kernel/time/time.h>
#include <lib/string.h>

static bool run_history(struct call *call)
{
    const struct line_history *history = console_history();
    const char *line;
    (void)call;
    for (unsigned i = 0; (line = line_history_get(history, i)); i++)
        out("%4u  %s\n", i + 1, line);
    return true;
}

static bool run_watch(struct call *call)
{
    u64 seconds;
    if (!call_seconds(call->argument[0], &seconds))
        return false;
    do {
        if (!call_run_rest(call, 1))
            return false;
    } while (wait_seconds(seconds));
    return true;
}

static bool run_repeat(struct call *call)
{
    u64 n;
    if (!call_number(call, 0, &n))
        return false;
    if (!n)
        return out_ok();
    for (u64 i = 0; i < n && !out_interrupted(); i++) {
        if (!call_run_rest(call, 1))
            return false;
    }
    return true;
}

static bool run_time(struct call *call)
{
    u64 ms = time_ms(), cycles = tsc_read();
    bool ok = call_run_rest(call, 0);
    cycles = tsc_read() - cycles;
    ms = time_ms() - ms;
    out("took %s cycles of the time stamp counter, %lu ms\n", format_thousands(cycles).s, ms);
    return ok;
}

static bool run_clear(struct call *call)
{
    (void)call;
    out_text("\033[H\033[2J");
    return true;
}

/* "[   12.345] text" without the brackets: lines that begin with one are JSON. */
static void print_log_line(const char *line)
{
    const char *end = line[0] == '[' ? strchr(line, ']') : NULL;
    if (end)
        out("%.*s %s\n", (int)(end - line - 1), line + 1, end + 1);
    else
        out("           %s\n", line);
}

static bool run_log(struct call *call)
{
    char line[LOG_LINE_BYTES + 32];
    u64 cursor = 0;
    (void)call;
    while (!out_interrupted() && log_read(&cursor, line, sizeof line))
        print_log_line(line);
    return true;
}

static bool run_reboot(struct call *call)
{
    (void)call;
    console_finish();
    power_reboot();
}

static bool run_poweroff(struct call *call)
{
    (void)call;
    console_finish();
    power_off();
}

static bool run_exit(struct call *call)
{
    u64 code = shell_line_failed() ? POWER_EXIT_FAILURE : POWER_EXIT_SUCCESS;
    if (call->n && !call_number(call, 0, &code))
        return false;
    if (code > UINT8_MAX)
        return out_error("exit code '%s' does not fit in a byte", call->argument[0]);
    console_finish();
    power_try_exit((u8)code);
    return out_error("there is no debug-exit port: this is no emulator, or it was started without");
}

const struct command commands_shell[] = {
    {.name = "help",
     .usage = "help [COMMAND]",
     .summary = "all commands, or one in full",
     .example = "help map",
     .trouble = "nothing",
     .run = help_run,
     .n_max = 1,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_COMMAND}},
    {.name = "history",
     .usage = "history",
     .summary = "the lines typed so far",
     .example = "history",
     .trouble = "the last 64 are kept, equal ones once",
     .run = run_history,
     .flags = COMMAND_LOOKS},
    {.name = "watch",
     .usage = "watch SECS CMD...",
     .summary = "run a command every SECS seconds until Ctrl-C",
     .example = "watch 1 slabs\nwatch 2 \"mm_stat -h; frag\"",
     .trouble = "stops when the command fails",
     .run = run_watch,
     .n_min = 2,
     .n_max = COMMAND_ANY_NUMBER,
     .flags = COMMAND_REST,
     .kinds = {ARGUMENT_NONE, ARGUMENT_COMMAND}},
    {.name = "repeat",
     .usage = "repeat N CMD...",
     .summary = "run a command N times",
     .example = "repeat 1000 kmalloc 64\nrepeat 10 \"kmalloc 4K; kfree $$\"",
     .trouble = "stops when the command fails; after Ctrl-C what was taken is freed",
     .run = run_repeat,
     .n_min = 2,
     .n_max = COMMAND_ANY_NUMBER,
     .flags = COMMAND_REST,
     .kinds = {ARGUMENT_NONE, ARGUMENT_COMMAND}},
    {.name = "time",
     .usage = "time CMD...",
     .summary = "run a command and say how long it took",
     .example = "time check",
     .trouble = "writing to the console counts too",
     .run = run_time,
     .n_min = 1,
     .n_max = COMMAND_ANY_NUMBER,
     .flags = COMMAND_REST,
     .kinds = {ARGUMENT_COMMAND}},
    {.name = "clear",
     .usage = "clear",
     .summary = "clear the screen",
     .example = "clear",
     .trouble = "nothing",
     .run = run_clear,
     .flags = COMMAND_LOOKS},
    {.name = "about",
     .usage = "about",
     .summary = "this kernel, this machine",
     .example = "about",
     .trouble = "nothing",
     .run = about_run,
     .flags = COMMAND_LOOKS},
    {.name = "log",
     .usage = "log",
     .summary = "the log lines that are still kept",
     .example = "log",
     .trouble = "the oldest ones are overwritten",
     .run = run_log,
     .flags = COMMAND_LOOKS},
    {.name = "reboot",
     .usage = "reboot",
     .summary = "start the machine anew",
     .example = "reboot",
     .trouble = "nothing is saved: there is no disk",
     .run = run_reboot,
     .flags = COMMAND_LOOKS},
    {.name = "poweroff",
     .usage = "poweroff",
     .summary = "switch the machine off by ACPI",
     .example = "poweroff",
     .trouble = "firmware without ACPI cannot; the CPU is halted then",
     .run = run_poweroff,
     .flags = COMMAND_LOOKS},
    {.name = "exit",
     .usage = "exit [CODE]",
     .summary = "end QEMU with status 2 * CODE + 1 (CODE: 0x10; after a failure on its line 0x11)",
     .example = "exit\nselftest; exit",
     .trouble = "only for emulators that have the port 0xf4",
     .run = run_exit,
     .n_max = 1,
     .flags = COMMAND_LOOKS},
    {.name = NULL},
};
