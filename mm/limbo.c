/* SPDX-License-Identifier: MIT */
/*
 * Limbo: the last stop of metadata before its memory is used for something else.
 *
 * kfree takes no lock.  On its way to the live byte it reads a role table and writes into a descriptor (kmalloc.c).  With
 * the address of a live object, both must exist.  With a wrong address they may be just about to go: another CPU, or an
 * interrupt in between, empties the last slab there.  The wrong kfree would then read what is a role table no more.
 *
 * So a role table that no page leads to, and a descriptor that no role word leads to, wait here, unchanged, until every
 * CPU has been seen outside of mm since (platform_synchronize): what it reads from then on cannot lead to them.  They must
 * be unlinked before they come here, and in memory: whoever settles may do so at once, and a third CPU, seen outside of
 * mm by then, would still be led to them.  The exchange that takes mm.limbo.lock makes sure of that.
 *
 *      role_frames_free, slabs_destroy --> limbo --(every CPU seen outside)--> frames, descriptor frames
 *
 * With one CPU that is at once, except inside an interrupt handler; with several it is done for LIMBO_SLABS at a time,
 * by mm_shrink, and before memory runs out.  Where it is not possible just then (several CPUs, and interrupts off; another CPU
 * is about it), the next try is when there are LIMBO_SLABS more: so the first who can wait settles all that has gathered.
 * As long as nobody can, it gathers.
 *
 * Who must not fail in vain (limbo_settle) does not go by what another CPU is about: it waits for all CPUs itself, and then for
 * those who were settling, so that what they had taken out is free, too.
 *
 * Locking: mm.limbo.lock, also inside a zone's.  Nothing is freed with it held.
 */
#include <mm/cpu.h>
#include <mm/limbo.h>
#include <mm/role.h>
#include <mm/slab.h>
#include <mm/state.h>

#define SETTLE_ROUNDS 4

void limbo_start(void)
{
    list_init(&mm.limbo.slabs);
    mm.limbo.n_slabs_due = LIMBO_SLABS;
}

void limbo_add_slab(struct slab *slab)
{
    ul flags = platform_lock(&mm.limbo.lock);

    list_add_tail(&mm.limbo.slabs, &slab->link);
    mm.limbo.n_slabs++;
    platform_unlock(&mm.limbo.lock, flags);
}

bool limbo_keep_place(void)
{
    ul flags = platform_lock(&mm.limbo.lock);
    bool has_room = mm.limbo.n_tables + mm.limbo.n_tables_taken < LIMBO_TABLES;

    mm.limbo.n_tables_taken += has_room;
    platform_unlock(&mm.limbo.lock, flags);
    return has_room;
}

void limbo_add_table(phys_t frame)
{
    ul flags = platform_lock(&mm.limbo.lock);

    mm.limbo.n_tables_taken--;
    mm.limbo.table[mm.limbo.n_tables++] = frame;
    platform_unlock(&mm.limbo.lock, flags);
}

/* Moves everything out of *from, which is shared, into *to, which is not. */
static void limbo_take(struct limbo *from, struct limbo *to)
{
    ul flags = platform_lock(&from->lock);

    list_init(&to->slabs);
    list_append(&to->slabs, &from->slabs);
    to->n_slabs = from->n_slabs;
    to->n_tables = from->n_tables;
    for (u32 i = 0; i < from->n_tables; i++)
        to->table[i] = from->table[i];
    from->n_tables_taken += from->n_tables; /* keeps their places, should they have to come back */
    from->n_slabs = from->n_tables = 0;
    platform_unlock(&from->lock, flags);
}

static void limbo_leave_places(u32 n_tables)
{
    ul flags = platform_lock(&mm.limbo.lock);

    mm.limbo.n_tables_taken -= n_tables;
    platform_unlock(&mm.limbo.lock, flags);
}

/* The tables come back to the places that were kept for them. */
static void limbo_put_back(struct limbo *taken)
{
    ul flags = platform_lock(&mm.limbo.lock);

    list_append(&mm.limbo.slabs, &taken->slabs);
    mm.limbo.n_slabs += taken->n_slabs;
    for (u32 i = 0; i < taken->n_tables; i++)
        mm.limbo.table[mm.limbo.n_tables++] = taken->table[i];
    mm.limbo.n_tables_taken -= taken->n_tables;
    platform_unlock(&mm.limbo.lock, flags);
}

static void nothing(void)
{
}

/* Waits until all CPUs have been seen outside of mm; false where that is not possible.  With something to run, other CPUs that
 * ask at the same time are waited for; without, it is not possible then. */
static bool wait_for_all(bool patiently)
{
    return (patiently && platform_synchronize(nothing)) || platform_synchronize(NULL);
}

/* One round; false when it is not possible to wait here. */
static bool limbo_settle_once(bool patiently)
{
    struct limbo taken;
    struct list_node *node;

    limbo_take(&mm.limbo, &taken);
    if (!wait_for_all(patiently)) {
        limbo_put_back(&taken);
        mm.limbo.n_slabs_due = mm.limbo.n_slabs + LIMBO_SLABS;
        return false;
    }
    mm.limbo.n_slabs_due = LIMBO_SLABS;
    limbo_leave_places(taken.n_tables);
    while ((node = list_pop(&taken.slabs)) != NULL)
        descriptor_free(container_of(node, struct slab, link));
    for (u32 i = 0; i < taken.n_tables; i++)
        role_table_free(taken.table[i]);
    return true;
}

/* What is freed may have been the last to need a role table, which then comes here in turn.  Two rounds do; unless other
 * CPUs go on filling it, which is no reason to stay here for ever. */
static void limbo_settle_rounds(bool patiently)
{
    for (unsigned round = 0; round < SETTLE_ROUNDS && mm.limbo.n_slabs + mm.limbo.n_tables != 0; round++)
        if (!limbo_settle_once(patiently))
            break;
    __atomic_fetch_sub(&mm.limbo.n_settling, 1, __ATOMIC_SEQ_CST);
}

void limbo_settle(void)
{
    __atomic_fetch_add(&mm.limbo.n_settling, 1, __ATOMIC_SEQ_CST);
    limbo_settle_rounds(true);
    for (unsigned round = 0; round < SETTLE_ROUNDS && __atomic_load_n(&mm.limbo.n_settling, __ATOMIC_SEQ_CST) != 0; round++)
        if (!platform_synchronize(nothing))
            break;
}

/* One CPU at a time: the others have better things to do than to take everything out and put it back. */
static void limbo_settle_unless_others_do(void)
{
    u32 nobody = 0;

    if (__atomic_compare_exchange_n(&mm.limbo.n_settling, &nobody, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        limbo_settle_rounds(false);
}

void limbo_settle_if_due(void)
{
    bool alone = mm.boot_cpu[MM_CONTEXT_INTERRUPT].next == NULL;

    if (mm.limbo.n_slabs >= mm.limbo.n_slabs_due || mm.limbo.n_tables == LIMBO_TABLES ||
        (alone && mm.limbo.n_slabs + mm.limbo.n_tables != 0))
        limbo_settle_unless_others_do();
}
