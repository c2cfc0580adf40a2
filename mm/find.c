/* SPDX-License-Identifier: MIT */
/*
 * Finding memory: the order in which its sources are asked.
 *
 *      the zone --> NORMAL: growing --> the zone, wastefully --> what is cached --> both again --> NORMAL: DMA, on loan
 *                   (zone.c)                                     (reclaim.c)
 *
 * Frames, blocks, whole pages and frames with roles are all asked for in this way; what differs is how a zone is asked
 * (struct request).  Wastefully means, for a frame with a role, a page in which it will be alone (role.c).
 *
 * Lending.  NORMAL borrows frames of DMA when nothing else is left, as long as a quarter of DMA stays free for those who
 * need just that.  Whether it does is decided with DMA's lock held, so no two borrowers together take more.  Looking for
 * what is cached stops all CPUs for a moment; when it was in vain the zone is *dry*, and until something comes back to it
 * DMA is asked before.  What fails has always looked everywhere.
 *
 * Cost: a lock and what the first zone's lists cost, as long as they have something; twice that for what is borrowed.
 *
 * Locking: the zone's lock while it is asked, no other.
 */
#include <mm/fail.h>
#include <mm/find.h>
#include <mm/page.h>
#include <mm/reclaim.h>

/* From the zone, which was asked in the usual way, after making it larger; or wastefully. */
static u64 grow_or_waste(struct Zone *zone, struct request *request)
{
    u64 n = 0;

    if (zone->selector == ZONE_NORMAL && zone_grow(request->grow_pages, request->grow_anywhere))
        n = find_in_zone(zone, request, 0);
    if (n != 0 || !request->minds_waste)
        return n;
    request->effort = EFFORT_ANYTHING;
    return find_in_zone(zone, request, 0);
}

/* All of these. */
static u64 ask_or_grow(struct Zone *zone, struct request *request)
{
    u64 n;

    request->effort = EFFORT_USUAL;
    n = find_in_zone(zone, request, 0);
    return n != 0 ? n : grow_or_waste(zone, request);
}

/* From DMA, but for its quarter. */
static u64 borrow(struct request *request)
{
    u64 n;

    request->keeps = mm.zone[0].managed_frames / 4;
    n = find_in_zone(&mm.zone[0], request, request->keeps);
    request->keeps = 0;
    return n;
}

u64 find_elsewhere(struct Zone *zone, struct request *request)
{
    struct mm_cpu *cpu = platform_cpu();
    u64 n;

    mm_enter(cpu);
    if (fail_wanted(zone, request->n_frames)) {
        reclaim_for(zone);
        mm_leave(cpu);
        return 0;
    }
    n = mm.fail.mode == 0 ? grow_or_waste(zone, request) : ask_or_grow(zone, request);
    if (n == 0 && zone->dry)
        n = borrow(request);
    if (n == 0) {
        reclaim_for(zone);
        n = ask_or_grow(zone, request); /* also when that gave nothing: another CPU may have given back before it */
    }
    if (n == 0 && zone->selector == ZONE_NORMAL) {
        zone->dry = true;
        n = borrow(request);
    }
    mm_leave(cpu);
    return n;
}
