/* SPDX-License-Identifier: MIT */
/*
 *     kprintf, console_write ──► pager ──► faces ──► serial line
 *     klog ring ────────────────────────────┘  └───► screen
 *     serial line, keyboard ──► input ──► console_getc ──► line editor ──► console_read_line
 *
 * Log lines go out only where a line begins, so they never cut another line in two: before the next text
 * that starts a line, or, while a line is being typed, with the line taken away and shown again below.
 */
#include <kernel/boot/options.h>
#include <kernel/console/console.h>
#include <kernel/console/faces.h>
#include <kernel/console/highlight.h>
#include <kernel/console/input.h>
#include <kernel/console/keyboard.h>
#include <kernel/console/pager.h>
#include <kernel/console/screen.h>
#include <kernel/console/serial.h>
#include <kernel/debug/log.h>
#include <lib/printf.h>
#include <lib/string.h>

#define FORMAT_BYTES 512
#define STAMPED_BYTES (LOG_LINE_BYTES + 32) /* a log line and its time */
#define PROMPT_BYTES 64
#define PROMPT_COLOUR "\033[1;36m"
#define PANIC_COLOUR "\033[1;31m"
#define PROMPT_COLOUR_END "\033[0m"
#define LOG_COLOUR "\033[90m"
#define LOG_COLOUR_END "\033[0m"

static struct {
    u64 log_cursor;
    bool flushing;
    bool panic;
    bool editing;       /* a prompt and a line are on the faces */
    bool from_keyboard; /* the last line */
    struct line_edit edit;
    console_completer complete;
} console;

/* ---- writing ---- */

/*
 * Bytes of "[   12.345] " that a log line begins with; the `log` command shows them, here they would be in
 * the way.
 */
static size_t stamp_bytes(const char *line)
{
    size_t n = 1;

    if (line[0] != '[')
        return 0;
    while (line[n] == ' ' || line[n] == '.' || (line[n] >= '0' && line[n] <= '9'))
        n++;
    return line[n] == ']' && line[n + 1] == ' ' ? n + 2 : 0;
}

/* A log line, dim on the screen unless its beginning has a colour; control characters are made harmless. */
static void console_write_log(char *line, size_t n)
{
    size_t n_stamp = stamp_bytes(line);
    bool plain;

    screen_wrap_words(true);
    line += n_stamp;
    n -= n_stamp;
    plain = highlight_line(line, n) != NULL;
    for (size_t i = 0; i < n; i++) {
        if ((u8)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
    if (line[0] == '[' || line[0] == '{')
        faces_write(" ", 1); /* only commands write JSON */
    if (!plain)
        faces_write(LOG_COLOUR, strlen(LOG_COLOUR));
    faces_write(line, n);
    if (!plain)
        faces_write(LOG_COLOUR_END, strlen(LOG_COLOUR_END));
    faces_write("\n", 1);
}

static void console_hide_line(void)
{
    line_edit_hide(&console.edit);
    faces_restart_line();
}

void console_flush_log(void)
{
    char line[STAMPED_BYTES];
    bool hidden = false;
    size_t n;

    if (console.flushing || (!console.editing && !faces_at_line_start()))
        return;
    console.flushing = true;
    while ((n = log_read(&console.log_cursor, line, sizeof(line))) > 0) {
        if (console.editing && !hidden)
            console_hide_line();
        hidden = true;
        console_write_log(line, n);
    }
    if (console.editing && hidden)
        line_edit_show(&console.edit);
    console.flushing = false;
}

/* Bytes up to and with the newline, or all. */
static size_t line_bytes(const char *text, size_t n)
{
    size_t i = 0;

    while (i < n && text[i] != '\n')
        i++;
    return i < n ? i + 1 : n;
}

/* Writes one line, or a part of one. */
static void console_write_line(const char *text, size_t n)
{
    if (faces_at_line_start() && !console.editing) {
        console_flush_log();
        if (!console.panic && !pager_line())
            return;
    }
    screen_wrap_words(!console.editing);
    faces_write(text, n);
}

void console_write(const char *text, size_t n)
{
    while (n > 0) {
        size_t n_line = line_bytes(text, n);

        console_write_line(text, n_line);
        text += n_line;
        n -= n_line;
    }
}

void kvprintf(const char *format, va_list arguments)
{
    char text[FORMAT_BYTES];
    int n = kvsnprintf(text, sizeof(text), format, arguments);

    if (n > 0)
        console_write(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void kprintf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
}

/* ---- keys ---- */

static int console_took(struct input_key key)
{
    if (key.key == KEY_ENTER)
        console.from_keyboard = key.from_keyboard;
    return key.key;
}

/* What was put off while text was rushing by. */
static void console_catch_up(void)
{
    screen_refresh();
    serial_continue();
}

int console_poll(void)
{
    console_catch_up();
    return console_took(input_take());
}

int console_getc(void)
{
    pager_end();
    for (;;) {
        struct input_key key = input_take();

        if (key.key != KEY_NONE)
            return console_took(key);
        console_flush_log();
        console_catch_up();
        input_wait();
    }
}

bool console_interrupted(void)
{
    console_catch_up();
    return pager_take_quit() || input_take_interrupt();
}

bool console_from_keyboard(void)
{
    return console.from_keyboard;
}

/* Is who typed the last line looking at the screen? */
static bool console_is_screen(void)
{
    return screen_present() && (console.from_keyboard || !faces_serial());
}

unsigned console_columns(void)
{
    return console_is_screen() ? screen_columns() : CONSOLE_COLUMNS;
}

unsigned console_rows(void)
{
    return console_is_screen() ? screen_rows() : CONSOLE_ROWS;
}

void console_page_begin(void)
{
    if (console.from_keyboard && !console.panic)
        pager_begin();
}

void console_page_end(void)
{
    pager_end();
}

/* ---- lines ---- */

static void edit_write(void *context, const char *text, size_t n)
{
    (void)context;
    console_write(text, n);
}

static size_t edit_complete(void *context, const char *line, size_t cursor, size_t *start,
                            struct line_candidate *list, size_t n_max)
{
    return console.complete ? console.complete(context, line, cursor, start, list, n_max) : 0;
}

void console_set_completer(console_completer complete)
{
    console.complete = complete;
}

const struct line_history *console_history(void)
{
    return &console.edit.history;
}

/* The width that holds on every face that is there. */
static unsigned edit_columns(void)
{
    unsigned columns = CONSOLE_COLUMNS;

    if (screen_present() && (!faces_serial() || screen_columns() < columns))
        columns = screen_columns();
    return columns;
}

enum line_result console_read_line(const char *prompt, const char **line)
{
    static char coloured[PROMPT_BYTES];
    enum line_result result = LINE_MORE;

    pager_end();
    if (!faces_at_line_start())
        console_write("\n", 1);
    console_flush_log();
    console.editing = true;
    ksnprintf(coloured, sizeof(coloured), "%s%s" PROMPT_COLOUR_END, console.panic ? PANIC_COLOUR : PROMPT_COLOUR,
              prompt);
    line_edit_begin(&console.edit, coloured, edit_columns());
    while (result == LINE_MORE)
        result = line_edit_key(&console.edit, console_getc());
    console.editing = false;
    *line = console.edit.text;
    if (result == LINE_TOO_LONG)
        kprintf("error: line longer than %d characters, not run\n", LINE_EDIT_BYTES);
    return result;
}

/* ---- start ---- */

void console_start(const struct boot_info *info, const struct options *options)
{
    static const struct line_callbacks callbacks = {.write = edit_write, .complete = edit_complete};
    bool want_serial = options->console != CONSOLE_SCREEN, want_screen = options->console != CONSOLE_SERIAL;

    line_edit_start(&console.edit, &callbacks);
    faces_start(info, want_serial, want_screen);
    input_start(faces_serial(), (want_screen || !faces_serial()) && keyboard_start());
    console_flush_log();
}

void console_start_screen(void)
{
    faces_start_screen();
    input_start(faces_serial(), keyboard_present());
    input_use_interrupts();
    klog("console: %s, %s, %s", faces_serial() ? "serial COM1 115200 baud" : "no serial line",
         faces_screen() ? "screen" : "no screen", keyboard_present() ? "keyboard" : "no keyboard");
    console_flush_log();
}

void console_finish(void)
{
    screen_refresh();
    serial_finish();
}

void console_panic(void)
{
    console.panic = true;
    console.flushing = false;
    console.editing = false;
    pager_end();
    faces_panic();
    if (!faces_at_line_start())
        faces_write("\n", 1);
    console_flush_log();
}
