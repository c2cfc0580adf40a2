/* SPDX-License-Identifier: MIT */
/* A typed line into commands and words once more, from the grammar in kernel/shell/words.h. */
#ifndef TESTS_FUZZ_WORDS_MODEL_H
#define TESTS_FUZZ_WORDS_MODEL_H

#include <kernel/shell/words.h>

/* True when `words` is what the next command of *line must be, given the result of words_next; moves *line on. */
bool words_model_agrees(const char **line, enum words_result result, const struct words *words);

#endif
