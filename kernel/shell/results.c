/* SPDX-License-Identifier: MIT */
/*
 * A ring of the newest results, one word each: an address has 48 significant bits (the top ones repeat bit
 * 47), which leaves 16 for the kind (2 bits) and the number of pages (6 bits).
 */
#include <kernel/shell/results.h>

#include <lib/printf.h>

#define ADDRESS_BITS 48
#define KIND_SHIFT   48
#define PAGES_SHIFT  50
#define PAGES_MASK   63

static u64 ring[RESULTS_KEPT];
static u64 n_results;

static struct result unpack(u64 word)
{
    return (struct result){
        .value = (u64)((s64)(word << (64 - ADDRESS_BITS)) >> (64 - ADDRESS_BITS)),
        .kind = (enum result_kind)(word >> KIND_SHIFT & 3),
        .n_pages = (unsigned)(word >> PAGES_SHIFT & PAGES_MASK),
    };
}

void results_add(u64 value, enum result_kind kind, unsigned n_pages)
{
    u64 address = value & ((1UL << ADDRESS_BITS) - 1);
    u64 pages = (u64)(n_pages & PAGES_MASK) << PAGES_SHIFT;
    ring[n_results++ % RESULTS_KEPT] = address | (u64)kind << KIND_SHIFT | pages;
}

u64 results_count(void)
{
    return n_results;
}

static bool is_kept(u64 n)
{
    return n >= 1 && n <= n_results && n + RESULTS_KEPT > n_results;
}

bool results_entry(u64 n, struct result *out)
{
    if (!is_kept(n))
        return false;
    *out = unpack(ring[(n - 1) % RESULTS_KEPT]);
    return true;
}

bool results_get(u64 n, u64 *value, char *why, size_t why_size)
{
    struct result entry;
    if (results_entry(n ? n : n_results, &entry)) {
        *value = entry.value;
        return true;
    }
    if (!n_results)
        ksnprintf(why, why_size, "is no result: nothing was allocated yet");
    else if (n > n_results)
        ksnprintf(why, why_size, "is no result yet: the last is $%lu", n_results);
    else
        ksnprintf(why, why_size, "is no longer kept: only the last %u results are", RESULTS_KEPT);
    return false;
}

void results_forget(u64 value, enum result_kind kind)
{
    for (u64 n = n_results; is_kept(n); n--) {
        u64 *word = &ring[(n - 1) % RESULTS_KEPT];
        struct result entry = unpack(*word);
        if (entry.value != value || entry.kind != kind)
            continue;
        *word &= ~(3UL << KIND_SHIFT);
        return;
    }
}
