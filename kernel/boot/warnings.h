/* SPDX-License-Identifier: MIT */
/*
 * How the parsers of kernel/boot/ tell what they do not like.  They are pure C and run before there is a
 * console, so the caller brings the place where a line of text goes: the kernel its log, a test a buffer.
 */
#ifndef KERNEL_BOOT_WARNINGS_H
#define KERNEL_BOOT_WARNINGS_H

#include <lib/types.h>

/* Longer warnings are cut. */
#define BOOT_WARNING_BYTES 160

/* Gets one warning: a line of printable ASCII without a newline, valid during the call. */
struct boot_warnings {
    void (*say)(void *context, const char *line);
    void *context;
};

/*
 * Formats a warning (printf.h) and hands it over; bytes that are not printable, as they may come from
 * outside, become
 * '?'.  warnings may be NULL: nobody listens.
 */
void boot_warn(const struct boot_warnings *warnings, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
