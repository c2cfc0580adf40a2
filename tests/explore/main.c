/* SPDX-License-Identifier: MIT */
/*
 * explore [SECONDS [WORLD]]: goes through the worlds, or one, for about so many seconds each (60), as deep as
 * that gets.
 */
#include <explore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH  1000
#define MAX_STATES 20000000

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 60;
    struct search_result result;
    bool good = true;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 3 || seconds <= 0) {
        fprintf(stderr, "usage: explore [SECONDS [WORLD]]\n");
        return 2;
    }
    for (const struct world *world = worlds; world->name != NULL; world++) {
        if (argc > 2 && strcmp(argv[2], world->name) != 0)
            continue;
        good &= search(world, MAX_DEPTH, MAX_STATES, seconds, &result);
        printf("%-16s all sequences of %u operations%s: %lu states, %lu operations run\n", world->name,
               result.depth, result.is_closed ? ", and all longer ones" : "", result.n_states,
               result.n_transitions);
    }
    return good ? 0 : 1;
}
