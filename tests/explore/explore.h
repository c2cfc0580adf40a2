/* SPDX-License-Identifier: MIT */
/*
 * Every sequence of operations on a small machine.
 *
 * A *world* is a machine of a few pages, what of it is taken from the start, and a list of operations:
 * allocations, frees of what is held, frees of what is not, shrinking.  The search begins with the world as
 * it starts and does every operation in every state that it comes to, breadth first.  A state that was met
 * before is not gone through again: it is known by a hash of all that mm keeps (snapshot.c).  So what is said
 * of depth n holds for every sequence of n operations; and when no new state comes, for sequences of any
 * length.
 *
 * After each operation: mm_check; what was handed out overlaps nothing, is aligned and of the right zone; a
 * failure is believed only if there is no room by another count; every used frame is accounted for; a wrong
 * free is reported and leaves the state what it was.  In each new state: after everything has been freed and
 * mm_shrink, mm_stat is what it was at the beginning.
 */
#ifndef TESTS_EXPLORE_EXPLORE_H
#define TESTS_EXPLORE_EXPLORE_H

#include <machine.h>
#include <mm/inspect.h>

/* ---- what is held (things.c) ---- */

enum thing_kind { THING_FRAMES, THING_PAGES, THING_OBJECT };

/* Something that was allocated: 2^size frames, `size` pages, an object of 2^size bytes. */
struct thing {
    u32 kind, size;
    u64 at; /* physical */
};

#define MAX_THINGS 6

/* All that is held, in the order of kinds and addresses: the same things are the same list. */
struct things {
    u32 n;
    struct thing thing[MAX_THINGS];
};

void things_add(struct things *things, struct thing thing);
void things_remove(struct things *things, unsigned i);
u64 thing_bytes(const struct thing *thing);

/* Frees it; true when mm took it back. */
bool thing_free(const struct thing *thing);

/* ---- the machine as a whole (snapshot.c) ---- */

/* A copy of all that mm keeps, and the things. */
struct snapshot;
struct snapshot *snapshot_new(void);
void snapshot_drop(struct snapshot *snapshot);
void snapshot_take(struct snapshot *snapshot, const struct things *things);
void snapshot_restore(const struct snapshot *snapshot, struct things *things);

struct state_hash {
    u64 a, b;
};

/* The machine has started. */
void state_start(void);

/* Forgets counters and leftovers that nothing depends on, so that the same state is the same bytes. */
void state_normalize(void);
struct state_hash state_hash(const struct things *things);

/* Frames that serve mm itself: role tables, those in limbo too, descriptors, page tables that have a role. */
u64 state_n_metadata_frames(void);

/* ---- judging (judge.c) ---- */

/* The world as it started: what the judgements compare with. */
struct baseline {
    struct mm_stat_t stat;
    u64 n_metadata_frames;
};

/* Each says nothing when all is well; the first complaint is kept. */
void judge_start(struct baseline *baseline);
void judge_handed_out(const struct things *things, const struct thing *thing, unsigned zone);
void judge_no_room(const struct thing *wanted, unsigned zone);
void judge_state(const struct things *things, const struct baseline *baseline);
void judge_all_freed(struct things *things, const struct baseline *baseline);

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *complaint(void);
void complaint_forget(void);

/* ---- operations (operations.c) ---- */

struct operation {
    const char *name;
    /* False when there is nothing to be done it with here. */
    bool (*run)(struct things *things, const struct operation *operation);
    unsigned zone, size; /* of an allocation */
    unsigned which;      /* thing that it is done to */
    bool in_interrupt;
};

bool operation_frames(struct things *things, const struct operation *operation);
bool operation_pages(struct things *things, const struct operation *operation);
bool operation_object(struct things *things, const struct operation *operation);
bool operation_free(struct things *things, const struct operation *operation);
bool operation_free_part(struct things *things, const struct operation *operation);
bool operation_wrong_free(struct things *things, const struct operation *operation);
bool operation_shrink(struct things *things, const struct operation *operation);

/* ---- worlds and the search (worlds.c, search.c) ---- */

struct world {
    const char *name;
    u64 ram_bytes;
    unsigned max_things;                /* allocations are not asked for beyond that */
    void (*prepare)(void);              /* takes what is to be taken from the start; NULL: nothing */
    const struct operation *operations; /* until one without a name */
};

extern const struct world worlds[]; /* until one without a name */

struct search_result {
    unsigned depth; /* every sequence of so many operations was gone through */
    bool is_closed; /* and every longer one: no new state was left */
    u64 n_states, n_transitions;
};

/* Goes through a world to a depth, or until so many states or seconds are exceeded, then to the last whole
 * depth.  False when something is wrong; what, and the way there, is then written to stderr. */
bool search(const struct world *world, unsigned max_depth, u64 max_states, double max_seconds,
            struct search_result *result);

/* Of the world that is searched. */
extern unsigned search_max_things;

/* Says nothing of what it finds: for tests of the search itself. */
extern bool search_is_silent;

#endif
