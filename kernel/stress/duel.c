/* SPDX-License-Identifier: MIT */
/*
 * Of several frees of the same thing at the same time exactly one succeeds.
 *
 *      boot CPU   take one |         | free it | judge, take the next |         | free it ...
 *      others              |(barrier)| free it |              (barrier)          | free it ...
 *
 * Nobody allocates between the frees, so it cannot be somebody else's by the time of the second.  The
 * refusals are counted as misuses, n - 1 each time, and not logged.
 */
#include <kernel/cpu/registers.h>
#include <kernel/mm/memory.h>
#include <kernel/stress/worker.h>
#include <kernel/time/time.h>
#include <mm/frame.h>
#include <mm/mm.h>

#define STARTS_PER_S 20000 /* 50 us after the next one was decided on */
#define START_SPINS  10000

enum duel_kind { DUEL_OBJECT, DUEL_LARGE_OBJECT, DUEL_FRAME, DUEL_BLOCK, DUEL_PAGE, N_DUEL_KINDS };

static struct {
    enum duel_kind kind;
    u64 at;    /* what is fought for; 0: no more */
    u64 start; /* by the time-stamp counter */
    u32 n_won;
    u32 n_there, n_barriers; /* CPUs that wait at the barrier, and how often it opened */
} duel;

/* Waits until all CPUs are here. */
static void barrier(void)
{
    u32 n_barriers = __atomic_load_n(&duel.n_barriers, __ATOMIC_ACQUIRE);

    if (__atomic_add_fetch(&duel.n_there, 1, __ATOMIC_ACQ_REL) == stress.n_workers) {
        duel.n_there = 0;
        __atomic_fetch_add(&duel.n_barriers, 1, __ATOMIC_ACQ_REL);
    }
    while (__atomic_load_n(&duel.n_barriers, __ATOMIC_ACQUIRE) == n_barriers) {
        smp_serve();
        cpu_pause();
    }
}

/* The barrier lets them through one after the other: waits for a moment agreed on, if the CPUs' clocks agree.
 */
static void wait_for_start(void)
{
    for (u32 i = 0; i < START_SPINS && tsc_read() < duel.start; i++)
        smp_serve();
}

/* Something to fight about; 0 when there is no memory. */
static u64 prize(enum duel_kind kind)
{
    struct Page *page;
    phys_t frame;

    switch (kind) {
    case DUEL_FRAME:
    case DUEL_BLOCK:
        frame = frame_alloc(ZONE_NORMAL, kind == DUEL_FRAME ? 0 : 4);
        return phys_is_none(frame) ? 0 : frame.addr;
    case DUEL_PAGE:
        page = alloc_pages(ZONE_NORMAL, 1, 0);
        return page != NULL ? page->addr_phys : 0;
    default:
        return (u64)kmalloc(kind == DUEL_OBJECT ? 64 : 8192, 0);
    }
}

static bool free_it(void)
{
    switch (duel.kind) {
    case DUEL_FRAME:
    case DUEL_BLOCK:
        return frame_free(phys(duel.at), duel.kind == DUEL_FRAME ? 0 : 4) == 0;
    case DUEL_PAGE:
        free_pages(Phy_to_2M_Page(duel.at), 1);
        return false; /* it does not tell: the misuses are counted */
    default:
        return kfree((void *)duel.at) == 0;
    }
}

static void judge(struct worker *worker, u32 n_lost)
{
    __atomic_fetch_add(&stress.n_wrong, n_lost, __ATOMIC_RELAXED);
    STRESS_EXPECT(worker, n_lost == stress.n_workers - 1 && (duel.kind == DUEL_PAGE || duel.n_won == 1),
                  "%u CPUs freed 0x%lx at once (case %u): %u were refused, %u succeeded", stress.n_workers,
                  duel.at, duel.kind, n_lost, duel.n_won);
}

/* The boot CPU decides for all whether there is another round. */
void duel_all(struct worker *worker)
{
    bool leads = worker->number == 0, logged = false;
    ul n_misuses = mm_misuse_count();

    if (leads)
        logged = memory_log_misuses(false);
    for (;;) {
        worker->n_steps++;
        if (leads) {
            duel.kind = (enum duel_kind)(worker->n_steps % N_DUEL_KINDS);
            duel.n_won = 0;
            duel.at = stress_look_up(worker) ? 0 : prize(duel.kind);
            duel.start = tsc_read() + time_tsc_hz() / STARTS_PER_S;
        }
        barrier();
        if (duel.at == 0)
            break;
        trace(worker, TRACE_DUEL, duel.kind, duel.at, 0);
        wait_for_start();
        if (free_it())
            __atomic_fetch_add(&duel.n_won, 1, __ATOMIC_RELAXED);
        barrier();
        if (leads) {
            judge(worker, (u32)(mm_misuse_count() - n_misuses));
            n_misuses = mm_misuse_count();
        }
    }
    if (leads)
        memory_log_misuses(logged);
}
