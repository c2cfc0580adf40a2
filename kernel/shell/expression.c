/* SPDX-License-Identifier: MIT */
/*
 * Evaluating typed numbers.  Terms are unsigned 64-bit values, each checked for overflow; the sum is kept in
 * 128 bits (a line has fewer than 2^10 terms, so it cannot overflow) and checked once, at the end.
 */
#include <kernel/shell/expression.h>

#include <lib/printf.h>
#include <lib/string.h>

#define SYMBOL_BYTES 64
#define SHOWN_BYTES 64

__extension__ typedef __int128 wide;

struct evaluation {
    const char *text; /* all of it, for messages */
    const char *at;
    const struct expression_names *names;
    char *error;
    size_t error_size;
};

/* Of a long text the beginning: what is wrong with it must find room. */
static bool fail(struct evaluation *e, const char *what)
{
    bool is_long = strnlen(e->text, SHOWN_BYTES + 1) > SHOWN_BYTES;
    ksnprintf(e->error, e->error_size, "'%.*s%s' %s", is_long ? SHOWN_BYTES - 3 : SHOWN_BYTES, e->text, is_long ? "..." : "",
              what);
    return false;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_name_byte(char c)
{
    char lower = (char)(c | 0x20);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '_' || c == '.';
}

/* Digits of `base`, at least one. */
static bool take_digits(struct evaluation *e, unsigned base, u64 *value)
{
    int digit = digit_value(*e->at);
    if (digit < 0 || (unsigned)digit >= base)
        return fail(e, base == 16 ? "has no digits after 0x" : "is not a number");
    for (*value = 0; digit >= 0 && (unsigned)digit < base; digit = digit_value(*++e->at)) {
        if (__builtin_mul_overflow(*value, (u64)base, value) ||
            __builtin_add_overflow(*value, (u64)digit, value))
            return fail(e, "does not fit in 64 bits");
    }
    return true;
}

static unsigned suffix_shift(char c)
{
    switch (c | 0x20) {
    case 'k':
        return 10;
    case 'm':
        return 20;
    case 'g':
        return 30;
    case 't':
        return 40;
    default:
        return 0;
    }
}

static bool take_number(struct evaluation *e, u64 *value)
{
    bool hex = e->at[0] == '0' && (e->at[1] | 0x20) == 'x';
    if (hex)
        e->at += 2;
    if (!take_digits(e, hex ? 16 : 10, value))
        return false;
    unsigned shift = suffix_shift(*e->at);
    if (shift)
        e->at++;
    if (shift && *value >> (64 - shift))
        return fail(e, "does not fit in 64 bits");
    *value <<= shift;
    if (!is_name_byte(*e->at))
        return true;
    return fail(e, hex || shift ? "is not a number"
                                : "is not a number: suffixes are K M G T, hex begins with 0x");
}

static bool take_result(struct evaluation *e, u64 *value)
{
    char why[96];
    u64 n = 0;
    e->at++;
    if (*e->at == '$')
        e->at++;
    else if (*e->at < '0' || *e->at > '9')
        return fail(e, "is no result: write $1, $2 ... or $$ for the last");
    else if (!take_digits(e, 10, &n))
        return false;
    else if (n == 0)
        return fail(e, "is no result: the first is $1");
    if (is_name_byte(*e->at) || *e->at == '$')
        return fail(e, "is no result: write $1, $2 ... or $$ for the last");
    if (!e->names || !e->names->result)
        return fail(e, "cannot be used here");
    return e->names->result(n, value, why, sizeof why) || fail(e, why);
}

static bool looks_hex(const char *text)
{
    while (digit_value(*text) >= 0)
        text++;
    return !is_name_byte(*text);
}

static bool take_symbol(struct evaluation *e, u64 *value)
{
    char name[SYMBOL_BYTES], why[SYMBOL_BYTES + 48];
    const char *start = e->at;
    while (is_name_byte(*e->at))
        e->at++;
    size_t length = (size_t)(e->at - start);
    if (length && length < sizeof name && e->names && e->names->symbol) {
        memcpy(name, start, length);
        name[length] = 0;
        if (e->names->symbol(name, value))
            return true;
    }
    if (!length || looks_hex(start))
        return fail(e, length ? "is not a number: hex begins with 0x" : "is not a number");
    ksnprintf(why, sizeof why, "is not a number: there is no symbol %.*s", (int)length, start);
    return fail(e, length < sizeof name && e->names && e->names->symbol ? why : "is not a number");
}

static bool take_term(struct evaluation *e, u64 *value)
{
    if (*e->at == '$')
        return take_result(e, value);
    if (*e->at >= '0' && *e->at <= '9')
        return take_number(e, value);
    if (!*e->at)
        return fail(e,
                    e->at == e->text ? "is empty where a number is wanted" : "ends where a number is wanted");
    return take_symbol(e, value);
}

static bool evaluate(struct evaluation *e, wide *sum)
{
    bool minus = *e->at == '-';
    *sum = 0;
    if (minus || *e->at == '+')
        e->at++;
    for (;;) {
        u64 term = 0;
        if (!take_term(e, &term))
            return false;
        *sum += minus ? -(wide)term : (wide)term;
        if (!*e->at)
            return true;
        if (*e->at != '+' && *e->at != '-')
            return fail(e, "is not a number");
        minus = *e->at++ == '-';
    }
}

bool expression_value(const char *text, const struct expression_names *names, u64 *value, char *error,
                      size_t error_size)
{
    struct evaluation e = {text, text, names, error, error_size};
    wide sum;
    if (!evaluate(&e, &sum))
        return false;
    if (sum < 0)
        return fail(&e, "is negative");
    if (sum > (wide)UINT64_MAX)
        return fail(&e, "does not fit in 64 bits");
    *value = (u64)sum;
    return true;
}

bool expression_signed(const char *text, const struct expression_names *names, s64 *value, char *error,
                       size_t error_size)
{
    struct evaluation e = {text, text, names, error, error_size};
    wide sum;
    if (!evaluate(&e, &sum))
        return false;
    if (sum < INT64_MIN || sum > INT64_MAX)
        return fail(&e, "does not fit in 63 bits and a sign");
    *value = (s64)sum;
    return true;
}

bool expression_is_negative(const char *text)
{
    return text[0] == '-' && ((text[1] >= '0' && text[1] <= '9') || text[1] == '$');
}
