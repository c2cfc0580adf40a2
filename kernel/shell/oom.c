/* SPDX-License-Identifier: MIT */
/*
 * Out of memory: takes all there is in one of three ways, says how far that went and what is left, and gives
 * it back.
 *
 *     kmalloc       objects of 1 MiB until there is none, then of 512 KiB, ... then of 32 bytes
 *     alloc_pages   runs of 63 pages, then of 62, ... then single ones, zone by zone
 *     mapping       4 KiB mapped every 2 MiB of an address space of its own: each wants a page table
 *
 * On a large machine frame_alloc takes the most of it first, in large blocks, so that the first and the last
 * way have KMALLOC_SHARE or MAPPING_SHARE to fill, and do not take minutes.
 *
 * What was taken is remembered in itself: objects in a list of sheets, themselves objects of 4 KiB, and when
 * there is no other sheet, the address of the one before at the start of each; blocks of frames so, too; a
 * page has a mark among its attributes, and a mapping is where it was made.  So little is written to: most of
 * the memory is not even touched.
 */
#include <kernel/shell/oom.h>

#include <kernel/mm/memory.h>
#include <kernel/shell/call.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/time/time.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/fail.h>
#include <mm/frame.h>
#include <mm/inspect.h>

#define OBJECT_MAX_BYTES (1UL << 20)
#define OBJECT_MIN_BYTES 32UL
#define PAGES_MAX        63
#define PAGE_TAKEN       (1UL << 40)   /* in `attr` of the pages taken here; no PAGE_* of mm.h */
#define KMALLOC_SHARE    (512UL << 20) /* needs a role table, that is written to, for each 2 MiB */
#define MAPPING_SHARE    (32UL << 20)  /* is written to as a whole */

/* 4 KiB with the addresses of objects. */
struct sheet {
    struct sheet *before;
    u64 n;
    void *object[510];
};

_Static_assert(sizeof(struct sheet) == PAGE_4K_SIZE, "a sheet is an object of 4 KiB");

/* What one way has taken. */
struct taken {
    struct sheet *sheet; /* the last one */
    void *loose;         /* the last object in no sheet */
    struct block *blocks;
    ul *top; /* of the address space with the mappings */
    u64 n_mappings;
    u64 n, last_bytes; /* objects, or runs, or blocks; how large the last was */
    u64 block_bytes;
};

/* The start of a block of frames. */
struct block {
    struct block *before;
    u64 order;
};

struct way {
    const char *name;
    void (*take)(struct taken *taken);
    void (*tell)(const struct taken *taken);
    bool (*give)(struct taken *taken); /* false: something was refused */
};

/* Blocks of frames, the largest first, until only so much is free. */
static void take_blocks(struct taken *taken, u64 leave_bytes)
{
    for (unsigned order = FRAME_MAX_ORDER + 1; order-- > 0;) {
        while (!out_interrupted() && mm_stat().free >= leave_bytes + (PAGE_4K_SIZE << order)) {
            phys_t at = frame_alloc(ZONE_NORMAL, order);
            if (phys_is_none(at))
                break;
            struct block *block = phys_pointer(at);
            *block = (struct block){taken->blocks, order};
            taken->blocks = block;
            taken->block_bytes += PAGE_4K_SIZE << order;
        }
    }
}

static bool give_blocks(struct taken *taken)
{
    bool right = true;
    while (taken->blocks && right) {
        struct block block = *taken->blocks;
        right = !frame_free(pointer_phys(taken->blocks), (unsigned)block.order) &&
                (!block.before || mm_is_direct(phys(virt_2_phys(block.before))));
        taken->blocks = block.before;
    }
    return right;
}

static void tell_blocks(const struct taken *taken)
{
    if (taken->block_bytes)
        out("(%s of it by frame_alloc) ", format_size(taken->block_bytes).s);
}

/* Makes room in a sheet; false when there is no memory for one. */
static bool turn_sheet(struct taken *taken)
{
    if (taken->sheet && taken->sheet->n < ARRAY_LENGTH(taken->sheet->object))
        return true;
    struct sheet *next = kmalloc(sizeof *next, 0);
    if (!next)
        return false;
    next->before = taken->sheet;
    next->n = 0;
    taken->sheet = next;
    return true;
}

static void note_object(struct taken *taken, void *object)
{
    if (turn_sheet(taken)) {
        taken->sheet->object[taken->sheet->n++] = object;
        return;
    }
    *(void **)object = taken->loose;
    taken->loose = object;
}

static void take_objects(struct taken *taken)
{
    take_blocks(taken, KMALLOC_SHARE);
    for (ul size = OBJECT_MAX_BYTES; size >= OBJECT_MIN_BYTES; size /= 2) {
        void *object;
        while (!out_interrupted() && (object = kmalloc(size, 0))) {
            note_object(taken, object);
            taken->n++;
            taken->last_bytes = size;
        }
    }
}

static void tell_objects(const struct taken *taken)
{
    tell_blocks(taken);
    out("in %s object%s, the last of %s, and then NULL", format_thousands(taken->n).s, taken->n == 1 ? "" : "s",
        format_size(taken->last_bytes).s);
}

/* Is it the start of a live object?  Somebody may have written into the lists meanwhile. */
static bool is_object(const void *object)
{
    struct mm_what what;
    mm_describe_virt(virt((u64)object), &what);
    return what.kind == MM_LIVE_OBJECT && what.phys == what.block_start;
}

static bool give_objects(struct taken *taken)
{
    bool right = give_blocks(taken);
    while (taken->loose && is_object(taken->loose)) {
        void *object = taken->loose;
        taken->loose = *(void **)object;
        kfree(object);
    }
    while (taken->sheet && is_object(taken->sheet)) {
        struct sheet *sheet = taken->sheet;
        for (u64 i = 0; i < sheet->n && i < ARRAY_LENGTH(sheet->object); i++)
            right &= !kfree(sheet->object[i]);
        taken->sheet = sheet->before;
        kfree(sheet);
    }
    return right && !taken->loose && !taken->sheet;
}

/* NORMAL comes last, or it would have grown into UNMAPPED and borrowed from DMA. */
static void take_pages(struct taken *taken)
{
    static const unsigned zones[] = {ZONE_DMA, ZONE_UNMAPPED_IN_PGT, ZONE_NORMAL};
    for (unsigned i = 0; i < 3; i++) {
        for (int n = PAGES_MAX; n > 0; n--) {
            while (!out_interrupted() && alloc_pages(zones[i], n, PAGE_TAKEN)) {
                taken->n++;
                taken->last_bytes = (u64)n * PAGE_2M_SIZE;
            }
        }
    }
}

static void tell_pages(const struct taken *taken)
{
    out("in %s run%s of 2 MiB pages, the last of %s, and then NULL", format_thousands(taken->n).s,
        taken->n == 1 ? "" : "s", format_size(taken->last_bytes).s);
}

static bool give_pages(struct taken *taken)
{
    (void)taken;
    for (u64 at = 0; at < mm_ram_end(); at += PAGE_2M_SIZE) {
        struct Page *page = Phy_to_2M_Page(at);
        if (page->attr & PAGE_TAKEN)
            free_pages(page, 1);
    }
    return true;
}

static ul mapping_at(u64 i)
{
    return (i + 1) * PAGE_2M_SIZE;
}

static bool map_one(const struct taken *taken)
{
    return !mm_map_proc_page_table((ul)taken->top, false, mapping_at(taken->n_mappings),
                                   virt_2_phys(taken->top), PAGE_4K_SIZE, PAGE_R_W | PAGE_XD, false, false,
                                   true);
}

static void take_mappings(struct taken *taken)
{
    taken->top = kzalloc(PAGE_4K_SIZE, 0);
    if (!taken->top)
        return;
    take_blocks(taken, MAPPING_SHARE);
    while (!out_interrupted() && map_one(taken))
        taken->n_mappings++;
}

static void tell_mappings(const struct taken *taken)
{
    tell_blocks(taken);
    out("in page tables for %s mapping%s of 4 KiB, and then -EFAULT", format_thousands(taken->n_mappings).s,
        taken->n_mappings == 1 ? "" : "s");
}

static bool give_mappings(struct taken *taken)
{
    bool right = give_blocks(taken);
    if (taken->top && taken->n_mappings)
        right &= !mm_unmap_range((ul)taken->top, false, mapping_at(0), taken->n_mappings * PAGE_2M_SIZE);
    return !kfree(taken->top) && right;
}

static const struct way ways[] = {
    {"kmalloc", take_objects, tell_objects, give_objects},
    {"alloc_pages", take_pages, tell_pages, give_pages},
    {"mapping", take_mappings, tell_mappings, give_mappings},
};

/* "3.99 MiB: DMA 3.99 MiB", or "nothing". */
static void tell_free(void)
{
    u64 all = mm_stat().free;
    const char *before = ":";
    out("%s", all ? format_size(all).s : "nothing");
    for (unsigned i = 0; i < MM_N_ZONES && all; i++) {
        struct mm_zone_info zone;
        mm_zone_info(i, &zone);
        if (zone.free_bytes)
            out("%s %s %s", before, zone.name, format_size(zone.free_bytes).s);
        if (zone.free_bytes)
            before = ",";
    }
    out("\n");
}

static void tell_taken(const struct way *way, const struct taken *taken, const struct mm_stat_t *before)
{
    struct mm_stat_t now = mm_stat();
    struct mm_start_info info;
    mm_start_info(&info);
    out("%-12s took ", way->name);
    if (now.available == before->available) {
        out("nothing, it was refused at once");
    } else {
        out("%s ", format_size(before->available - now.available).s);
        way->tell(taken);
    }
    out("\n%-12s left free ", "");
    tell_free();
    if (info.n_grown_pages)
        out("%-12s NORMAL has grown into UNMAPPED by %s\n", "",
            format_size(info.n_grown_pages * PAGE_2M_SIZE).s);
}

static struct fail_info fail_now(void)
{
    struct fail_info info;
    fail_info(&info);
    return info;
}

/* What `fail` had to do with it that a way came to its end. */
static void tell_failed(const struct fail_info *before)
{
    struct fail_info now = fail_now();
    if (now.mode != FAIL_OFF)
        out("%-12s %s of its %s requests for memory failed on purpose\n", "",
            format_thousands(now.n_failed - before->n_failed).s, format_thousands(now.n_requests - before->n_requests).s);
}

/* The fields that are not as they were, as an error. */
static bool is_as_before(const struct way *way, const struct mm_stat_t *before)
{
    struct mm_stat_t now = mm_stat();
    if (!memcmp(&now, before, sizeof now))
        return true;
    return out_error(
        "%s: memory is not as it was: %ld bytes less are free, %ld more in objects, %ld more shared",
        way->name, (s64)(before->free - now.free), (s64)(now.cache_used - before->cache_used),
        (s64)(now.shared - before->shared));
}

/* One way; the rest of the call, if there is one, is a command that runs with nothing left. */
static bool run_way(const struct way *way, struct call *call)
{
    struct taken taken = {0};
    bool logged = memory_log_notes(false), ok = true, right;
    mm_shrink();
    struct mm_stat_t before = mm_stat();
    struct fail_info fail_before = fail_now();
    u64 start = time_ms();
    way->take(&taken);
    if (!out_interrupted()) {
        tell_taken(way, &taken, &before);
        tell_failed(&fail_before);
    }
    memory_log_notes(logged);
    if (call->n && !out_interrupted())
        ok = call_run_rest(call, 0);
    right = way->give(&taken);
    mm_shrink();
    if (!right)
        return out_error("%s: something that was taken could not be given back", way->name);
    if (call->n) /* the command may have taken or given back something */
        return ok;
    if (!is_as_before(way, &before))
        return false;
    if (!out_interrupted())
        out("%-12s given back, and all is as before; %lu ms\n", "", time_ms() - start);
    return true;
}

bool oom_run(struct call *call)
{
    const char *name = call_option(call, "-w");
    bool ok = true, known = false;
    if (!name && call->n)
        name = ways[0].name;
    for (unsigned i = 0; i < ARRAY_LENGTH(ways); i++)
        known |= name && !strcmp(name, ways[i].name);
    if (name && !known)
        return out_error("there is no way '%s'; ways are kmalloc, alloc_pages, mapping", name);
    out("%-12s free ", "before");
    tell_free();
    if (fail_now().mode != FAIL_OFF)
        out("%-12s 'fail' is set: requests for memory fail on purpose, so each way may end early\n", "");
    for (unsigned i = 0; i < ARRAY_LENGTH(ways) && ok && !out_interrupted(); i++)
        if (!name || !strcmp(name, ways[i].name))
            ok = run_way(&ways[i], call);
    if (!call->n && fail_now().mode == FAIL_OFF)
        out("DMA keeps a quarter of itself, and UNMAPPED gives NORMAL whole pages of 2 MiB only: so "
            "something is left\n");
    return ok && (call->n || out_interrupted() || out_ok());
}
