/* SPDX-License-Identifier: MIT */
/*
 * A model of the MMU, written from the manual (Intel SDM volume 3A, "4-Level Paging" and "Caching Translation
 * Information") and independent of mm/entry.h: it is what the tests hold mm's tables against.
 *
 * It caches more stubbornly than a CPU: every leaf and every table that a walk met stays known until a flush
 * or a load of another table (global leaves even then) drops it.  So a flush that is missing, or comes after
 * the table was freed, is seen by the next translation.
 */
#include <host.h>

#include <mm/role.h>

#include <stdio.h>
#include <string.h>

#define N_LEAVES 8192
#define N_TABLES 4096
#define BIT(n)   (1UL << (n))

/* A leaf that the TLB knows. */
struct cached_leaf {
    u64 start, bytes;
    u64 phys;
    struct host_translation what;
};

/* A table that the paging-structure caches know: it maps [start, start + bytes). */
struct cached_table {
    u64 start, bytes;
    u64 table;
    unsigned level;
    bool writable, user, executable;
};

static struct mm_features cpu;
static u64 current_top;
static struct cached_leaf leaves[N_LEAVES];
static struct cached_table tables[N_TABLES];
static unsigned n_leaves, n_tables;
static u64 watched[HOST_N_WATCHED];
static unsigned n_watched;
static u64 n_flushes, last_start, last_bytes, n_mistakes;
static char mistake[160];

static void note_mistake(const char *what, u64 at)
{
    n_mistakes++;
    snprintf(mistake, sizeof(mistake), "%s at 0x%lx", what, at);
}

void host_mmu_start(const struct mm_features *features)
{
    cpu = *features;
    current_top = 0;
    n_leaves = n_tables = n_watched = 0;
    n_flushes = n_mistakes = 0;
    mistake[0] = 0;
}

u64 host_n_mmu_mistakes(void)
{
    return n_mistakes;
}

const char *host_mmu_mistake(void)
{
    return mistake;
}

u64 host_n_flushes(void)
{
    return n_flushes;
}

u64 host_last_flush(u64 *bytes)
{
    *bytes = last_bytes;
    return last_start;
}

/* Bytes that one entry of a table of `level` maps. */
static u64 entry_span(unsigned level)
{
    return 1UL << (12 + 9 * (level - 1));
}

static bool is_leaf(u64 entry, unsigned level)
{
    return level == 1 || (level <= 3 && (entry & BIT(7)));
}

/* True if the CPU would raise a reserved-bit fault for this present entry. */
static bool has_reserved_bits(u64 entry, unsigned level)
{
    u64 address_bits = BIT(52) - 1;

    if (((entry & address_bits) >> cpu.phys_bits) != 0)
        return true;
    if ((entry & BIT(63)) && !cpu.no_execute)
        return true;
    if (level == 4 && (entry & BIT(7)))
        return true;
    if (level == 3 && (entry & BIT(7)) && !cpu.gigabyte_pages)
        return true;
    if (level > 1 && is_leaf(entry, level) && (entry & (entry_span(level) - 1) & ~0x1fffUL))
        return true;
    return false;
}

/* The memory type that PAT, PCD and PWT choose, with PA4 = WC and the others as at reset. */
static enum host_cache leaf_cache(u64 entry, unsigned level)
{
    static const enum host_cache pat[8] = {HOST_WB, HOST_WT, HOST_UC_MINUS, HOST_UC,
                                           HOST_WC, HOST_WT, HOST_UC_MINUS, HOST_UC};
    unsigned pat_bit = level == 1 ? 7 : 12;
    unsigned index = (unsigned)((entry >> 3 & 1) | (entry >> 4 & 1) << 1 | (entry >> pat_bit & 1) << 2);

    if (!cpu.pat && index >= 4)
        note_mistake("a PAT bit without a PAT", entry);
    return pat[index];
}

static void fill_leaf(struct cached_leaf *leaf, const struct cached_table *from, u64 entry, u64 at)
{
    u64 bytes = entry_span(from->level);

    leaf->start = at & ~(bytes - 1);
    leaf->bytes = bytes;
    leaf->phys = entry & (BIT(52) - 1) & ~(bytes - 1);
    leaf->what = (struct host_translation){
        .leaf_bytes = bytes,
        .writable = from->writable && (entry & BIT(1)),
        .user = from->user && (entry & BIT(2)),
        .executable = from->executable && !(entry & BIT(63)),
        .global = entry & BIT(8),
        .cache = leaf_cache(entry, from->level),
    };
}

/* Goes on walking from a table, remembering the tables met if `remember`. */
static bool walk_from(struct cached_table from, u64 at, bool remember, struct cached_leaf *leaf)
{
    for (;;) {
        const u64 *entries = phys_pointer(phys(from.table));
        u64 span = entry_span(from.level), entry = entries[at / span % 512];

        if (!(entry & BIT(0)))
            return false;
        if (has_reserved_bits(entry, from.level)) {
            note_mistake("reserved bits", at);
            return false;
        }
        if (is_leaf(entry, from.level)) {
            fill_leaf(leaf, &from, entry, at);
            return true;
        }
        from = (struct cached_table){at & ~(span - 1),
                                     span,
                                     entry & (BIT(52) - 1) & ~0xfffUL,
                                     from.level - 1,
                                     from.writable && (entry & BIT(1)),
                                     from.user && (entry & BIT(2)),
                                     from.executable && !(entry & BIT(63))};
        if (remember && n_tables < N_TABLES)
            tables[n_tables++] = from;
    }
}

static bool is_canonical(u64 at)
{
    return (u64)((s64)(at << 16) >> 16) == at;
}

static void describe(const struct cached_leaf *leaf, u64 at, struct host_translation *out)
{
    *out = leaf->what;
    out->phys = leaf->phys + (at - leaf->start);
}

static struct cached_table top_table(u64 top)
{
    return (struct cached_table){0, 0, top, 4, true, true, true};
}

bool host_walk(u64 top, u64 at, struct host_translation *out)
{
    struct cached_leaf leaf;

    if (!is_canonical(at) || !walk_from(top_table(top), at, false, &leaf))
        return false;
    describe(&leaf, at, out);
    return true;
}

/* The lowest table known on the way to `at`. */
static struct cached_table known_table(u64 at)
{
    struct cached_table best = top_table(current_top);

    for (unsigned i = 0; i < n_tables; i++) {
        if (at - tables[i].start < tables[i].bytes && tables[i].level < best.level)
            best = tables[i];
    }
    return best;
}

bool host_translate(u64 at, struct host_translation *out)
{
    struct cached_leaf leaf;

    if (!is_canonical(at))
        return false;
    for (unsigned i = 0; i < n_leaves; i++) {
        if (at - leaves[i].start < leaves[i].bytes) {
            describe(&leaves[i], at, out);
            return true;
        }
    }
    if (!walk_from(known_table(at), at, true, &leaf))
        return false;
    if (n_leaves < N_LEAVES)
        leaves[n_leaves++] = leaf;
    describe(&leaf, at, out);
    return true;
}

void host_mmu_watch(const u64 *addresses, unsigned n)
{
    n_watched = n;
    if (n != 0)
        memcpy(watched, addresses, n * sizeof(*addresses));
}

/* The other CPU: as soon as a flush is done, it looks at everything again. */
static void touch_watched(void)
{
    struct host_translation what;

    for (unsigned i = 0; i < n_watched; i++)
        host_translate(watched[i], &what);
}

/* The table of `level` on the way to an address, as the tables are now; 0: there is none. */
static u64 find_table(u64 at, unsigned level)
{
    u64 table = current_top;

    for (unsigned l = 4; l > level; l--) {
        u64 entry = ((const u64 *)phys_pointer(phys(table)))[at / entry_span(l) % 512];
        if (!(entry & BIT(0)) || is_leaf(entry, l))
            return 0;
        table = entry & (BIT(52) - 1) & ~0xfffUL;
    }
    return table;
}

void host_mmu_compare(void)
{
    struct host_translation now;

    for (unsigned i = 0; i < n_tables; i++) {
        if (find_table(tables[i].start, tables[i].level) != tables[i].table)
            note_mistake("a table is cached that is not there any more", tables[i].start);
    }
    for (unsigned i = 0; i < n_leaves; i++) {
        if (!host_walk(current_top, leaves[i].start, &now) || now.phys != leaves[i].phys ||
            now.leaf_bytes != leaves[i].bytes || now.writable != leaves[i].what.writable ||
            now.user != leaves[i].what.user || now.executable != leaves[i].what.executable)
            note_mistake("a leaf is cached that is not there any more", leaves[i].start);
    }
}

static bool overlaps(u64 start, u64 bytes, u64 other, u64 other_bytes)
{
    return other - start < bytes || start - other < other_bytes;
}

/* A table that is still cached must still be one. */
static void check_alive(const struct cached_table *table)
{
    if (table_frame_level(phys(table->table)) == 0)
        note_mistake("a table was freed before the flush", table->start);
}

void platform_flush(virt_t start, u64 bytes)
{
    unsigned kept = 0;

    n_flushes++;
    last_start = start.addr;
    last_bytes = bytes;
    for (unsigned i = 0; i < n_leaves; i++) {
        if (!overlaps(start.addr, bytes, leaves[i].start, leaves[i].bytes))
            leaves[kept++] = leaves[i];
    }
    n_leaves = kept;
    kept = 0;
    for (unsigned i = 0; i < n_tables; i++) {
        if (overlaps(start.addr, bytes, tables[i].start, tables[i].bytes))
            check_alive(&tables[i]);
        else
            tables[kept++] = tables[i];
    }
    n_tables = kept;
    touch_watched();
}

/* Another top-level table: global leaves stay known. */
void platform_load_table(phys_t top)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n_leaves; i++) {
        if (leaves[i].what.global && cpu.global_pages)
            leaves[kept++] = leaves[i];
    }
    n_leaves = kept;
    n_tables = 0;
    host_cpu->loaded_top = top.addr;
    if (host_cpu == mm_boot_cpu(MM_CONTEXT_CODE))
        current_top = top.addr;
}

/* Other CPUs translate nothing; what they have loaded is only known. */
ul *get_CR3(void)
{
    bool is_other = host_cpu != mm_boot_cpu(MM_CONTEXT_CODE) && host_cpu->loaded_top != 0;

    return (ul *)(is_other ? host_cpu->loaded_top : current_top);
}

void flush_tlb(void)
{
    n_leaves = n_tables = 0;
    n_flushes++;
}
