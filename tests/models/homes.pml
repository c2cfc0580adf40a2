/* SPDX-License-Identifier: MIT */
/*
 * Homes of slabs: mm/home.c, and how mm/reclaim.c goes through them.
 *
 * One slab of two objects in one group, made by CPU 0.  Each CPU has a home without a lock; nobody's home has
 * one.  CPUs take objects (out of their home, or after adopting the slab), and give any object that is out, their
 * own or another's; they leave their home as mm_shrink has them do.  Magazines are left out: what is freed is
 * given at once.  In the end everything is given, and somebody shrinks.
 *
 * Properties.  An object is in one place.  The group is in one `returned` list at most, and in one just when it
 * has such bits and nobody is about to push it.  The slab is freed only when all its objects lie in it, and nobody
 * touches it afterwards.  When everything has been given, one mm_shrink frees it.
 *
 * Mutants: 1 every bit pushes; 2 who collects clears the bits in two steps; 3 a group of another home is taken in
 * all the same; 4 a group of another home is dropped; 5 the slab is left without nobody's lock; 6 mm_shrink goes
 * through the homes only once, also when a group was sent on (wants 5 operations: a CPU reads the slab's home and
 * pushes the group there when the slab has gone, come to another CPU, and is full).
 */
#include "machine.pml"

#ifndef OPERATIONS
#define OPERATIONS 3
#endif

#define NOBODY N
#define OBJECTS 2
#define ALL 3

byte home;                  /* of the slab */
bool is_full;                  /* SLAB_FULL: in no list of its home */
bool destroyed;
byte free_bits = ALL;
byte returned_bits;
byte n_absent;
bool in_list[N + 1];        /* the group is in `returned` of a home */
bool out[OBJECTS];          /* in somebody's hands */
bool orphans_lock;
byte n_lists, n_pushers;
bool sent_on;               /* a group, since mm_shrink last began */

#define SLAB_IS_THERE assert(!destroyed)

/* group_push: reads the home, then the list; others may move the slab in between. */
inline push()
{
    SLAB_IS_THERE;
    to = home;
    atomic {
        SLAB_IS_THERE;
        n_lists++;
        assert(n_lists == 1 && !in_list[to]);
        in_list[to] = true;
        n_pushers--;
        to = 0
    }
}

/* slab_emptied, always without keeping it: the hardest case. */
inline maybe_emptied()
{
    if
    :: n_absent == 0 -> assert(free_bits == ALL && returned_bits == 0); destroyed = true
    :: else -> skip
    fi
}

/* returned_collect.  `h` is entered. */
inline collect(h)
{
    atomic {
        got = in_list[h];
        n_lists = n_lists - (in_list[h] -> 1 : 0);
        in_list[h] = false;
        n_pushers = n_pushers + (got -> 1 : 0)
    };
    if
    :: got ->
        SLAB_IS_THERE;
        if
        :: home == h || MUTANT(3) ->
            is_full = false;
            if
            :: MUTANT(2) -> bits = returned_bits; returned_bits = 0; n_pushers--
            :: else -> atomic { bits = returned_bits; returned_bits = 0; n_pushers-- }
            fi;
            atomic {
                SLAB_IS_THERE;
                assert((free_bits & bits) == 0);
                free_bits = free_bits | bits;
                n_absent = n_absent - (bits & 1) - (bits >> 1);
                bits = 0;
                maybe_emptied()
            }
        :: home != h && !MUTANT(3) && MUTANT(4) -> n_pushers--
        :: else -> sent_on = true; push()
        fi
    :: else -> skip
    fi;
    got = false
}

#define LISTED(h) (!destroyed && home == h && !is_full)

/* home_take, of one object; `h` is entered. */
inline take(h)
{
    if
    :: !LISTED(h) -> collect(h)
    :: else -> skip
    fi;
    if
    :: LISTED(h) ->
        atomic {
            assert(free_bits != 0);
            i = ((free_bits & 1) -> 0 : 1);
            free_bits = free_bits & (i == 0 -> 2 : 1);
            assert(!out[i]);
            out[i] = true;
            n_absent++;
            is_full = (free_bits == 0);
            i = 0
        }
    :: else -> skip
    fi
}

inline orphans_enter()
{
    if
    :: MUTANT(5) -> skip
    :: else -> atomic { !orphans_lock -> orphans_lock = true }
    fi
}

/* home_adopt. */
inline adopt(h)
{
    if
    :: LISTED(NOBODY) || in_list[NOBODY] ->
        orphans_enter();
        collect(NOBODY);
        if
        :: LISTED(NOBODY) -> home = h
        :: else -> skip
        fi;
        orphans_lock = false
    :: else -> skip
    fi
}

/* home_give, of one object. */
inline give(h, o)
{
    SLAB_IS_THERE;
    if
    :: home == h ->
        atomic {
            SLAB_IS_THERE;
            assert(home == h && out[o] && !(free_bits & (1 << o)));
            out[o] = false;
            free_bits = free_bits | (1 << o);
            is_full = false;
            n_absent--;
            maybe_emptied()
        }
    :: else ->
        atomic {
            SLAB_IS_THERE;
            assert(!(returned_bits & (1 << o)));
            got = (returned_bits == 0 || MUTANT(1));
            returned_bits = returned_bits | (1 << o);
            out[o] = false;
            n_pushers = n_pushers + (got -> 1 : 0)
        };
        if
        :: got -> push()
        :: else -> skip
        fi;
        got = false
    fi
}

/* home_leave of a CPU's home, on that CPU. */
inline leave(h)
{
    collect(h);
    if
    :: LISTED(h) ->
        orphans_enter();
        home = NOBODY;
        orphans_lock = false
    :: else -> skip
    fi
}

/* Who gives an object has it alone. */
bool taken_to_give[OBJECTS];
byte n_finished;

proctype code(byte me)
{
    byte n, i, bits, to;
    bool got;

    do
    :: n == OPERATIONS -> break
    :: n < OPERATIONS -> n++;
        if
        :: !destroyed -> take(me);
            if
            :: !LISTED(me) -> adopt(me)
            :: else -> skip
            fi
        :: atomic { out[0] && !taken_to_give[0] -> taken_to_give[0] = true }; give(me, 0); taken_to_give[0] = false
        :: atomic { out[1] && !taken_to_give[1] -> taken_to_give[1] = true }; give(me, 1); taken_to_give[1] = false
        :: leave(me)
        :: break
        fi
    od;
    n_finished++
}

/* When all have come to their end: the rest is given, and mm_shrink goes through all homes, each on its CPU. */
proctype shrink()
{
    byte i, h, bits, to;
    bool got;

    n_finished == N;
    assert(n_pushers == 0 || MUTANT(4));
    if
    :: out[0] -> give(0, 0)
    :: else -> skip
    fi;
    if
    :: out[1] -> give(N - 1, 1)
    :: else -> skip
    fi;
    do
    :: sent_on = false;
        h = 0;
        do
        :: h < N -> leave(h); h++
        :: h == N -> break
        od;
        collect(NOBODY);
        if
        :: sent_on && !MUTANT(6) -> skip
        :: else -> break
        fi
    od;
    if
    :: LISTED(NOBODY) && free_bits == ALL -> destroyed = true   /* was nobody's, and empty */
    :: else -> skip
    fi;
    assert(destroyed);
    finished[0] = true;
    finished[1] = true;
    finished[N - 1] = true
}

init
{
    byte i;

    READ_MUTANT;
    atomic {
        run watch();
        do
        :: i < N -> run code(i); i++
        :: else -> break
        od;
        run shrink()
    }
}
