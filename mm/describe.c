/* SPDX-License-Identifier: MIT */
/*
 * What an address is: for misuse reports, `whatis`, and whoever wants to look.
 *
 * The questions are asked from the outside in: is it an address at all, is there RAM, what is the page, what is the
 * frame, what is the object.  Each answer is a copy of what the structures say at that moment; no lock is taken, so that
 * reports can be made anywhere.  Other CPUs may change the answer between two questions: then it is a mixture, but made of
 * memory that may be read (mm_enter).
 */
#include <lib/bits.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/frame_bits.h>
#include <mm/misuse.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/run.h>
#include <mm/sanitize.h>
#include <mm/slab.h>

static void set_block(struct mm_what *out, u64 start, u64 bytes)
{
    out->block_start = start;
    out->block_bytes = bytes;
}

/* The reserved range that a physical address lies in; NULL when in none. */
static const struct mm_reserved *reserved_at(u64 at)
{
    for (u32 i = 0; i < mm.n_reserved; i++)
        if (at >= align_down(mm.reserved[i].start, FRAME_BYTES) && at < align_up(mm.reserved[i].end, FRAME_BYTES))
            return &mm.reserved[i];
    return NULL;
}

static bool frame_is_stacked(phys_t frame)
{
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        if (mm_cpu_count_stacked(cpu, frame.addr, frame.addr + FRAME_BYTES) != 0)
            return true;
    return false;
}

static void describe_object(struct mm_what *out, u64 start, unsigned shift, bool live)
{
    out->kind = live ? MM_LIVE_OBJECT : MM_FREE_OBJECT;
    out->class_bytes = live ? sanitize_promised_bytes(phys(start), 1UL << shift) : 1UL << shift;
    set_block(out, start, out->class_bytes);
}

static void describe_slab_frame(struct mm_what *out, phys_t at, ul word)
{
    unsigned shift = word_role(word);
    u64 start = align_down(at.addr, 1UL << shift);

    describe_object(out, start, shift, live_of_word(word)[(start % FRAME_BYTES) >> shift] == 1);
}

/* A frame that is held or serves mm: by its role.  False when it has none.  Each word is read once: it may change. */
static bool describe_role(struct mm_what *out, phys_t at)
{
    phys_t frame = phys(align_down(at.addr, FRAME_BYTES));
    ul word;
    phys_t head = role_block_head(frame, &word);
    unsigned role;

    if (!phys_is_none(head)) {
        describe_object(out, head.addr, word_role(word) % ROLE_TOP_LEVEL, word_live(word) == 1);
        return true;
    }
    word = role_word_now(frame);
    role = word_role(word);
    set_block(out, frame.addr, FRAME_BYTES);
    if (role >= ROLE_OBJECT_MIN && role <= ROLE_OBJECT_MAX) {
        describe_slab_frame(out, at, word);
    } else if (role != ROLE_NONE && role <= ROLE_TABLE_MAX) {
        out->kind = MM_TABLE;
        out->level = role;
        out->n_used = word_used(word);
    } else if (role == ROLE_METADATA) {
        out->kind = MM_METADATA;
    }
    return role != ROLE_NONE;
}

/* The maximal free block of frames in a split page around a free frame. */
static void describe_free_frame(struct mm_what *out, const struct Page *page, phys_t frame)
{
    unsigned first = (unsigned)(frame.addr / FRAME_BYTES % PAGE_FRAMES), order = 0;

    while (order + 1 < SPLIT_ORDERS && frame_bits_are_free(page->free_frames, first & ~((2u << order) - 1), order + 1))
        order++;
    out->kind = MM_FREE_FRAME;
    out->order = order;
    set_block(out, page->addr_phys + align_down(first, 1u << order) * FRAME_BYTES, FRAME_BYTES << order);
}

static void describe_split(struct mm_what *out, phys_t at)
{
    phys_t frame = phys(align_down(at.addr, FRAME_BYTES));
    const struct Page *page = page_of(frame);
    const struct mm_reserved *reserved = reserved_at(frame.addr);

    if (describe_role(out, at))
        return;
    if (frame_bits_are_free(page->free_frames, (unsigned)(frame.addr / FRAME_BYTES % PAGE_FRAMES), 0)) {
        describe_free_frame(out, page, frame);
    } else if (frame_is_held(frame)) {
        out->kind = MM_HELD_FRAME;
    } else if (!memory_map_is_usable(&mm.map, frame.addr, frame.addr + FRAME_BYTES)) {
        out->kind = MM_NO_RAM;
    } else if (reserved != NULL) {
        out->kind = MM_RESERVED;
        out->name = reserved->name;
        set_block(out, reserved->start, reserved->end - reserved->start);
    } else if (frame_is_stacked(frame)) {
        out->kind = MM_CACHED_FRAME;
    } else {
        out->kind = MM_METADATA; /* taken early, or a role table */
    }
}

/* The maximal aligned block of whole pages around one of a free run.  The run may change meanwhile. */
static void describe_free_page(struct mm_what *out, u32 index, u32 head)
{
    u64 end = (u64)head + run_length(page_at(head));
    unsigned order = 0;

    while (order + 1 < RUN_ORDERS && align_down(index, 2UL << order) >= head &&
           align_down(index, 2UL << order) + (2UL << order) <= end)
        order++;
    out->kind = MM_FREE_FRAME;
    out->order = SPLIT_ORDERS + order;
    set_block(out, align_down(index, 1UL << order) * PAGE_BYTES, PAGE_BYTES << order);
}

static void describe_whole(struct mm_what *out, const struct Page *page)
{
    u32 head = run_head_of(page_index(page));

    if (page_is_owned(page))
        out->kind = MM_PAGE;
    else if (page_is_block(page))
        out->kind = MM_HELD_FRAME;
    else if (head == PAGE_NOWHERE)
        out->kind = MM_CACHED_FRAME;
    else
        describe_free_page(out, page_index(page), head);
}

static void describe_page_of(phys_t at, struct mm_what *out)
{
    const struct Page *page;

    memset(out, 0, sizeof *out);
    out->phys = at.addr;
    out->zone = MM_N_ZONES;
    out->kind = MM_NO_RAM;
    set_block(out, align_down(at.addr, FRAME_BYTES), FRAME_BYTES);
    if (!page_exists(at))
        return;
    page = page_of(at);
    out->zone = (unsigned)(page->zone - mm.zone);
    out->grown = page->grown != 0;
    out->attr = page->attr;
    out->ref_counts = page->ref_counts;
    if (page->state == PAGE_SPLIT) {
        describe_split(out, at);
        return;
    }
    set_block(out, page->addr_phys, PAGE_BYTES);
    describe_whole(out, page);
}

/* What is read on the way must not be freed meanwhile (limbo.c). */
void mm_describe_phys(phys_t at, struct mm_what *out)
{
    struct mm_cpu *cpu = platform_cpu();

    mm_enter(cpu);
    describe_page_of(at, out);
    if (UNLIKELY(mm.debug.features != 0))
        debug_describe(at, out);
    mm_leave(cpu);
}

/* The piece of the kernel image that a virtual address lies in; false when in none. */
static bool describe_image(virt_t at, struct mm_what *out)
{
    for (u32 i = 0; i < mm.n_segments; i++) {
        const struct mm_segment *segment = &mm.segments[i];

        if (at.addr - segment->virt >= segment->bytes)
            continue;
        mm_describe_phys(phys(segment->phys + (at.addr - segment->virt)), out);
        out->kind = MM_RESERVED;
        out->name = "the kernel image";
        set_block(out, segment->phys, segment->bytes);
        return true;
    }
    return false;
}

static bool is_canonical(u64 addr)
{
    return addr < MM_USER_END || addr >= MM_KERNEL_HALF;
}

void mm_describe_virt(virt_t at, struct mm_what *out)
{
    phys_t p = phys(at.addr - PAGE_OFFSET);

    if (p.addr < MM_RAM_LIMIT) {
        mm_describe_phys(p, out);
        if (out->kind != MM_NO_RAM && !page_is_direct(page_of(p)))
            out->kind = MM_NOT_DIRECT;
        return;
    }
    if (describe_image(at, out))
        return;
    memset(out, 0, sizeof *out);
    out->zone = MM_N_ZONES;
    out->kind = is_canonical(at.addr) ? MM_NOT_DIRECT : MM_NOT_CANONICAL;
}

const char *mm_describe_words(const struct mm_what *what)
{
    switch (what->kind) {
    case MM_NOT_CANONICAL:
        return "not canonical";
    case MM_NOT_DIRECT:
        return "not in the direct map";
    case MM_NO_RAM:
        return "no RAM there";
    case MM_FREE_FRAME:
    case MM_CACHED_FRAME:
        return "a free frame";
    case MM_PAGE:
        return "a page of alloc_pages";
    case MM_TABLE:
        return "a page table";
    case MM_METADATA:
        return "allocator metadata";
    case MM_RED_ZONE:
        return "allocator metadata, the red zone of an object";
    case MM_LIVE_OBJECT:
        return what->phys != what->block_start ? "inside an object" : "never allocated";
    case MM_FREE_OBJECT:
        return what->phys == what->block_start ? "already free" : "never allocated";
    case MM_RESERVED:
        return what->name != NULL && strcmp(what->name, "the kernel image") == 0 ? what->name : "never allocated";
    default:
        return "never allocated";
    }
}

size_t mm_describe_text(const struct mm_what *what, char *text, size_t size)
{
    const char *words = mm_describe_words(what);

    if (what->kind == MM_LIVE_OBJECT && what->phys != what->block_start)
        ksnprintf(text, size, "%s of %lu bytes at 0x%lx", words, what->class_bytes, what->block_start + PAGE_OFFSET);
    else if (what->kind == MM_RED_ZONE)
        ksnprintf(text, size, "%s of %lu bytes at 0x%lx", words, what->object_bytes, what->object_start + PAGE_OFFSET);
    else
        str_copy(text, size, words);
    return strlen(text);
}
