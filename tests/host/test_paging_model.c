/* SPDX-License-Identifier: MIT */
/*
 * Random mapping and unmapping against a flat model: an array of 4 KiB pages around a border of each size.
 *
 * The model knows nothing of tables and large leaves.  A call must succeed exactly if the model has nothing
 * different in the range; afterwards what the (caching) MMU says must be what the model says; and from time
 * to time everything is compared and checked.
 */
#include <cmocka_all.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <mm/paging.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_STEPS     20000
#define CHECK_EVERY 200

/* One 4 KiB page of the model; phys 0: not mapped (no test maps frame 0). */
struct cell {
    u64 phys;
    ul flags;
};

/* A stretch of an address space that operations hit: [start, start + n_cells * 4 KiB). */
struct stretch {
    u64 start, n_cells;
    bool user;
    struct cell *cells;
};

static struct stretch stretches[] = {
    {.start = GIB(512) - MIB(8), .n_cells = MIB(16) / KIB(4), .user = true},
    {.start = TIB(1) - GIB(1) - MIB(2), .n_cells = GIB(3) / KIB(4), .user = true},
    {.start = MM_SPECIAL_START, .n_cells = MIB(8) / KIB(4), .user = false},
    {.start = MM_SPECIAL_START + GIB(512) - MIB(6), .n_cells = MIB(12) / KIB(4), .user = false},
};
#define N_STRETCHES (sizeof(stretches) / sizeof(stretches[0]))

static u64 top, seed;

static u64 below(u64 n)
{
    return random_below(&seed, n);
}

/* A length in pages: mostly small, sometimes just around that of large leaves. */
static u64 random_length(void)
{
    static const u64 sizes[] = {1, 16, 512, 1024, 4096, 262144};
    u64 kind = below(20), base = sizes[kind < 8    ? 0
                                       : kind < 12 ? 1
                                       : kind < 15 ? 2
                                       : kind < 17 ? 3
                                       : kind < 19 ? 4
                                                   : 5];

    switch (below(3)) {
    case 0:
        return base;
    case 1:
        return 1 + below(base);
    default:
        return base + below(4);
    }
}

/* A range of cells inside a stretch; often aligned as large leaves are. */
static void random_range(const struct stretch *stretch, u64 *first, u64 *n)
{
    u64 granule = below(3) == 0 ? 1 : below(4) == 0 ? 262144 : 512;

    *first = below(stretch->n_cells);
    *first = align_down(stretch->start / KIB(4) + *first, granule);
    *first = *first < stretch->start / KIB(4) ? 0 : *first - stretch->start / KIB(4);
    *n = min_u64(random_length(), stretch->n_cells - *first);
}

/* Where a page of a stretch is mapped to: one of four fixed distances, so that neighbours often continue each
 * other. */
static u64 phys_of_cell(const struct stretch *stretch, u64 cell, unsigned distance)
{
    static const u64 distances[] = {GIB(128), GIB(160) + MIB(2), GIB(192) + KIB(4), GIB(224)};
    u64 linear = stretch->start % GIB(1) + cell * KIB(4);

    return distances[distance] + linear;
}

static ul random_flags(bool user)
{
    static const ul caches[] = {0, 0, PAGE_PCD, PAGE_WC};
    ul flags = caches[below(4)] | (below(2) ? PAGE_R_W : 0) | (below(8) ? 0 : PAGE_XD);

    return flags | (user && below(4) == 0 ? PAGE_U_S : 0);
}

static bool model_accepts(const struct stretch *stretch, u64 first, u64 n, unsigned distance, ul flags)
{
    for (u64 i = first; i < first + n; i++) {
        const struct cell *cell = &stretch->cells[i];
        if (cell->phys != 0 && (cell->phys != phys_of_cell(stretch, i, distance) || cell->flags != flags))
            return false;
    }
    return true;
}

static void step_map(struct stretch *stretch)
{
    u64 first, n;
    unsigned distance = (unsigned)below(4);
    ul flags = random_flags(stretch->user);
    bool use4k = below(4) == 0;

    random_range(stretch, &first, &n);
    bool accepted = model_accepts(stretch, first, n, distance, flags);
    int result = mm_map_phys_addr(stretch->start + first * KIB(4), phys_of_cell(stretch, first, distance),
                                  n * KIB(4), flags, use4k);
    assert_int_equal(result, accepted ? 0 : -EFAULT);
    for (u64 i = first; accepted && i < first + n; i++)
        stretch->cells[i] = (struct cell){phys_of_cell(stretch, i, distance), flags};
}

static void step_unmap(struct stretch *stretch)
{
    u64 first, n;

    random_range(stretch, &first, &n);
    assert_int_equal(mm_unmap_range(top, true, stretch->start + first * KIB(4), n * KIB(4)), 0);
    memset(stretch->cells + first, 0, n * sizeof(struct cell));
}

static enum host_cache cache_of(ul flags)
{
    return flags & PAGE_WC ? HOST_WC : flags & PAGE_PCD ? HOST_UC_MINUS : HOST_WB;
}

/* What the MMU, its caches warm, makes of one page must be what the model has there. */
static void compare_cell(const struct stretch *stretch, u64 i)
{
    const struct cell *cell = &stretch->cells[i];
    struct host_translation got;
    bool mapped = host_translate(stretch->start + i * KIB(4), &got);

    assert_int_equal(mapped, cell->phys != 0);
    if (!mapped)
        return;
    assert_int_equal(got.phys, cell->phys);
    assert_int_equal(got.writable, (cell->flags & PAGE_R_W) != 0);
    assert_int_equal(got.executable, (cell->flags & PAGE_XD) == 0);
    assert_int_equal(got.user, (cell->flags & PAGE_U_S) != 0);
    assert_int_equal(got.cache, cache_of(cell->flags));
}

/* All runs of a stretch are the model, and the model has nothing else. */
static void compare_stretch(const struct stretch *stretch)
{
    u64 end = stretch->start + stretch->n_cells * KIB(4), n_mapped = 0, n_cells = 0;
    struct paging_run run;
    virt_t from = virt(stretch->start);

    while (paging_next_run(phys(top), from, virt(end), &run)) {
        u64 first = (run.start.addr - stretch->start) / KIB(4), n = run.bytes / KIB(4);
        for (u64 i = 0; i < n; i++) {
            assert_int_equal(stretch->cells[first + i].phys, run.phys.addr + i * KIB(4));
            assert_int_equal(stretch->cells[first + i].flags | PAGE_PRESENT, run.flags);
        }
        n_mapped += n;
        from = virt_add(run.start, run.bytes);
    }
    for (u64 i = 0; i < stretch->n_cells; i++)
        n_cells += stretch->cells[i].phys != 0;
    assert_int_equal(n_cells, n_mapped);
}

static void step(unsigned number)
{
    struct stretch *stretch = &stretches[below(N_STRETCHES)];

    if (below(5) < 3)
        step_map(stretch);
    else
        step_unmap(stretch);
    for (unsigned i = 0; i < 16; i++)
        compare_cell(stretch, below(stretch->n_cells));
    if (number % CHECK_EVERY == 0) {
        for (unsigned i = 0; i < N_STRETCHES; i++)
            compare_stretch(&stretches[i]);
        assert_sound();
    }
}

static void run_model(const struct machine_options *options)
{
    u64 hash, used;

    assert_null(machine_start_bytes(MIB(256), options));
    top = (u64)get_CR3();
    mm_shrink();
    hash = tables_hash(top);
    used = mm_stat().used;
    for (unsigned i = 0; i < N_STRETCHES; i++) {
        stretches[i].cells = calloc(stretches[i].n_cells, sizeof(struct cell));
        assert_non_null(stretches[i].cells);
    }
    for (unsigned i = 0; i < N_STEPS; i++)
        step(i);
    for (unsigned i = 0; i < N_STRETCHES; i++) {
        assert_int_equal(mm_unmap_range(top, true, stretches[i].start, stretches[i].n_cells * KIB(4)), 0);
        free(stretches[i].cells);
    }
    assert_int_equal(tables_hash(top), hash);
    assert_nothing_leaked(used);
    machine_stop();
}

static void random_operations_agree_with_a_flat_model(void **state)
{
    (void)state;
    seed = 1;
    run_model(NULL);
}

static void random_operations_agree_with_it_on_a_cpu_without_1_gib_leaves(void **state)
{
    static const struct machine_options options = {.no_gigabyte_pages = true};

    (void)state;
    seed = 20240229;
    run_model(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_agree_with_a_flat_model),
        cmocka_unit_test(random_operations_agree_with_it_on_a_cpu_without_1_gib_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
