/* SPDX-License-Identifier: MIT */
/* Warnings of the parsers: formatted here, and made harmless for a terminal. */
#include <kernel/boot/warnings.h>
#include <lib/printf.h>

void boot_warn(const struct boot_warnings *warnings, const char *fmt, ...)
{
    char line[BOOT_WARNING_BYTES];
    va_list args;

    if (warnings == NULL)
        return;
    va_start(args, fmt);
    kvsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    for (char *c = line; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    warnings->say(warnings->context, line);
}
