/* SPDX-License-Identifier: MIT */
/* The command `help`: all commands by group, or one in full. */
#include <kernel/shell/help.h>

#include <kernel/shell/out.h>
#include <kernel/shell/shell.h>
#include <lib/string.h>

#define NAME_COLUMNS 13

/* Writes a text of several lines, each behind `indent`. */
static void print_lines(const char *indent, const char *text)
{
    while (text && *text) {
        const char *end = strchr(text, '\n');
        int length = (int)(end ? (size_t)(end - text) : strlen(text));
        out("%s%.*s\n", indent, length, text);
        text = end ? end + 1 : NULL;
    }
}

static bool is_offered(const struct command *command)
{
    return !shell_in_panic() || command->flags & COMMAND_LOOKS;
}

static void list_group(const struct command_group *group)
{
    bool titled = false;
    for (const struct command *command = group->commands; command->name; command++) {
        if (!is_offered(command))
            continue;
        if (!titled)
            out_styled(OUT_TITLE, "%s", group->name);
        titled = true;
        out("  %-*s %s\n", NAME_COLUMNS, command->name, command->summary);
    }
}

static void list_all(void)
{
    for (const struct command_group *group = command_groups; group->name; group++)
        list_group(group);
    out_text(
        "\nhelp CMD tells more.  Numbers: 10, 0x1f, 64K, 2M, $1 (a result), $$ (the last), sums of them.\n"
        "TAB completes, Ctrl-C stops, ; separates commands.\n");
}

static void print_options(const struct command_option *option)
{
    for (; option && option->name; option++) {
        out("  %s%s%s  %s\n", option->name, option->value ? " " : "", option->value ? option->value : "",
            option->help);
    }
}

static void print_choices(const struct choice *choice)
{
    for (; choice && choice->word; choice++)
        out("  %-*s %s\n", NAME_COLUMNS, choice->word, choice->help ? choice->help : "");
}

static void print_command(const struct command *command)
{
    out_styled(OUT_TITLE, "%s: %s", command->name, command->summary);
    out("usage:   %s\n", command->usage);
    if (command->alias)
        out("also:    %s\n", command->alias);
    print_options(command->options);
    print_choices(command->choices);
    out_text("example:\n");
    print_lines("  ", command->example);
    out("what can go wrong:\n  %s\n", command->trouble);
}

bool help_run(struct call *call)
{
    if (!call->n) {
        list_all();
        return true;
    }
    const struct command *command = command_find(call->argument[0]);
    const char *nearest = command ? NULL : command_nearest(call->argument[0]);
    if (nearest)
        return out_error("no help for '%s'; did you mean '%s'?", call->argument[0], nearest);
    if (!command)
        return out_error("no help for '%s'; 'help' lists the commands", call->argument[0]);
    print_command(command);
    return true;
}
