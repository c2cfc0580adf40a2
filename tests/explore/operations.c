/* SPDX-License-Identifier: MIT */
/* The operations of worlds, each with the judgement of its result: see explore.h. */
#include <explore.h>

#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>

/* ---- allocations ---- */

/* Something was asked for: it is at an address, or there was no room. */
static void took(struct things *things, struct thing thing, const struct operation *operation)
{
    if (phys_is_none(phys(thing.at))) {
        if (!operation->in_interrupt) /* a handler cannot empty its CPU's caches */
            judge_no_room(&thing, operation->zone);
        return;
    }
    judge_handed_out(things, &thing, operation->zone);
    things_add(things, thing);
}

bool operation_frames(struct things *things, const struct operation *operation)
{
    if (things->n >= search_max_things)
        return false;
    took(things,
         (struct thing){THING_FRAMES, operation->size, frame_alloc(operation->zone, operation->size).addr},
         operation);
    return true;
}

bool operation_pages(struct things *things, const struct operation *operation)
{
    const struct Page *page;

    if (things->n >= search_max_things)
        return false;
    page = alloc_pages(operation->zone, (int)operation->size, 0);
    took(things,
         (struct thing){THING_PAGES, operation->size, page == NULL ? PHYS_NONE.addr : page->addr_phys},
         operation);
    return true;
}

bool operation_object(struct things *things, const struct operation *operation)
{
    const void *object;

    if (things->n >= search_max_things)
        return false;
    object = kmalloc(1UL << operation->size, 0);
    took(things,
         (struct thing){THING_OBJECT, operation->size,
                        object == NULL ? PHYS_NONE.addr : pointer_phys(object).addr},
         operation);
    return true;
}

/* ---- right frees ---- */

bool operation_free(struct things *things, const struct operation *operation)
{
    if (operation->which >= things->n)
        return false;
    if (!thing_free(&things->thing[operation->which]))
        complain("0x%lx, which is held, cannot be freed", things->thing[operation->which].at);
    things_remove(things, operation->which);
    return true;
}

/* The first half of a block, or the first page of several. */
bool operation_free_part(struct things *things, const struct operation *operation)
{
    struct thing whole, part, rest;

    if (operation->which >= things->n)
        return false;
    whole = part = rest = things->thing[operation->which];
    if (whole.kind == THING_FRAMES && whole.size != 0 && whole.size != SPLIT_ORDERS) {
        part.size = rest.size = whole.size - 1;
    } else if (whole.kind == THING_PAGES && whole.size > 1) {
        part.size = 1;
        rest.size = whole.size - 1;
    } else {
        return false;
    }
    rest.at += thing_bytes(&part);
    if (!thing_free(&part))
        complain("0x%lx, part of what is held, cannot be freed", part.at);
    things_remove(things, operation->which);
    things_add(things, rest);
    return true;
}

/* ---- wrong frees ---- */

enum wrong { WRONG_INSIDE, WRONG_BUDDY, WRONG_LARGER, WRONG_CALL, N_WRONGS };

/* True when frame_free of this block would be right: everything in it is held by frame_alloc. */
static bool block_is_held(u64 at, unsigned order)
{
    if (at + (FRAME_BYTES << order) > mm.ram_end)
        return false;
    for (u64 frame = at; frame < at + (FRAME_BYTES << order); frame += FRAME_BYTES) {
        if (order >= SPLIT_ORDERS && page_of(phys(frame))->state != PAGE_BLOCK)
            return false;
        if (order < SPLIT_ORDERS && (!frame_is_held(phys(frame)) || role_of(phys(frame)) != ROLE_NONE))
            return false;
    }
    return true;
}

static bool wrong_frames(const struct thing *thing, enum wrong wrong)
{
    u64 bytes = thing_bytes(thing), at = thing->at;
    unsigned order = thing->size;

    switch (wrong) {
    case WRONG_INSIDE:
        at += order == 0 ? 8 : FRAME_BYTES;
        break;
    case WRONG_BUDDY:
        at ^= bytes;
        break;
    case WRONG_LARGER:
        at &= ~bytes;
        order++;
        break;
    default:
        return kfree(phys_pointer(phys(at))) != 0;
    }
    return at % (FRAME_BYTES << order) == 0 && block_is_held(at, order) ? false
                                                                        : frame_free(phys(at), order) != 0;
}

static bool pages_are_owned(u64 at, u64 n)
{
    for (u64 i = 0; i < n; i++)
        if (at + i * PAGE_BYTES >= mm.ram_end || page_of(phys(at + i * PAGE_BYTES))->state != PAGE_OWNED)
            return false;
    return true;
}

static bool wrong_pages(const struct thing *thing, enum wrong wrong)
{
    u64 at = thing->at, n = thing->size;

    switch (wrong) {
    case WRONG_INSIDE:
        return kfree(phys_pointer(phys(at + PAGE_BYTES / 2))) != 0;
    case WRONG_BUDDY:
        at ^= PAGE_BYTES;
        break;
    case WRONG_LARGER:
        n++;
        break;
    default:
        return frame_free(phys(at), 0) != 0;
    }
    if (pages_are_owned(at, n) || at >= mm.ram_end)
        return false;
    free_pages(page_of(phys(at)), (int)n);
    return true;
}

static bool wrong_object(const struct things *things, const struct thing *thing, enum wrong wrong)
{
    u64 at = thing->at;

    switch (wrong) {
    case WRONG_INSIDE:
        at += 8;
        break;
    case WRONG_BUDDY:
        at ^= thing_bytes(thing);
        break;
    case WRONG_LARGER:
        at += thing_bytes(thing);
        break;
    default:
        return frame_free(phys(at - at % FRAME_BYTES), 0) != 0;
    }
    for (unsigned i = 0; i < things->n; i++)
        if (things->thing[i].kind == THING_OBJECT && things->thing[i].at == at)
            return false;
    return kfree(phys_pointer(phys(at))) != 0;
}

/* Something wrong with the thing `which`, made out of it; it must be reported once and change nothing. */
bool operation_wrong_free(struct things *things, const struct operation *operation)
{
    const struct thing *thing = &things->thing[operation->which];
    struct state_hash before, after;
    ul n_misuses;
    bool done;

    if (operation->which >= things->n)
        return false;
    before = state_hash(things);
    n_misuses = mm_misuse_count();
    done = thing->kind == THING_FRAMES  ? wrong_frames(thing, operation->size)
           : thing->kind == THING_PAGES ? wrong_pages(thing, operation->size)
                                        : wrong_object(things, thing, operation->size);
    if (mm_misuse_count() != n_misuses + done)
        complain("%lu reports of a wrong free", mm_misuse_count() - n_misuses);
    state_normalize();
    after = state_hash(things);
    if (before.a != after.a || before.b != after.b)
        complain("a wrong free has changed the state");
    return done;
}

bool operation_shrink(struct things *things, const struct operation *operation)
{
    (void)things;
    (void)operation;
    mm_shrink();
    return true;
}
