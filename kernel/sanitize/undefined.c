/* SPDX-License-Identifier: MIT */
/*
 * What gcc calls when it meets undefined behaviour at run time (-fsanitize=undefined).  Each call brings a description
 * made by the compiler, which begins with the place in the source; the layouts are gcc 12's, of libsanitizer's
 * ubsan_handlers.h.
 */
#include <kernel/sanitize/report.h>
#include <lib/bits.h>

struct type {
    u16 kind; /* 0: an integer */
    u16 info; /* of an integer: bit 0 signed, above it log2 of its bits */
    char name[];
};

struct value_data {
    struct source_place place;
    const struct type *type;
};

struct shift_data {
    struct source_place place;
    const struct type *left, *right;
};

struct bounds_data {
    struct source_place place;
    const struct type *array, *index;
};

struct mismatch_data {
    struct source_place place;
    const struct type *type;
    u8 log2_alignment;
    u8 access;
};

struct place_data {
    struct source_place place;
};

static bool is_signed(const struct type *type)
{
    return (type->info & 1) != 0;
}

/* The value of an integer of up to 64 bits, sign-extended if it has a sign. */
static s64 value_of(const struct type *type, u64 value)
{
    unsigned bits = 1u << (type->info >> 1);

    if (type->kind != 0 || bits >= 64)
        return (s64)value;
    value &= bits_low_mask(bits);
    return is_signed(type) && (value >> (bits - 1) & 1) != 0 ? (s64)(value | ~bits_low_mask(bits)) : (s64)value;
}

static void report_overflow(const struct value_data *data, u64 left, char operator, u64 right)
{
    report_undefined(&data->place, "overflow", "%ld %c %ld does not fit into %s", value_of(data->type, left), operator,
                     value_of(data->type, right), data->type->name);
}

void __ubsan_handle_add_overflow(const struct value_data *data, u64 left, u64 right);
void __ubsan_handle_sub_overflow(const struct value_data *data, u64 left, u64 right);
void __ubsan_handle_mul_overflow(const struct value_data *data, u64 left, u64 right);
void __ubsan_handle_negate_overflow(const struct value_data *data, u64 value);
void __ubsan_handle_divrem_overflow(const struct value_data *data, u64 left, u64 right);
void __ubsan_handle_shift_out_of_bounds(const struct shift_data *data, u64 left, u64 right);
void __ubsan_handle_out_of_bounds(const struct bounds_data *data, u64 index);
void __ubsan_handle_type_mismatch_v1(const struct mismatch_data *data, u64 at);
void __ubsan_handle_pointer_overflow(const struct place_data *data, u64 base, u64 result);
void __ubsan_handle_load_invalid_value(const struct value_data *data, u64 value);
void __ubsan_handle_nonnull_arg(const struct place_data *data);
void __ubsan_handle_invalid_builtin(const struct place_data *data);
_Noreturn void __ubsan_handle_builtin_unreachable(const struct place_data *data);

void __ubsan_handle_add_overflow(const struct value_data *data, u64 left, u64 right)
{
    report_overflow(data, left, '+', right);
}

void __ubsan_handle_sub_overflow(const struct value_data *data, u64 left, u64 right)
{
    report_overflow(data, left, '-', right);
}

void __ubsan_handle_mul_overflow(const struct value_data *data, u64 left, u64 right)
{
    report_overflow(data, left, '*', right);
}

void __ubsan_handle_negate_overflow(const struct value_data *data, u64 value)
{
    report_overflow(data, 0, '-', value);
}

void __ubsan_handle_divrem_overflow(const struct value_data *data, u64 left, u64 right)
{
    report_overflow(data, left, '/', right);
}

void __ubsan_handle_shift_out_of_bounds(const struct shift_data *data, u64 left, u64 right)
{
    report_undefined(&data->place, "shift", "%ld (%s) by %ld places", value_of(data->left, left), data->left->name,
                     value_of(data->right, right));
}

void __ubsan_handle_out_of_bounds(const struct bounds_data *data, u64 index)
{
    report_undefined(&data->place, "index", "%ld of %s", value_of(data->index, index), data->array->name);
}

void __ubsan_handle_type_mismatch_v1(const struct mismatch_data *data, u64 at)
{
    u64 alignment = 1UL << data->log2_alignment;

    if (at == 0)
        report_undefined(&data->place, "null pointer", "to %s", data->type->name);
    else if (at % alignment != 0)
        report_undefined(&data->place, "alignment", "0x%lx is no address for %s, which wants a multiple of %lu", at,
                         data->type->name, alignment);
    else
        report_undefined(&data->place, "object size", "no room at 0x%lx for %s", at, data->type->name);
}

void __ubsan_handle_pointer_overflow(const struct place_data *data, u64 base, u64 result)
{
    report_undefined(&data->place, "pointer overflow", "0x%lx became 0x%lx", base, result);
}

void __ubsan_handle_load_invalid_value(const struct value_data *data, u64 value)
{
    report_undefined(&data->place, "value", "%lu is none of %s", value, data->type->name);
}

void __ubsan_handle_nonnull_arg(const struct place_data *data)
{
    report_undefined(&data->place, "null argument", "where none may be");
}

void __ubsan_handle_invalid_builtin(const struct place_data *data)
{
    report_undefined(&data->place, "built-in function", "of 0");
}

/* There is nothing behind it to go on with.  Only a test's report returns, and the test's probe catches this. */
_Noreturn void __ubsan_handle_builtin_unreachable(const struct place_data *data)
{
    report_undefined(&data->place, "unreachable", "code was reached");
    __builtin_trap();
}
