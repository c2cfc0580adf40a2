/* SPDX-License-Identifier: MIT */
/*
 * One step of a worker.
 *
 * It picks one of its things at random.  Nothing becomes something of a random kind; something is checked and
 * then dropped, or handed to another CPU to be dropped there; so about half of the things are something, and
 * memory is as full as the budget says.  Handing over: the giver puts a copy into an empty parcel of the
 * other's inbox; the owner of the inbox takes it out at its next step.
 *
 *      EMPTY --(giver: compare and exchange)--> WRITING --> FULL --(owner)--> EMPTY
 */
#include <kernel/cpu/registers.h>
#include <kernel/stress/worker.h>
#include <mm/mm.h>

enum parcel_state { PARCEL_EMPTY, PARCEL_WRITING, PARCEL_FULL };

#define REST_STEPS_FIRST   256
#define REST_STEPS_MOST    (1UL << 20)
#define GIVE_ONE_IN        4
#define STEPS_BEFORE_PAUSE 16 /* lets CPUs on that take turns under emulation */
#define BURST_ONE_IN       3
#define PEEK_ONE_IN        2
#define SHRINK_ONE_IN      4096
#define RARE_ONE_IN        512
#define SPOIL_ONE_IN       1024

static const struct kind_of_thing *const kinds[N_THING_KINDS] = {
    [THING_OBJECT] = &kind_object,
    [THING_BLOCK] = &kind_block,
    [THING_PAGES] = &kind_pages,
    [THING_MAPPING] = &kind_mapping,
};

const struct kind_of_thing *kind_of(const struct thing *thing)
{
    return kinds[thing->kind];
}

static bool has_part(const struct worker *worker, enum stress_part part)
{
    return (stress.parts & part) != 0 && !worker->in_interrupt;
}

/* Objects mostly: they are the most different.  Interrupt handlers may not map. */
static enum thing_kind choose_kind(struct worker *worker)
{
    static const u8 choices[16] = {THING_OBJECT, THING_OBJECT,  THING_OBJECT,  THING_OBJECT,
                                   THING_OBJECT, THING_OBJECT,  THING_OBJECT,  THING_OBJECT,
                                   THING_BLOCK,  THING_BLOCK,   THING_BLOCK,   THING_BLOCK,
                                   THING_PAGES,  THING_MAPPING, THING_MAPPING, THING_MAPPING};
    static const u32 parts[N_THING_KINDS] = {
        [THING_OBJECT] = STRESS_OBJECTS,
        [THING_BLOCK] = STRESS_BLOCKS,
        [THING_PAGES] = STRESS_PAGES,
        [THING_MAPPING] = STRESS_MAPPINGS,
    };
    enum thing_kind kind = choices[worker_random(worker) % ARRAY_LENGTH(choices)];

    if ((stress.parts & parts[kind]) == 0 || (kind == THING_MAPPING && worker->in_interrupt))
        return THING_NONE;
    return kind;
}

/* After a failure that kind has a rest, a longer one each time.  Bursts are noted as THING_NONE. */
static bool note_result(struct worker *worker, enum thing_kind kind, bool good)
{
    u64 rest = worker->rest[kind];

    worker->n_refused += !good;
    worker->rest[kind] = good ? 0 : min_u64(max_u64(rest * 2, REST_STEPS_FIRST), REST_STEPS_MOST);
    worker->rest_until[kind] = worker->n_steps + worker->rest[kind];
    return good;
}

static void make(struct worker *worker, struct thing *thing)
{
    enum thing_kind kind = choose_kind(worker);

    if (kind == THING_NONE || worker->bytes > worker->budget_bytes ||
        worker->n_steps < worker->rest_until[kind])
        return;
    if (!note_result(worker, kind, kinds[kind]->make(worker, thing)) || thing->kind == THING_NONE)
        return;
    trace(worker, TRACE_MAKE, kind, thing->at, thing->number);
    worker->n_made[kind]++;
    worker->bytes += kinds[kind]->bytes(thing);
}

static void drop(struct worker *worker, struct thing *thing)
{
    trace(worker, TRACE_DROP, thing->kind, thing->at, thing->number);
    worker->bytes -= kind_of(thing)->bytes(thing);
    kind_of(thing)->drop(worker, thing);
    thing->kind = THING_NONE;
}

/* ---- handing over ---- */

static void give(struct worker *worker, struct thing *thing)
{
    struct worker *to = stress.worker[worker_random(worker) % stress.n_workers];
    struct parcel *parcel = &to->inbox[worker_random(worker) % WORKER_PARCELS];
    u32 empty = PARCEL_EMPTY;

    if (!__atomic_compare_exchange_n(&parcel->state, &empty, PARCEL_WRITING, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return;
    worker->bytes -= kind_of(thing)->bytes(thing);
    trace(worker, TRACE_GIVE, thing->kind, thing->at, thing->number);
    parcel->thing = *thing;
    thing->kind = THING_NONE;
    worker->n_given++;
    __atomic_store_n(&parcel->state, PARCEL_FULL, __ATOMIC_RELEASE);
}

static void open_parcel(struct worker *worker, struct parcel *parcel)
{
    struct thing thing;

    if (__atomic_load_n(&parcel->state, __ATOMIC_ACQUIRE) != PARCEL_FULL)
        return;
    thing = parcel->thing;
    __atomic_store_n(&parcel->state, PARCEL_EMPTY, __ATOMIC_RELEASE);
    trace(worker, TRACE_TAKE, thing.kind, thing.at, thing.number);
    worker->bytes += kind_of(&thing)->bytes(&thing);
    kind_of(&thing)->check(worker, &thing);
    drop(worker, &thing);
}

/* ---- steps ---- */

/* Takes one of what is left of an allowance. */
static bool take_allowed(u32 *n_allowed)
{
    u32 n = __atomic_load_n(n_allowed, __ATOMIC_RELAXED);

    return n != 0 &&
           __atomic_compare_exchange_n(n_allowed, &n, n - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Writes into an object of its own what does not belong there. */
static void spoil(struct worker *worker)
{
    for (u32 i = 0; i < WORKER_THINGS; i++)
        if (worker->thing[i].kind == THING_OBJECT) {
            trace(worker, TRACE_SPOIL, THING_OBJECT, worker->thing[i].at, worker->thing[i].number);
            *(u64 *)worker->thing[i].at ^= 1;
            return;
        }
}

static void sometimes(struct worker *worker)
{
    if (has_part(worker, STRESS_SPOIL) && worker_chance(worker, SPOIL_ONE_IN))
        spoil(worker);
    if (has_part(worker, STRESS_MAPPINGS) && worker_chance(worker, PEEK_ONE_IN))
        cells_peek(worker);
    if (has_part(worker, STRESS_SHRINK) && worker_chance(worker, SHRINK_ONE_IN)) {
        trace(worker, TRACE_SHRINK, 0, 0, 0);
        mm_shrink();
    }
    if (has_part(worker, STRESS_WRONG) && worker_chance(worker, RARE_ONE_IN) &&
        take_allowed(&stress.n_wrong_allowed))
        wrong_call(worker);
    if (has_part(worker, STRESS_SHORTAGE) && worker_chance(worker, RARE_ONE_IN) &&
        take_allowed(&stress.n_shortages_allowed))
        shortage(worker);
}

/* In a crowd there is nothing else. */
static void crowd_step(struct worker *worker)
{
    worker->n_steps++;
    worker->n_refused += !burst(worker);
    if (worker->n_steps % STEPS_BEFORE_PAUSE == 0)
        cpu_pause();
}

void worker_step(struct worker *worker)
{
    struct thing *thing = &worker->thing[worker_random(worker) % WORKER_THINGS];

    if (stress.crowd != NULL) {
        crowd_step(worker);
        return;
    }
    worker->n_steps++;
    if (worker->n_steps >= worker->rest_until[THING_NONE] && worker_chance(worker, BURST_ONE_IN)) {
        note_result(worker, THING_NONE, burst(worker));
    } else if (thing->kind == THING_NONE) {
        make(worker, thing);
    } else {
        kind_of(thing)->check(worker, thing);
        if (!worker->in_interrupt && worker_chance(worker, GIVE_ONE_IN))
            give(worker, thing);
        else
            drop(worker, thing);
    }
    if (worker->n_steps % STEPS_BEFORE_PAUSE == 0)
        cpu_pause();
    if (!worker->in_interrupt)
        open_parcel(worker, &worker->inbox[worker->n_steps % WORKER_PARCELS]);
    sometimes(worker);
}

void worker_check_all(struct worker *worker)
{
    for (u32 i = 0; i < WORKER_THINGS && !stress.failed; i++)
        if (worker->thing[i].kind != THING_NONE)
            kind_of(&worker->thing[i])->check(worker, &worker->thing[i]);
}

void worker_drop_all(struct worker *worker)
{
    for (u32 i = 0; i < WORKER_PARCELS; i++)
        open_parcel(worker, &worker->inbox[i]);
    for (u32 i = 0; i < WORKER_THINGS; i++)
        if (worker->thing[i].kind != THING_NONE)
            drop(worker, &worker->thing[i]);
}
