/* SPDX-License-Identifier: MIT */
/*
 * Failures on purpose.
 *
 * Memory runs out rarely, and then somewhere.  Here a chosen request is told that it has, on a machine with
 * plenty: so a test can make every single request of a call fail, one after the other, and see that the call
 * undoes what it had done.
 *
 * Terms.  A *request* is a question to a zone for memory that is to be taken.  Exactly these are counted:
 *
 *      frame_alloc, of any zone and order, that a CPU's stacks cannot serve        (find.c, find_memory)
 *      alloc_pages, of any zone and number, with arguments that make sense         (the same)
 *      frames and blocks with roles: 1 request, for however many                   (the same)
 *      the refill of an empty stack of frames: 1 request, for however many         (frame_stack.c)
 *
 * Whatever else needs memory comes there: slabs and large objects, descriptor frames, page tables, the spares
 * of paging, caches of CPUs.  So one kmalloc can make several requests (the slab's frame, its descriptor's),
 * or none, when a slab has room.  Not counted: what is served without asking a zone (an object of a slab, a
 * kept frame of paging), growing and borrowing (parts of the request that they serve), and early frames at
 * boot.
 *
 * What a failing request sees is what it would see if memory were exhausted: what is cached is given back
 * first (reclaim.c), then it gets nothing.  A refill has another way to go, and gives nothing back.
 *
 *      nth 3       . . X . . . . . .
 *      every 3     . . X . . X . . X
 *      from 3      . . X X X X X X X
 *
 * While armed, CPUs' caches are out of use (cpu.c), unless asked for: each request is made when it is needed,
 * and not for thirty objects at once, so the same calls make the same requests.  With several CPUs the count
 * goes over all of them: how many fail is certain, whose they are is not.  Interrupt handlers' requests count
 * as well.
 *
 * Cost: while nothing is armed a load and a test a request, nothing on the fast paths.
 *
 * Locking: none; counted by atomic operations.
 */
#include <mm/fail.h>

bool fail_arm(enum fail_mode mode, u64 n, bool with_caches)
{
    if (mode == FAIL_OFF || n == 0 || !fail_disarm() || (!with_caches && !mm_caches_off()))
        return false;
    mm.fail.n = n;
    mm.fail.with_caches = with_caches;
    mm.fail.n_requests = mm.fail.n_failed = 0;
    mm.fail.last_zone = NULL;
    __atomic_store_n(&mm.fail.mode, mode, __ATOMIC_RELEASE);
    return true;
}

bool fail_disarm(void)
{
    enum fail_mode mode = mm.fail.mode;

    if (mode == FAIL_OFF)
        return true;
    __atomic_store_n(&mm.fail.mode, FAIL_OFF, __ATOMIC_RELEASE);
    if (mm.fail.with_caches || mm_caches_on())
        return true;
    __atomic_store_n(&mm.fail.mode, mode, __ATOMIC_RELEASE);
    return false;
}

void fail_info(struct fail_info *out)
{
    *out = (struct fail_info){
        .mode = (enum fail_mode)mm.fail.mode,
        .n = mm.fail.n,
        .with_caches = mm.fail.with_caches,
        .n_requests = __atomic_load_n(&mm.fail.n_requests, __ATOMIC_RELAXED),
        .n_failed = __atomic_load_n(&mm.fail.n_failed, __ATOMIC_RELAXED),
        .last_zone = mm.fail.last_zone != NULL ? mm.fail.last_zone->name : NULL,
        .last_frames = mm.fail.last_frames,
    };
}

/* Is the request of this number one that fails? */
static bool is_chosen(u64 number)
{
    switch (mm.fail.mode) {
    case FAIL_NTH:
        return number == mm.fail.n;
    case FAIL_EVERY:
        return number % mm.fail.n == 0;
    case FAIL_FROM:
        return number >= mm.fail.n;
    default: /* switched off since it was asked for */
        return false;
    }
}

bool fail_count(const struct Zone *zone, u64 n_frames)
{
    if (!is_chosen(__atomic_add_fetch(&mm.fail.n_requests, 1, __ATOMIC_RELAXED)))
        return false;
    __atomic_fetch_add(&mm.fail.n_failed, 1, __ATOMIC_RELAXED);
    mm.fail.last_zone = zone;
    mm.fail.last_frames = n_frames;
    return true;
}
