/* SPDX-License-Identifier: MIT */
/* The search: breadth first, one level a depth.  See explore.h. */
#include <explore.h>

#include <mm/cpu.h>

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How a state was come to first. */
struct node {
    u32 parent;
    u32 operation;
};

/* The states met so far: nodes, and a table of hashes that is at most half full. */
static struct node *nodes;
static u64 n_nodes, max_nodes;
static struct state_hash *table;
static u64 table_size;

unsigned search_max_things;
bool search_is_silent;

static const struct world *world;
static struct baseline baseline;
static struct snapshot *root, *here;

static void *allocate(u64 bytes)
{
    void *p = calloc(1, bytes);

    if (p == NULL) {
        fprintf(stderr, "explore: no memory\n");
        abort();
    }
    return p;
}

/* True when the state is new. */
static bool table_add(struct state_hash hash)
{
    u64 i = hash.a % table_size;

    for (; table[i].a != 0 || table[i].b != 0; i = (i + 1) % table_size)
        if (table[i].a == hash.a && table[i].b == hash.b)
            return false;
    table[i] = hash;
    return true;
}

/* Runs an operation; a report that mm is broken is a complaint like any other. */
static bool run(struct things *things, const struct operation *operation)
{
    bool applies = false;

    host_cpu_select(operation->in_interrupt ? MM_CONTEXT_INTERRUPT : MM_CONTEXT_CODE);
    if (HOST_BREAKS(applies = operation->run(things, operation))) {
        complain("%s", host_last_report());
        applies = true;
    }
    host_cpu_select(MM_CONTEXT_CODE);
    state_normalize();
    return applies;
}

/* Does again what led to a node. */
static void replay(u32 node, struct things *things)
{
    if (node == 0) {
        snapshot_restore(root, things);
        return;
    }
    replay(nodes[node].parent, things);
    run(things, &world->operations[nodes[node].operation]);
}

static void print_way(u32 node)
{
    if (node == 0)
        return;
    print_way(nodes[node].parent);
    fprintf(stderr, "    %s\n", world->operations[nodes[node].operation].name);
}

static bool is_sound(u32 node, const struct operation *operation, const char *then)
{
    if (complaint() == NULL)
        return true;
    if (search_is_silent)
        return false;
    fprintf(stderr, "explore: world %s: %s\nafter\n", world->name, complaint());
    print_way(node);
    fprintf(stderr, "    %s%s\n", operation->name, then);
    return false;
}

/* One operation in the state `here` of a node. */
static bool expand(u32 node, u32 number, struct search_result *result)
{
    const struct operation *operation = &world->operations[number];
    struct things things;

    snapshot_restore(here, &things);
    if (!run(&things, operation))
        return is_sound(node, operation, "");
    result->n_transitions++;
    if (!is_sound(node, operation, ""))
        return false;
    if (!table_add(state_hash(&things)))
        return true;
    nodes[n_nodes++] = (struct node){node, number};
    judge_state(&things, &baseline);
    if (!is_sound(node, operation, ""))
        return false;
    judge_all_freed(&things, &baseline);
    return is_sound(node, operation, "\n    all freed, mm_shrink()");
}

static bool expand_all(u32 node, struct search_result *result)
{
    struct things things;

    replay(node, &things);
    snapshot_take(here, &things);
    for (u32 i = 0; world->operations[i].name != NULL; i++)
        if (!expand(node, i, result))
            return false;
    return true;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool start(const struct world *chosen, u64 max_states)
{
    static const struct machine_options options = {.dma_bytes = MIB(4)};
    struct machine_ram ram = {0, chosen->ram_bytes};
    struct things things = {0};

    world = chosen;
    search_max_things = chosen->max_things;
    max_nodes = max_states;
    n_nodes = 1;
    nodes = allocate(max_nodes * sizeof *nodes);
    table_size = 2 * max_nodes + 1;
    table = allocate(table_size * sizeof *table);
    root = snapshot_new();
    here = snapshot_new();
    complaint_forget();
    if (machine_start(&ram, 1, &options) != NULL) {
        fprintf(stderr, "explore: the machine does not start\n");
        return false;
    }
    state_start();
    if (chosen->prepare != NULL)
        chosen->prepare();
    mm_shrink();
    state_normalize();
    judge_start(&baseline);
    judge_state(&things, &baseline);
    snapshot_take(root, &things);
    table_add(state_hash(&things));
    if (complaint() != NULL)
        fprintf(stderr, "explore: world %s at its start: %s\n", world->name, complaint());
    return complaint() == NULL;
}

static void end(void)
{
    snapshot_drop(root);
    snapshot_drop(here);
    free(nodes);
    free(table);
    machine_stop();
}

/* Room for all that one node may lead to. */
static bool has_room(void)
{
    u64 n_operations = 0;

    while (world->operations[n_operations].name != NULL)
        n_operations++;
    return n_nodes + n_operations < max_nodes;
}

bool search(const struct world *chosen, unsigned max_depth, u64 max_states, double max_seconds,
            struct search_result *result)
{
    double deadline = seconds() + max_seconds;
    bool good = start(chosen, max_states);
    u64 node = 0;

    *result = (struct search_result){0};
    while (good && result->depth < max_depth && !result->is_closed) {
        u64 level_end = n_nodes;

        for (; good && node < level_end && has_room() && seconds() < deadline; node++)
            good = expand_all((u32)node, result);
        if (node < level_end)
            break;
        result->depth++;
        result->is_closed = n_nodes == level_end;
    }
    result->n_states = n_nodes;
    end();
    return good;
}
