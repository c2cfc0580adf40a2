/* SPDX-License-Identifier: MIT */
/*
 * What CPUs ask of each other: to forget translations, and to be seen outside of mm.
 *
 * Each CPU has a mailbox: a word with a bit for each kind of request.  The one request of each kind that may
 * be under way lies in a global place, guarded by a lock that its sender holds until all have answered:
 *
 *      sender                                  each other CPU
 *      lock; write the request
 *      set the bit in all mailboxes
 *      interrupt all                  ---->    handler, or whoever spins: sees the bit,
 *      wait until all bits are clear  <----    does it, clears the bit
 *      unlock
 *
 * Who waits with interrupts off (for one of mm's locks, or for answers) looks into the mailbox itself
 * (smp_serve), so two CPUs that wait for each other both get on.  Looking, doing and clearing happen with
 * interrupts off: else the handler could answer in between, and the bit cleared afterwards would be that of
 * the next request, which nobody has seen.
 *
 * MAIL_FLUSH is done wherever it is seen.  MAIL_SYNCHRONIZE depends on where this CPU is:
 *
 *      AT_LOCK      spinning for one of mm's locks: in the middle of something; not now
 *      AT_REST      waiting in smp_synchronize(NULL): reads no metadata, but its caches may be in the middle
 *                   of something; answers a request that runs nothing
 *      AT_DRAIN     its ordinary code outside of mm (mm_cpu.busy is 0), or waiting in smp_synchronize(fn):
 *                   anything goes
 *
 * What cannot be answered stays in the mailbox, and the sender interrupts again.  A CPU at rest must not wait
 * for the lock of a sender that waits for it; so it gives up when that is taken (smp_synchronize is then
 * false).
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/registers.h>
#include <kernel/smp/cpus.h>
#include <kernel/smp/ipi.h>
#include <kernel/smp/lapic.h>
#include <kernel/smp/smp.h>
#include <kernel/time/time.h>
#include <mm/cpu.h>
#include <mm/types.h>

enum place { AT_LOCK, AT_REST, AT_DRAIN };
enum mail { MAIL_FLUSH = 1, MAIL_SYNCHRONIZE = 2 };

/* A CPU that was in the middle of mm is asked again: soon at first, then after twice as long each time. */
#define SPINS_BEFORE_AGAIN 64
#define SPINS_BETWEEN_MOST 16384

/* A lock that is taken in the order of asking.  With one that is whoever's first, a CPU can wait for a minute while the
 * others, who are just there, take turns. */
struct turns {
    u32 next, now;
};

static struct {
    struct turns lock;
    u64 start, n_pages;
} flush;

#define N_SERVED 4

static struct {
    struct turns lock;
    void (*fn)(void);
    struct {
        void (*fn)(void);
        u32 turn;
    } served[N_SERVED]; /* the last turns in which something was run everywhere */
} synchronize;

/* A cache line each: they are looked into while spinning. */
static struct {
    u32 bits;
    u32 (*timer)(void); /* what its timer's interrupt calls, or NULL */
} __attribute__((aligned(64))) mailbox[SMP_N_CPUS];

static bool others_forgotten;

static bool nobody_else(void)
{
    return smp_n_cpus() == 1 || __atomic_load_n(&others_forgotten, __ATOMIC_RELAXED);
}

void cpus_forget_others(void)
{
    __atomic_store_n(&others_forgotten, true, __ATOMIC_RELAXED);
}

/* Who asks may want to know besides whether a table is in use here (mm/kmalloc.c). */
static void flush_here(u64 start, u64 n_pages)
{
    struct mm_cpu *code = cpu_this()->mm_contexts[0];

    code->loaded_top = cr3_read() & PAGE_4K_MASK;
    if (n_pages == 0)
        cpu_flush_tlb();
    else
        cpu_flush_pages(start, n_pages);
}

static void answer(u32 *box, enum mail kind)
{
    __atomic_fetch_and(box, ~(u32)kind, __ATOMIC_RELEASE);
}

/* Does what the mailbox asks for, as far as it can be done here. */
static void serve(enum place place)
{
    u64 flags = interrupts_save();
    u32 *box = &mailbox[cpu_this()->number].bits;
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
    interrupts_restore(flags);
}

void smp_serve(void)
{
    serve(AT_LOCK);
}

static void handle_mail(void)
{
    const struct mm_cpu *code = cpu_this()->mm_contexts[0];

    serve(code->busy == 0 ? AT_DRAIN : AT_LOCK);
}

static void handle_timer(void)
{
    u32 (*fn)(void) = mailbox[cpu_this()->number].timer;
    u32 counts = fn != NULL ? fn() : 0;

    if (counts != 0)
        lapic_timer_arm(IPI_VECTOR_TIMER, counts);
}

bool ipi_handle(u64 vector)
{
    if (vector == IPI_VECTOR)
        handle_mail();
    else if (vector == IPI_VECTOR_TIMER)
        handle_timer();
    else
        return vector == IPI_VECTOR_SPURIOUS;
    lapic_acknowledge();
    return true;
}

bool smp_set_timer(u32 (*fn)(void))
{
    if (!lapic_is_there())
        return false;
    mailbox[cpu_this()->number].timer = fn;
    lapic_timer_arm(IPI_VECTOR_TIMER, fn != NULL);
    return true;
}

u32 smp_timer_counts_per_ms(void)
{
    u32 left;

    if (!lapic_is_there())
        return 0;
    lapic_timer_arm(IPI_VECTOR_TIMER, ~0u);
    time_wait_us(1000);
    left = lapic_timer_left();
    lapic_timer_arm(IPI_VECTOR_TIMER, 0);
    return ~0u - left;
}

/* Takes a lock that nobody has or waits for. */
static bool try_take(struct turns *lock)
{
    u32 now = __atomic_load_n(&lock->now, __ATOMIC_RELAXED), turn = now;

    return __atomic_compare_exchange_n(&lock->next, &turn, now + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Takes a lock; the turn that somebody had when it was asked for. */
static u32 take(struct turns *lock, enum place place)
{
    u32 turn = __atomic_fetch_add(&lock->next, 1, __ATOMIC_SEQ_CST), then = __atomic_load_n(&lock->now, __ATOMIC_SEQ_CST);

    while (__atomic_load_n(&lock->now, __ATOMIC_ACQUIRE) != turn) {
        serve(place);
        cpu_pause();
    }
    return then;
}

static void release(struct turns *lock)
{
    __atomic_store_n(&lock->now, lock->now + 1, __ATOMIC_RELEASE);
}

static void interrupt_those_with(enum mail kind)
{
    u32 n = smp_n_cpus(), self = cpu_this()->number;

    for (u32 i = 0; i < n; i++)
        if (i != self && (__atomic_load_n(&mailbox[i].bits, __ATOMIC_RELAXED) & kind))
            lapic_send(smp_cpu(i)->apic_id, IPI_VECTOR);
}

static bool somebody_has(enum mail kind)
{
    u32 n = smp_n_cpus(), self = cpu_this()->number;

    for (u32 i = 0; i < n; i++)
        if (i != self && (__atomic_load_n(&mailbox[i].bits, __ATOMIC_ACQUIRE) & kind))
            return true;
    return false;
}

/* Sends to all others and waits for their answers.  With the kind's lock. */
static void send_and_wait(enum mail kind, enum place place)
{
    u32 n = smp_n_cpus(), self = cpu_this()->number, again = SPINS_BEFORE_AGAIN;

    for (u32 i = 0; i < n; i++)
        if (i != self)
            __atomic_fetch_or(&mailbox[i].bits, kind, __ATOMIC_RELEASE);
    interrupt_those_with(kind);
    for (u32 spins = 1; somebody_has(kind); spins++) {
        serve(place);
        cpu_pause();
        if (spins == again) {
            interrupt_those_with(kind);
            again += again < SPINS_BETWEEN_MOST ? again : SPINS_BETWEEN_MOST;
        }
    }
}

static NOINLINE void flush_others(u64 start, u64 n_pages)
{
    u64 flags = interrupts_save();

    take(&flush.lock, AT_LOCK);
    flush.start = start;
    flush.n_pages = n_pages;
    send_and_wait(MAIL_FLUSH, AT_LOCK);
    release(&flush.lock);
    interrupts_restore(flags);
}

void smp_flush_others(u64 start, u64 n_pages)
{
    if (!nobody_else())
        flush_others(start, n_pages);
}

/* Whether all CPUs have run fn in a turn that began after turn `then`. */
static bool was_served_since(void (*fn)(void), u32 then)
{
    for (unsigned i = 0; i < N_SERVED; i++)
        if (synchronize.served[i].fn == fn && (s32)(synchronize.served[i].turn - then) > 0)
            return true;
    return false;
}

/* The request whose turn it is.  NULL is noted, too: so no turn stays noted until its number comes again. */
static void have_others_run(void (*fn)(void), enum place place)
{
    u32 turn = synchronize.lock.now;

    synchronize.fn = fn;
    send_and_wait(MAIL_SYNCHRONIZE, place);
    synchronize.served[turn % N_SERVED].fn = fn;
    synchronize.served[turn % N_SERVED].turn = turn;
}

static void run_here(void (*fn)(void))
{
    u64 flags = interrupts_save();

    fn();
    interrupts_restore(flags);
}

/* Has all run fn, unless they did while this CPU waited: when memory is short, all of them ask for the same.  This one, too:
 * those who are served by it are owed a run here that began after they asked. */
static void run_in_turn(void (*fn)(void))
{
    if (!was_served_since(fn, take(&synchronize.lock, AT_DRAIN))) {
        run_here(fn);
        have_others_run(fn, AT_DRAIN);
    }
    release(&synchronize.lock);
}

bool smp_synchronize(void (*fn)(void))
{
    if (nobody_else())
        return true;
    if (!(rflags_read() & RFLAGS_IF))
        return false;
    if (fn != NULL) {
        run_in_turn(fn);
        return true;
    }
    if (!try_take(&synchronize.lock))
        return false;
    have_others_run(NULL, AT_REST);
    release(&synchronize.lock);
    return true;
}
