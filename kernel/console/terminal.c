/* SPDX-License-Identifier: MIT */
/*
 * The interpreter is an automaton of three states: plain text, after ESC, and inside CSI.  Characters come
 * out of the UTF-8 decoder first, so a sequence can stand anywhere and a broken character never eats one.
 *
 * The last column behaves as on a VT100: a character there leaves the cursor on it, and only the next
 * character moves to a new row.  A line as wide as the screen followed by \n therefore leaves no blank row.
 * With word_wrap that character takes the word that it belongs to along, and the row begins indented:
 *
 *     |... freed by run_kf|          |... freed by       |
 *     |ree+0x20           |          |  run_kfree+0x20   |
 *
 * A word that began in the first half of the row stays where it is.
 */
#include <kernel/console/terminal.h>
#include <lib/string.h>

#define PARAMETER_MAX 9999
#define TAB_COLUMNS 8u
#define WRAP_INDENT 2u
#define WRAP_LEAST_COLUMNS 20u

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The colours that the next character gets. */
static struct terminal_cell terminal_pen(const struct terminal *terminal, u16 code)
{
    u8 foreground = terminal->foreground;
    struct terminal_cell cell = {.code = code};

    if (terminal->dim && foreground == TERMINAL_FOREGROUND)
        foreground = 8;
    if (terminal->bold && foreground < 8)
        foreground = (u8)(foreground + 8);
    cell.foreground = terminal->reverse ? terminal->background : foreground;
    cell.background = terminal->reverse ? foreground : terminal->background;
    return cell;
}

/* Blanks cells [first, end) of the grid in the pen's background. */
static void terminal_erase(struct terminal *terminal, unsigned first, unsigned end)
{
    struct terminal_cell blank = {' ', TERMINAL_FOREGROUND, terminal->background};

    for (unsigned i = first; i < end; i++)
        terminal->cells[i] = blank;
}

static void terminal_scroll(struct terminal *terminal)
{
    unsigned n_kept = terminal->columns * (terminal->rows - 1);

    memmove(terminal->cells, terminal->cells + terminal->columns, n_kept * sizeof(*terminal->cells));
    terminal_erase(terminal, n_kept, n_kept + terminal->columns);
    terminal->n_scrolled++;
}

static void terminal_move(struct terminal *terminal, unsigned column, unsigned row)
{
    terminal->column = smaller(column, terminal->columns - 1);
    terminal->row = smaller(row, terminal->rows - 1);
    terminal->wrap_pending = false;
}

static void terminal_newline(struct terminal *terminal)
{
    if (terminal->row + 1 == terminal->rows)
        terminal_scroll(terminal);
    terminal_move(terminal, 0, terminal->row + 1);
}

/* Where in the full row the word begins that the next character belongs to; 0 when no blank is near. */
static unsigned terminal_word(const struct terminal *terminal, u32 code)
{
    const struct terminal_cell *row = &terminal->cells[terminal->row * terminal->columns];
    unsigned begin = terminal->columns;

    while (code != ' ' && begin > terminal->columns / 2 && row[begin - 1].code != ' ')
        begin--;
    return begin > terminal->columns / 2 ? begin : 0;
}

/* The row is full, and `code` comes.  True when it has its place already: a blank at which the line is broken. */
static bool terminal_wrap(struct terminal *terminal, u32 code)
{
    bool by_word = terminal->word_wrap && terminal->columns >= WRAP_LEAST_COLUMNS && terminal->rows > 1;
    unsigned begin = by_word ? terminal_word(terminal, code) : 0, n = terminal->columns - begin, first;

    terminal_newline(terminal);
    if (begin == 0)
        return false;
    first = terminal->row * terminal->columns; /* where the row that was full ends, whether it scrolled or not */
    memcpy(&terminal->cells[first + WRAP_INDENT], &terminal->cells[first - n], n * sizeof(*terminal->cells));
    terminal_erase(terminal, first - n, first);
    terminal_erase(terminal, first, first + WRAP_INDENT);
    terminal_move(terminal, WRAP_INDENT + n, terminal->row);
    return code == ' ';
}

static void terminal_put(struct terminal *terminal, u32 code)
{
    if (terminal->wrap_pending && terminal_wrap(terminal, code))
        return;
    if (code > 0xffff)
        code = UTF8_INVALID;
    terminal->cells[terminal->row * terminal->columns + terminal->column] = terminal_pen(terminal, (u16)code);
    if (terminal->column + 1 == terminal->columns)
        terminal->wrap_pending = true;
    else
        terminal->column++;
}

/* Parameter i, or `missing` where it was left out or is 0. */
static unsigned terminal_parameter(const struct terminal *terminal, unsigned i, unsigned missing)
{
    return i < terminal->n_parameters && terminal->parameters[i] ? terminal->parameters[i] : missing;
}

/* CSI K (of the row) and CSI J (of the screen): 0 from the cursor on, 1 up to it, 2 all. */
static void terminal_erase_part(struct terminal *terminal, unsigned first, unsigned end)
{
    unsigned at = terminal->row * terminal->columns + terminal->column;

    switch (terminal_parameter(terminal, 0, 0)) {
    case 0: terminal_erase(terminal, at, end); break;
    case 1: terminal_erase(terminal, first, at + 1); break;
    case 2: case 3: terminal_erase(terminal, first, end); break;
    default: break;
    }
}

/*
 * 38;5;n and 48;5;n: the number of parameters that they take after the first; the colour if it is one of
 * ours.
 */
static unsigned terminal_extended_colour(const struct terminal *terminal, unsigned i, u8 *colour)
{
    unsigned kind = terminal_parameter(terminal, i + 1, 0);

    if (kind == 2)
        return 4;
    if (kind == 5 && i + 2 < terminal->n_parameters && terminal->parameters[i + 2] < 256)
        *colour = (u8)terminal->parameters[i + 2];
    return kind == 5 ? 2 : 1;
}

static void terminal_plain(struct terminal *terminal)
{
    terminal->foreground = TERMINAL_FOREGROUND;
    terminal->background = TERMINAL_BACKGROUND;
    terminal->bold = terminal->dim = terminal->reverse = false;
}

/* One code of CSI m; returns how many further parameters it used. */
static unsigned terminal_rendition(struct terminal *terminal, unsigned i)
{
    unsigned code = terminal->parameters[i];

    switch (code) {
    case 0: terminal_plain(terminal); return 0;
    case 1: terminal->bold = true; return 0;
    case 2: terminal->dim = true; return 0;
    case 7: terminal->reverse = true; return 0;
    case 22: terminal->bold = terminal->dim = false; return 0;
    case 27: terminal->reverse = false; return 0;
    case 38: return terminal_extended_colour(terminal, i, &terminal->foreground);
    case 39: terminal->foreground = TERMINAL_FOREGROUND; return 0;
    case 48: return terminal_extended_colour(terminal, i, &terminal->background);
    case 49: terminal->background = TERMINAL_BACKGROUND; return 0;
    default: break;
    }
    if (code >= 30 && code <= 37)
        terminal->foreground = (u8)(code - 30);
    else if (code >= 40 && code <= 47)
        terminal->background = (u8)(code - 40);
    else if (code >= 90 && code <= 97)
        terminal->foreground = (u8)(code - 90 + 8);
    else if (code >= 100 && code <= 107)
        terminal->background = (u8)(code - 100 + 8);
    return 0;
}

static void terminal_renditions(struct terminal *terminal)
{
    if (terminal->n_parameters == 0)
        terminal_plain(terminal);
    for (unsigned i = 0; i < terminal->n_parameters; i++)
        i += terminal_rendition(terminal, i);
}

static void terminal_restore_cursor(struct terminal *terminal)
{
    terminal_move(terminal, terminal->saved_column, terminal->saved_row);
}

static void terminal_save_cursor(struct terminal *terminal)
{
    terminal->saved_column = terminal->column;
    terminal->saved_row = terminal->row;
}

/* Relative moves stop at the edges; PARAMETER_MAX keeps the sums far from wrapping round. */
static void terminal_move_by(struct terminal *terminal, char final)
{
    unsigned n = terminal_parameter(terminal, 0, 1);
    unsigned up = terminal->row - smaller(n, terminal->row);

    switch (final) {
    case 'A': terminal_move(terminal, terminal->column, up); break;
    case 'B': terminal_move(terminal, terminal->column, terminal->row + n); break;
    case 'C': terminal_move(terminal, terminal->column + n, terminal->row); break;
    case 'D': terminal_move(terminal, terminal->column - smaller(n, terminal->column), terminal->row); break;
    case 'E': terminal_move(terminal, 0, terminal->row + n); break;
    default: terminal_move(terminal, 0, up); break;
    }
}

static void terminal_private(struct terminal *terminal, char final)
{
    if (terminal_parameter(terminal, 0, 0) == 25 && (final == 'h' || final == 'l'))
        terminal->cursor_hidden = final == 'l';
}

static void terminal_sequence(struct terminal *terminal, char final)
{
    unsigned first = terminal_parameter(terminal, 0, 1);
    unsigned in_row = terminal->row * terminal->columns;

    switch (final) {
    case 'A': case 'B': case 'C': case 'D': case 'E': case 'F': terminal_move_by(terminal, final); break;
    case 'G': terminal_move(terminal, first - 1, terminal->row); break;
    case 'd': terminal_move(terminal, terminal->column, first - 1); break;
    case 'H': case 'f': terminal_move(terminal, terminal_parameter(terminal, 1, 1) - 1, first - 1); break;
    case 'J': terminal_erase_part(terminal, 0, terminal->rows * terminal->columns); break;
    case 'K': terminal_erase_part(terminal, in_row, in_row + terminal->columns); break;
    case 'm': terminal_renditions(terminal); break;
    case 's': terminal_save_cursor(terminal); break;
    case 'u': terminal_restore_cursor(terminal); break;
    default: break;
    }
}

static void terminal_parameter_digit(struct terminal *terminal, unsigned digit)
{
    u16 *parameter;

    if (terminal->n_parameters == 0)
        terminal->n_parameters = 1;
    parameter = &terminal->parameters[terminal->n_parameters - 1];
    *parameter = (u16)smaller(*parameter * 10u + digit, PARAMETER_MAX);
}

static void terminal_parameter_next(struct terminal *terminal)
{
    if (terminal->n_parameters == 0)
        terminal->n_parameters = 1; /* the one before the first ; was left out */
    if (terminal->n_parameters < TERMINAL_N_PARAMETERS)
        terminal->parameters[terminal->n_parameters++] = 0;
}

static void terminal_csi(struct terminal *terminal, u32 code)
{
    if (code >= '0' && code <= '9') {
        terminal_parameter_digit(terminal, code - '0');
    } else if (code == ';') {
        terminal_parameter_next(terminal);
    } else if (code == '?') {
        terminal->private_sequence = true;
    } else if (code >= 0x40 && code <= 0x7e) {
        terminal->state = TERMINAL_TEXT;
        if (terminal->private_sequence)
            terminal_private(terminal, (char)code);
        else
            terminal_sequence(terminal, (char)code);
    } else if (code >= 0x7f) {
        terminal->state = TERMINAL_TEXT; /* no sequence looks like this */
    }
}

static void terminal_control(struct terminal *terminal, u32 code)
{
    unsigned next_tab = (terminal->column / TAB_COLUMNS + 1) * TAB_COLUMNS;

    terminal->state = TERMINAL_TEXT;
    switch (code) {
    case 0x1b: terminal->state = TERMINAL_ESCAPE; break;
    case '\n': terminal_newline(terminal); break;
    case '\r': terminal_move(terminal, 0, terminal->row); break;
    case '\b': terminal_move(terminal, terminal->column - (terminal->column > 0), terminal->row); break;
    case '\t': terminal_move(terminal, next_tab, terminal->row); break;
    default: break;
    }
}

static void terminal_push(struct terminal *terminal, u32 code)
{
    if (code < 0x20) {
        terminal_control(terminal, code);
    } else if (terminal->state == TERMINAL_CSI) {
        terminal_csi(terminal, code);
    } else if (terminal->state == TERMINAL_ESCAPE && code == '[') {
        terminal->state = TERMINAL_CSI;
        terminal->n_parameters = 0;
        terminal->parameters[0] = 0;
        terminal->private_sequence = false;
    } else if (terminal->state == TERMINAL_ESCAPE) {
        terminal->state = TERMINAL_TEXT;
    } else if (code != 0x7f) {
        terminal_put(terminal, code);
    }
}

void terminal_start(struct terminal *terminal, struct terminal_cell *cells, unsigned columns, unsigned rows)
{
    memset(terminal, 0, sizeof(*terminal));
    terminal->cells = cells;
    terminal->columns = columns;
    terminal->rows = rows;
    terminal_plain(terminal);
    terminal_erase(terminal, 0, columns * rows);
}

void terminal_write(struct terminal *terminal, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool again = true;

        while (again) {
            u32 code = utf8_push(&terminal->utf8, (u8)text[i], &again);
            if (code != UTF8_MORE)
                terminal_push(terminal, code);
        }
    }
}
