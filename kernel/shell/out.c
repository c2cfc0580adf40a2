/* SPDX-License-Identifier: MIT */
/* Output of commands: a thin layer over the console that keeps the promises about lines (shell.h, out.h). */
#include <kernel/shell/out.h>

#include <kernel/console/console.h>
#include <lib/printf.h>
#include <lib/string.h>

static bool interrupted;

static void write_formatted(const char *format, va_list arguments)
{
    char line[OUT_LINE_BYTES];
    size_t length = (size_t)kvsnprintf(line, sizeof line, format, arguments);
    if (length >= sizeof line) { /* somebody typed a very long word: it can be seen that something is missing */
        length = sizeof line - 1;
        memcpy(line + length - 3, "...", 3);
    }
    console_write(line, length);
}

void out(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_formatted(format, arguments);
    va_end(arguments);
}

void out_text(const char *text)
{
    console_write(text, strlen(text));
}

bool out_error(const char *format, ...)
{
    va_list arguments;
    console_flush_log();
    out_text("error: ");
    va_start(arguments, format);
    write_formatted(format, arguments);
    va_end(arguments);
    out_text("\n");
    return false;
}

bool out_ok(void)
{
    console_flush_log();
    out_text("ok\n");
    return true;
}

void out_styled(enum out_style style, const char *format, ...)
{
    static const char *const begin[] = {[OUT_PLAIN] = "", [OUT_TITLE] = "\033[1;36m", [OUT_DIM] = "\033[90m"};
    va_list arguments;
    out_text(begin[style]);
    va_start(arguments, format);
    write_formatted(format, arguments);
    va_end(arguments);
    out_text(style == OUT_PLAIN ? "\n" : "\033[0m\n");
}

static void json_to_console(void *context, const char *text, size_t n)
{
    (void)context;
    console_write(text, n);
}

void out_json_start(struct json *json)
{
    json_start(json, json_to_console, NULL);
}

void out_json_end(void)
{
    out_text("\n");
}

bool out_interrupted(void)
{
    interrupted = interrupted || console_interrupted();
    return interrupted;
}

void out_interrupted_clear(void)
{
    interrupted = false;
}
