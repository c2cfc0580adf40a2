/* SPDX-License-Identifier: MIT */
/* What must hold of results and states, by counts of its own: see explore.h. */
#include <explore.h>

#include <mm/cpu.h>
#include <mm/page.h>
#include <mm/role.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A kmalloc may need so many frames besides the object's: a descriptor frame, and a role table for either
 * page. */
#define OBJECT_EXTRA_FRAMES 3

static char text[512];

void complain(const char *format, ...)
{
    va_list arguments;

    if (text[0] != 0)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
}

const char *complaint(void)
{
    return text[0] != 0 ? text : NULL;
}

void complaint_forget(void)
{
    text[0] = 0;
}

void judge_start(struct baseline *baseline)
{
    *baseline = (struct baseline){.stat = mm_stat(), .n_metadata_frames = state_n_metadata_frames()};
}

/* ---- what is free, by looking at every frame ---- */

static bool is_free(u64 at, const struct Zone *zone)
{
    const struct Page *page = page_of(phys(at));
    u64 i = at / FRAME_BYTES % PAGE_FRAMES;

    if (at >= mm.ram_end || page->zone != zone)
        return false;
    return page_is_free(page) ||
           (page->state == PAGE_SPLIT && (page->free_frames[i / 64] >> (i % 64) & 1) != 0);
}

static u64 count_free(const struct Zone *zone)
{
    u64 n = 0;

    for (u64 at = 0; at < mm.ram_end; at += FRAME_BYTES)
        n += is_free(at, zone);
    return n;
}

/* ---- what was handed out ---- */

static bool overlap(u64 a, u64 a_bytes, u64 b, u64 b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

/* Pages come from the zone that was asked for; NORMAL may have grown, or borrowed from DMA. */
static bool is_of_zone(u64 at, unsigned zone)
{
    const struct Zone *found = page_of(phys(at))->zone;

    return found != NULL && (found->selector == zone || (zone == ZONE_NORMAL && found->selector == ZONE_DMA));
}

/* What NORMAL borrows leaves a quarter of DMA. */
static void judge_lending(const struct thing *thing, unsigned zone)
{
    const struct Zone *dma = &mm.zone[0];

    if (zone == ZONE_NORMAL && page_of(phys(thing->at))->zone == dma &&
        count_free(dma) < dma->managed_frames / 4)
        complain("NORMAL borrows, and DMA is left with %lu frames", count_free(dma));
}

void judge_handed_out(const struct things *things, const struct thing *thing, unsigned zone)
{
    u64 bytes = thing_bytes(thing), alignment = thing->kind == THING_PAGES ? PAGE_BYTES : bytes;

    if (thing->at % alignment != 0)
        complain("0x%lx is not aligned to 0x%lx", thing->at, alignment);
    if (thing->at + bytes > mm.ram_end)
        complain("0x%lx + 0x%lx is past the end of RAM", thing->at, bytes);
    for (unsigned i = 0; i < things->n; i++)
        if (overlap(thing->at, bytes, things->thing[i].at, thing_bytes(&things->thing[i])))
            complain("0x%lx + 0x%lx overlaps 0x%lx, which is held", thing->at, bytes, things->thing[i].at);
    judge_lending(thing, zone);
    for (u64 at = thing->at; at < thing->at + bytes && complaint() == NULL; at += FRAME_BYTES) {
        enum role role = role_of(phys(at - at % FRAME_BYTES));

        if (!is_of_zone(at, zone))
            complain("0x%lx is in another zone", at);
        if (thing->kind != THING_OBJECT && role != ROLE_NONE)
            complain("0x%lx has the role %u", at, (unsigned)role);
    }
}

/* ---- no room ---- */

/* True when n_frames free ones in a row begin at a multiple of `alignment` frames. */
static bool has_run(const struct Zone *zone, u64 n_frames, u64 alignment)
{
    u64 n = 0;

    for (u64 at = 0; at < mm.ram_end; at += FRAME_BYTES) {
        if (n == 0 && at / FRAME_BYTES % alignment != 0)
            continue;
        n = is_free(at, zone) ? n + 1 : 0;
        if (n == n_frames)
            return true;
    }
    return false;
}

/* Where a request of NORMAL could have been met. */
static bool normal_has_room(u64 n_frames, u64 alignment)
{
    const struct Zone *dma = &mm.zone[0];
    u64 n_pages = (n_frames + PAGE_FRAMES - 1) / PAGE_FRAMES;

    if (has_run(&mm.zone[1], n_frames, alignment) ||
        has_run(&mm.zone[2], n_pages * PAGE_FRAMES, alignment > PAGE_FRAMES ? alignment : PAGE_FRAMES))
        return true;
    return has_run(dma, n_frames, alignment) && count_free(dma) >= dma->managed_frames / 4 + n_frames;
}

static bool zone_has_room(unsigned selector, u64 n_frames, u64 alignment)
{
    if (selector == ZONE_NORMAL)
        return normal_has_room(n_frames, alignment);
    return has_run(&mm.zone[selector == ZONE_DMA ? 0 : 2], n_frames, alignment);
}

/* Frames that requests of NORMAL can still come by, one by one. */
static u64 normal_available(void)
{
    const struct Zone *dma = &mm.zone[0];
    u64 kept = dma->managed_frames / 4, n_dma = count_free(dma);

    return mm_cpu_free_frames(&mm.boot_cpu[0]) + count_free(&mm.zone[1]) + count_free(&mm.zone[2]) +
           (n_dma > kept ? n_dma - kept : 0);
}

void judge_no_room(const struct thing *wanted, unsigned zone)
{
    u64 n_frames = (thing_bytes(wanted) + FRAME_BYTES - 1) / FRAME_BYTES;

    if (wanted->kind == THING_OBJECT && normal_available() < n_frames + OBJECT_EXTRA_FRAMES)
        return; /* what it took until it failed may lie in a stack now */
    if (zone == ZONE_NORMAL && mm_cpu_free_frames(&mm.boot_cpu[0]) != 0)
        complain("a request fails while %lu frames are cached", mm_cpu_free_frames(&mm.boot_cpu[0]));
    if (zone_has_room(zone, n_frames, wanted->kind == THING_PAGES ? PAGE_FRAMES : n_frames))
        complain("a request for %lu frames fails, and there is room", n_frames);
}

/* ---- states ---- */

void judge_state(const struct things *things, const struct baseline *baseline)
{
    struct mm_stat_t stat = mm_stat();
    struct mm_violation v;
    u64 used = baseline->stat.used, live = 0;

    if (!mm_check(&v))
        complain("I%u: %s at 0x%lx: 0x%lx expected, 0x%lx found", v.number, v.text, v.where, v.expected,
                 v.found);
    for (unsigned i = 0; i < things->n; i++) {
        if (things->thing[i].kind == THING_OBJECT)
            live += thing_bytes(&things->thing[i]);
        else
            used += thing_bytes(&things->thing[i]);
    }
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        used += cpu->cache_bytes;
    used += (state_n_metadata_frames() - baseline->n_metadata_frames) * FRAME_BYTES;
    if (stat.total != baseline->stat.total || stat.total != stat.used + stat.free)
        complain("total is not used + free");
    if (stat.cache_used != baseline->stat.cache_used + live)
        complain("cache_used is %lu, and %lu bytes are live", stat.cache_used, live);
    if (stat.used != used)
        complain("%lu bytes are used, and %lu are accounted for", stat.used, used);
    if (mm.boot_cpu[0].busy != 0 || mm.boot_cpu[1].busy != 0 || host_n_locks_held() != 0)
        complain("something is still busy or locked");
}

void judge_all_freed(struct things *things, const struct baseline *baseline)
{
    struct mm_stat_t stat;

    while (things->n != 0) {
        if (!thing_free(&things->thing[0]))
            complain("0x%lx, which is held, cannot be freed", things->thing[0].at);
        things_remove(things, 0);
    }
    mm_shrink();
    stat = mm_stat();
    if (memcmp(&stat, &baseline->stat, sizeof stat) != 0)
        complain("after freeing everything %lu bytes are used, not %lu", stat.used, baseline->stat.used);
    judge_state(things, baseline);
}
