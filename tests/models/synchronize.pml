/* SPDX-License-Identifier: MIT */
/*
 * Being seen outside of mm: kernel/smp/ipi.c (MAIL_SYNCHRONIZE, with MAIL_FLUSH beside it), mm/cpu.h (busy),
 * mm/limbo.c, mm/reclaim.c, and mm/kmalloc.c, whose kfree reads metadata without a lock.
 *
 * A role table hangs from a page.  CPUs read it with a wrong address in hand (kfree); unhang it, put it into
 * limbo, wait until every CPU has been seen outside of mm, and free it; ask all CPUs to empty their caches
 * (reclaim); use their caches; hold and wait for a lock with interrupts off; ask for a TLB flush.
 *
 * Properties.  Nobody reads a table that has been freed.  What empties a CPU's caches never comes in the
 * middle of an operation on them.  When a request for that returns, every CPU has done it since it was made.
 * Nothing stands still for ever.
 *
 * Mutants: 1 the handler answers wherever it came in; 2 who spins for a lock answers; 3 a settler waits for
 * the lock of a sender; 4 a table is freed without waiting; 5 waiting with interrupts off; 6 who waits for a
 * lock gives no answers; 7 the sender looks at counters of the others instead of asking; 8 the same without
 * store buffers, which does hold: it is they that make asking necessary; 9 kfree reads without being busy; 10
 * a table comes into limbo before its end has landed; 11 before the page lets go of it (both want three
 * CPUs); 12 the sender of a request that serves others does not run fn itself in its turn (wants three, too); 13 a turn
 * that was under way when somebody asked serves him.
 */
#include "machine.pml"

#ifndef OPERATIONS
#define OPERATIONS 2
#endif

#define AT_LOCK  0
#define AT_REST  1
#define AT_DRAIN 2

bool hangs = true;      /* the page leads to the table, in memory */
bool unhanging[N];      /* its end waits in the store buffer */
bool taken_off, freed;
byte busy[N];           /* mm_cpu.busy, as its own CPU sees it */
bool reads[N], reads_landed[N]; /* for mutants 7 and 8: whether it is in kfree, for itself and as others see it */
bool in_middle[N];      /* of an operation on the CPU's caches */
bool role_lock, settling, in_limbo;
byte served;            /* 1 + the last turn in which fn was run everywhere */
bool ran_since[N * N];  /* whether CPU i ran fn since CPU a asked for it, at a * N + i */

#define FENCE(me) (!unhanging[me])

active proctype landing()
{
    do
    :: atomic { unhanging[0] -> hangs = false; unhanging[0] = false }
    :: atomic { unhanging[1] -> hangs = false; unhanging[1] = false }
    :: atomic { MUTANT(7) && reads_landed[0] != reads[0] -> reads_landed[0] = reads[0] }
    :: atomic { MUTANT(7) && reads_landed[1] != reads[1] -> reads_landed[1] = reads[1] }
#if N > 2
    :: atomic { unhanging[2] -> hangs = false; unhanging[2] = false }
    :: atomic { MUTANT(7) && reads_landed[2] != reads[2] -> reads_landed[2] = reads[2] }
#endif
    od
}

#define ENTER(me) busy[me]++
#define LEAVE(me) busy[me]--

/* A CPU empties its caches: whoever asked for it before this has it. */
#define RAN_FOR(asker, me) ran_since[(asker) * N + (me)] = true
#if N > 2
#define RUNS_FN(me) atomic { assert(!in_middle[me]); RAN_FOR(0, me); RAN_FOR(1, me); RAN_FOR(2, me) }
#else
#define RUNS_FN(me) atomic { assert(!in_middle[me]); RAN_FOR(0, me); RAN_FOR(1, me) }
#endif

/* Whether serve() would do anything with the mail, at this place. */
#define CAN_ANSWER(me, place) \
    (sync_mail[me] && (place == AT_DRAIN || (place == AT_REST && !sync_runs_fn) || (place == AT_LOCK && MUTANT(2))))
#define HAS_WORK(me, place) (flush_mail[me] || CAN_ANSWER(me, place))

/* serve(): interrupts are off, so it is one step but for what other CPUs do; they do nothing to it before the answer. */
inline serve(me, place)
{
    atomic {
        flush_mail[me] = false;
        if
        :: CAN_ANSWER(me, place) ->
            if
            :: sync_runs_fn -> RUNS_FN(me)
            :: else -> skip
            fi;
            sync_mail[me] = false
        :: else -> skip
        fi
    }
}

#define HANDLER_PLACE(me) (busy[me] == 0 || MUTANT(1) -> AT_DRAIN : AT_LOCK)

proctype handler(byte me)
{
    do
    :: atomic { interrupts[me] && HAS_WORK(me, HANDLER_PLACE(me)) -> serve(me, HANDLER_PLACE(me)) }
    od
}

/* Takes a lock; who waits serves at this place. */
inline lock(me, which, place)
{
    do
    :: atomic { FENCE(me) && !which -> which = true; break }
    :: atomic { which && !MUTANT(6) && HAS_WORK(me, place) -> serve(me, place) }
    od
}

/* take() in ipi.c; `then` is the turn that somebody had when it was asked for.  Macros: neither the name of an
 * array nor what is counted up is an argument of an inline. */
#define take(me, next, now, place) \
    atomic { FENCE(me) -> turn = next; next++ }; \
    then = now; \
    do \
    :: atomic { now == turn -> turn = 0; break } \
    :: atomic { now != turn && !MUTANT(6) && HAS_WORK(me, place) -> serve(me, place) } \
    od

#define send_and_wait(me, box, place) \
    do \
    :: atomic { i < N && FENCE(me) -> box[i] = (i != me) || box[i]; i++ } \
    :: atomic { i == N -> i = 0; break } \
    od; \
    do \
    :: atomic { i < N && (i == me || !box[i]) -> i++ } \
    :: atomic { i == N -> i = 0; break } \
    :: atomic { HAS_WORK(me, place) -> serve(me, place) } \
    od

/* smp_flush_others. */
inline flush_others(me)
{
    atomic { before = interrupts[me]; interrupts[me] = false };
    take(me, flush_next, flush_now, AT_LOCK);
    send_and_wait(me, flush_mail, AT_LOCK);
    atomic { flush_now++; interrupts[me] = before; before = false; then = 0 }
}

/* smp_synchronize(NULL). */
inline synchronize_nothing(me)
{
    did = false;
    if
    :: MUTANT(7) || MUTANT(8) ->
        atomic { FENCE(me) -> i = 0 };
        do
        :: i == N -> break
        :: i < N && (i == me || (MUTANT(7) && !reads_landed[i]) || (MUTANT(8) && !reads[i])) -> i++
        od;
        i = 0;
        did = true
    :: else ->
        if
        :: !interrupts[me] && !MUTANT(5) -> skip
        :: else ->
            if
            :: MUTANT(3) -> take(me, sync_next, sync_now, AT_REST); did = true; then = 0
            :: else ->
                atomic {    /* try_take */
                    FENCE(me);
                    did = (sync_next == sync_now);
                    sync_next = sync_next + (did -> 1 : 0)
                }
            fi;
            if
            :: did ->
                sync_runs_fn = false;
                send_and_wait(me, sync_mail, AT_REST);
                sync_now++
            :: else -> skip
            fi
        fi
    fi
}

/* smp_synchronize(fn), with the one fn there is: the CPU has run it, then asked.  In its turn it runs fn once more and has
 * the others run it; unless all have since it asked. */
inline synchronize_fn(me)
{
    atomic {
        i = 0;
        do
        :: i < N -> ran_since[me * N + i] = (i == me); i++
        :: else -> i = 0; break
        od
    };
    take(me, sync_next, sync_now, AT_DRAIN);
    if
    :: served > then + 1 || (served == then + 1 && MUTANT(13)) -> skip
    :: else ->
        sync_runs_fn = true;
        if
        :: MUTANT(12) -> skip
        :: else -> RUNS_FN(me)
        fi;
        send_and_wait(me, sync_mail, AT_DRAIN);
        served = sync_now + 1
    fi;
    atomic {
        do
        :: i < N -> assert(ran_since[me * N + i]); i++
        :: else -> i = 0; break
        od;
        sync_now++;
        then = 0
    }
}

/* limbo_settle, one round; what cannot be settled goes back. */
inline settle(me)
{
    if
    :: atomic { FENCE(me) && settling -> skip }
    :: atomic { FENCE(me) && !settling -> settling = true };
        if
        :: atomic { in_limbo -> in_limbo = false };
            if
            :: MUTANT(4) -> did = true
            :: else -> synchronize_nothing(me)
            fi;
            if
            :: did -> freed = true
            :: else -> in_limbo = true
            fi
        :: else -> skip
        fi;
        settling = false
    fi;
    did = false
}

proctype code(byte me)
{
    byte n, i, turn, then;
    bool before, did, led;

    do
    :: n == OPERATIONS -> break
    :: n < OPERATIONS -> n++;
        if
        /* kfree of a wrong address. */
        :: if
            :: MUTANT(9) -> skip
            :: else -> atomic { ENTER(me); reads[me] = true }
            fi;
            led = hangs && !unhanging[me];
            assert(!led || !freed);
            led = false;
            if
            :: MUTANT(9) -> skip
            :: else -> atomic { LEAVE(me); reads[me] = false }
            fi
        /* kmalloc and kfree on the way to and from slabs. */
        :: ENTER(me); in_middle[me] = true; in_middle[me] = false; LEAVE(me)
        /* What empties the last slab, in the middle of a flush; perhaps with interrupts off. */
        :: if
            :: interrupts[me] = false
            :: true
            fi;
            atomic { ENTER(me); in_middle[me] = true };
            lock(me, role_lock, AT_LOCK);
            if
            :: atomic { MUTANT(11) && hangs && !taken_off -> taken_off = true };
                in_limbo = true;
                unhanging[me] = true
            :: atomic { !MUTANT(11) && hangs && !taken_off -> unhanging[me] = true; taken_off = true };
                atomic { FENCE(me) || MUTANT(10) -> in_limbo = true }   /* limbo_add_table takes a lock */
            :: else -> skip
            fi;
            role_lock = false;
            settle(me);
            atomic { in_middle[me] = false; LEAVE(me) };
            interrupts[me] = true
        /* Memory is short. */
        :: ENTER(me);
            synchronize_fn(me);
            settle(me);
            LEAVE(me)
        /* Something with a lock of mm. */
        :: interrupts[me] = false;
            lock(me, zone_lock, AT_LOCK);
            if
            :: MUTANT(5) -> synchronize_nothing(me); did = false
            :: skip
            fi;
            zone_lock = false;
            interrupts[me] = true
        /* An unmap. */
        :: flush_others(me)
        fi
    od;
    finished[me] = true
}

init
{
    byte i;

    READ_MUTANT;
    atomic {
        run watch();
        do
        :: i < N -> run code(i); run handler(i); i++
        :: else -> break
        od
    }
}
