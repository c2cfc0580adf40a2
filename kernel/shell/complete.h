/* SPDX-License-Identifier: MIT */
/* What TAB offers. */
#ifndef KERNEL_SHELL_COMPLETE_H
#define KERNEL_SHELL_COMPLETE_H

#include <kernel/console/line_edit.h>
#include <lib/types.h>

/* The console's completer (console.h): ways to complete the word that ends at line[cursor]. */
size_t complete_word(void *context, const char *line, size_t cursor, size_t *start,
                     struct line_candidate *list, size_t n_max);

#endif
