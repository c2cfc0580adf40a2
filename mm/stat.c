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
 * The other numbers are computed from these, so the identities hold in every copy, also in one taken while others work.
 *
 * Cost: 55 instructions with one CPU, whose addresses the linker knows; 40 and 35 a CPU with more; independent of RAM and
 * objects.
 */
#include <lib/bits.h>
#include <lib/compiler.h>
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

/* What is added up over CPUs. */
struct cpu_sums {
    u64 free_frames, cache, cache_free;
};

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Adds what a CPU has: code, and its interrupt handlers, whose magazines and stacks hold nothing. */
static ALWAYS_INLINE void sums_add(struct cpu_sums *sums, const struct mm_cpu pair[MM_N_CONTEXTS])
{
    const struct mm_cpu *code = &pair[MM_CONTEXT_CODE], *interrupt = &pair[MM_CONTEXT_INTERRUPT];

    sums->free_frames += mm_cpu_free_frames(code);
    sums->cache += code->cache_bytes + interrupt->cache_bytes;
    sums->cache_free += magazine_bytes(code) + code->slab_free_bytes + interrupt->slab_free_bytes;
}

/* The numbers, from what was added up.  What has changed meanwhile may make a part larger than its whole: then it is cut.
 * OPAQUE is there for the compiler to jump, which costs nothing most often, and not to select. */
static ALWAYS_INLINE struct mm_stat_t stat_of_sums(u64 free_frames, u64 cache, u64 cache_free)
{
    ul total = __atomic_load_n(&mm.ram_bytes, __ATOMIC_RELAXED), free = free_frames * FRAME_BYTES, used, cache_used;

    if (UNLIKELY(__builtin_sub_overflow(total, free, &used))) {
        free = OPAQUE(total);
        used = 0;
    }
    if (UNLIKELY(cache > used))
        cache = OPAQUE(used);
    if (UNLIKELY(__builtin_sub_overflow(cache, cache_free, &cache_used))) {
        cache_free = OPAQUE(cache);
        cache_used = 0;
    }
    return (struct mm_stat_t){
        .total = total,
        .used = used,
        .free = free,
        .shared = __atomic_load_n(&mm.shared_bytes, __ATOMIC_RELAXED),
        .cache_used = cache_used,
        .cache_free = cache_free,
        .available = free + cache_free,
    };
}

FAST_PATH struct mm_stat_t mm_stat(void)
{
    struct cpu_sums sums = {mm.zone[0].n_free_frames + mm.zone[1].n_free_frames + mm.zone[2].n_free_frames, 0, 0};
    const struct mm_cpu *pair = mm.boot_cpu;

    if (LIKELY(pair[MM_CONTEXT_INTERRUPT].next == NULL)) {
        sums_add(&sums, pair);
        return stat_of_sums(sums.free_frames, sums.cache, sums.cache_free);
    }
    pair = OPAQUE(pair);
    do {
        sums_add(&sums, pair);
        pair = pair[MM_CONTEXT_INTERRUPT].next;
    } while (pair != NULL);
    return stat_of_sums(sums.free_frames, sums.cache, sums.cache_free);
}
