/* SPDX-License-Identifier: MIT */
/* Single bytes: peek and xp show them, poke and fill change them, find looks for them. */
#include <kernel/shell/access.h>
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/out.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/mm.h>

#define ROW_BYTES      16
#define DEFAULT_COUNT  64 /* four rows */
#define PATTERN_MAX    64
#define CHUNK_BYTES    512
#define ROW_TEXT_BYTES (ROW_BYTES * 3 + 8)

/* ---- peek, xp ---- */

/* Reads a row in the pieces that its frames make of it. */
static bool read_pieces(const struct access *access, u64 at, u8 *to, size_t n)
{
    for (size_t done = 0, piece; done < n; done += piece) {
        piece = access_piece(at + done, n - done);
        if (!access_read(access, at + done, to + done, piece))
            return false;
    }
    return true;
}

static void print_row(u64 at, const u8 *bytes, size_t n)
{
    char hex[ROW_TEXT_BYTES], text[ROW_BYTES + 1];
    size_t length = 0;
    for (size_t i = 0; i < ROW_BYTES; i++) {
        const char *gap = i == ROW_BYTES / 2 ? "  " : " ";
        if (i < n)
            length += (size_t)ksnprintf(hex + length, sizeof hex - length, "%s%02x", gap, bytes[i]);
        else
            length += (size_t)ksnprintf(hex + length, sizeof hex - length, "%s  ", gap);
        text[i] = i < n ? (bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.') : 0;
    }
    text[ROW_BYTES] = 0;
    out("0x%016lx:%s  |%s|\n", at, hex, text);
}

static bool dump(const struct access *access, u64 at, u64 count)
{
    u8 row[ROW_BYTES] __attribute__((aligned(8)));
    if (!access_check_range(at, count))
        return false;
    if (!count)
        return out_ok();
    for (u64 done = 0; done < count && !out_interrupted(); done += ROW_BYTES) {
        size_t n = count - done < ROW_BYTES ? (size_t)(count - done) : ROW_BYTES;
        if (!read_pieces(access, at + done, row, n))
            return false;
        print_row(at + done, row, n);
    }
    return true;
}

static bool run_peek(struct call *call)
{
    struct access access = {.physical = call_has(call, "-p"), .force = call_has(call, "-f")};
    u64 at, count = DEFAULT_COUNT;
    if (!call_number(call, 0, &at) || (call->n > 1 && !call_number(call, 1, &count)))
        return false;
    return dump(&access, at, count);
}

static bool run_xp(struct call *call)
{
    struct access access = {.physical = true, .force = call_has(call, "-f")};
    u64 at, count = DEFAULT_COUNT;
    if (!call_number(call, 0, &at) || (call->n > 1 && !call_number(call, 1, &count)))
        return false;
    return dump(&access, at, count);
}

/* ---- poke, fill ---- */

static bool width_option(const struct call *call, u64 *width)
{
    *width = sizeof(u64);
    if (!call_has(call, "-w"))
        return true;
    if (!call_option_number(call, "-w", width))
        return false;
    if (*width != 1 && *width != 2 && *width != 4 && *width != 8)
        return out_error("width '%s' is not 1, 2, 4 or 8", call_option(call, "-w"));
    return true;
}

/* False after an error line. */
static bool fits(const char *text, u64 value, u64 width)
{
    return width >= sizeof value || !(value >> (8 * width)) || out_error("'%s' does not fit a width of %lu", text, width);
}

static bool write_pieces(const struct access *access, u64 at, const u8 *from, size_t n)
{
    for (size_t done = 0, piece; done < n; done += piece) {
        piece = access_piece(at + done, n - done);
        if (!access_write(access, at + done, from + done, piece))
            return false;
    }
    return true;
}

static bool run_poke(struct call *call)
{
    struct access access = {.physical = call_has(call, "-p"), .force = call_has(call, "-f")};
    u64 at, value, width;
    if (!call_number(call, 0, &at) || !call_number(call, 1, &value) || !width_option(call, &width))
        return false;
    if (!fits(call->argument[1], value, width))
        return false;
    if (!access_check_range(at, width) || !access_may_write(&access, at, width))
        return false;
    return write_pieces(&access, at, (const u8 *)&value, width) && out_ok();
}

static bool run_fill(struct call *call)
{
    struct access access = {.physical = call_has(call, "-p"), .force = call_has(call, "-f")};
    u8 chunk[CHUNK_BYTES];
    u64 at, length, value;
    if (!call_number(call, 0, &at) || !call_number(call, 1, &length) || !call_number(call, 2, &value))
        return false;
    if (value > UINT8_MAX)
        return out_error("'%s' does not fit in a byte", call->argument[2]);
    if (!access_check_range(at, length) || !access_may_write(&access, at, length))
        return false;
    memset(chunk, (int)value, sizeof chunk);
    for (u64 done = 0; done < length && !out_interrupted(); done += sizeof chunk) {
        size_t n = length - done < sizeof chunk ? (size_t)(length - done) : sizeof chunk;
        if (!write_pieces(&access, at + done, chunk, n))
            return false;
    }
    return out_interrupted() || out_ok();
}

/* ---- find ---- */

struct pattern {
    u8 bytes[PATTERN_MAX];
    size_t n;
};

/* Text in quotes as it stands, anything else as a number: as many bytes of it, low ones first, as it needs.
 */
static bool pattern_argument(const struct call *call, unsigned i, struct pattern *pattern)
{
    u64 value, width = 1;
    if (call->quoted[i] && call_has(call, "-w"))
        return out_error("-w is for numbers; the text in quotes is as long as it is");
    if (call->quoted[i]) {
        pattern->n = strlen(call->argument[i]);
        if (!pattern->n || pattern->n > PATTERN_MAX)
            return out_error("the text to find has 1 to %u bytes", PATTERN_MAX);
        memcpy(pattern->bytes, call->argument[i], pattern->n);
        return true;
    }
    if (!call_number(call, i, &value))
        return false;
    while (width < sizeof value && value >> (8 * width))
        width *= 2;
    if (call_has(call, "-w") && !width_option(call, &width))
        return false;
    if (!fits(call->argument[i], value, width))
        return false;
    memcpy(pattern->bytes, &value, sizeof value);
    pattern->n = width;
    return true;
}

/* Reports the matches that begin in the first n_starts bytes. */
static u64 report_matches(const struct pattern *pattern, u64 at, const u8 *bytes, size_t n_starts)
{
    u64 n_found = 0;
    for (size_t i = 0; i < n_starts; i++) {
        if (bytes[i] != pattern->bytes[0] || memcmp(bytes + i, pattern->bytes, pattern->n))
            continue;
        out("0x%lx\n", at + i);
        n_found++;
    }
    return n_found;
}

static bool run_find(struct call *call)
{
    struct access access = {.physical = call_has(call, "-p"), .force = call_has(call, "-f")};
    u8 bytes[CHUNK_BYTES] __attribute__((aligned(8)));
    struct pattern pattern = {.n = 0};
    u64 at, length, n_found = 0;
    if (!call_number(call, 0, &at) || !call_number(call, 1, &length) || !pattern_argument(call, 2, &pattern))
        return false;
    if (!access_check_range(at, length))
        return false;
    /* Each chunk is read with the pattern's length more, so that matches across its end are seen. */
    size_t step = sizeof bytes - PATTERN_MAX;
    for (u64 done = 0; done + pattern.n <= length && !out_interrupted(); done += step) {
        size_t n = length - done < step + pattern.n - 1 ? (size_t)(length - done) : step + pattern.n - 1;
        if (!read_pieces(&access, at + done, bytes, n))
            return false;
        n_found += report_matches(&pattern, at + done, bytes, n - pattern.n + 1);
    }
    out("%lu found\n", n_found);
    return true;
}

/* ---- the table ---- */

static const struct command_option look_options[] = {
    {"-p", NULL, "ADDR is physical"},
    {"-f", NULL, "with -p: also what is no RAM"},
    {NULL, NULL, NULL},
};

static const struct command_option find_options[] = {
    {"-p", NULL, "ADDR is physical"},
    {"-f", NULL, "with -p: also what is no RAM"},
    {"-w", "WIDTH", "bytes of a number: 1, 2, 4 or 8"},
    {NULL, NULL, NULL},
};

static const struct command_option write_options[] = {
    {"-p", NULL, "ADDR is physical"},
    {"-f", NULL, "whatever it is that is written to"},
    {"-w", "WIDTH", "bytes of a number: 1, 2, 4 or 8"},
    {NULL, NULL, NULL},
};

static const struct command_option fill_options[] = {
    {"-p", NULL, "ADDR is physical"},
    {"-f", NULL, "whatever it is that is written to"},
    {NULL, NULL, NULL},
};

static const struct command_option force_options[] = {
    {"-f", NULL, "also what is no RAM"},
    {NULL, NULL, NULL},
};

const struct command commands_memory[] = {
    {.name = "peek",
     .usage = "peek ADDR [COUNT] [-p [-f]]",
     .summary = "show COUNT bytes (64) at a virtual address",
     .example = "kmalloc 64\npeek $$ 64\npeek kernel_main+4 16",
     .trouble = "an address that is not mapped is named, never a fault; device registers may mind being read",
     .run = run_peek,
     .options = look_options,
     .n_min = 1,
     .n_max = 2,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_ADDRESS, ARGUMENT_NONE}},
    {.name = "poke",
     .usage = "poke ADDR VALUE [-w WIDTH] [-f] [-p]",
     .summary = "write a number of WIDTH bytes (8), low byte first",
     .example = "kmalloc 64\npoke $$ 0x1122334455667788\npoke $$+8 0xff -w 1",
     .trouble =
         "only live objects, pages of alloc_pages and special mappings, unless -f; read-only memory never",
     .run = run_poke,
     .options = write_options,
     .n_min = 2,
     .n_max = 2,
     .kinds = {ARGUMENT_ADDRESS, ARGUMENT_NONE}},
    {.name = "fill",
     .usage = "fill ADDR LEN BYTE [-f] [-p]",
     .summary = "set LEN bytes to BYTE",
     .example = "kmalloc 4K\nfill $$ 4K 0xa5",
     .trouble = "as poke; nothing is written unless all of it may be",
     .run = run_fill,
     .options = fill_options,
     .n_min = 3,
     .n_max = 3,
     .kinds = {ARGUMENT_ADDRESS, ARGUMENT_NONE}},
    {.name = "find",
     .usage = "find ADDR LEN PATTERN [-w WIDTH] [-p [-f]]",
     .summary = "search for a number, or for \"text\" in quotes",
     .example = "kmalloc 4K\nfind $$ 4K 0xdeadbeef\nfind $$ 4K \"Tessera\"",
     .trouble = "stops with an error at the first address that is not mapped",
     .run = run_find,
     .options = find_options,
     .n_min = 3,
     .n_max = 3,
     .kinds = {ARGUMENT_ADDRESS, ARGUMENT_NONE}},
    {.name = "xp",
     .usage = "xp PHYS [COUNT] [-f]",
     .summary = "show COUNT bytes (64) of physical memory, mapped or not",
     .example = "xp 0x7c00\nxp 0xfee00000 64 -f",
     .trouble = "outside RAM only with -f; devices may mind being read",
     .run = run_xp,
     .options = force_options,
     .n_min = 1,
     .n_max = 2,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_ADDRESS, ARGUMENT_NONE}},
    {.name = NULL},
};
