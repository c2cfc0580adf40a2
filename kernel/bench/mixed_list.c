/* SPDX-License-Identifier: MIT */
/* The list of mixed_server: slots evenly, sizes by ten classes of which the small ones come most. */
#include <kernel/bench/mixed_list.h>

#include <kernel/bench/generator.h>

/* Sizes lo .. hi for those of a hundred that are below `bound` and in no class before. */
static const struct {
    u32 bound, lo, hi;
} classes[] = {
    {25, 8, 32},     {50, 33, 64},     {65, 65, 128},    {77, 129, 256},   {87, 257, 512},
    {93, 513, 1024}, {96, 1025, 2048}, {98, 2049, 4096}, {99, 4097, 8192}, {100, 8193, 65536},
};

static u32 size_of(u64 r, u64 s)
{
    u64 percent = (r >> 32) % 100;
    unsigned i = 0;

    while (classes[i].bound <= percent)
        i++;
    return (u32)(classes[i].lo + (s >> 11) % (classes[i].hi - classes[i].lo + 1));
}

void mixed_make(u32 *steps, struct mixed_sums *sums)
{
    u64 x = GENERATOR_SEED;

    *sums = (struct mixed_sums){.hash = 0xcbf29ce484222325UL};
    for (u32 i = 0; i < MIXED_STEPS; i++) {
        u64 r = generator_next(&x), s = generator_next(&x);
        u32 slot = (u32)(r % MIXED_SLOTS), size = size_of(r, s);

        steps[i] = size << MIXED_SLOT_BITS | slot;
        sums->bytes += size;
        sums->hash = (sums->hash ^ (slot | (u64)size << 16)) * 0x100000001b3UL;
    }
}
