/* SPDX-License-Identifier: MIT */
/* Typed numbers once more, from the grammar in kernel/shell/expression.h. */
#ifndef TESTS_FUZZ_EXPRESSION_MODEL_H
#define TESTS_FUZZ_EXPRESSION_MODEL_H

#include <kernel/shell/expression.h>

__extension__ typedef __int128 expression_model_wide;

/* What $N and symbols are for the tests: five results, and two symbols. */
extern const struct expression_names expression_model_names;

/* The value of an expression; false when it is none. */
bool expression_model(const char *text, expression_model_wide *value);

#endif
