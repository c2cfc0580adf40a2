/* SPDX-License-Identifier: MIT */
/*
 * Formatted text into a buffer.
 *
 * Conversions: d i u x X p s c %.  Lengths: hh h l ll z.  Flags: - 0 + # and space.  Width and precision are
 * numbers or * (a negative width means -, a negative precision none).  All mean what they mean in the C
 * library, and besides:
 *
 *   %p  is 0x and lower-case hex digits, also for NULL ("0x0")
 *   %s  of NULL is "(null)"; a precision bounds how many bytes are read
 *
 * An unknown conversion is copied as it stands, and takes no argument.  Widths and precisions beyond 1000000
 * count as that.  There is no floating point, no %n and no locale.
 */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include <lib/types.h>
#include <stdarg.h>

/*
 * Writes at most `size` bytes to `buf`, the last of them 0 (size 0: writes nothing, buf may be NULL).  Gives
 * the length that the whole text has without the 0; the text was cut when that is `size` or more.  Any
 * context; no locks, no allocation.
 */
int ksnprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list args) __attribute__((format(printf, 3, 0)));

#endif
