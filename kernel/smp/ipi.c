/* SPDX-License-Identifier: MIT */
/*
 * What CPUs ask of each other: to forget translations, and to be seen outside of mm.
 *
 * Each CPU has a mailbox: a word with a bit for each kind of request.  The one request of each kind that may be under
 * way lies in a global place, guarded by a lock that its sender holds until all have answered:
 *
 *      sender                                  each other CPU
 *      lock; write the request
 *      set the bit in all mailboxes
 *      interrupt all                  ---->    handler, or whoever spins: sees the bit,
 *      wait until all bits are clear  <----    does it, clears the bit
 *      unlock
 *
 * Who waits with interrupts off (for one of mm's locks, or for answers) looks into the mailbox itself (smp_serve), so two
 * CPUs that wait for each other both get on.
 *
 * MAIL_FLUSH is done wherever it is seen.  MAIL_SYNCHRONIZE depends on where this CPU is:
 *
 *      AT_LOCK      spinning for one of mm's locks: in the middle of something; not now
 *      AT_REST      waiting in smp_synchronize(NULL): reads no metadata, but its caches may be in the middle of
 *                   something; answers a request that runs nothing
 *      AT_DRAIN     its ordinary code outside of mm (mm_cpu.busy is 0), or waiting in smp_synchronize(fn): anything goes
 *
 * What cannot be answered stays in the mailbox, and the sender interrupts again.  A CPU at rest must not wait for
 * the lock of a sender that waits for it; so it gives up when that is taken (smp_synchronize is then false).
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/registers.h>
#include <kernel/smp/ipi.h>
#include <kernel/smp/lapic.h>
#include <kernel/smp/smp.h>
#include <mm/cpu.h>
#include <mm/types.h>

enum place { AT_LOCK, AT_REST, AT_DRAIN };
enum mail { MAIL_FLUSH = 1, MAIL_SYNCHRONIZE = 2 };

#define SPINS_BEFORE_AGAIN 20000

static struct {
    u32 lock;
    u64 start, n_pages;
} flush;

static struct {
    u32 lock;
    void (*fn)(void);
} synchronize;

static u32 mailbox[SMP_N_CPUS];

static void flush_here(u64 start, u64 n_pages)
{
    if (n_pages == 0) {
        cpu_flush_tlb();
        return;
    }
    for (u64 i = 0; i < n_pages; i++)
        __asm__ volatile("invlpg (%0)" : : "r"(start + i * FRAME_BYTES) : "memory");
}

static void answer(u32 *box, enum mail kind)
{
    __atomic_fetch_and(box, ~(u32)kind, __ATOMIC_RELEASE);
}

/* Does what the mailbox asks for, as far as it can be done here. */
static void serve(enum place place)
{
    u32 *box = &mailbox[cpu_this()->number];
    u32 mail = __atomic_load_n(box, __ATOMIC_ACQUIRE);

    if (mail & MAIL_FLUSH) {
        flush_here(flush.start, flush.n_pages);
        answer(box, MAIL_FLUSH);
    }
    if ((mail & MAIL_SYNCHRONIZE) && (place == AT_DRAIN || (place == AT_REST && synchronize.fn == NULL))) {
        if (synchronize.fn != NULL)
            synchronize.fn();
        answer(box, MAIL_SYNCHRONIZE);
    }
}

void smp_serve(void)
{
    serve(AT_LOCK);
}

bool ipi_handle(u64 vector)
{
    const struct mm_cpu *code = cpu_this()->mm_contexts[0];

    if (vector != IPI_VECTOR)
        return vector == IPI_VECTOR_SPURIOUS;
    serve(code->busy == 0 ? AT_DRAIN : AT_LOCK);
    lapic_acknowledge();
    return true;
}

static bool try_take(u32 *lock)
{
    return __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) == 0;
}

static void take(u32 *lock, enum place place)
{
    while (!try_take(lock)) {
        serve(place);
        cpu_pause();
    }
}

static void release(u32 *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

static void interrupt_those_with(enum mail kind)
{
    u32 n = smp_n_cpus(), self = cpu_this()->number;

    for (u32 i = 0; i < n; i++)
        if (i != self && (__atomic_load_n(&mailbox[i], __ATOMIC_RELAXED) & kind))
            lapic_send((u8)smp_cpu(i)->apic_id, IPI_VECTOR);
}

static bool somebody_has(enum mail kind)
{
    u32 n = smp_n_cpus(), self = cpu_this()->number;

    for (u32 i = 0; i < n; i++)
        if (i != self && (__atomic_load_n(&mailbox[i], __ATOMIC_ACQUIRE) & kind))
            return true;
    return false;
}

/* Sends to all others and waits for their answers.  With the kind's lock. */
static void send_and_wait(enum mail kind, enum place place)
{
    u32 n = smp_n_cpus(), self = cpu_this()->number;

    for (u32 i = 0; i < n; i++)
        if (i != self)
            __atomic_fetch_or(&mailbox[i], kind, __ATOMIC_RELEASE);
    interrupt_those_with(kind);
    for (u32 spins = 1; somebody_has(kind); spins++) {
        serve(place);
        cpu_pause();
        if (spins % SPINS_BEFORE_AGAIN == 0)
            interrupt_those_with(kind);
    }
}

void smp_flush_others(u64 start, u64 n_pages)
{
    u64 flags;

    if (smp_n_cpus() == 1)
        return;
    flags = interrupts_save();
    take(&flush.lock, AT_LOCK);
    flush.start = start;
    flush.n_pages = n_pages;
    send_and_wait(MAIL_FLUSH, AT_LOCK);
    release(&flush.lock);
    interrupts_restore(flags);
}

bool smp_synchronize(void (*fn)(void))
{
    if (smp_n_cpus() == 1)
        return true;
    if (!(rflags_read() & RFLAGS_IF))
        return false;
    if (fn != NULL)
        take(&synchronize.lock, AT_DRAIN);
    else if (!try_take(&synchronize.lock))
        return false;
    synchronize.fn = fn;
    send_and_wait(MAIL_SYNCHRONIZE, fn != NULL ? AT_DRAIN : AT_REST);
    release(&synchronize.lock);
    return true;
}
