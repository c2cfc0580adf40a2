/* SPDX-License-Identifier: MIT */
/*
 * Wrong unmaps: each is refused by every call, reported in exactly one line with the right words, and changes
 * nothing. (Wrong calls that map have a result and give it: the suite `refusals`.)
 *
 * A *subject* is something that lies at an address of the direct map.  It is tried as the start of a range,
 * which is wrong for all of them; and, unless it could be a top level, as the table, by either address.
 */
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>
#include <lib/printf.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/state.h>

#define ANY           ""
#define NOT_CANONICAL "not canonical"
#define NOT_DIRECT    "not in the direct map"

/* Something is mapped here meanwhile, and must stay. */
#define WITNESS       LOWER_BORDER
#define WITNESS_BYTES KIB(64)

struct bad_unmap {
    ul table;
    bool is_phys;
    ul start, bytes;
    ul reported;
    const char *words;
};

/* ---- one wrong unmap ---- */

enum unmap_call { BY_RANGE, BY_PROC_TABLE, BY_ADDR, N_UNMAP_CALLS };

static void call(enum unmap_call how, const struct bad_unmap *bad)
{
    if (how == BY_RANGE)
        EXPECT_EQUAL(mm_unmap_range(bad->table, bad->is_phys, bad->start, bad->bytes), -EFAULT);
    else if (how == BY_PROC_TABLE)
        mm_unmap_proc_table(bad->table, bad->is_phys, bad->start, bad->bytes);
    else
        mm_unmap_addr(bad->start, bad->bytes);
}

static void expect_refused(const struct bad_unmap *bad)
{
    static const char *const names[] = {"mm_unmap_range", "mm_unmap_proc_table", "mm_unmap_proc_table"};
    bool is_current = bad->is_phys && bad->table == (ul)get_CR3();
    u64 hash = table_words_hash(bad->table, bad->is_phys), n_tables = paging_count_tables();

    for (unsigned how = 0; how < N_UNMAP_CALLS; how++) {
        if (how == BY_ADDR && !is_current)
            continue;
        test_watch();
        call(how, bad);
        if (!EXPECT_REPORT(names[how], bad->reported, bad->words))
            test_note("that was: table 0x%lx, 0x%lx + 0x%lx", bad->table, bad->start, bad->bytes);
    }
    EXPECT_EQUAL(table_words_hash(bad->table, bad->is_phys), hash);
    EXPECT_EQUAL(paging_count_tables(), n_tables);
}

static bool witness_map(void)
{
    ul device = space_without_ram(MIB(4), MIB(2));

    if (device == 0) {
        test_skip("no 4 MiB of physical space are free of RAM");
        return false;
    }
    return EXPECT_MAP(.virt = WITNESS, .phys = device, .bytes = WITNESS_BYTES, .flags = DEVICE_FLAGS);
}

static void witness_unmap(void)
{
    EXPECT_UNMAP(WITNESS, WITNESS_BYTES);
}

/* ---- ranges ---- */

static void ranges_that_callers_have_no_business_in(void)
{
    static const struct {
        ul start, bytes, reported; /* the first address that is wrong: the start, or else the last byte */
        const char *words;
    } ranges[] = {
        {0, PAGE_4K_SIZE, 0, NOT_DIRECT}, /* page 0 */
        {1, 1, 1, NOT_DIRECT},
        {PAGE_4K_SIZE - 1, 2, PAGE_4K_SIZE - 1, NOT_DIRECT},
        {0, LOWER_BORDER + GIB(1), 0, NOT_DIRECT},
        {WITNESS, ~0UL, WITNESS - 2, NOT_DIRECT}, /* wraps */
        {WITNESS, MM_USER_END, WITNESS + MM_USER_END - 1, NOT_CANONICAL},
        {MM_USER_END - 1, 2, MM_USER_END, NOT_CANONICAL}, /* the hole between the halves */
        {MM_USER_END, 1, MM_USER_END, NOT_CANONICAL},
        {1UL << 62, PAGE_4K_SIZE, 1UL << 62, NOT_CANONICAL},
        {MM_KERNEL_HALF - 1, 2, MM_KERNEL_HALF - 1, NOT_CANONICAL},
        {PAGE_OFFSET + MM_RAM_LIMIT - 1, 2, PAGE_OFFSET + MM_RAM_LIMIT - 1,
         "no RAM there"}, /* below SPECIAL */
        {MM_SPECIAL_END - 1, 2, MM_SPECIAL_END, NOT_DIRECT},
        {MM_SPECIAL_START, 0 - MM_SPECIAL_START, ~0UL, NOT_DIRECT},
        {MM_MMIO_START, PAGE_4K_SIZE, MM_MMIO_START, NOT_DIRECT},
        {MM_PAGE_ARRAY, PAGE_4K_SIZE, MM_PAGE_ARRAY, NOT_DIRECT},
        {MM_HELD_ARRAY, PAGE_4K_SIZE, MM_HELD_ARRAY, NOT_DIRECT},
        {MM_STACKS_START, PAGE_4K_SIZE, MM_STACKS_START, NOT_DIRECT},
        {MM_PEEK, PAGE_4K_SIZE, MM_PEEK, NOT_DIRECT},
        {~0UL, 1, ~0UL, NOT_DIRECT},
        {~0UL, 2, ~0UL, NOT_DIRECT},
    };

    if (!witness_map())
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(ranges); i++)
        expect_refused(&(struct bad_unmap){(ul)get_CR3(), true, ranges[i].start, ranges[i].bytes,
                                           ranges[i].reported, ranges[i].words});
    witness_unmap();
}

/* ---- subjects ---- */

/* At an address of the direct map, which no caller may unmap. */
static void as_range(ul at, const char *words)
{
    expect_refused(&(struct bad_unmap){(ul)get_CR3(), true, at, PAGE_4K_SIZE, at, words});
    expect_refused(&(struct bad_unmap){(ul)get_CR3(), true, at, 1, at, words});
}

/* What is no top level; `words` of its physical address. */
static void as_table(ul at, const char *words, const char *words_of_phys)
{
    expect_refused(&(struct bad_unmap){at, false, WITNESS, WITNESS_BYTES, at, words});
    expect_refused(
        &(struct bad_unmap){virt_2_phys(at), true, WITNESS, WITNESS_BYTES, virt_2_phys(at), words_of_phys});
}

static void as_both(ul at, const char *words)
{
    as_range(at, words);
    as_table(at, words, words);
}

static void objects(void)
{
    void *object = kmalloc(8192, 0), *small = kmalloc(64, 0), *freed = kmalloc(4096, 0);
    char words[64];

    if (EXPECT(object != NULL) && EXPECT(small != NULL) && EXPECT(kfree(freed) == 0)) {
        ksnprintf(words, sizeof words, "inside an object of 8192 bytes at 0x%lx", (ul)object);
        as_range((ul)object, "never allocated"); /* not by a call that maps; as a table it is one */
        as_range((ul)object + PAGE_4K_SIZE, words);
        as_both((ul)object + 8, words);
        as_both((ul)freed, "already free");
        as_range((ul)small, "never allocated");
    }
    EXPECT_EQUAL(kfree(object), 0);
    EXPECT_EQUAL(kfree(small), 0);
}

static void frames_and_pages(void)
{
    phys_t frame = frame_alloc(ZONE_NORMAL, 0), unmapped = frame_alloc(ZONE_UNMAPPED_IN_PGT, 0);
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);

    if (EXPECT(!phys_is_none(frame)) && EXPECT_EQUAL(frame_free(frame, 0), 0))
        as_both((ul)phys_pointer(frame), "a free frame");
    if (EXPECT(page != NULL)) {
        as_range((ul)phys_2_virt(page->addr_phys), "a page of alloc_pages");
        as_both((ul)phys_2_virt(page->addr_phys) + 8, "a page of alloc_pages");
        free_pages(page, 1);
    }
    if (!phys_is_none(unmapped)) {
        as_range((ul)phys_pointer(unmapped), NOT_DIRECT);
        as_table((ul)phys_pointer(unmapped), NOT_DIRECT, "never allocated");
        EXPECT_EQUAL(frame_free(unmapped, 0), 0);
    }
    as_both((ul)phys_2_virt(PAGE_2M_ALIGN(mm_ram_end())), "no RAM there");
}

/* Tables, mm's own memory, the image, which the direct map shows, too. */
static void what_mm_and_the_kernel_need(void)
{
    struct paging_path path;

    paging_walk(current_top(), virt(MM_PAGE_ARRAY), &path);
    if (EXPECT(path.mapped)) {
        as_range((ul)phys_pointer(current_top()), "a page table");
        as_both((ul)phys_pointer(current_top()) + 8, "a page table");
        for (unsigned i = 1; i < path.n_steps; i++)
            as_both((ul)phys_pointer(path.step[i].table), "a page table");
        as_both((ul)phys_pointer(phys(align_down(path.phys.addr, PAGE_4K_SIZE))), "allocator metadata");
    }
    for (u32 i = 0; i < mm.n_segments; i++) {
        ul at = mm.segments[i].virt;

        as_range(at, "the kernel image");
        as_both((ul)phys_2_virt(mm.segments[i].phys), "the kernel image");
        expect_refused(&(struct bad_unmap){at, false, WITNESS, WITNESS_BYTES, at, "the kernel image"});
    }
}

static void what_lies_in_the_direct_map_is_nobodys_to_unmap(void)
{
    if (!witness_map())
        return;
    objects();
    frames_and_pages();
    what_mm_and_the_kernel_need();
    witness_unmap();
}

/* ---- tables ---- */

static void tables_outside_the_direct_map(void)
{
    static const struct {
        ul table;
        bool is_phys;
        const char *words;
    } tables[] = {
        {0, false, NOT_DIRECT},
        {LOWER_BORDER, false, NOT_DIRECT},
        {SPECIAL_BORDER, false, NOT_DIRECT},
        {MM_PAGE_ARRAY, false, NOT_DIRECT},
        {1UL << 62, false, NOT_CANONICAL},
        {MM_USER_END, false, NOT_CANONICAL},
        {~0UL & PAGE_4K_MASK, false, NOT_DIRECT},
        {~0UL, false, NOT_DIRECT},
        {0, true, ANY}, /* a table that somebody forgot to make: never allocated, or no RAM there */
        {~0UL & PAGE_4K_MASK, true, "no RAM there"},
        {1UL << 52, true, "no RAM there"},
        {PAGE_OFFSET, true, "no RAM there"}, /* a virtual address said to be physical */
    };

    if (!witness_map())
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(tables); i++)
        expect_refused(&(struct bad_unmap){tables[i].table, tables[i].is_phys, WITNESS, WITNESS_BYTES,
                                           tables[i].table, tables[i].words});
    witness_unmap();
}

/* A top level of our own, one entry of which leads to `below`; the same entry again afterwards. */
static void expect_bad_entry(ul *top, ul below, const char *words)
{
    ul entry = below | PAGE_PRESENT | PAGE_R_W | PAGE_U_S;

    top[0] = entry;
    expect_refused(&(struct bad_unmap){(ul)top, false, PAGE_4K_SIZE, PAGE_4K_SIZE, below, words});
    expect_refused(&(struct bad_unmap){virt_2_phys(top), true, PAGE_4K_SIZE, GIB(512), below, words});
    EXPECT_EQUAL(top[0], entry);
    top[0] = 0;
}

static void entries_that_lead_to_no_table(void)
{
    ul *top = kzalloc(4096, 0), *fake = kzalloc(4096, 0);

    if (EXPECT(top != NULL) && EXPECT(fake != NULL)) {
        expect_bad_entry(top, virt_2_phys(fake), "never allocated");
        expect_bad_entry(top, PAGE_2M_ALIGN(mm_ram_end()), "no RAM there");
        expect_bad_entry(top, (ul)get_CR3(), "a page table"); /* of another level */
        expect_bad_entry(top, 0, ANY);
    }
    EXPECT_EQUAL(kfree(top), 0);
    EXPECT_EQUAL(kfree(fake), 0);
}

/* Its own copy of a shared slot is not the kernel's. */
static void a_top_level_without_the_kernels_half(void)
{
    ul *top = kzalloc(4096, 0);

    if (EXPECT(top != NULL))
        expect_refused(
            &(struct bad_unmap){(ul)top, false, SPECIAL_BORDER, PAGE_4K_SIZE, (ul)top, "never allocated"});
    EXPECT_EQUAL(kfree(top), 0);
}

static const struct test tests[] = {
    TEST(ranges_that_callers_have_no_business_in), TEST(what_lies_in_the_direct_map_is_nobodys_to_unmap),
    TEST(tables_outside_the_direct_map),           TEST(entries_that_lead_to_no_table),
    TEST(a_top_level_without_the_kernels_half),    TEST_END,
};

const struct test_suite selftest_misuse_maps = {"misuse_maps", "wrong unmaps: one report each, and no effect",
                                                tests};
