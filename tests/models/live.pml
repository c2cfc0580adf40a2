/* SPDX-License-Identifier: MIT */
/*
 * The live byte of an object: mm/kmalloc.c, and mm/magazine.c as far as objects go to and fro.
 *
 * One object, that lies in its slab, in a CPU's magazine, or is live.  Each CPU allocates it, refills and
 * flushes its magazine, and frees it at any time, right or wrong, as often as it likes.  A CPU may bring back at
 * once what was freed: so one that always does, as an interrupt handler, is among them.  A pointer is known to
 * everybody as soon as kmalloc has returned.  The slab is one place that one CPU at a time takes from or gives
 * to: how homes see to that, with a lock or with bits of what came back, is in homes.pml.
 *
 * Properties.  The object is never in two places.  A free succeeds exactly when the object is live, and of
 * any number of frees of one life exactly one succeeds (`live` goes from true to false once).  A wrong free
 * changes nothing: what it did to the byte is gone when it returns, and who frees rightly is never refused.
 *
 * Mutants: 1 kfree looks and counts down in two steps; 2 kfree does not look; 3 several CPUs flush
 * and refill at a time; 4 the byte is set after the object was handed out; 5 a round goes into the magazine
 * before the byte is cleared; 6 a wrong free counts up again whatever the byte is by then; 7 a wrong free leaves the
 * byte as it made it.
 */
#include "machine.pml"

#ifndef OPERATIONS
#define OPERATIONS 3
#endif

short live_byte;        /* 1: live; wrong frees count it below 0 for a moment */
bool setting[N];        /* kmalloc's store of 1 waits in the store buffer */
bool is_live;           /* between the return of kmalloc and the free that succeeds */
bool in_slab = true;    /* its free bit */
bool in_magazine[N];
bool home_entered;
byte n_places = 1;      /* must never be above 1 */

#define FENCE(me) (!setting[me])

/* Leaves a place, comes to a place. */
#define LEAVES n_places--
#define COMES n_places++; assert(n_places == 1)

/* Whoever got the pointer from the CPU that allocated it got it after the byte had landed: stores land in their order. */
#define ANY_SETTING (setting[0] || setting[1] || setting[N - 1])
#define JUDGE \
    assert(is_live || !got); \
    assert(got || !is_live || ANY_SETTING); \
    is_live = is_live && !got

active proctype landing()
{
    do
    :: atomic { setting[0] -> setting[0] = false; live_byte = 1 }
    :: atomic { setting[1] -> setting[1] = false; live_byte = 1 }
#if N > 2
    :: atomic { setting[2] -> setting[2] = false; live_byte = 1 }
#endif
    od
}

inline home_enter(me)
{
    if
    :: MUTANT(3) -> skip
    :: else -> atomic { FENCE(me) && !home_entered -> home_entered = true }
    fi
}

/* magazine_refill: from the slab. */
inline refill(me)
{
    home_enter(me);
    got = in_slab;
    if
    :: got -> atomic { in_slab = false; in_magazine[me] = true }
    :: else -> skip
    fi;
    home_entered = false
}

/* magazine_flush. */
inline flush(me)
{
    home_enter(me);
    atomic { in_magazine[me] = false; in_slab = true };
    home_entered = false
}

/* kmalloc: the round leaves the magazine, the byte becomes 1, the pointer is everybody's. */
inline allocate(me)
{
    if
    :: in_magazine[me] -> skip
    :: else -> refill(me)
    fi;
    if
    :: in_magazine[me] ->
        atomic { in_magazine[me] = false; LEAVES };
        if
        :: MUTANT(4) -> atomic { is_live = true; COMES }; setting[me] = true
        :: else -> atomic { setting[me] = true; is_live = true; COMES }
        fi
    :: else -> skip
    fi;
    got = false
}

/* live_restore: by compare and exchange, as long as it is below 0. */
inline restore(me)
{
    now = live_byte;
    do
    :: now >= 0 -> break
    :: atomic { now < 0 && live_byte == now -> live_byte++; break }
    :: atomic { now < 0 && live_byte != now -> now = live_byte }
    od;
    now = 0
}

/* kfree. */
inline release(me)
{
    if
    :: MUTANT(1) ->
        atomic { got = live_byte == 1 || setting[me]; JUDGE };
        atomic { FENCE(me) -> live_byte-- }
    :: MUTANT(2) -> atomic { got = true; JUDGE }
    :: MUTANT(5) -> atomic { FENCE(me) -> got = live_byte == 1; JUDGE }
    :: else ->
        atomic { FENCE(me) -> live_byte--; got = live_byte >= 0; JUDGE }
    fi;
    if
    :: got ->
        LEAVES;
        atomic { in_magazine[me] = true; COMES };
        if
        :: MUTANT(5) -> live_byte = 0
        :: else -> skip
        fi;
        if
        :: flush(me)
        :: skip
        fi
    :: !got && MUTANT(6) -> live_byte++
    :: !got && (MUTANT(5) || MUTANT(7)) -> skip
    :: else -> restore(me)
    fi;
    got = false
}

proctype code(byte me)
{
    byte n;
    bool got;
    short now;

    do
    :: n == OPERATIONS -> break
    :: n < OPERATIONS -> n++;
        if
        :: true -> allocate(me)
        :: true -> release(me)
        fi
    od;
    finished[me] = true
}

/* When all is quiet the byte says what is so. */
proctype audit()
{
    timeout -> assert(live_byte == (is_live -> 1 : 0)); assert(n_places == 1)
}

init
{
    byte i;

    READ_MUTANT;
    atomic {
        do
        :: i < N -> run code(i); i++
        :: else -> break
        od;
        run audit()
    }
}
