/* SPDX-License-Identifier: MIT */
/* The list of all groups of commands, and finding a command by name. */
#include <kernel/shell/command.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/suggest.h>

#include <lib/string.h>

const struct command_group command_groups[] = {
    {"look", commands_look},     {"frames", commands_frames}, {"slab", commands_slab},
    {"paging", commands_paging}, {"memory", commands_memory}, {"ask", commands_ask},
    {"debug", commands_debug},   {"break", commands_break},   {"work", commands_work},
    {"speed", commands_bench},   {"CPUs", commands_cpus},     {"soak", commands_stress},
    {"shell", commands_shell},
    {NULL, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command_group *group = command_groups; group->name; group++) {
        for (const struct command *command = group->commands; command->name; command++) {
            if (!strcmp(command->name, name) || (command->alias && !strcmp(command->alias, name)))
                return command;
        }
    }
    return NULL;
}

const char *command_nearest(const char *name)
{
    struct suggestion nearest;
    suggest_start(&nearest, name);
    nearest.distance = UINT32_MAX; /* whatever has a letter in common is better than nothing */
    for (const struct command_group *group = command_groups; group->name; group++) {
        for (const struct command *command = group->commands; command->name; command++) {
            suggest_try(&nearest, command->name);
            if (command->alias)
                suggest_try(&nearest, command->alias);
        }
    }
    return nearest.best;
}

const struct choice *choice_find(const struct choice *list, const char *word)
{
    for (; list->word; list++) {
        if (!strcmp(list->word, word))
            return list;
    }
    return NULL;
}
