/* SPDX-License-Identifier: MIT */
/*
 * Calling a command: find it, sort its words into options and arguments, check their number, run it.
 *
 * A word is an option when it begins with '-', is longer than that, is not quoted and is no negative number.
 */
#include <kernel/shell/call.h>

#include <kernel/cpu/registers.h>
#include <kernel/debug/symbols.h>
#include <kernel/shell/expression.h>
#include <kernel/shell/out.h>
#include <kernel/shell/results.h>
#include <kernel/shell/shell.h>
#include <kernel/shell/suggest.h>
#include <kernel/shell/words.h>
#include <kernel/smp/smp.h>
#include <lib/string.h>

#define ERROR_BYTES 200
#define MAX_SECONDS 86400

static const struct expression_names names = {results_get, symbol_address};

/* A call while its words are sorted. */
struct sorter {
    struct call call;
    const char *argument[SHELL_N_WORDS];
    bool quoted[SHELL_N_WORDS];
};

const char *call_option(const struct call *call, const char *option)
{
    const struct command_option *options = call->command->options;
    for (unsigned i = 0; options && options[i].name; i++) {
        if (!strcmp(options[i].name, option))
            return call->option_value[i];
    }
    return NULL;
}

bool call_has(const struct call *call, const char *option)
{
    return call_option(call, option) != NULL;
}

static bool number(const char *text, u64 *value)
{
    char error[ERROR_BYTES];
    return expression_value(text, &names, value, error, sizeof error) || out_error("%s", error);
}

bool call_number(const struct call *call, unsigned i, u64 *value)
{
    return number(call->argument[i], value);
}

bool call_signed(const struct call *call, unsigned i, s64 *value)
{
    char error[ERROR_BYTES];
    return expression_signed(call->argument[i], &names, value, error, sizeof error) || out_error("%s", error);
}

bool call_option_number(const struct call *call, const char *option, u64 *value)
{
    return number(call_option(call, option), value);
}

bool call_seconds(const char *text, u64 *seconds)
{
    if (!number(text, seconds))
        return false;
    if (*seconds < 1 || *seconds > MAX_SECONDS)
        return out_error("'%s' is not between 1 and %u seconds", text, MAX_SECONDS);
    return true;
}

static bool unknown_option(const struct command *command, const char *word)
{
    struct suggestion nearest;
    suggest_start(&nearest, word);
    for (const struct command_option *option = command->options; option && option->name; option++)
        suggest_try(&nearest, option->name);
    if (nearest.best && strcmp(nearest.best, "-"))
        return out_error("%s has no option '%s'; did you mean '%s'?", command->name, word, nearest.best);
    return out_error("%s has no option '%s'; usage: %s", command->name, word, command->usage);
}

/* Word *i is an option: notes it, and its value, which it steps over. */
static bool sort_option(struct sorter *s, unsigned n, const char *const *word, unsigned *i)
{
    const struct command *command = s->call.command;
    for (unsigned k = 0; command->options && command->options[k].name; k++) {
        const struct command_option *option = &command->options[k];
        if (strcmp(option->name, word[*i]))
            continue;
        if (!option->value) {
            s->call.option_value[k] = "";
            return true;
        }
        if (*i + 1 == n)
            return out_error("%s %s wants %s; usage: %s", command->name, option->name, option->value,
                             command->usage);
        s->call.option_value[k] = word[++*i];
        return true;
    }
    return unknown_option(command, word[*i]);
}

static bool is_option(const char *word, bool quoted)
{
    return word[0] == '-' && word[1] && !quoted && !expression_is_negative(word);
}

static bool sort_words(struct sorter *s, unsigned n, const char *const *word, const bool *quoted)
{
    struct call *call = &s->call;
    bool options_end = false;
    for (unsigned i = 1; i < n; i++) {
        if (!options_end && is_option(word[i], quoted[i])) {
            if (!sort_option(s, n, word, &i))
                return false;
            continue;
        }
        s->argument[call->n] = word[i];
        s->quoted[call->n++] = quoted[i];
        options_end = options_end || (call->command->flags & COMMAND_REST);
    }
    return true;
}

static bool check_count(const struct call *call)
{
    const struct command *command = call->command;
    if (call->n < command->n_min)
        return out_error("%s: too few arguments; usage: %s", command->name, command->usage);
    if (command->n_max != COMMAND_ANY_NUMBER && call->n > command->n_max)
        return out_error("%s: '%s' is too much; usage: %s", command->name, call->argument[command->n_max],
                         command->usage);
    return true;
}

static bool unknown_command(const char *name)
{
    const char *nearest = command_nearest(name);
    if (nearest)
        return out_error("unknown command '%s'; did you mean '%s'?", name, nearest);
    return out_error("unknown command '%s'; 'help' lists them", name);
}

bool call_run(unsigned depth, unsigned n, const char *const *word, const bool *quoted)
{
    if (depth >= SHELL_N_NESTED)
        return out_error("'%s' is more than %u commands inside each other", word[0], SHELL_N_NESTED);
    const struct command *command = command_find(word[0]);
    if (!command)
        return unknown_command(word[0]);
    if (shell_in_panic() && !(command->flags & COMMAND_LOOKS))
        return out_error("'%s' is not for the panic shell, which only looks", command->name);
    struct sorter s = {.call = {.command = command, .depth = depth}};
    s.call.argument = s.argument;
    s.call.quoted = s.quoted;
    return sort_words(&s, n, word, quoted) && check_count(&s.call) && command->run(&s.call);
}

bool call_run_rest(const struct call *call, unsigned first)
{
    if (call->n == first + 1 && call->quoted[first])
        return shell_run_commands(call->argument[first], call->depth + 1);
    return call_run(call->depth + 1, call->n - first, call->argument + first, call->quoted + first);
}

bool call_on_cpu(u64 number, void (*function)(void *context), void *context)
{
    if (number == 0 || number >= smp_n_cpus())
        return out_error("there is no other CPU %lu; 'cpus' lists them", number);
    if (!smp_post((u32)number, function, context))
        return out_error("CPU %lu has work", number);
    while (smp_is_busy((u32)number)) {
        smp_serve();
        cpu_pause();
    }
    return true;
}
