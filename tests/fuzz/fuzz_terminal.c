/* SPDX-License-Identifier: MIT */
/*
 * The terminal that the screen shows, and the decoder of characters before it.  Input: columns, rows (a byte each), then
 * text with control sequences.  It is written in pieces and at once: both must show the same.
 */
#include <fuzz.h>

#include <kernel/console/terminal.h>

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES 3

/* One character by the rule (RFC 3629), from at most n bytes; its length in *n_used; UTF8_INVALID for a broken one. */
static u32 decode(const u8 *text, size_t n, size_t *n_used)
{
    static const u32 smallest[] = {0, 0x80, 0x800, 0x10000};
    unsigned n_more = text[0] < 0x80 ? 0 : text[0] < 0xc0 ? 4 : text[0] < 0xe0 ? 1 : text[0] < 0xf0 ? 2 : 3;
    u32 code = n_more == 0 ? text[0] : text[0] & (0x3fu >> n_more);

    *n_used = 1;
    if (n_more == 4 || text[0] >= 0xf8)
        return UTF8_INVALID;
    for (; *n_used <= n_more; ++*n_used) {
        if (*n_used == n)
            return UTF8_MORE;
        if ((text[*n_used] & 0xc0) != 0x80)
            return UTF8_INVALID;
        code = code << 6 | (text[*n_used] & 0x3f);
    }
    if (code < smallest[n_more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return UTF8_INVALID;
    return code;
}

/* The decoder gives, one after another, the characters that the rule gives. */
static void check_utf8(const u8 *text, size_t n)
{
    struct utf8_decoder decoder = {0};
    size_t at = 0, n_used;

    for (size_t i = 0; i < n; i++) {
        bool again = true;

        while (again) {
            u32 code = utf8_push(&decoder, text[i], &again);

            if (code == UTF8_MORE)
                continue;
            expect(decode(text + at, n - at, &n_used) == code);
            at += n_used;
        }
    }
    expect(at == n || decode(text + at, n - at, &n_used) == UTF8_MORE);
}

static void check(const struct terminal *terminal)
{
    expect(terminal->column < terminal->columns && terminal->row < terminal->rows);
    expect(!terminal->wrap_pending || terminal->column + 1 == terminal->columns);
    expect(terminal->n_parameters <= TERMINAL_N_PARAMETERS);
    terminal_colour(terminal->foreground);
    expect(terminal_basic_colour(terminal->background) < 16);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    struct fuzz_bytes bytes = {data, n};
    unsigned columns = 1 + (unsigned)fuzz_below(&bytes, 140), rows = 1 + (unsigned)fuzz_below(&bytes, 50);
    size_t n_bytes = (size_t)columns * rows * sizeof(struct terminal_cell);
    struct terminal_cell *cells = malloc(n_bytes), *same_cells = malloc(n_bytes);
    struct terminal terminal, same;
    const char *text = (const char *)bytes.at;

    expect(cells != NULL && same_cells != NULL);
    check_utf8(bytes.at, bytes.left);
    terminal_start(&terminal, cells, columns, rows);
    terminal_start(&same, same_cells, columns, rows);
    terminal.word_wrap = same.word_wrap = columns % 2 == 0;
    terminal_write(&same, text, bytes.left);
    for (size_t at = 0; at < bytes.left; at += PIECE_BYTES) {
        terminal_write(&terminal, text + at, bytes.left - at < PIECE_BYTES ? bytes.left - at : PIECE_BYTES);
        check(&terminal);
    }
    check(&same);
    expect(memcmp(cells, same_cells, n_bytes) == 0);
    expect(terminal.row == same.row && terminal.column == same.column);
    free(cells);
    free(same_cells);
    return 0;
}
