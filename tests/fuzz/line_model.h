/* SPDX-License-Identifier: MIT */
/* A plain line editor: what the text and the cursor are after each key.  It shows nothing, and completes nothing. */
#ifndef TESTS_FUZZ_LINE_MODEL_H
#define TESTS_FUZZ_LINE_MODEL_H

#include <kernel/console/line_edit.h>

struct line_model {
    char text[LINE_EDIT_BYTES + 1];
    size_t length, cursor, n_lost;
    char own[LINE_EDIT_BYTES + 1];
    unsigned recalled;
    char history[LINE_HISTORY_N + 1][LINE_EDIT_BYTES + 1]; /* the newest first */
    unsigned n_history;
};

void line_model_start(struct line_model *model);
void line_model_begin(struct line_model *model);
void line_model_insert(struct line_model *model, const char *text, size_t n);

/* One key; the result that line_edit_key must give.  TAB changes nothing here. */
enum line_result line_model_key(struct line_model *model, int key);

#endif
