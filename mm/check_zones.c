/* SPDX-License-Identifier: MIT */
/* Checks of zones and frames: I111 .. I113 of zone.c, I201 .. I204 of split.c, I205 .. I207 of frame.c. */
#include <lib/bitmap.h>
#include <lib/bits.h>
#include <mm/check.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/split.h>

/* What a recount finds, a zone. */
struct tally {
    u64 ram_frames, free_frames;
    u64 free_in_ram;                   /* free bits of split pages that lie in RAM */
    u64 split_free;                    /* n_free of split pages */
    u64 n_listed[SPLIT_ORDERS];        /* split pages by order */
};

static const u64 *held_words(const struct Page *page)
{
    return (const u64 *)MM_HELD_ARRAY + page->addr_phys / FRAME_BYTES / BITS_PER_WORD;
}

/* I201, I202, I204 of a split page. */
static bool check_split(struct mm_violation *out, const struct Page *page, struct tally *tally)
{
    u64 n_free = bitmap_count_range((const u64 *)page->free_frames, 0, PAGE_FRAMES);

    if (!check_equal(out, 201, "free frames of a split page", page->addr_phys, n_free, page->n_free) ||
        !check_equal(out, 202, "largest free order of a split page", page->addr_phys, split_largest(page), page->order))
        return false;
    if (n_free == PAGE_FRAMES)
        return check_failed(out, 201, "a split page is free as a whole", page->addr_phys, PAGE_FRAMES - 1, n_free);
    for (unsigned i = 0; i < ARRAY_LENGTH(page->free_frames); i++)
        if (page->free_frames[i] & held_words(page)[i])
            return check_failed(out, 204, "a free frame is held", page->addr_phys, page->free_frames[i],
                                held_words(page)[i]);
    tally->split_free += n_free;
    if (page->order != PAGE_NO_ORDER)
        tally->n_listed[page->order]++;
    return true;
}

/* I203 of one list. */
static bool check_split_list(struct mm_violation *out, const struct Zone *zone, unsigned order, u64 expected)
{
    u64 n = 0;
    u32 prev = PAGE_NOWHERE;

    for (u32 i = zone->split_head[order]; i != PAGE_NOWHERE; i = page_at(i)->next) {
        const struct Page *page;

        if (i >= mm.n_pages || ++n > mm.n_pages)
            return check_failed(out, 203, "a list of split pages does not end", i, mm.n_pages, n);
        page = page_at(i);
        if (page->state != PAGE_SPLIT || page->order != order || page->zone != zone || page->prev != prev)
            return check_failed(out, 203, "a page in a list of split pages does not belong there", page->addr_phys, order,
                                page->order);
        prev = i;
    }
    return check_equal(out, 203, "pages in a list of split pages", order, expected, n) &&
           check_equal(out, 203, "split_mask and the list disagree", order, n != 0, zone->split_mask >> order & 1);
}

/* I113 of a page. */
static bool check_grown(struct mm_violation *out, const struct Page *page, u64 *n_grown)
{
    if (!page->grown)
        return true;
    ++*n_grown;
    if (page->zone != &mm.zone[1] || page->addr_phys < mm.direct_end)
        return check_failed(out, 113, "a grown page is not NORMAL's", page->addr_phys, 1, (u64)(page->zone - mm.zone));
    return true;
}

static bool tally_pages(struct mm_violation *out, struct tally *tally)
{
    u64 n_grown = 0;

    for (u32 i = 0; i < mm.n_pages; i++) {
        const struct Page *page = page_at(i);
        struct tally *of_zone;

        if (page->state == PAGE_ABSENT)
            continue;
        of_zone = &tally[page->zone - mm.zone];
        if (page->state == PAGE_SPLIT && !check_split(out, page, of_zone))
            return false;
        of_zone->free_frames += page->state == PAGE_SPLIT ? page->n_free : page_is_free(page) ? PAGE_FRAMES : 0;
        if (!check_grown(out, page, &n_grown))
            return false;
    }
    return check_equal(out, 113, "grown pages", 0, n_grown, mm.n_grown_pages);
}

/* Counts the RAM of each zone, page by page, and the free bits in it. */
static void tally_ram(struct tally *tally)
{
    struct memory_range run;

    for (u64 from = 0; ram_next(from, &run); from = run.end)
        for (u64 at = run.start; at < run.end;) {
            u64 stop = min_u64(run.end, align_down(at, PAGE_BYTES) + PAGE_BYTES);
            const struct Page *page = page_of(phys(at));
            struct tally *of_zone = &tally[page->zone - mm.zone];
            u64 n = (stop - at) / FRAME_BYTES;

            of_zone->ram_frames += n;
            if (page->state == PAGE_SPLIT)
                of_zone->free_in_ram +=
                    bitmap_count_range((const u64 *)page->free_frames, at % PAGE_BYTES / FRAME_BYTES, n);
            at = stop;
        }
}

static bool check_zone(struct mm_violation *out, const struct Zone *zone, const struct tally *tally)
{
    if (!check_equal(out, 111, "RAM frames of a zone", zone->start, tally->ram_frames, zone->managed_frames) ||
        !check_equal(out, 112, "free frames of a zone", zone->start, tally->free_frames, zone->n_free_frames) ||
        !check_equal(out, 204, "free frames that lie in RAM", zone->start, tally->split_free, tally->free_in_ram))
        return false;
    for (unsigned order = 0; order < SPLIT_ORDERS; order++)
        if (!check_split_list(out, zone, order, tally->n_listed[order]))
            return false;
    return true;
}

/* I206. */
static bool check_stack(struct mm_violation *out, const struct mm_cpu *cpu)
{
    for (u32 i = 0; i < cpu->n_frames; i++) {
        phys_t frame = cpu->frame[i];
        const struct Page *page = page_of(frame);

        if (!page_exists(frame) || page->zone != &mm.zone[1] || page->state != PAGE_SPLIT || frame_is_held(frame) ||
            split_is_free(page, (unsigned)(frame.addr / FRAME_BYTES % PAGE_FRAMES), 0))
            return check_failed(out, 206, "a frame in a CPU's stack is held, or free elsewhere", frame.addr, 0, 1);
        for (u32 k = 0; k < i; k++)
            if (cpu->frame[k].addr == frame.addr)
                return check_failed(out, 206, "a frame is twice in a CPU's stack", frame.addr, i, k);
    }
    return true;
}

bool check_zones(struct mm_violation *out)
{
    struct tally tally[MM_N_ZONES] = {0};
    struct mm_stat_t s = mm_stat();

    if (!tally_pages(out, tally))
        return false;
    tally_ram(tally);
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        if (!check_zone(out, &mm.zone[i], &tally[i]))
            return false;
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        if (!check_stack(out, cpu))
            return false;
    return check_equal(out, 205, "total of mm_stat", 0, ram_bytes_total(), s.total) &&
           check_equal(out, 205, "used + free of mm_stat", 0, s.total, s.used + s.free);
}

/* I301, I302 and I207 of a page with a role table. */
static bool check_role_table(struct mm_violation *out, const struct Page *page)
{
    phys_t table = pointer_phys(page->roles);
    u64 n_roles = 0;

    if (page->state != PAGE_SPLIT || !page_is_direct(page))
        return check_failed(out, 303, "a page with roles is not split", page->addr_phys, PAGE_SPLIT, page->state);
    if (role_of(table) != ROLE_METADATA || !frame_is_held(table))
        return check_failed(out, 302, "role of a role table", table.addr, ROLE_METADATA, role_of(table));
    for (u64 i = 0; i < PAGE_FRAMES; i++) {
        phys_t frame = phys(page->addr_phys + i * FRAME_BYTES);

        if (role_of(frame) == ROLE_NONE)
            continue;
        n_roles++;
        if (!frame_is_held(frame) && !early_owns(frame))
            return check_failed(out, 207, "a frame with a role is not held", frame.addr, 1, 0);
    }
    return check_equal(out, 301, "roles of a page", page->addr_phys, n_roles, page->n_roles);
}

bool check_roles(struct mm_violation *out)
{
    for (u32 i = 0; i < mm.n_pages; i++)
        if (page_at(i)->roles != NULL && !check_role_table(out, page_at(i)))
            return false;
    return true;
}
