/* SPDX-License-Identifier: MIT */
/* The listener of kernel/boot/'s warnings in tests: keeps them, one a line. */
#ifndef TESTS_HOST_WARNING_LOG_H
#define TESTS_HOST_WARNING_LOG_H

#include <stdio.h>
#include <string.h>

#include <kernel/boot/warnings.h>

struct warning_log {
    char text[4096];
    unsigned n_warnings;
};

static inline void warning_log_say(void *context, const char *line)
{
    struct warning_log *log = context;
    size_t length = strlen(log->text);

    snprintf(log->text + length, sizeof(log->text) - length, "%s\n", line);
    log->n_warnings++;
}

static inline struct boot_warnings warning_log_start(struct warning_log *log)
{
    log->text[0] = '\0';
    log->n_warnings = 0;
    return (struct boot_warnings){warning_log_say, log};
}

#endif
