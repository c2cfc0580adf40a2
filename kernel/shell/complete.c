/* SPDX-License-Identifier: MIT */
/*
 * Completion, from the tables of commands alone.  The line up to the cursor is split at `;` and blanks
 * (quotes are not looked at: what stands in them is not completed).  The first word is the command; the words
 * behind it decide which argument the last one is; behind repeat, watch and time the next command begins.
 */
#include <kernel/selftest/selftest.h>
#include <kernel/shell/complete.h>

#include <kernel/shell/command.h>
#include <kernel/shell/names.h>
#include <kernel/shell/results.h>
#include <kernel/shell/tables.h>
#include <lib/printf.h>
#include <lib/string.h>

#define WORD_BYTES        64
#define N_RESULTS_OFFERED 8
#define TEXT_BYTES        24

struct completion {
    const char *typed; /* the word at the cursor, n_typed bytes, not terminated */
    size_t n_typed;
    struct line_candidate *list;
    size_t n, n_max;
};

/* Where the arguments stand when the cursor is reached. */
struct position {
    const struct command *command; /* NULL: the word is a command itself */
    bool unknown;                  /* the command is none: nothing can be offered */
    unsigned n_arguments;          /* before the word */
    bool is_value;                 /* the word is the value of the option before it */
};

static void offer(struct completion *c, const char *text, const char *help)
{
    if (strncmp(text, c->typed, c->n_typed))
        return;
    if (c->n < c->n_max)
        c->list[c->n] = (struct line_candidate){text, help};
    c->n++;
}

static void offer_choices(struct completion *c, const struct choice *choice)
{
    for (; choice && choice->word; choice++)
        offer(c, choice->word, choice->help);
}

static void offer_commands(struct completion *c)
{
    for (const struct command_group *group = command_groups; group->name; group++) {
        for (const struct command *command = group->commands; command->name; command++) {
            offer(c, command->name, command->summary);
            if (command->alias)
                offer(c, command->alias, command->summary);
        }
    }
}

static void offer_options(struct completion *c, const struct command *command)
{
    for (const struct command_option *option = command->options; option && option->name; option++)
        offer(c, option->name, option->help);
}

/* The last results, newest first. */
static void offer_results(struct completion *c)
{
    static char texts[N_RESULTS_OFFERED][TEXT_BYTES], helps[N_RESULTS_OFFERED][TEXT_BYTES];
    u64 count = results_count();
    for (u64 i = 0; i < N_RESULTS_OFFERED && i < count; i++) {
        struct result result;
        if (!results_entry(count - i, &result))
            break;
        ksnprintf(texts[i], TEXT_BYTES, "$%lu", count - i);
        ksnprintf(helps[i], TEXT_BYTES, "0x%lx", result.value);
        offer(c, texts[i], helps[i]);
    }
    if (count)
        offer(c, "$$", "the last result");
}

static void offer_tables(struct completion *c)
{
    static char texts[TABLES_MAX][4];
    for (unsigned number = 1; number <= TABLES_MAX; number++) {
        ksnprintf(texts[number - 1], sizeof texts[0], "%u", number);
        if (tables_get(number))
            offer(c, texts[number - 1], "an address space of pt new");
    }
    offer(c, "kernel", "the kernel's own table");
    offer(c, "current", "the table in use");
}

static void offer_suites(struct completion *c)
{
    const char *name;
    for (unsigned i = 0; (name = selftest_name(i)); i++)
        offer(c, name, selftest_summary(i));
}

/* What argument i of a command is: the last kind in its list counts for all that follow. */
static unsigned kind_of(const struct command *command, unsigned i)
{
    unsigned last = COMMAND_N_KINDS - 1;
    while (last > 0 && command->kinds[last] == ARGUMENT_NONE)
        last--;
    if (i >= command->n_max)
        return ARGUMENT_NONE;
    return command->kinds[i < last || command->n_max != COMMAND_ANY_NUMBER ? i % COMMAND_N_KINDS : last];
}

static void offer_argument(struct completion *c, const struct command *command, unsigned i)
{
    switch (kind_of(command, i)) {
    case ARGUMENT_COMMAND:
        offer_commands(c);
        break;
    case ARGUMENT_ADDRESS:
        offer_results(c);
        break;
    case ARGUMENT_SIZE:
        offer_choices(c, names_sizes);
        break;
    case ARGUMENT_ZONE:
        offer_choices(c, names_zones);
        break;
    case ARGUMENT_PAGE_FLAG:
        offer_choices(c, names_attributes);
        break;
    case ARGUMENT_MAP_FLAG:
        offer_choices(c, names_map_flags);
        break;
    case ARGUMENT_TABLE:
        offer_tables(c);
        break;
    case ARGUMENT_SUITE:
        offer_suites(c);
        break;
    case ARGUMENT_CHOICE:
        offer_choices(c, command->choices);
        break;
    default:
        break;
    }
}

/* True when `word` is an option of the command that wants a value. */
static bool wants_value(const struct command *command, const char *word)
{
    for (const struct command_option *option = command->options; option && option->name; option++) {
        if (!strcmp(option->name, word))
            return option->value != NULL;
    }
    return false;
}

static void begin_command(struct position *p, const char *word)
{
    *p = (struct position){.command = command_find(word)};
    p->unknown = !p->command;
}

/* Goes on over one complete word. */
static void step(struct position *p, const char *word)
{
    const struct command *command = p->command;
    if (p->unknown)
        return;
    if (!command) {
        begin_command(p, word);
    } else if (p->is_value) {
        p->is_value = false;
    } else if (word[0] == '-') {
        p->is_value = wants_value(command, word);
    } else {
        unsigned kind = command->flags & COMMAND_REST ? kind_of(command, p->n_arguments) : ARGUMENT_NONE;
        p->n_arguments++;
        if (kind == ARGUMENT_COMMAND)
            begin_command(p, word);
    }
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ';';
}

/* Copies the word at `line`, cut to `size`; returns where it ends. */
static const char *take_word(const char *line, const char *end, char *word, size_t size)
{
    size_t n = 0;
    for (; line < end && !is_separator(*line); line++) {
        if (n < size - 1)
            word[n++] = *line;
    }
    word[n] = 0;
    return line;
}

/* Goes over the complete words of [line, end). */
static void walk(const char *line, const char *end, struct position *p)
{
    char word[WORD_BYTES];
    *p = (struct position){0};
    while (line < end) {
        if (*line == ';')
            *p = (struct position){0};
        if (is_separator(*line)) {
            line++;
            continue;
        }
        line = take_word(line, end, word, sizeof word);
        step(p, word);
    }
}

size_t complete_word(void *context, const char *line, size_t cursor, size_t *start,
                     struct line_candidate *list, size_t n_max)
{
    struct position p;
    (void)context;
    for (*start = cursor; *start && !is_separator(line[*start - 1]);)
        --*start;
    struct completion c = {.typed = line + *start, .n_typed = cursor - *start, .list = list, .n_max = n_max};
    walk(line, line + *start, &p);
    if (p.unknown || p.is_value)
        return 0;
    if (!p.command) {
        offer_commands(&c);
        return c.n;
    }
    offer_argument(&c, p.command, p.n_arguments);
    if (!(p.command->flags & COMMAND_REST))
        offer_options(&c, p.command);
    return c.n;
}
