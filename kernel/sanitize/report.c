/* SPDX-License-Identifier: MIT */
/*
 * Reports.
 *
 *      panic: sanitizer: write of 4 bytes at 0xffff800000c5d064 by list_add+0x1c: behind what was asked for of an object
 *        what       inside an object of 256 bytes at 0xffff800000c5d000
 *        object     100 of its 256 bytes were asked for; this is byte 100
 *        shadow     00 00 00 00 00 00 00 00 00 00 00 00[04]fc fc fc fc fc fc fc
 *      backtrace: ...
 *
 * The first report is the last: from it on nothing is checked any more, so that the panic can look wherever it likes.
 * The text is put together before the panic begins, since what it asks may fail.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/panic.h>
#include <kernel/debug/symbols.h>
#include <kernel/sanitize/globals.h>
#include <kernel/sanitize/report.h>
#include <kernel/sanitize/shadow.h>
#include <lib/bits.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/inspect.h>
#include <mm/layout.h>

#define TEXT_BYTES      1024
#define SHADOW_BEFORE   12
#define SHADOW_BEHIND   8
#define FRAME_MAGIC     0x41b58ab3UL /* gcc: the first word below a function's variables; the second describes them */
#define FRAME_MOST      4096

static struct sanitize_catch *caught; /* by a test */
static u32 catcher;                   /* on this CPU */
static u32 reporter;                  /* number + 1 of the CPU that reports; 0: none yet */

static char text[TEXT_BYTES];
static size_t length;

static __attribute__((format(printf, 1, 2))) void add(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (length < sizeof text)
        length += (size_t)kvsnprintf(text + length, sizeof text - length, format, arguments);
    va_end(arguments);
}

static u32 this_cpu(void)
{
    return cpu_started ? cpu_this()->number : 0;
}

/* The CPU that has reported does wrong as much as it likes. */
static bool is_over(void)
{
    return __atomic_load_n(&reporter, __ATOMIC_RELAXED) == this_cpu() + 1;
}

/* Whoever comes second waits for the NMI of the first one's panic. */
static void begin(void)
{
    u32 nobody = 0;

    while (!__atomic_compare_exchange_n(&reporter, &nobody, this_cpu() + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        nobody = 0;
        cpu_pause();
    }
}

/* True when a test wanted to know. */
static bool note(const char *what, u64 at, u64 bytes, bool write)
{
    struct sanitize_catch *to = __atomic_load_n(&caught, __ATOMIC_ACQUIRE);

    if (to == NULL || this_cpu() != catcher)
        return false;
    if (to->n++ == 0)
        *to = (struct sanitize_catch){1, what, at, bytes, write};
    return true;
}

/* ---- accesses ---- */

static const char *reason(u64 bad)
{
    u8 value = *shadow_of(bad);

    if (value > 0 && value < SHADOW_GRAIN)
        value = *shadow_of(bad + SHADOW_GRAIN);
    switch (value) {
    case SHADOW_STACK_LEFT:
    case SHADOW_STACK_MIDDLE:
    case SHADOW_STACK_RIGHT:
        return "beside a variable on the stack";
    case SHADOW_STACK_SCOPE:
        return "a variable whose block has ended";
    case SHADOW_GLOBAL:
        return "behind a global";
    case SHADOW_FREE_OBJECT:
        return "an object that is free";
    case SHADOW_FREE_FRAME:
        return "a frame that is free";
    default:
        return "behind what was asked for of an object";
    }
}

/* The bytes from the start of an object on that may be touched. */
static u64 open_bytes(u64 start, u64 most)
{
    return shadow_first_bad(start, most) - start;
}

static void add_object(u64 bad)
{
    char words[96];
    struct mm_what what;
    u64 start;

    if (!cpu_started || bad - PAGE_OFFSET >= MM_RAM_LIMIT)
        return;
    mm_describe_virt(virt(bad), &what);
    mm_describe_text(&what, words, sizeof words);
    add("\n  what       %s", words);
    if (what.kind != MM_LIVE_OBJECT)
        return;
    start = what.block_start + PAGE_OFFSET;
    add("\n  object     %lu of its %lu bytes were asked for; this is byte %lu", open_bytes(start, what.class_bytes),
        what.class_bytes, bad - start);
}

static void add_global(u64 bad)
{
    const struct sanitize_global *global = sanitize_global_at(bad);

    if (global != NULL)
        add("\n  global     '%s' of %s has %lu bytes; this is byte %lu", global->name, global->file, global->bytes,
            bad - global->start);
}

/* gcc's description of a frame: how many variables, and "offset bytes length-of-name name" of each. */
static void add_stack(u64 bad)
{
    const u64 *word = (const u64 *)align_down(bad, SHADOW_GRAIN), *lowest = word - FRAME_MOST / sizeof *word;

    for (; word > lowest && shadow_covers((u64)word); word--)
        if (*word == FRAME_MAGIC && *shadow_of((u64)word) == SHADOW_STACK_LEFT) {
            char place[80];

            symbol_text(word[2], place, sizeof place);
            add("\n  variables  '%s' (number; place, bytes, -, name) of %s; this is byte %lu", (const char *)word[1],
                place, bad - (u64)word);
            return;
        }
}

static void add_shadow(u64 bad)
{
    u64 first = align_down(bad, SHADOW_GRAIN) - SHADOW_BEFORE * SHADOW_GRAIN;

    add("\n  shadow    ");
    for (u64 i = 0; i <= SHADOW_BEFORE + SHADOW_BEHIND; i++) {
        u64 at = first + i * SHADOW_GRAIN;

        if (shadow_covers(at))
            add(i == SHADOW_BEFORE ? "[%02x]" : i == SHADOW_BEFORE + 1 ? "%02x" : " %02x", *shadow_of(at));
    }
}

void report_access(u64 at, u64 bytes, bool write, u64 rip)
{
    bool wraps = bytes > MM_RAM_LIMIT;
    u64 bad = wraps ? at : shadow_first_bad(at, bytes);
    const char *what = wraps ? "no such size" : reason(bad);
    char place[80];

    if (is_over())
        return;
    if (note(what, at, bytes, write))
        return;
    begin();
    symbol_text(rip, place, sizeof place);
    add("%s of %lu bytes at 0x%lx by %s: %s", write ? "write" : "read", bytes, at, place, what);
    if (!wraps) {
        add_object(bad);
        add_global(bad);
        add_stack(bad);
        add_shadow(bad);
    }
    panic("sanitizer: %s", text);
}

/* ---- undefined behaviour ---- */

/* Here gcc names files by their whole paths, whatever -ffile-prefix-map says. */
static const char *source_name(const char *file)
{
    size_t n = sizeof SOURCE_TOP - 1;

    return strncmp(file, SOURCE_TOP, n) == 0 ? file + n : file;
}

void report_undefined(const struct source_place *place, const char *what, const char *format, ...)
{
    va_list arguments;

    if (is_over() || note(what, 0, 0, false))
        return;
    begin();
    add("%s: ", what);
    va_start(arguments, format);
    if (length < sizeof text)
        length += (size_t)kvsnprintf(text + length, sizeof text - length, format, arguments);
    va_end(arguments);
    add("\n  at         %s:%u:%u", source_name(place->file), place->line, place->column);
    panic("sanitizer: %s", text);
}

/* ---- tests ---- */

struct sanitize_catch sanitize_catch(void (*fn)(void *argument), void *argument)
{
    struct sanitize_catch result = {0};

    catcher = cpu_this()->number;
    __atomic_store_n(&caught, &result, __ATOMIC_RELEASE);
    probe_call(fn, argument);
    __atomic_store_n(&caught, NULL, __ATOMIC_RELEASE);
    return result;
}
