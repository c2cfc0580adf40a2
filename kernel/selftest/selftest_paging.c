/* SPDX-License-Identifier: MIT */
/*
 * The CPU's verdict on every mapping is what its flags say.
 *
 * Every combination of the leaf's size, R/W, U/S and XD; of CR0.WP, CR4.SMEP, CR4.SMAP and EFLAGS.AC; of
 * read, write and fetch in ring 0 and ring 3; in the lower half and, without U/S, in the kernel half.  Each
 * is computed (rights.c) and tried, and compared with the page fault's error code and address.
 *
 *     PDPT   | 1G x flags 0..7 | PD |            leaves of one size with all flags beside each other,
 *     PD     | 2M x flags 0..7 | PT |            and below the same upper tables as those of the other sizes
 *     PT     | 4K x flags 0..7 |
 *
 * All leaves show the same memory.  A leaf is tried alone, when the tables above it were made for it, and in
 * company, the tables having been made for its neighbours: a verdict that depended on those would differ.
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/registers.h>
#include <kernel/selftest/rights.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>

/* R/W, U/S and XD in all combinations; in the kernel half those without U/S. */
#define N_FLAGS 8

/* A leaf with everything that is needed to make it. */
struct place {
    ul virt, phys, bytes; /* the mapping */
    ul flags;
    bool kernel_half;
};

static struct space space;
static unsigned n_cases, n_allowed;

static ul flags_of(unsigned i)
{
    return (i & 1 ? PAGE_R_W : 0) | (i & 2 ? PAGE_XD : 0) | (i & 4 ? PAGE_U_S : 0);
}

static unsigned n_places_of(bool kernel_half)
{
    return kernel_half ? N_FLAGS / 2 : N_FLAGS;
}

/* The i-th place of a size (4 KiB, 2 MiB, 1 GiB), as in the picture. */
static struct place place_of(ul bytes, unsigned i, bool kernel_half)
{
    ul base = kernel_half ? SPECIAL_BORDER : LOWER_BORDER;
    ul target = space.page->addr_phys + RIGHTS_TARGET;

    if (bytes < GIB(1))
        base += N_FLAGS * GIB(1);
    if (bytes < MIB(2))
        base += N_FLAGS * MIB(2);
    return (struct place){base + i * bytes, align_down(target, bytes), bytes, flags_of(i), kernel_half};
}

static struct leaf leaf_of(const struct place *place)
{
    return (struct leaf){place->virt + (space.page->addr_phys + RIGHTS_TARGET - place->phys), place->flags};
}

static bool size_is_there(ul bytes)
{
    return bytes < GIB(1) || cpu_features.gigabyte_pages;
}

/* User access by the flag and by the argument in turns. */
static bool place_map(const struct place *place)
{
    bool by_argument = (place->flags & PAGE_U_S) && (place->flags & PAGE_R_W);
    ul flags = by_argument ? place->flags & ~PAGE_U_S : place->flags;

    return EXPECT_MAP(.table = (ul)space.top, .is_virtual = true, .virt = place->virt, .phys = place->phys,
                      .bytes = place->bytes, .flags = flags, .user = by_argument,
                      .use4k = place->bytes < MIB(2));
}

static void place_unmap(const struct place *place)
{
    EXPECT_EQUAL(mm_unmap_range((ul)space.top, false, place->virt, place->bytes), 0);
}

/* All accesses in the setting that is in force. */
static void try_accesses(const struct leaf *leaf, ul leaf_bytes, struct setting setting)
{
    for (unsigned i = 0; i < 3 * N_ACCESS_KINDS; i++) {
        struct access access = {
            .kind = i % N_ACCESS_KINDS, .ring3 = i / N_ACCESS_KINDS == 2, .ac = i / N_ACCESS_KINDS == 1};
        struct verdict expected = rights_expected(leaf, setting, access);

        rights_try(&space, leaf, leaf_bytes, setting, access, expected);
        n_cases++;
        n_allowed += expected.allowed;
    }
}

/* The leaf of a place is there, `bytes` large, with the flags of the place. */
static void expect_leaf(const struct leaf *leaf, ul bytes)
{
    EXPECT_EQUAL(mapped_leaf_bytes(leaf->at), bytes);
    EXPECT_EQUAL(mapped_flags(leaf->at), flags_usable(leaf->flags));
}

/* With the space's table: every `step`-th of n places in each setting.  leaf_bytes: what is left of its leaf
 * where the target is; 0: all of it. */
static void try_places(const struct place *places, unsigned n, unsigned step, ul leaf_bytes)
{
    ul before = (ul)get_CR3();

    cr3_write(virt_2_phys(space.top));
    for (unsigned number = 0; number < rights_n_settings(); number++) {
        struct setting setting = rights_setting(number);

        rights_set(setting);
        for (unsigned i = 0; i < n; i += step) {
            ul bytes = leaf_bytes != 0 ? leaf_bytes : places[i].bytes;
            struct leaf leaf = leaf_of(&places[i]);

            expect_leaf(&leaf, bytes);
            try_accesses(&leaf, bytes, setting);
        }
    }
    rights_settle();
    cr3_write(before);
}

static bool begin(void)
{
    n_cases = n_allowed = 0;
    if (!space_make(&space))
        return false;
    rights_prepare(&space);
    return true;
}

static void end(void)
{
    space_free(&space);
    test_note("%u cases, %u of them allowed; the CPU has%s leaves of 1 GiB,%s XD,%s SMEP,%s SMAP", n_cases,
              n_allowed, cpu_features.gigabyte_pages ? "" : " no", cpu_features.no_execute ? "" : " no",
              cpu_features.smep ? "" : " no", cpu_features.smap ? "" : " no");
}

static const ul sizes[] = {PAGE_4K_SIZE, PAGE_2M_SIZE, PAGE_1G_SIZE};

/* Each leaf by itself: the tables above it are made for it alone. */
static void every_right_of_a_leaf_that_is_alone(void)
{
    if (!begin())
        return;
    for (unsigned k = 0; k < 2 * ARRAY_LENGTH(sizes); k++) {
        ul bytes = sizes[k / 2];
        bool kernel_half = k % 2;

        for (unsigned i = 0; size_is_there(bytes) && i < n_places_of(kernel_half); i++) {
            struct place place = place_of(bytes, i, kernel_half);

            if (!place_map(&place))
                continue;
            try_places(&place, 1, 1, 0);
            place_unmap(&place);
        }
    }
    end();
}

/* All leaves of both halves, in any order of sizes and flags. */
#define N_PLACES (ARRAY_LENGTH(sizes) * (N_FLAGS + N_FLAGS / 2))

static unsigned all_places(struct place *places)
{
    unsigned n = 0;

    for (unsigned k = 0; k < 2 * ARRAY_LENGTH(sizes); k++)
        for (unsigned i = 0; size_is_there(sizes[k / 2]) && i < n_places_of(k % 2); i++)
            places[n++] = place_of(sizes[k / 2], i, k % 2);
    return n;
}

/* All leaves that are there together, mapped from the first or from the last on; then every second by itself.
 */
static void try_company(bool backwards)
{
    struct place places[N_PLACES];
    unsigned n;

    if (!begin())
        return;
    n = all_places(places);
    for (unsigned i = 0; i < n; i++)
        place_map(&places[backwards ? n - 1 - i : i]);
    try_places(places, n, 1, 0);
    for (unsigned i = 1; i < n; i += 2)
        place_unmap(&places[i]);
    try_places(places, n, 2, 0);
    for (unsigned i = 0; i < n; i += 2)
        place_unmap(&places[i]);
    end();
}

static void every_right_beside_leaves_with_all_other_rights(void)
{
    try_company(false);
}

static void every_right_whichever_leaf_came_first(void)
{
    try_company(true);
}

/* Cuts 4 KiB out of a place's mapping, which do not show the target. */
static void cut(const struct place *place, ul offset)
{
    EXPECT_EQUAL(mm_unmap_range((ul)space.top, false, place->virt + offset, PAGE_4K_SIZE), 0);
}

/* Leaves of one size with all flags, of which a part is then unmapped: what is left is smaller leaves. */
static void try_split(ul bytes, bool kernel_half)
{
    struct place places[N_FLAGS];
    unsigned n = n_places_of(kernel_half);

    for (unsigned i = 0; i < n; i++) {
        places[i] = place_of(bytes, i, kernel_half);
        place_map(&places[i]);
    }
    ul target = space.page->addr_phys + RIGHTS_TARGET - places[0].phys;
    if (bytes == PAGE_1G_SIZE) {
        for (unsigned i = 0; i < n; i++)
            cut(&places[i], (target + MIB(2)) % bytes);
        try_places(places, n, 1, PAGE_2M_SIZE);
    }
    for (unsigned i = 0; i < n; i++)
        cut(&places[i], align_down(target, PAGE_4K_SIZE) - PAGE_4K_SIZE);
    try_places(places, n, 1, PAGE_4K_SIZE);
    for (unsigned i = 0; i < n; i++)
        place_unmap(&places[i]);
}

static void every_right_of_what_is_left_of_a_split_leaf(void)
{
    if (!begin())
        return;
    for (unsigned kernel_half = 0; kernel_half < 2; kernel_half++) {
        try_split(PAGE_2M_SIZE, kernel_half);
        if (size_is_there(PAGE_1G_SIZE))
            try_split(PAGE_1G_SIZE, kernel_half);
    }
    end();
}

static const struct test tests[] = {
    TEST(every_right_of_a_leaf_that_is_alone),
    TEST(every_right_beside_leaves_with_all_other_rights),
    TEST(every_right_whichever_leaf_came_first),
    TEST(every_right_of_what_is_left_of_a_split_leaf),
    TEST_END,
};

const struct test_suite selftest_paging = {
    "paging", "the CPU's verdict is what the flags say: all combinations", tests};
