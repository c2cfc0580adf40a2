/* SPDX-License-Identifier: MIT */
/* Checks of objects: I311 of descriptor.c, I312 .. I316 of slab.c. */
#include <lib/bits.h>
#include <mm/check.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/slab.h>

/* What a recount of a class finds. */
struct tally {
    u64 n_slabs, n_free, n_live, n_rounds;
    u64 n_partial, n_empty; /* slabs that ought to be in these lists */
};

/* I312, I313 and I315 of a slab. */
static bool check_slab(struct mm_violation *out, phys_t frame, unsigned class, struct tally *tally)
{
    const struct slab *slab = slab_of_word(*role_word(frame));
    unsigned n_free = 0;

    if (slab->base != phys_pointer(frame) || slab->class != class || slab->n_objects != class_n_objects(class))
        return check_failed(out, 315, "a slab is not that of its frame", frame.addr, (u64)phys_pointer(frame),
                            (u64)slab->base);
    for (unsigned i = 0; i < slab->n_objects; i++) {
        bool free = slab->free[i / 64] >> (i % 64) & 1;

        n_free += free;
        tally->n_live += slab->live[i];
        if (free && slab->live[i] != 0)
            return check_failed(out, 313, "a live object lies free in its slab",
                                frame.addr + ((u64)i << (class + CLASS_MIN_SHIFT)), 0, 1);
    }
    tally->n_slabs++;
    tally->n_free += n_free;
    tally->n_partial += n_free != 0 && n_free != slab->n_objects;
    tally->n_empty += n_free == slab->n_objects;
    return check_equal(out, 312, "free objects of a slab", frame.addr, n_free, slab->n_free);
}

static bool check_frame(struct mm_violation *out, phys_t frame, struct tally *tally)
{
    unsigned role = role_of(frame) % ROLE_TOP_LEVEL;
    unsigned class = role - CLASS_MIN_SHIFT;

    if (role < ROLE_OBJECT_MIN || role > ROLE_OBJECT_MAX)
        return true;
    if (role <= SLAB_MAX_SHIFT)
        return check_slab(out, frame, class, &tally[class]);
    tally[class].n_slabs++;
    tally[class].n_live += *role_word(frame) >> 8 & 0xff;
    return true;
}

/* I313 of the rounds of a magazine. */
static bool check_magazine(struct mm_violation *out, const struct magazine *magazine, unsigned class)
{
    if (magazine->n > magazine->capacity)
        return check_failed(out, 313, "rounds in a magazine", class, magazine->capacity, magazine->n);
    for (u32 i = 0; i < magazine->n; i++) {
        const struct round *round = &magazine->round[i];
        phys_t at = pointer_phys(round->object);

        if (role_of(at) != class + CLASS_MIN_SHIFT || *round->live != 0)
            return check_failed(out, 313, "a round of a magazine is live, or no object of its class", (u64)round->object,
                                class + CLASS_MIN_SHIFT, role_of(at));
    }
    return true;
}

/* I312 of a list of slabs. */
static bool check_list(struct mm_violation *out, const struct list_node *list, bool empty, u64 expected)
{
    u64 n = 0;

    list_for_each(node, list) {
        const struct slab *slab = container_of(node, struct slab, link);

        if (++n > expected || (slab->n_free == slab->n_objects) != empty || slab->n_free == 0)
            return check_failed(out, 312, "a slab is in the wrong list", (u64)slab->base, slab->n_objects, slab->n_free);
    }
    return check_equal(out, 312, "slabs in a list", (u64)list, expected, n);
}

/* I314 and I316 of a class. */
static bool check_class(struct mm_violation *out, unsigned number, const struct tally *tally)
{
    const struct slab_class *class = &mm.class[number];

    return check_equal(out, 314, "slabs of a class", number, tally->n_slabs, class->n_slabs) &&
           check_equal(out, 314, "objects of a class that lie free in slabs", number, tally->n_free, class->n_free) &&
           check_equal(out, 314, "empty slabs of a class", number, tally->n_empty, class->n_empty) &&
           check_equal(out, 316, "objects that are live, free, or in a magazine", number,
                       tally->n_slabs * class_n_objects(number), tally->n_live + tally->n_free + tally->n_rounds) &&
           check_list(out, &class->partial, false, tally->n_partial) &&
           check_list(out, &class->empty, true, tally->n_empty);
}

static bool tally_frames(struct mm_violation *out, struct tally *tally)
{
    for (u32 i = 0; i < mm.n_pages; i++) {
        const struct Page *page = page_at(i);

        for (u64 k = 0; page->roles != NULL && k < PAGE_FRAMES; k++)
            if (!check_frame(out, phys(page->addr_phys + k * FRAME_BYTES), tally))
                return false;
    }
    return true;
}

static bool tally_magazines(struct mm_violation *out, struct tally *tally)
{
    for (const struct mm_cpu *cpu = mm_first_cpu(); cpu != NULL; cpu = cpu->next)
        for (unsigned class = 0; class < MM_N_CLASSES; class++) {
            tally[class].n_rounds += cpu->magazine[class].n;
            if (!check_magazine(out, &cpu->magazine[class], class))
                return false;
        }
    return true;
}

/* I311. */
static bool check_descriptors(struct mm_violation *out)
{
    list_for_each(node, &mm.descriptors.partial) {
        phys_t frame = phys(align_down(pointer_phys(node).addr, FRAME_BYTES));

        if (role_of(frame) != ROLE_METADATA)
            return check_failed(out, 311, "role of a descriptor frame", frame.addr, ROLE_METADATA, role_of(frame));
    }
    return true;
}

bool check_slabs(struct mm_violation *out)
{
    struct tally tally[MM_N_CLASSES] = {0};
    u64 cache_bytes = 0, free_bytes = 0;

    if (!check_descriptors(out) || !tally_frames(out, tally) || !tally_magazines(out, tally))
        return false;
    for (unsigned class = 0; class < MM_N_CLASSES; class++) {
        if (!check_class(out, class, &tally[class]))
            return false;
        cache_bytes += tally[class].n_slabs * class_slab_bytes(class);
        free_bytes += tally[class].n_free << (class + CLASS_MIN_SHIFT);
    }
    return check_equal(out, 314, "frames held by kmalloc", 0, cache_bytes, mm.cache_bytes) &&
           check_equal(out, 314, "bytes free in slabs", 0, free_bytes, mm.slab_free_bytes);
}
