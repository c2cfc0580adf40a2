/* SPDX-License-Identifier: MIT */
/*
 * Giving back.
 *
 * Memory is cached in five places, emptied in this order, since each feeds the next:
 *
 *     magazines --> homes --(empty slabs)-> frames, by way of --> stacks of frames --> zones
 *     role tables that say nothing ------->                       stacks of pages  --> zones
 *                                                                                      grown pages --> UNMAPPED
 *
 * Who may touch what: code empties its own caches, and asks the other CPUs to do the same (platform_synchronize).  An
 * interrupt handler has none, and may have come in the middle of an operation on code's; it gives back empty slabs of
 * interrupt handlers and of nobody only.
 * The same goes for what must wait for other CPUs (grown pages, limbo).
 *
 * Paging's spare tables are no cache: unmapping needs them when memory is exhausted.  mm_shrink has them filled up again; an
 * allocation that is about to fail must not, as it may be the very one for a spare.
 *
 * Law: after everything allocated has been freed, mm_shrink brings mm_stat back to what it was at boot, byte for byte.
 *
 * Cost: linear in what is cached; plus a look at all pages when role tables lie idle or pages are grown.
 */
#include <mm/frame.h>
#include <mm/frame_stack.h>
#include <mm/magazine.h>
#include <mm/page.h>
#include <mm/paging.h>
#include <mm/reclaim.h>
#include <mm/role.h>
#include <mm/slab.h>

#define HOME_ROUNDS 3 /* two do, unless other CPUs go on freeing */

static void context_drain(struct mm_cpu *cpu)
{
    for (unsigned class = 0; class < MM_N_CLASSES; class++)
        magazine_drain(cpu, class);
    magazines_cut(cpu, cpu->in_use); /* forgets bursts: what comes next is as at boot */
    page_stack_drain(cpu);
    frame_stack_drain(cpu);
}

void reclaim_own_caches(void)
{
    struct mm_cpu *own = platform_cpu();

    context_drain(own->context == MM_CONTEXT_CODE ? own : own->other);
}

/* Gives back what is at home at the CPU it runs on, under the same conditions. */
static void reclaim_own_home(void)
{
    struct mm_cpu *own = platform_cpu();
    struct mm_cpu *code = own->context == MM_CONTEXT_CODE ? own : own->other;

    slab_release(code, &code->home);
}

/* Goes through all homes; again when something was sent on from one to another, which may have been through. */
static void reclaim_homes(struct mm_cpu *own)
{
    u32 n_before, n_rounds = 0;

    do {
        n_before = __atomic_load_n(&mm.n_groups_sent_on, __ATOMIC_RELAXED);
        if (own->context == MM_CONTEXT_CODE) {
            reclaim_own_home();
            platform_synchronize(reclaim_own_home);
        }
        slab_release_shared(own);
    } while (__atomic_load_n(&mm.n_groups_sent_on, __ATOMIC_RELAXED) != n_before && ++n_rounds < HOME_ROUNDS);
}

/* All that the running context may give back, but for grown pages.  First everybody's magazines: what is in them may be at
 * home anywhere. */
static void reclaim_caches(void)
{
    struct mm_cpu *own = platform_cpu();

    debug_release_waiting();
    if (own->context == MM_CONTEXT_CODE) {
        reclaim_own_caches();
        platform_synchronize(reclaim_own_caches);
    }
    reclaim_homes(own);
    role_release_idle();
    limbo_settle();
    role_release_idle(); /* what left limbo may have been the last with a role in its page */
    limbo_settle();
    frame_stack_drain(own);
}

void reclaim_for(const struct Zone *zone)
{
    if (zone->selector != ZONE_UNMAPPED_IN_PGT) /* DMA's frames may be in the caches, borrowed */
        reclaim_caches();
    if (zone->selector == ZONE_UNMAPPED_IN_PGT && platform_cpu()->context == MM_CONTEXT_CODE && mm.n_grown_pages != 0) {
        reclaim_caches();
        zone_give_back_grown();
    }
}

ul mm_shrink(void)
{
    struct mm_cpu *own = platform_cpu();
    ul before = mm_stat().free;
    ul after;

    paging_shrink();
    mm_enter(own); /* another CPU's request to drain must not come in the middle of ours */
    reclaim_caches();
    mm_leave(own);
    zone_give_back_grown();
    after = mm_stat().free;
    return after > before ? after - before : 0;
}
