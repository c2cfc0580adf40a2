/* SPDX-License-Identifier: MIT */
/* Checks of zones and frames: I111 .. I113 of zone.c, I201 .. I204 of split.c, I205, I206 and I208 of frame.c. */
#include <lib/bitmap.h>
#include <lib/bits.h>
#include <mm/check.h>
#include <mm/frame.h>
#include <mm/frame_bits.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/split.h>

/* What a recount finds, a zone. */
struct tally {
    u64 ram_frames, free_frames;
    u64 free_in_ram;            /* free bits of split pages that lie in RAM */
    u64 split_free;             /* n_free of split pages */
    u64 n_listed[N_SPLIT_KINDS][SPLIT_ORDERS]; /* split pages by kind and order */
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
        !check_equal(out, 202, "largest free order of a split page", page->addr_phys, split_largest(page),
                     page->order))
        return false;
    if (n_free == PAGE_FRAMES && page->roles == NULL)
        return check_failed(out, 201, "a split page is free as a whole", page->addr_phys, PAGE_FRAMES - 1,
                            n_free);
    for (unsigned i = 0; i < ARRAY_LENGTH(page->free_frames); i++)
        if (page->free_frames[i] & held_words(page)[i])
            return check_failed(out, 204, "a free frame is held", page->addr_phys, page->free_frames[i],
                                held_words(page)[i]);
    tally->split_free += n_free;
    if (page->order != PAGE_NO_ORDER)
        tally->n_listed[page->roles != NULL][page->order]++;
    return true;
}

/* I203 of one list. */
static bool check_split_list(struct mm_violation *out, const struct Zone *zone, unsigned kind, unsigned order,
                             u64 expected)
{
    const struct split_lists *lists = &zone->split[kind];
    u64 n = 0;
    u32 prev = PAGE_NOWHERE;

    for (u32 i = lists->head[order]; i != PAGE_NOWHERE; i = page_at(i)->next) {
        const struct Page *page;

        if (i >= mm.n_pages || ++n > mm.n_pages)
            return check_failed(out, 203, "a list of split pages does not end", i, mm.n_pages, n);
        page = page_at(i);
        if (page->state != PAGE_SPLIT || page->order != order || page->zone != zone || page->prev != prev ||
            (page->roles != NULL) != kind)
            return check_failed(out, 203, "a page in a list of split pages does not belong there",
                                page->addr_phys, order, page->order);
        prev = i;
    }
    return check_equal(out, 203, "pages in a list of split pages", order, expected, n) &&
           check_equal(out, 203, "a mask and the list of split pages disagree", order, n != 0,
                       lists->mask >> order & 1);
}

/* I113 of a page. */
static bool check_grown(struct mm_violation *out, const struct Page *page, u64 *n_grown)
{
    if (!page->grown)
        return true;
    ++*n_grown;
    if (page->zone != &mm.zone[1] || page->addr_phys < mm.direct_end)
        return check_failed(out, 113, "a grown page is not NORMAL's", page->addr_phys, 1,
                            (u64)(page->zone - mm.zone));
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
        of_zone->free_frames += page->state == PAGE_SPLIT ? page->n_free
                                : page_is_free(page)      ? PAGE_FRAMES
                                                          : 0;
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
    if (zone->low_water_frames > zone->n_free_frames)
        return check_failed(out, 112, "low water of a zone", zone->start, zone->n_free_frames,
                            zone->low_water_frames);
    if (!check_equal(out, 111, "RAM frames of a zone", zone->start, tally->ram_frames,
                     zone->managed_frames) ||
        !check_equal(out, 112, "free frames of a zone", zone->start, tally->free_frames,
                     zone->n_free_frames) ||
        !check_equal(out, 204, "free frames that lie in RAM", zone->start, tally->split_free,
                     tally->free_in_ram))
        return false;
    for (unsigned kind = 0; kind < N_SPLIT_KINDS; kind++)
        for (unsigned order = 0; order < SPLIT_ORDERS; order++)
            if (!check_split_list(out, zone, kind, order, tally->n_listed[kind][order]))
                return false;
    return true;
}

/* I206 of a frame in a stack: not reserved either, nor taken early. */
static bool check_stacked(struct mm_violation *out, phys_t frame)
{
    const struct Page *page = page_of(frame);
    struct memory_range run;

    if (!is_aligned(frame.addr, FRAME_BYTES) || !page_exists(frame) || page->zone != &mm.zone[1] ||
        page->state != PAGE_SPLIT || frame_is_held(frame) ||
        frame_bits_are_free(page->free_frames, (unsigned)(frame.addr / FRAME_BYTES % PAGE_FRAMES), 0))
        return check_failed(out, 206, "a frame in a CPU's stack is held, or free elsewhere", frame.addr, 0,
                            1);
    if (!ram_next_unreserved(frame.addr, &run) || run.start != frame.addr)
        return check_failed(out, 206, "a frame in a CPU's stack is no RAM, or reserved", frame.addr, 0, 1);
    return true;
}

/* How many frames of [start, end) lie in some CPU's stack. */
static u64 count_stacked(u64 start, u64 end)
{
    u64 n = 0;

    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        n += mm_cpu_count_stacked(cpu, start, end);
    return n;
}

/* I206 of one frame in a stack. */
static bool check_stacked_once(struct mm_violation *out, u64 at)
{
    return check_stacked(out, phys(at)) &&
           check_equal(out, 206, "times that a frame is in CPUs' stacks", at, 1, count_stacked(at, at + 1));
}

/* I206 of the stack of blocks of one order. */
static bool check_block_stack(struct mm_violation *out, const struct mm_cpu *cpu, unsigned order)
{
    const struct block_stack *stack = &cpu->blocks[order - 1];
    u32 n = cpu->stacked.n_blocks[2 * order];

    if (n > stack->capacity || stack->capacity > STACK_BLOCKS)
        return check_failed(out, 206, "blocks in a CPU's stack", order, stack->capacity, n);
    for (u32 i = 0; i < n; i++)
        for (u64 k = 0; k < 1u << order; k++)
            if (!check_stacked_once(out, stack->block[i].addr + k * FRAME_BYTES))
                return false;
    return true;
}

/* I206 of a stack. */
static bool check_stack(struct mm_violation *out, const struct mm_cpu *cpu)
{
    if (cpu->stacked.n_frames > cpu->frame_capacity || cpu->frame_capacity > STACK_FRAMES)
        return check_failed(out, 206, "frames in a CPU's stack", cpu->context, cpu->frame_capacity,
                            cpu->stacked.n_frames);
    for (u32 i = 0; i < cpu->stacked.n_frames; i++)
        if (!check_stacked_once(out, cpu->frame[i].addr))
            return false;
    for (unsigned order = 1; order <= STACK_ORDERS; order++)
        if (!check_block_stack(out, cpu, order))
            return false;
    return true;
}

/* Frames that the words of a page's role table give to mm in [first, first + n): blocks with the frames inside. */
static u64 count_roles(const struct Page *page, u64 first, u64 n)
{
    u64 n_roles = 0;

    for (u64 i = first; page->roles != NULL && i < first + n; i++) {
        unsigned role = word_role(page->roles[i]) % ROLE_TOP_LEVEL;

        if (role > FRAME_SHIFT && role <= ROLE_OBJECT_MAX)
            n_roles += 1UL << (role - FRAME_SHIFT);
        else
            n_roles += word_role(page->roles[i]) != ROLE_NONE;
    }
    return n_roles;
}

/* How many frames of [start, end), which is RAM, are free, held or mm's in split pages, or lie in pages of another
 * state. */
static u64 count_known(u64 start, u64 end)
{
    u64 n = 0;

    for (u64 at = start, stop; at < end; at = stop) {
        const struct Page *page = page_of(phys(at));
        u64 first = at % PAGE_BYTES / FRAME_BYTES, n_here;

        stop = min_u64(end, align_down(at, PAGE_BYTES) + PAGE_BYTES);
        n_here = (stop - at) / FRAME_BYTES;
        if (page->state == PAGE_SPLIT)
            n += bitmap_count_range((const u64 *)page->free_frames, first, n_here) +
                 bitmap_count_range(held_words(page), first, n_here) + count_roles(page, first, n_here);
        else
            n += n_here;
    }
    return n;
}

/* Role tables, those in limbo included. */
static u64 count_role_tables(void)
{
    u64 n = mm.limbo.n_tables + mm.limbo.n_tables_taken;

    for (u32 i = 0; i < mm.n_pages; i++)
        n += page_at(i)->roles != NULL;
    return n;
}

/* I208 of the frame at place `place`; counts it. */
static bool check_top(struct mm_violation *out, unsigned place, u32 *n_held)
{
    phys_t frame = mm.tops.held[place];
    const struct Page *page;
    unsigned number;

    if (frame.addr == 0)
        return true;
    ++*n_held;
    for (unsigned i = 0; i < place; i++)
        if (mm.tops.held[i].addr == frame.addr)
            return check_failed(out, 208, "a held top-level table is known twice", frame.addr, i, place);
    if (!is_aligned(frame.addr, FRAME_BYTES) || !page_exists(frame) || page_of(frame)->state != PAGE_SPLIT ||
        !page_is_direct(page_of(frame)))
        return check_failed(out, 208, "what is known as a held top-level table is no frame", frame.addr, 0, 1);
    page = page_of(frame);
    number = (unsigned)(frame.addr / FRAME_BYTES % PAGE_FRAMES);
    if (bitmap_count_range(held_words(page), number, 1) + bitmap_count_range((const u64 *)page->free_frames, number, 1) != 0)
        return check_failed(out, 208, "what is known as a held top-level table is free, or held besides", frame.addr, 0, 1);
    return true;
}

static bool check_tops(struct mm_violation *out)
{
    u32 n_held = 0;

    for (unsigned i = 0; i < TOPS_HELD; i++)
        if (!check_top(out, i, &n_held))
            return false;
    return check_equal(out, 208, "held top-level tables", 0, n_held, mm.tops.n_held);
}

/* I205: no frame that was given to the allocator is lost. */
static bool check_none_lost(struct mm_violation *out)
{
    u64 n_given = 0, n_known = count_role_tables() + mm.tops.n_held;
    struct memory_range run;

    for (u64 from = 0; ram_next_free(from, &run); from = run.end) {
        n_given += (run.end - run.start) / FRAME_BYTES;
        n_known += count_known(run.start, run.end) + count_stacked(run.start, run.end);
    }
    return check_equal(out, 205, "frames that are free, held, stacked or mm's", 0, n_given, n_known);
}

/* I205: no frame that was not given to the allocator is in it. */
static bool check_none_stolen(struct mm_violation *out)
{
    struct memory_range run;

    for (u32 i = 0; i < mm.n_reserved; i++) {
        u64 start = align_down(mm.reserved[i].start, FRAME_BYTES),
            end = align_up(mm.reserved[i].end, FRAME_BYTES);

        for (u64 from = start; ram_next(from, &run) && run.start < end; from = run.end) {
            run.end = min_u64(run.end, end);
            if (!check_equal(out, 205, "reserved frames that are free or held", run.start, 0,
                             count_known(run.start, run.end)))
                return false;
        }
    }
    return true;
}

bool check_zones(struct mm_violation *out)
{
    struct tally tally[MM_N_ZONES] = {0};
    u64 ram_bytes = 0;

    if (!tally_pages(out, tally))
        return false;
    tally_ram(tally);
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        if (!check_zone(out, &mm.zone[i], &tally[i]))
            return false;
        ram_bytes += tally[i].ram_frames * FRAME_BYTES;
    }
    if (!check_equal(out, 111, "RAM of all zones", 0, ram_bytes, mm.ram_bytes))
        return false;
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        if (!check_stack(out, cpu))
            return false;
    return true;
}

bool check_frames(struct mm_violation *out)
{
    return check_tops(out) && check_none_lost(out) && check_none_stolen(out);
}
