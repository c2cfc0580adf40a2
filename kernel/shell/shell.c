/* SPDX-License-Identifier: MIT */
/*
 * The shell's loop.
 *
 * A line is looked at twice: the first time for its quotes, so that a line that is malformed does nothing at
 * all, the second time to run its commands one by one.  An error in one does not stop those behind it; Ctrl-C
 * does, and gives back what the line allocated (and has not freed): the newest results first.
 */
#include <kernel/shell/shell.h>

#include <kernel/boot/options.h>
#include <kernel/console/console.h>
#include <kernel/shell/about.h>
#include <kernel/shell/call.h>
#include <kernel/shell/complete.h>
#include <kernel/shell/out.h>
#include <kernel/shell/results.h>
#include <kernel/shell/tables.h>
#include <kernel/shell/words.h>
#include <mm/mm.h>

#define PROMPT       "tessera> "
#define PANIC_PROMPT "panic> "
#define ERROR_BYTES  128

static const struct boot_info *boot_info;
static const struct options *boot_options;
static bool in_panic, in_autorun, line_failed;

/* Words of the lines inside each other; too large for the stack.  One shell, so one set. */
static struct words words_of_depth[SHELL_N_NESTED];

void shell_start(const struct boot_info *info, const struct options *options)
{
    boot_info = info;
    boot_options = options;
}

const struct boot_info *shell_boot_info(void)
{
    return boot_info;
}

bool shell_in_panic(void)
{
    return in_panic;
}

/* ---- giving back what an interrupted line took ---- */

static void release_pages(const struct result *result)
{
    for (unsigned i = 0; i < result->n_pages; i++) {
        struct Page *page = Phy_to_2M_Page(result->value + i * PAGE_2M_SIZE);
        if (page->ref_counts)
            free_pages(page, 1);
    }
}

static void release(const struct result *result)
{
    switch (result->kind) {
    case RESULT_OBJECT:
        kfree((void *)result->value);
        break;
    case RESULT_TABLE:
        tables_free(result->value);
        break;
    case RESULT_PAGES:
        release_pages(result);
        break;
    case RESULT_GONE:
        break;
    }
}

/* Everything allocated since there were `n_before` results. */
static void release_since(u64 n_before)
{
    struct result result;
    for (u64 n = results_count(); n > n_before && results_entry(n, &result); n--) {
        if (result.kind == RESULT_GONE)
            continue;
        release(&result);
        results_forget(result.value, result.kind);
    }
}

/* ---- running a line ---- */

static bool is_well_formed(const char *line, struct words *words)
{
    char error[ERROR_BYTES];
    enum words_result result;
    do
        result = words_next(&line, words, error, sizeof error);
    while (result == WORDS_COMMAND);
    return result == WORDS_END || out_error("%s", error);
}

/* A command of autorun=, before it runs. */
static void echo(const struct words *words)
{
    out_text("autorun:");
    for (unsigned i = 0; i < words->n; i++)
        out(words->quoted[i] ? " \"%s\"" : " %s", words->word[i]);
    out_text("\n");
}

bool shell_run_commands(const char *line, unsigned depth)
{
    char error[ERROR_BYTES];
    bool ok = true;
    if (depth >= SHELL_N_NESTED)
        return out_error("more than %u commands inside each other", SHELL_N_NESTED);
    struct words *words = &words_of_depth[depth];
    if (!is_well_formed(line, words))
        return false;
    while (!out_interrupted() && words_next(&line, words, error, sizeof error) == WORDS_COMMAND) {
        if (in_autorun && !depth)
            echo(words);
        ok = call_run(depth, words->n, words->word, words->quoted) && ok;
        line_failed = line_failed || !ok;
    }
    return ok;
}

bool shell_line_failed(void)
{
    return line_failed;
}

void shell_run_line(const char *line)
{
    u64 n_before = results_count();
    line_failed = false;
    out_interrupted_clear();
    console_page_begin();
    shell_run_commands(line, 0);
    if (out_interrupted()) {
        if (!in_panic)
            release_since(n_before);
        out_error("interrupted"); /* before the page ends: who typed q there does not want to see it */
    }
    console_page_end();
}

/* The commands of autorun=, each shown before it runs. */
static void run_autorun(void)
{
    if (!boot_options || !boot_options->autorun[0])
        return;
    in_autorun = true;
    shell_run_line(boot_options->autorun);
    in_autorun = false;
}

static _Noreturn void loop(const char *prompt)
{
    const char *line;
    for (;;) {
        if (console_read_line(prompt, &line) == LINE_DONE)
            shell_run_line(line);
    }
}

_Noreturn void shell_run(void)
{
    console_set_completer(complete_word);
    about_banner();
    run_autorun();
    loop(PROMPT);
}

_Noreturn void shell_panic_run(void)
{
    in_panic = true;
    out_text("The panic shell: commands that look, reboot, poweroff.  help lists them.\n");
    console_set_completer(complete_word);
    loop(PANIC_PROMPT);
}
