/* SPDX-License-Identifier: MIT */
/*
 * Two grids: `cells` is what the text says, `drawn` what the glass shows.  Painting compares them.  While
 * text scrolls by, painting each row is wasted work: then it is put off until RUSH_CYCLES have passed, or
 * until somebody waits for a key (screen_refresh).  Text that does not scroll is shown by the write that
 * brought it.
 */
#include <kernel/console/screen.h>
#include <kernel/cpu/registers.h>
#include <lib/string.h>

#define RUSH_CYCLES 20000000u /* 7 ms at 3 GHz; the TSC, since time may not run yet */

static struct {
    const struct screen_face *face;
    struct terminal terminal;
    struct terminal_cell *cells, *drawn;
    unsigned n_cells;    /* in each */
    u64 painted_at;      /* TSC */
    u64 painted_scrolls; /* terminal.n_scrolled then */
    bool present;
    bool changed;        /* something was written since */
    bool painting;
    bool panic;
} screen;

static struct terminal_cell own_cells[2 * SCREEN_N_OWN];

/* A cell that no cell equals, so that what is drawn there counts as changed. */
static const struct terminal_cell nothing = {0xffff, 0, 0};

static void screen_forget_drawn(void)
{
    for (unsigned i = 0; i < screen.n_cells; i++)
        screen.drawn[i] = nothing;
}

unsigned screen_n_cells(void)
{
    return screen.cells == NULL ? SCREEN_N_OWN : screen.n_cells;
}

void screen_lend(struct terminal_cell *cells, unsigned n)
{
    screen.cells = cells;
    screen.drawn = cells + n;
    screen.n_cells = n;
}

void screen_start(const struct screen_face *face, unsigned columns, unsigned rows)
{
    if (screen.cells == NULL)
        screen_lend(own_cells, SCREEN_N_OWN);
    terminal_start(&screen.terminal, screen.cells, columns, rows);
    screen.terminal.word_wrap = true;
    screen.present = true;
    screen_set_face(face);
}

void screen_set_face(const struct screen_face *face)
{
    screen.face = face;
    screen_forget_drawn();
    screen.changed = true;
    screen_refresh();
}

bool screen_present(void)
{
    return screen.present;
}

unsigned screen_columns(void)
{
    return screen.terminal.columns;
}

unsigned screen_rows(void)
{
    return screen.terminal.rows;
}

static bool cell_equal(struct terminal_cell a, struct terminal_cell b)
{
    return a.code == b.code && a.foreground == b.foreground && a.background == b.background;
}

static void screen_paint_cells(void)
{
    const struct terminal *terminal = &screen.terminal;
    bool soft_cursor = !screen.face->cursor && !terminal->cursor_hidden;
    unsigned i = 0;

    for (unsigned row = 0; row < terminal->rows; row++) {
        for (unsigned column = 0; column < terminal->columns; column++, i++) {
            bool cursor = soft_cursor && column == terminal->column && row == terminal->row;

            if (!cursor && cell_equal(screen.cells[i], screen.drawn[i]))
                continue;
            screen.face->draw(column, row, screen.cells[i], cursor);
            screen.drawn[i] = cursor ? nothing : screen.cells[i];
        }
    }
}

void screen_refresh(void)
{
    const struct terminal *terminal = &screen.terminal;

    if (!screen.face || !screen.present || !screen.changed)
        return;
    screen.changed = false;
    screen.painting = true;
    screen_paint_cells();
    if (screen.face->cursor)
        screen.face->cursor(terminal->column, terminal->row, !terminal->cursor_hidden);
    screen.painting = false;
    screen.painted_at = tsc_read();
    screen.painted_scrolls = terminal->n_scrolled;
}

void screen_write(const char *text, size_t n)
{
    bool scrolled, recent;

    if (!screen.present)
        return;
    terminal_write(&screen.terminal, text, n);
    screen.changed = true;
    scrolled = screen.terminal.n_scrolled != screen.painted_scrolls;
    recent = tsc_read() - screen.painted_at < RUSH_CYCLES;
    if (screen.panic || !scrolled || !recent)
        screen_refresh();
}

void screen_wrap_words(bool on)
{
    screen.terminal.word_wrap = on;
}

u64 screen_rows_passed(void)
{
    return screen.terminal.n_scrolled + screen.terminal.row;
}

void screen_panic(void)
{
    if (screen.painting)
        screen.face = NULL;
    screen.panic = true;
    screen_write("\033[0m\033[?25h", 10);
}
