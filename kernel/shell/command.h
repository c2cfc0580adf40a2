/* SPDX-License-Identifier: MIT */
/*
 * What a command is.  Each group file (cmd_*.c) holds one table of them, closed by an entry without a name;
 * registry.c lists the tables.  Options and the number of arguments are checked before a command runs.
 */
#ifndef KERNEL_SHELL_COMMAND_H
#define KERNEL_SHELL_COMMAND_H

#include <lib/types.h>

#define COMMAND_N_OPTIONS  8
#define COMMAND_N_KINDS    6
#define COMMAND_ANY_NUMBER 255 /* n_max: as many as fit a line */

/* What an argument is, for TAB. */
enum argument_kind {
    ARGUMENT_NONE,
    ARGUMENT_COMMAND, /* a command's name; what follows is that command's */
    ARGUMENT_ADDRESS, /* results and symbols */
    ARGUMENT_SIZE,    /* the sizes of the kmalloc classes */
    ARGUMENT_ZONE,
    ARGUMENT_PAGE_FLAG,
    ARGUMENT_MAP_FLAG,
    ARGUMENT_TABLE,  /* numbers of pt list */
    ARGUMENT_SUITE,  /* of selftest */
    ARGUMENT_CHOICE, /* the command's own `choices` */
};

/* A word with its meaning, in arrays closed by {NULL, NULL}. */
struct choice {
    const char *word, *help;
};

/* An option: `value` names what follows it ("SECS"), NULL when nothing does. */
struct command_option {
    const char *name, *value, *help;
};

enum command_flags {
    COMMAND_LOOKS = 1, /* changes nothing and takes no lock: allowed in the panic shell */
    COMMAND_REST = 2,  /* the first argument that is no option ends the options: what follows belongs to
                          another command */
};

struct call;

struct command {
    const char *name, *alias;
    const char *usage;                    /* "NAME ARG..." */
    const char *summary;                  /* one line */
    const char *example;                  /* lines separated by \n */
    const char *trouble;                  /* what can go wrong */
    bool (*run)(struct call *call);       /* false: it failed, and an error line was written */
    const struct command_option *options; /* closed by {NULL}, at most COMMAND_N_OPTIONS; or NULL */
    const struct choice *choices;         /* sub-commands and the like, or NULL */
    u8 n_min, n_max;                      /* arguments without options */
    u8 flags;
    u8 kinds[COMMAND_N_KINDS]; /* of the arguments; the last one counts for all that follow */
};

struct command_group {
    const char *name;
    const struct command *commands;
};

/* One call of a command: argument[0 .. n-1] without its name and its options. */
struct call {
    const struct command *command;
    unsigned depth; /* commands around this one */
    unsigned n;
    const char *const *argument;
    const bool *quoted;
    const char
        *option_value[COMMAND_N_OPTIONS]; /* by place in command->options; "" for one without a value */
};

/* The groups in the order of `help`; closed by one without a name. */
extern const struct command_group command_groups[];

/* By name or alias; NULL when there is none. */
const struct command *command_find(const char *name);

/* The nearest name or alias to a mistyped one, or NULL. */
const char *command_nearest(const char *name);

/* One entry of a NULL-closed list of choices; NULL when there is none. */
const struct choice *choice_find(const struct choice *list, const char *word);

#endif
