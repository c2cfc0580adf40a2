/* SPDX-License-Identifier: MIT */
/* Wrong calls in the middle of everything: each must be refused and counted, and harm nothing. */
#include <kernel/stress/worker.h>
#include <mm/frame.h>
#include <mm/mm.h>

#define NOT_CANONICAL (1UL << 62)

static const struct thing *find_thing(const struct worker *worker, enum thing_kind kind)
{
    for (u32 i = 0; i < WORKER_THINGS; i++) {
        const struct thing *thing = &worker->thing[i];

        if (thing->kind == kind && thing->zone != ZONE_UNMAPPED_IN_PGT)
            return thing;
    }
    return NULL;
}

/* On an object: inside of it, its frame as a frame. */
static bool wrong_with_object(const struct thing *thing, u64 which)
{
    if (which == 0)
        return kfree((void *)(thing->at + 16)) != 0;
    if (which == 1)
        return kfree((void *)(thing->at + (1UL << thing->number) - 1)) != 0;
    return frame_free(phys(virt_2_phys(thing->at) & PAGE_4K_MASK), 0) != 0;
}

/* On frames and pages: as an object, as what the other is. */
static bool wrong_with_memory(const struct thing *thing, u64 which)
{
    if (which == 0)
        return kfree(phys_2_virt(thing->at)) != 0;
    if (which == 1)
        return frame_free(phys(thing->at + 8), 0) != 0;
    if (thing->kind == THING_PAGES)
        return frame_free(phys(thing->at), 0) != 0;
    return mm_unmap_range(thing->at + 8, true, MM_SPECIAL_START, PAGE_4K_SIZE) != 0;
}

/* On what is nobody's. */
static bool wrong_with_nothing(u64 which)
{
    switch (which) {
    case 0:
        return kfree((void *)wrong_call) != 0;
    case 1:
        return kfree((void *)NOT_CANONICAL) != 0;
    case 2:
        free_pages(Phy_to_2M_Page(~0UL), 1);
        return true;
    case 3:
        free_pages(Phy_to_2M_Page((ul)wrong_call - MM_IMAGE_START), 1);
        return true;
    case 4:
        return frame_free(phys((u64)wrong_call - MM_IMAGE_START), 0) != 0;
    default:
        return mm_unmap_range((ul)get_CR3(), true, (ul)wrong_call & PAGE_4K_MASK, PAGE_4K_SIZE) != 0;
    }
}

void wrong_call(struct worker *worker)
{
    static const enum thing_kind kinds[] = {THING_OBJECT, THING_BLOCK, THING_PAGES, THING_NONE};
    enum thing_kind kind = kinds[worker_random(worker) % ARRAY_LENGTH(kinds)];
    const struct thing *thing = kind != THING_NONE ? find_thing(worker, kind) : NULL;
    u64 which = worker_random(worker);
    bool refused;

    trace(worker, TRACE_WRONG, kind, thing != NULL ? thing->at : which % 6, which % 6);
    __atomic_fetch_add(&stress.n_wrong, 1, __ATOMIC_RELAXED);
    if (thing == NULL)
        refused = wrong_with_nothing(which % 6);
    else if (kind == THING_OBJECT)
        refused = wrong_with_object(thing, which % 3);
    else
        refused = wrong_with_memory(thing, which % 3);
    STRESS_EXPECT(worker, refused, "a wrong call was not refused: kind %u, case %lu, 0x%lx", kind, which % 6,
                  thing != NULL ? thing->at : 0);
}
