/* SPDX-License-Identifier: MIT */
/*
 * mm_stat: seven numbers from what is counted anyway.
 *
 *      total       = managed frames of all zones
 *      free        = free frames of all zones + frames and pages in the CPUs' stacks
 *      cache_free  = objects free in slabs (counted in batches) + rounds in magazines
 *      cache_used  = frames held by kmalloc (counted a slab at a time) - cache_free
 *
 * So the fast paths count nothing but what they have to: where the top of a magazine is.  Bytes in magazines are a sum over
 * classes of (top - bottom) << class, and the bottoms are the same everywhere, so what they come to is a constant.  The tops are
 * summed two by two, as halves of one word, from the largest classes down (Horner's scheme: each pair is worth four times
 * the one below), and the halves added last, the upper one twice:
 *
 *      word      top of class 1 | top of class 0          top of class 3 | top of class 2          ...
 *      sum  =    word 0 + 4 * (word 1 + 4 * (word 2 + ...))         neither half overflows 32 bits
 *
 * The other three numbers are computed from these, so the identities hold in every copy, also in one taken while others work.
 *
 * Cost: about 50 instructions, and 40 for every CPU after the first; independent of RAM and objects.
 */
#include <lib/bits.h>
#include <mm/page.h>
#include <mm/slab.h>

/* Two tops as one word. */
typedef u64 __attribute__((may_alias)) top_pair;

_Static_assert((offsetof(struct mm_cpu, top) + CLASS_MIN_SHIFT * sizeof(u32)) % sizeof(top_pair) == 0, "aligned pairs");
_Static_assert((sizeof(struct mm_cpu) << MM_N_CLASSES) < 1UL << 31, "no half overflows");

/* The sum over the classes of their bottoms << class. */
static inline u64 bottoms_sum(void)
{
    u64 sum = 0;

#pragma GCC unroll 16
    for (unsigned class = 0; class < MM_N_CLASSES; class++)
        sum += (u64)magazine_bottom(class) << class;
    return sum;
}

/* Bytes in the magazines of one context. */
static inline u64 magazine_bytes(const struct mm_cpu *cpu)
{
    const top_pair *pair = (const top_pair *)&cpu->top[CLASS_MIN_SHIFT];
    u64 sum = 0;

#pragma GCC unroll 8
    for (unsigned i = MM_N_CLASSES / 2; i-- > 0;)
        sum = 4 * sum + pair[i];
    sum = (u32)sum + (sum >> 31); /* bit 31 of the lower half is clear */
    return (sum - bottoms_sum()) * ((1UL << CLASS_MIN_SHIFT) / sizeof(struct round));
}

FAST_PATH struct mm_stat_t mm_stat(void)
{
    u64 cache = 0, cache_free = 0;
    u64 free_frames = mm.zone[0].n_free_frames + mm.zone[1].n_free_frames + mm.zone[2].n_free_frames;
    const struct mm_cpu *cpu = mm.boot_cpu;
    struct mm_stat_t s;

    do {
        free_frames += mm_cpu_free_frames(cpu);
        cache += cpu->cache_bytes + cpu->other->cache_bytes;
        cache_free += magazine_bytes(cpu) + cpu->slab_free_bytes + cpu->other->slab_free_bytes;
        cpu = cpu->other->next; /* code's only: interrupt handlers' magazines and stacks hold nothing */
    } while (cpu != NULL);
    s.total = mm.ram_bytes;
    s.free = min_u64(free_frames * FRAME_BYTES, s.total);
    s.used = s.total - s.free;
    cache = min_u64(cache, s.used);
    s.cache_free = min_u64(cache_free, cache);
    s.cache_used = cache - s.cache_free;
    s.shared = __atomic_load_n(&mm.shared_bytes, __ATOMIC_RELAXED);
    s.available = s.free + s.cache_free;
    return s;
}
