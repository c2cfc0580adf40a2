/* SPDX-License-Identifier: MIT */
/* A plain line editor: see line_model.h. */
#include <line_model.h>

#include <kernel/console/keys.h>

#include <string.h>

void line_model_start(struct line_model *model)
{
    model->n_history = 0;
    line_model_begin(model);
}

void line_model_begin(struct line_model *model)
{
    model->text[0] = '\0';
    model->length = model->cursor = model->n_lost = 0;
    model->recalled = 0;
}

void line_model_insert(struct line_model *model, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (model->length == LINE_EDIT_BYTES) {
            model->n_lost++;
            continue;
        }
        for (size_t k = ++model->length; k > model->cursor; k--)
            model->text[k] = model->text[k - 1];
        model->text[model->cursor++] = text[i];
    }
}

/* Takes out the character at the cursor, if there is one. */
static void erase(struct line_model *model)
{
    if (model->cursor == model->length)
        return;
    for (size_t k = model->cursor; k < model->length; k++)
        model->text[k] = model->text[k + 1];
    model->length--;
    model->n_lost = 0;
}

static void rub_out(struct line_model *model)
{
    if (model->cursor == 0)
        return;
    model->cursor--;
    erase(model);
}

static void rub_out_word(struct line_model *model)
{
    while (model->cursor > 0 && model->text[model->cursor - 1] == ' ')
        rub_out(model);
    while (model->cursor > 0 && model->text[model->cursor - 1] != ' ')
        rub_out(model);
}

/* The n-th newest line of the history; 0 is what was being typed. */
static void recall(struct line_model *model, unsigned n)
{
    if (n > model->n_history || n == model->recalled)
        return;
    if (model->recalled == 0)
        strcpy(model->own, model->text);
    model->recalled = n;
    strcpy(model->text, n == 0 ? model->own : model->history[n - 1]);
    model->length = model->cursor = strlen(model->text);
    model->n_lost = 0;
}

/* How many of the newest lines fit into what the history has. */
static unsigned n_kept(const struct line_model *model)
{
    size_t n_bytes = 0;
    unsigned n = 0;

    while (n < model->n_history && n < LINE_HISTORY_N) {
        n_bytes += strlen(model->history[n]) + 1;
        if (n_bytes > LINE_HISTORY_BYTES)
            break;
        n++;
    }
    return n;
}

static void remember(struct line_model *model)
{
    unsigned i = 0;

    if (strspn(model->text, " ") == model->length)
        return;
    while (i < model->n_history && strcmp(model->history[i], model->text) != 0)
        i++;
    memmove(model->history[1], model->history[0], i * sizeof(model->history[0]));
    strcpy(model->history[0], model->text);
    model->n_history += i == model->n_history;
    model->n_history = n_kept(model);
}

static void control(struct line_model *model, int key)
{
    switch (key) {
    case KEY_CTRL('A'): case KEY_HOME: model->cursor = 0; break;
    case KEY_CTRL('E'): case KEY_END: model->cursor = model->length; break;
    case KEY_CTRL('B'): case KEY_LEFT: model->cursor -= model->cursor > 0; break;
    case KEY_CTRL('F'): case KEY_RIGHT: model->cursor += model->cursor < model->length; break;
    case KEY_CTRL('P'): case KEY_UP: recall(model, model->recalled + 1); break;
    case KEY_CTRL('N'): case KEY_DOWN: recall(model, model->recalled - (model->recalled > 0)); break;
    case KEY_BACKSPACE: case KEY_RUBOUT: rub_out(model); break;
    case KEY_CTRL('D'): case KEY_DELETE: erase(model); break;
    case KEY_CTRL('W'): rub_out_word(model); break;
    default: break;
    }
    while (key == KEY_CTRL('K') && model->cursor < model->length)
        erase(model);
    while (key == KEY_CTRL('U') && model->cursor > 0)
        rub_out(model);
}

enum line_result line_model_key(struct line_model *model, int key)
{
    char character = (char)key;

    if (key == KEY_CTRL('C'))
        return LINE_CANCELLED;
    if (key == '\r' || key == '\n') {
        if (model->n_lost > 0)
            return LINE_TOO_LONG;
        remember(model);
        return LINE_DONE;
    }
    if (key >= ' ' && key < KEY_RUBOUT)
        line_model_insert(model, &character, 1);
    else
        control(model, key);
    return LINE_MORE;
}
