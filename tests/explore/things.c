/* SPDX-License-Identifier: MIT */
/* What is held, as a sorted list: see explore.h. */
#include <explore.h>

#include <mm/frame.h>
#include <mm/page.h>

static bool comes_before(const struct thing *a, const struct thing *b)
{
    return a->kind != b->kind ? a->kind < b->kind : a->at < b->at;
}

void things_add(struct things *things, struct thing thing)
{
    unsigned i = things->n++;

    for (; i > 0 && comes_before(&thing, &things->thing[i - 1]); i--)
        things->thing[i] = things->thing[i - 1];
    things->thing[i] = thing;
}

void things_remove(struct things *things, unsigned i)
{
    things->n--;
    for (; i < things->n; i++)
        things->thing[i] = things->thing[i + 1];
    things->thing[things->n] = (struct thing){0};
}

u64 thing_bytes(const struct thing *thing)
{
    switch (thing->kind) {
    case THING_FRAMES:
        return FRAME_BYTES << thing->size;
    case THING_PAGES:
        return thing->size * PAGE_BYTES;
    default:
        return 1UL << thing->size;
    }
}

bool thing_free(const struct thing *thing)
{
    ul n_misuses = mm_misuse_count();

    switch (thing->kind) {
    case THING_FRAMES:
        return frame_free(phys(thing->at), thing->size) == 0;
    case THING_PAGES:
        free_pages(page_of(phys(thing->at)), (int)thing->size);
        return mm_misuse_count() == n_misuses;
    default:
        return kfree(phys_pointer(phys(thing->at))) == 0;
    }
}
