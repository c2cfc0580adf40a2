/* SPDX-License-Identifier: MIT */
/*
 * Of several frees of the same thing at the same time exactly one succeeds.
 *
 * All CPUs wait for each other at a barrier and free it at once; nobody allocates meanwhile, so it cannot be
 * somebody else's by the time of the second free.
 */
#include <kernel/cpu/registers.h>
#include <kernel/stress/worker.h>
#include <mm/frame.h>
#include <mm/mm.h>

enum { DUEL_OBJECT, DUEL_BLOCK_OBJECT, DUEL_FRAME, DUEL_PAGE, N_DUELS };

struct duel {
    unsigned what;
    u64 at;
    u32 n_ready;
    u32 n_won;
};

static bool free_it(const struct duel *duel)
{
    switch (duel->what) {
    case DUEL_FRAME:
        return frame_free(phys(duel->at), 0) == 0;
    case DUEL_PAGE:
        free_pages(Phy_to_2M_Page(duel->at), 1);
        return false; /* it does not tell: the misuses are counted */
    default:
        return kfree((void *)duel->at) == 0;
    }
}

static void fight(u32 number, void *argument)
{
    struct duel *duel = argument;

    (void)number;
    __atomic_fetch_add(&duel->n_ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&duel->n_ready, __ATOMIC_ACQUIRE) < stress.n_workers) {
        smp_serve();
        cpu_pause();
    }
    if (free_it(duel))
        __atomic_fetch_add(&duel->n_won, 1, __ATOMIC_RELAXED);
}

/* Something to fight about; 0 when there is no memory. */
static u64 prize(unsigned what)
{
    phys_t frame;
    struct Page *page;

    switch (what) {
    case DUEL_FRAME:
        frame = frame_alloc(ZONE_NORMAL, 0);
        return phys_is_none(frame) ? 0 : frame.addr;
    case DUEL_PAGE:
        page = alloc_pages(ZONE_NORMAL, 1, 0);
        return page != NULL ? page->addr_phys : 0;
    default:
        return (u64)kmalloc(what == DUEL_OBJECT ? 64 : 8192, 0);
    }
}

void duel_all(struct worker *worker)
{
    for (unsigned what = 0; what < N_DUELS; what++) {
        struct duel duel = {.what = what, .at = prize(what)};
        ul n_misuses = mm_misuse_count();
        u32 n_lost;

        if (duel.at == 0)
            continue;
        smp_run_on_all(fight, &duel);
        n_lost = (u32)(mm_misuse_count() - n_misuses);
        stress.n_wrong += n_lost;
        STRESS_EXPECT(worker, n_lost == stress.n_workers - 1 && (what == DUEL_PAGE || duel.n_won == 1),
                      "%u CPUs freed 0x%lx at once (case %u): %u were refused, %u succeeded",
                      stress.n_workers, duel.at, what, n_lost, duel.n_won);
    }
}
