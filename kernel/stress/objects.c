/* SPDX-License-Identifier: MIT */
/* Objects of kmalloc and kzalloc, of all classes: alignment, clearing, content to the last word. */
#include <kernel/stress/worker.h>
#include <mm/sanitize.h>

#define SHIFT_MIN 5
#define N_CLASSES 16

static u64 object_bytes(const struct thing *thing)
{
    return 1UL << thing->number;
}

/* A class, the small ones more often: the smallest of three. */
static unsigned choose_shift(struct worker *worker)
{
    u64 r = worker_random(worker);
    unsigned a = r % N_CLASSES, b = r / N_CLASSES % N_CLASSES, c = r / N_CLASSES / N_CLASSES % N_CLASSES;

    return SHIFT_MIN + (unsigned)min_u64(min_u64(a, b), c);
}

/* A size that falls into the class. */
static u64 choose_size(struct worker *worker, unsigned shift)
{
    u64 bytes = 1UL << shift;

    return shift == SHIFT_MIN ? worker_random(worker) % (bytes + 1)
                              : bytes - worker_random(worker) % (bytes / 2);
}

static void expect_clear(struct worker *worker, const u64 *words, u64 bytes)
{
    u64 seen = 0;

    for (u64 i = 0; i < bytes / 8; i++)
        seen |= words[i];
    STRESS_EXPECT(worker, seen == 0, "kzalloc gave an object of %lu bytes at 0x%lx that is not clear", bytes,
                  (ul)words);
}

static bool object_make(struct worker *worker, struct thing *thing)
{
    unsigned shift = choose_shift(worker);
    bool clear = worker_chance(worker, 2);
    u64 size = choose_size(worker, shift), bytes = 1UL << shift;
    u64 *words;

    if (bytes > worker->budget_bytes / 4)
        return true;
    words = clear ? kzalloc(size, 0) : kmalloc(size, 0);
    if (words == NULL)
        return false;
    *thing = (struct thing){
        .kind = THING_OBJECT, .number = (u8)shift, .at = (u64)words, .tag = worker_random(worker)};
    sanitize_object_opened(words, bytes); /* the whole class is promised */
    STRESS_EXPECT(worker, (u64)words % bytes == 0, "kmalloc(%lu) gave 0x%lx", size, (ul)words);
    if (clear)
        expect_clear(worker, words, bytes);
    for (u64 i = 0; i < bytes / 8; i++)
        words[i] = content_word(thing->tag, i);
    return true;
}

static void object_check(struct worker *worker, const struct thing *thing)
{
    const u64 *words = (const u64 *)thing->at;

    for (u64 i = 0; i < object_bytes(thing) / 8; i++)
        if (words[i] != content_word(thing->tag, i)) {
            stress_fail(worker, "word %lu of the object of %lu bytes at 0x%lx is 0x%lx, not 0x%lx", i,
                        object_bytes(thing), thing->at, words[i], content_word(thing->tag, i));
            return;
        }
}

static void object_drop(struct worker *worker, struct thing *thing)
{
    STRESS_EXPECT(worker, kfree((void *)thing->at) == 0, "kfree refused the object of %lu bytes at 0x%lx",
                  object_bytes(thing), thing->at);
}

const struct kind_of_thing kind_object = {"objects", object_make, object_check, object_drop, object_bytes};
