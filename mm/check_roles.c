/* SPDX-License-Identifier: MIT */
/* Checks of roles: I301 .. I305 of role.c, I207 of frame.c. */
#include <lib/bits.h>
#include <mm/check.h>
#include <mm/entry.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/slab.h>

static phys_t frame_of_page(const struct Page *page, u64 i)
{
    return phys(page->addr_phys + i * FRAME_BYTES);
}

/* I302 and I303 of a page with a role table. */
static bool check_role_table(struct mm_violation *out, const struct Page *page)
{
    phys_t table = pointer_phys(page->roles);

    if (page->state != PAGE_SPLIT || !page_is_direct(page))
        return check_failed(out, 303, "a page with roles is not split, or not in the direct map",
                            page->addr_phys, PAGE_SPLIT, page->state);
    if (!is_aligned(table.addr, FRAME_BYTES) || !page_exists(table) || !page_is_direct(page_of(table)))
        return check_failed(out, 302, "a role table lies in no frame of the direct map", page->addr_phys, 1, table.addr);
    return true;
}

/* I302 again, when all tables may be read. */
static bool check_table_frame(struct mm_violation *out, const struct Page *page)
{
    phys_t table = pointer_phys(page->roles);

    if (role_of(table) != ROLE_NONE || !frame_is_mms(table))
        return check_failed(out, 302, "the frame of a role table is free, held, or has a role", page->addr_phys,
                            ROLE_NONE, table.addr);
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        if (mm_cpu_count_stacked(cpu, table.addr, table.addr + 1) != 0)
            return check_failed(out, 302, "the frame of a role table is in a CPU's stack", page->addr_phys, 0, table.addr);
    return true;
}

/* I304: the word of a frame in which no object lies; kfree follows it all the same. */
static bool check_pointless(struct mm_violation *out, phys_t frame, enum role role, ul word)
{
    bool is_object = role >= ROLE_OBJECT_MIN && role <= ROLE_OBJECT_MAX;
    bool is_noted = role > ROLE_TOP_LEVEL && role - ROLE_TOP_LEVEL > SLAB_MAX_SHIFT &&
                    role - ROLE_TOP_LEVEL <= ROLE_OBJECT_MAX;
    u64 n_used_most = role != ROLE_NONE && role <= ROLE_TABLE_MAX ? ENTRIES_PER_TABLE : 0;
    bool is_known = is_object || is_noted || role <= ROLE_TABLE_MAX || role == ROLE_METADATA;

    if (!is_known)
        return check_failed(out, 304, "a role that there is not", frame.addr, 0, role);
    if (!is_object && (u64)(live_of_word(word) - mm.no_object) > n_used_most)
        return check_failed(out, 304, "the word of a frame without objects leads somewhere", frame.addr,
                            (u64)mm.no_object, (u64)live_of_word(word));
    return true;
}

/* I301, I304 and I207 of the words of a role table. */
static bool check_words(struct mm_violation *out, const struct Page *page)
{
    u64 n_roles = 0;

    for (u64 i = 0; i < PAGE_FRAMES; i++) {
        phys_t frame = frame_of_page(page, i);
        enum role role = role_of(frame);

        if (!check_pointless(out, frame, role, page->roles[i]))
            return false;
        n_roles += role != ROLE_NONE;
        if (role != ROLE_NONE && !frame_is_mms(frame))
            return check_failed(out, 207, "a frame with a role is held, or free", frame.addr, 0, role);
    }
    return check_equal(out, 301, "roles of a page", page->addr_phys, n_roles, page->n_roles);
}

/* I304 of what stands in where there is no object, and no role table. */
static bool check_stand_ins(struct mm_violation *out)
{
    const u8 *live = mm.no_object;

    for (unsigned i = 0; i < sizeof mm.no_object; i++)
        if (live[i] != 0)
            return check_failed(out, 304, "an object lives where there is none", i, 0, live[i]);
    for (u64 i = 0; i < PAGE_FRAMES; i++)
        if (live_of_word(mm.no_roles[i]) != mm.no_object || word_role(mm.no_roles[i]) != ROLE_NONE)
            return check_failed(out, 304, "a role where there is no role table", i, 0, mm.no_roles[i]);
    return true;
}

bool check_roles(struct mm_violation *out)
{
    for (u32 i = 0; i < mm.n_pages; i++)
        if (page_at(i)->roles != NULL && !check_role_table(out, page_at(i)))
            return false;
    for (u32 i = 0; i < mm.n_pages; i++) {
        const struct Page *page = page_at(i);

        if (page->words != (page->roles != NULL ? page->roles : mm.no_roles))
            return check_failed(out, 304, "kfree is led to another role table", (u64)i * PAGE_BYTES,
                                (u64)page->roles, (u64)page->words);
        if (page->roles != NULL && (!check_words(out, page) || !check_table_frame(out, page)))
            return false;
    }
    return check_stand_ins(out);
}

/* I305 of a page table of any address space, wherever it hangs. */
static bool check_table(struct mm_violation *out, phys_t table, unsigned level)
{
    const u64 *entries = phys_pointer(table);
    unsigned n_used = 0;

    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++) {
        u64 entry = entries[i];

        n_used += entry_is_present(entry);
        if (entry_is_present(entry) && !entry_is_leaf(entry, level) &&
            table_frame_level(entry_table(entry)) != level - 1)
            return check_failed(out, 305, "a page table leads to what is none of the level below",
                                table.addr + i * sizeof entry, level - 1,
                                table_frame_level(entry_table(entry)));
    }
    return check_equal(out, 305, "used entries of a page table", table.addr, n_used, table_frame_used(table));
}

bool check_tables(struct mm_violation *out)
{
    for (u32 i = 0; i < mm.n_pages; i++) {
        const struct Page *page = page_at(i);

        for (u64 k = 0; page->roles != NULL && k < PAGE_FRAMES; k++) {
            phys_t frame = frame_of_page(page, k);
            unsigned level = table_frame_level(frame);

            if (level != 0 && !check_table(out, frame, level))
                return false;
        }
    }
    return true;
}
