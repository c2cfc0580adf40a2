/* SPDX-License-Identifier: MIT */
/*
 * TLB shootdown: kernel/smp/ipi.c (MAIL_FLUSH), kernel/mm/platform.c (platform_flush, platform_lock_spin),
 * mm/paging_unmap.c, kernel/debug/panic.c.
 *
 * Two ranges are mapped.  Range 0 is unmapped as mm_unmap_proc_table does: with the paging lock, interrupts
 * off.  Range 1 as pages are given back from the direct map: no lock, interrupts on.  Any CPU may hold any
 * translation that the tables give, at any time and without being asked: so a TLB may hold a range from when
 * it is present until it is dropped at a time when it is not.  CPUs hold and wait for another lock of mm
 * meanwhile, look into their mailboxes with interrupts on, and panic.
 *
 * Properties.  When an unmap returns, no CPU has a translation of the range, and none can get one.  Nothing
 * stands still for ever: everybody comes to his end; in a panic the one CPU that is left does.
 *
 * Mutants: 1 answers before it invalidates; 2 flush requests without the lock; 3 who spins for a lock is
 * deaf; 4 looking, doing and answering with interrupts on; 5 flushes before the entry is cleared; 6 a panic
 * waits for the others; 7 a panic respects locks; 8 looking before interrupts are off; 9 who waits for
 * his turn to flush is deaf.
 */
#include "machine.pml"

#ifndef OPERATIONS
#define OPERATIONS 2
#endif
#define RANGES 2
#define NOTHING RANGES

bool paging_lock;
bool present[RANGES] = true;        /* the entry, in memory */
byte clearing[N] = NOTHING;         /* an entry whose clearing waits in the store buffer */
bool translation[N * RANGES] = true;    /* what may be in the CPUs' TLBs */
bool given_back;                    /* somebody unmaps range 1 */
bool forgotten;                     /* others_forgotten */

#define FENCE(me) (clearing[me] == NOTHING)
#define INVALIDATE(me, range) translation[(me) * RANGES + (range)] = present[range]

/* The store buffers. */
#define LANDS(i) :: atomic { clearing[i] != NOTHING -> present[clearing[i]] = false; clearing[i] = NOTHING }

active proctype landing()
{
    do
    LANDS(0)
    LANDS(1)
#if N > 2
    LANDS(2)
#endif
    od
}

/* serve() in ipi.c: look, do, answer.  Interrupts are off meanwhile. */
inline serve(me)
{
    atomic {
        was_on = interrupts[me];
        interrupts[me] = was_on && MUTANT(4);
        wanted = (flush_mail[me] || MUTANT(8) -> flush_range : NOTHING)
    };
    if
    :: wanted == NOTHING -> skip
    :: wanted != NOTHING && MUTANT(1) -> atomic { FENCE(me) -> flush_mail[me] = false }; INVALIDATE(me, wanted)
    :: else -> atomic { FENCE(me) -> INVALIDATE(me, wanted) }; flush_mail[me] = false
    fi;
    atomic { interrupts[me] = was_on; wanted = 0; was_on = false }
}

proctype handler(byte me) provided (!stopped[me])
{
    byte wanted;
    bool was_on;

    do
    :: atomic { flush_mail[me] && interrupts[me] && !in_handler[me] -> in_handler[me] = true; interrupts[me] = false };
        serve(me);
        atomic { in_handler[me] = false; interrupts[me] = true }
    od
}

/* Takes a lock as platform_lock does: who waits looks into the mailbox.  In a panic locks are broken. */
inline lock(me, which, may_break)
{
    do
    :: atomic { FENCE(me) && !which -> which = true; break }
    :: which && flush_mail[me] && !MUTANT(3) -> serve(me)
    :: atomic { may_break && panicked && owner == me && !MUTANT(7) && which -> which = false }
    od
}

/* smp_flush_others. */
inline flush_others(me, range)
{
    if
    :: forgotten -> skip
    :: else ->
        atomic { saved = interrupts[me]; interrupts[me] = false };
        if
        :: MUTANT(2) -> skip
        :: else ->
            atomic { FENCE(me) -> turn = flush_next; flush_next++ };
            do
            :: atomic { flush_now == turn -> turn = 0; break }
            :: flush_now != turn && flush_mail[me] && !MUTANT(9) -> serve(me)
            od
        fi;
        atomic { flush_range = range; i = 0 };
        do
        :: atomic { i < N && FENCE(me) -> flush_mail[i] = (i != me) || flush_mail[i]; i++ }
        :: atomic { i == N -> i = 0; break }
        od;
        do
        :: atomic { i < N && (i == me || !flush_mail[i]) -> i++ }
        :: atomic { i == N -> i = 0; break }
        :: flush_mail[me] -> serve(me)
        od;
        atomic { flush_now++; interrupts[me] = saved; saved = false }
    fi
}

/* What every unmap comes to. */
inline take_away(me, range)
{
    if
    :: MUTANT(5) -> atomic { FENCE(me) -> INVALIDATE(me, range) }; flush_others(me, range); clearing[me] = range
    :: else ->
        clearing[me] = range;
        atomic { FENCE(me) -> INVALIDATE(me, range) };  /* INVLPG serialises */
        flush_others(me, range)
    fi;
    atomic {
        i = 0;
        do
        :: i < N -> assert((panicked && owner != me) || stopped[i] || !translation[i * RANGES + range]); i++
        :: else -> break
        od;
        i = 0;
        assert(!present[range])
    }
}

/* mm_unmap_proc_table. */
inline unmap_with_lock(me)
{
    interrupts[me] = false;
    lock(me, paging_lock, true);
    if
    :: present[0] -> take_away(me, 0)
    :: else -> skip
    fi;
    paging_lock = false
}

/* panic(): the first one is left, the others are stopped wherever they are.  What it then does takes locks. */
inline panic(me)
{
    interrupts[me] = false;
    if
    :: atomic { panicked -> stopped[me] = true }; false
    :: atomic { !panicked -> panicked = true; owner = me }
    fi;
    if
    :: MUTANT(6) -> skip
    :: else -> forgotten = true
    fi;
    i = 0;
    do
    :: atomic { i < N -> stopped[i] = (i != me); i++ }
    :: atomic { i == N -> i = 0; break }
    od;
    lock(me, zone_lock, true);
    zone_lock = false;
    unmap_with_lock(me)
}

proctype code(byte me) provided (RUNS(me))
{
    byte n, i, wanted, turn;
    bool was_on, saved;

    do
    :: n == OPERATIONS -> break
    :: n < OPERATIONS -> n++;
        if
        :: unmap_with_lock(me);
            interrupts[me] = true
        :: atomic { !given_back -> given_back = true };
            take_away(me, 1)                        /* zone_give_back_page */
        :: interrupts[me] = false;                  /* anything with a lock of mm */
            lock(me, zone_lock, true);
            if
            :: zone_lock = false;
                interrupts[me] = true
            :: panic(me);
                break
            fi
        :: flush_mail[me] -> serve(me)              /* wait_idle in smp.c */
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
