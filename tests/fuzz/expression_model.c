/* SPDX-License-Identifier: MIT */
/*
 * A second evaluator.  It cuts the text at the signs, which no term contains, and asks of each piece what kind of term
 * it is, by its whole form.
 */
#include <expression_model.h>

#include <stdio.h>
#include <string.h>

#define N_RESULTS  5
#define TERM_BYTES 4096

static const struct {
    const char *name;
    u64 value;
} symbols[] = {{"kernel_main", 0xffffffff80101000}, {"mm.part", 7}};

static bool result_of(u64 n, u64 *value, char *why, size_t why_size)
{
    if (n > N_RESULTS) {
        snprintf(why, why_size, "is no result yet");
        return false;
    }
    *value = 0xffff800000000000 + (n == 0 ? N_RESULTS : n) * 0x1000;
    return true;
}

static bool symbol_of(const char *name, u64 *value)
{
    for (unsigned i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        if (strcmp(symbols[i].name, name) != 0)
            continue;
        *value = symbols[i].value;
        return true;
    }
    return false;
}

const struct expression_names expression_model_names = {result_of, symbol_of};

/* The digits of a number in front, at most 64 bits; *n: how many. */
static bool digits(const char *text, const char *of, unsigned base, size_t *n, expression_model_wide *value)
{
    *n = strspn(text, of);
    *value = 0;
    for (size_t i = 0; i < *n; i++) {
        unsigned digit = (unsigned)(strchr(of, text[i]) - of);

        *value = *value * base + (digit < 16 ? digit : digit - 6); /* capitals come behind the small letters */
        if (*value > (expression_model_wide)UINT64_MAX)
            return false;
    }
    return *n > 0;
}

static bool number(const char *term, expression_model_wide *value)
{
    static const char suffixes[] = "kKmMgGtT";
    bool hex = term[0] == '0' && (term[1] == 'x' || term[1] == 'X');
    size_t n;

    term += hex ? 2 : 0;
    if (!digits(term, hex ? "0123456789abcdefABCDEF" : "0123456789", hex ? 16 : 10, &n, value))
        return false;
    if (term[n] != '\0') {
        const char *suffix = strchr(suffixes, term[n]);

        if (suffix == NULL || term[n + 1] != '\0')
            return false;
        *value <<= 10 * (1 + (suffix - suffixes) / 2);
    }
    return *value <= (expression_model_wide)UINT64_MAX;
}

static bool term_value(const char *term, expression_model_wide *value)
{
    char why[64];
    size_t n;
    u64 found;

    if (term[0] >= '0' && term[0] <= '9')
        return number(term, value);
    if (term[0] != '$') {
        bool known = symbol_of(term, &found);

        *value = known ? found : 0;
        return known;
    }
    if (strcmp(term, "$$") == 0) {
        *value = 0;
    } else if (!digits(term + 1, "0123456789", 10, &n, value) || term[1 + n] != '\0' || *value == 0) {
        return false;
    }
    bool known = result_of((u64)*value, &found, why, sizeof(why));

    *value = known ? found : 0;
    return known;
}

bool expression_model(const char *text, expression_model_wide *value)
{
    char term[TERM_BYTES];
    bool minus = false;

    *value = 0;
    if (text[0] == '-' || text[0] == '+')
        minus = *text++ == '-';
    for (;;) {
        size_t n = strcspn(text, "+-");
        expression_model_wide one;

        if (n >= sizeof(term))
            return false;
        memcpy(term, text, n);
        term[n] = '\0';
        if (!term_value(term, &one))
            return false;
        *value += minus ? -one : one;
        text += n;
        if (*text == '\0')
            return true;
        minus = *text++ == '-';
    }
}
