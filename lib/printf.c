/* SPDX-License-Identifier: MIT */
/*
 * Formatted text into a buffer.
 *
 * All text goes through `put`, which counts every byte and stores those that fit; so nothing overruns and the
 * length of the whole is known in the end.  A conversion is first read into a `struct spec` (flags, width,
 * precision, length) and then printed from it.  A number has three parts, and what fills the width goes to
 * one of three places:
 *
 *          spaces | prefix | zeros | digits | spaces
 *           right    - 0x    0 flag            left
 *                            or precision
 */
#include <lib/printf.h>

/* Decimal digits of 2^64 - 1; hexadecimal needs 16. */
#define DIGITS_MAX 20

/* Larger widths and precisions count as this: sums stay far from overflow, and the work stays bounded. */
#define NUMBER_MAX 1000000

enum length { LENGTH_INT, LENGTH_CHAR, LENGTH_SHORT, LENGTH_LONG, LENGTH_LONG_LONG, LENGTH_SIZE };

struct sink {
    char *buf;
    size_t size;
    size_t length; /* of the whole text so far, stored or not */
};

struct spec {
    bool left, zero, plus, space, alternate;
    int width;
    int precision; /* -1: none given */
    enum length length;
};

static void put(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->size)
        sink->buf[sink->length] = c;
    sink->length++;
}

/* n may be negative, which is none. */
static void put_many(struct sink *sink, char c, int n)
{
    for (; n > 0; n--)
        put(sink, c);
}

static void put_text(struct sink *sink, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        put(sink, text[i]);
}

static bool read_flag(struct spec *spec, char c)
{
    switch (c) {
    case '-':
        spec->left = true;
        return true;
    case '0':
        spec->zero = true;
        return true;
    case '+':
        spec->plus = true;
        return true;
    case ' ':
        spec->space = true;
        return true;
    case '#':
        spec->alternate = true;
        return true;
    default:
        return false;
    }
}

/* Reads a width or a precision: decimal digits, or * and then an argument, which may be negative. */
static int read_number(const char **fmt, va_list *args)
{
    int value = 0;

    if (**fmt == '*') {
        (*fmt)++;
        value = va_arg(*args, int);
    }
    for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
        if (value < NUMBER_MAX)
            value = value * 10 + (**fmt - '0');
    return value > NUMBER_MAX ? NUMBER_MAX : value < -NUMBER_MAX ? -NUMBER_MAX : value;
}

static enum length read_length(const char **fmt)
{
    const char *f = *fmt;
    bool twice = f[0] != '\0' && f[1] == f[0];

    switch (*f) {
    case 'h':
        *fmt += twice ? 2 : 1;
        return twice ? LENGTH_CHAR : LENGTH_SHORT;
    case 'l':
        *fmt += twice ? 2 : 1;
        return twice ? LENGTH_LONG_LONG : LENGTH_LONG;
    case 'z':
        *fmt += 1;
        return LENGTH_SIZE;
    default:
        return LENGTH_INT;
    }
}

/* Reads what stands between % and the conversion letter. */
static struct spec read_spec(const char **fmt, va_list *args)
{
    struct spec spec = {.precision = -1};

    while (read_flag(&spec, **fmt))
        (*fmt)++;
    spec.width = read_number(fmt, args);
    if (spec.width < 0) {
        spec.left = true;
        spec.width = -spec.width;
    }
    if (**fmt == '.') {
        (*fmt)++;
        spec.precision = read_number(fmt, args);
    }
    spec.length = read_length(fmt);
    return spec;
}

static s64 read_signed(enum length length, va_list *args)
{
    switch (length) {
    case LENGTH_CHAR:
        return (s8)va_arg(*args, int);
    case LENGTH_SHORT:
        return (s16)va_arg(*args, int);
    case LENGTH_LONG:
        return va_arg(*args, long);
    case LENGTH_LONG_LONG:
        return va_arg(*args, long long);
    case LENGTH_SIZE:
        return (s64)va_arg(*args, size_t);
    default:
        return va_arg(*args, int);
    }
}

static u64 read_unsigned(enum length length, va_list *args)
{
    switch (length) {
    case LENGTH_CHAR:
        return (u8)va_arg(*args, unsigned);
    case LENGTH_SHORT:
        return (u16)va_arg(*args, unsigned);
    case LENGTH_LONG:
        return va_arg(*args, unsigned long);
    case LENGTH_LONG_LONG:
        return va_arg(*args, unsigned long long);
    case LENGTH_SIZE:
        return va_arg(*args, size_t);
    default:
        return va_arg(*args, unsigned);
    }
}

/* Writes the digits of `value` up to `end` (exclusive) and returns how many; none for 0. */
static int make_digits(char *end, u64 value, unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    int n = 0;

    for (; value != 0; value /= base)
        *(end - ++n) = digits[value % base];
    return n;
}

static void put_number(struct sink *sink, const struct spec *spec, const char *prefix, u64 value,
                       unsigned base, bool upper)
{
    char buf[DIGITS_MAX];
    char *end = buf + sizeof(buf);
    int n_digits = make_digits(end, value, base, upper);
    int n_prefix = 0;
    int n_zeros = (spec->precision < 0 ? 1 : spec->precision) - n_digits;

    while (prefix[n_prefix] != '\0')
        n_prefix++;
    if (n_zeros < 0)
        n_zeros = 0;
    if (spec->zero && !spec->left && spec->precision < 0 && spec->width - n_prefix - n_digits > n_zeros)
        n_zeros = spec->width - n_prefix - n_digits;

    int n_fill = spec->width - n_prefix - n_zeros - n_digits;

    put_many(sink, ' ', spec->left ? 0 : n_fill);
    put_text(sink, prefix, n_prefix);
    put_many(sink, '0', n_zeros);
    put_text(sink, end - n_digits, n_digits);
    put_many(sink, ' ', spec->left ? n_fill : 0);
}

static void put_signed(struct sink *sink, const struct spec *spec, s64 value)
{
    const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";
    u64 magnitude = value < 0 ? 0 - (u64)value : (u64)value;

    put_number(sink, spec, sign, magnitude, 10, false);
}

static void put_hex(struct sink *sink, const struct spec *spec, u64 value, bool upper)
{
    const char *prefix = !spec->alternate || value == 0 ? "" : upper ? "0X" : "0x";

    put_number(sink, spec, prefix, value, 16, upper);
}

static void put_string(struct sink *sink, const struct spec *spec, const char *s)
{
    int n = 0;

    if (s == NULL)
        s = "(null)";
    while ((spec->precision < 0 || n < spec->precision) && n < INT32_MAX && s[n] != '\0')
        n++;
    put_many(sink, ' ', spec->left ? 0 : spec->width - n);
    put_text(sink, s, n);
    put_many(sink, ' ', spec->left ? spec->width - n : 0);
}

static void put_char(struct sink *sink, const struct spec *spec, char c)
{
    put_many(sink, ' ', spec->left ? 0 : spec->width - 1);
    put(sink, c);
    put_many(sink, ' ', spec->left ? spec->width - 1 : 0);
}

/* Prints one argument; false when `conversion` is unknown. */
static bool put_conversion(struct sink *sink, const struct spec *spec, char conversion, va_list *args)
{
    switch (conversion) {
    case 'd':
    case 'i':
        put_signed(sink, spec, read_signed(spec->length, args));
        return true;
    case 'u':
        put_number(sink, spec, "", read_unsigned(spec->length, args), 10, false);
        return true;
    case 'x':
    case 'X':
        put_hex(sink, spec, read_unsigned(spec->length, args), conversion == 'X');
        return true;
    case 'p':
        put_number(sink, spec, "0x", (uintptr_t)va_arg(*args, void *), 16, false);
        return true;
    case 's':
        put_string(sink, spec, va_arg(*args, const char *));
        return true;
    case 'c':
        put_char(sink, spec, (char)va_arg(*args, int));
        return true;
    case '%':
        put(sink, '%');
        return true;
    default:
        return false;
    }
}

/* Prints the conversion after the % at `start` and returns where the text goes on. */
static const char *convert(struct sink *sink, const char *start, va_list *args)
{
    const char *fmt = start + 1;
    struct spec spec = read_spec(&fmt, args);

    if (put_conversion(sink, &spec, *fmt, args))
        return fmt + 1;
    if (*fmt != '\0')
        fmt++;
    for (; start < fmt; start++)
        put(sink, *start);
    return fmt;
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    struct sink sink = {buf, size, 0};
    va_list rest;

    va_copy(rest, args);
    while (*fmt != '\0') {
        if (*fmt == '%')
            fmt = convert(&sink, fmt, &rest);
        else
            put(&sink, *fmt++);
    }
    va_end(rest);
    if (size > 0)
        buf[sink.length < size ? sink.length : size - 1] = '\0';
    return sink.length > INT32_MAX ? INT32_MAX : (int)sink.length;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int length = kvsnprintf(buf, size, fmt, args);
    va_end(args);
    return length;
}
