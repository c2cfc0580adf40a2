/* SPDX-License-Identifier: MIT */
/* Numbers as text, without floating point: the fraction comes from the bits that a shift leaves behind. */
#include <kernel/shell/format.h>

#include <lib/printf.h>

static const char units[] = "KMGTPE";

/* Three significant digits of `bytes` in the unit 2^shift. */
static void put_scaled(struct number_text *out, u64 bytes, unsigned shift, const char *suffix)
{
    u64 whole = bytes >> shift;
    u64 rest = bytes & ((1UL << shift) - 1);
    /* hundredths = rest * 100 / 2^shift; drop low bits first where the product would not fit */
    unsigned drop = shift > 50 ? shift - 50 : 0;
    unsigned hundredths = (unsigned)((rest >> drop) * 100 >> (shift - drop));
    if (!rest || whole >= 100)
        ksnprintf(out->s, sizeof out->s, "%lu%s", whole, suffix);
    else if (whole >= 10)
        ksnprintf(out->s, sizeof out->s, "%lu.%u%s", whole, hundredths / 10, suffix);
    else
        ksnprintf(out->s, sizeof out->s, "%lu.%02u%s", whole, hundredths, suffix);
}

static struct number_text scaled(u64 bytes, bool wordy)
{
    struct number_text out;
    char suffix[8];
    unsigned unit = 0;
    while (unit < 6 && bytes >> (10 * (unit + 1)))
        unit++;
    if (!unit) {
        ksnprintf(out.s, sizeof out.s, "%lu%s", bytes, wordy && bytes ? " B" : "");
        return out;
    }
    ksnprintf(suffix, sizeof suffix, wordy ? " %ciB" : "%c", units[unit - 1]);
    put_scaled(&out, bytes, 10 * unit, suffix);
    return out;
}

struct number_text format_size(u64 bytes)
{
    return scaled(bytes, true);
}

struct number_text format_size_short(u64 bytes)
{
    return scaled(bytes, false);
}

struct number_text format_hex(u64 value)
{
    struct number_text out;
    ksnprintf(out.s, sizeof out.s, "0x%lx", value);
    return out;
}

struct number_text format_range(u64 start, u64 end)
{
    struct number_text out;
    ksnprintf(out.s, sizeof out.s, "0x%lx-0x%lx", start, end);
    return out;
}

struct number_text format_thousands(u64 value)
{
    struct number_text out;
    char digits[24];
    unsigned n = (unsigned)ksnprintf(digits, sizeof digits, "%lu", value);
    char *to = out.s;
    for (unsigned i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return out;
}

struct number_text format_bytes(u64 bytes, bool human)
{
    struct number_text out;
    if (human)
        return format_size(bytes);
    ksnprintf(out.s, sizeof out.s, "%lu", bytes);
    return out;
}

unsigned per_mille(u64 part, u64 whole)
{
    if (!whole)
        return 0;
    while (part > UINT64_MAX / 1000) {
        part >>= 1;
        whole >>= 1;
    }
    return (unsigned)(part * 1000 / whole);
}

struct number_text format_percent(u64 part, u64 whole)
{
    struct number_text out;
    unsigned tenths = per_mille(part, whole);
    if (whole)
        ksnprintf(out.s, sizeof out.s, "%u.%u %%", tenths / 10, tenths % 10);
    else
        ksnprintf(out.s, sizeof out.s, "-");
    return out;
}
