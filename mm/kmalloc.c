/* SPDX-License-Identifier: MIT */
/*
 * kmalloc and kfree: the fast paths.
 *
 * kmalloc: the class by one bit scan, a round from the running context's magazine, live = 1.
 *
 * kfree: from the address to the byte that says whether an object starts there and is live, in five steps that are right
 * for every 64-bit value:
 *
 *      offset = address - PAGE_OFFSET            not below mm.ram_end: not RAM that the direct map could show
 *      page = page array[offset >> 21]           holes of RAM are pages without roles
 *      word = page->words[frame of the page]     leads to an object that is never live, where there is none
 *      number = offset in the frame, rotated right by the word's low 6 bits (role.c)
 *                                                not a multiple of the size: the low bits arrive on top, number is huge
 *      live = slab of the word -> live[number]   exchanged for 0; was it 1?
 *
 * So never-allocated, interior, foreign and doubly freed pointers fail one of two tests that the right ones need
 * anyway; the one atomic operation makes sure that of two simultaneous frees one fails.  What failed is looked at again,
 * slowly, for the report.
 *
 * A top-level page table in an object of kmalloc is noted in its role (paging), which leads kfree astray on purpose: the
 * slow path then refuses while the table is loaded.
 *
 * Cost: see mm.h; no lock, and no cache line that another CPU writes, unless the object is freed elsewhere.
 */
#include <lib/compiler.h>
#include <lib/string.h>
#include <mm/misuse.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/slab.h>

/* The class of the size `last` + 1, at least one byte: the position of its highest bit, 32 bytes being class 0. */
static inline ul class_of_last(ul last)
{
    return ((ul)(unsigned)__builtin_clzl(last | (1UL << (CLASS_MIN_SHIFT - 1))) ^ 63) - (CLASS_MIN_SHIFT - 1);
}

/* Clears the whole object that was made for this size. */
static NOINLINE void *object_clear(ul size, void *object)
{
    return memset(object, 0, 1UL << (class_of_last(size - 1) + CLASS_MIN_SHIFT));
}

/* The top round of a magazine, which is not empty, as a live object. */
static inline void *magazine_pop(struct magazine *magazine)
{
    u64 n = magazine->n;
    const struct round *round;

    magazine = OPAQUE(magazine); /* so that n is counted down in memory, and stays in its register */
    magazine->n--;
    round = &magazine->round[n - 1];
    magazine->n_allocs++;
    __atomic_store_n(round->live, 1, __ATOMIC_RELAXED);
    return round->object;
}

/* What the fast path does not do: no size, too large a size, an empty magazine. */
static NOINLINE void *kmalloc_slowly(ul size, gfp_t gfp)
{
    struct mm_cpu *cpu = platform_cpu();
    unsigned class;
    bool refilled;

    if (size > KMALLOC_MAX_BYTES) {
        platform_report(MM_NOTE, "mm: kmalloc(%lu): more than %lu bytes", size, KMALLOC_MAX_BYTES);
        return NULL;
    }
    if (size == 0)
        return kmalloc(1, gfp);
    class = (unsigned)class_of_last(size - 1);
    mm_enter(cpu);
    refilled = magazine_refill(cpu, class);
    mm_leave(cpu);
    if (refilled)
        return kmalloc(size, gfp);
    __atomic_fetch_add(&mm.class[class].n_failures, 1, __ATOMIC_RELAXED);
    platform_report(MM_NOTE, "mm: kmalloc: no memory for an object of %lu bytes", 1UL << (class + CLASS_MIN_SHIFT));
    return NULL;
}

FAST_PATH void *kmalloc(ul size, gfp_t gfp)
{
    struct mm_cpu *cpu = platform_cpu();
    ul last = size - 1;
    struct magazine *magazine;
    void *object;

    if (UNLIKELY(last >= KMALLOC_MAX_BYTES))
        return kmalloc_slowly(size, gfp);
    magazine = OPAQUE(&cpu->magazine[class_of_last(last)]);
    mm_enter(cpu);
    if (UNLIKELY(magazine->n == 0)) {
        mm_leave(cpu);
        return kmalloc_slowly(size, gfp);
    }
    object = magazine_pop(magazine);
    mm_leave(cpu);
    return UNLIKELY(gfp & __GFP_ZERO) ? object_clear(size, object) : object;
}

FAST_PATH void *kzalloc(ul size, gfp_t gfp)
{
    return kmalloc(size, gfp | __GFP_ZERO);
}

enum refusal { WRONG, RETIRED, LOADED };

/* Why the fast path refused an address.  A top-level table that is not loaded becomes an ordinary object again. */
static enum refusal refusal_of(phys_t at)
{
    struct mm_cpu *cpu = platform_cpu();
    enum refusal refusal = WRONG;

    mm_enter(cpu);
    if (at.addr % FRAME_BYTES == 0 && role_of(at) > ROLE_TOP_LEVEL) {
        refusal = ((ul)get_CR3() & PAGE_4K_MASK) == at.addr ? LOADED : RETIRED;
        if (refusal == RETIRED)
            role_forget_top_level(at);
    }
    mm_leave(cpu);
    return refusal;
}

/* What the fast path refused: NULL, a top-level table, or misuse. */
static NOINLINE ul kfree_refused(void *address)
{
    if (address == NULL)
        return 0;
    switch (refusal_of(pointer_phys(address))) {
    case RETIRED:
        return kfree(address);
    case LOADED:
        mm_misuse("kfree", (ul)address, "a page table");
        return (ul)-EFAULT;
    default:
        return (ul)misuse_virt("kfree", virt((u64)address));
    }
}

static inline u64 rotate_right(u64 x, u64 n)
{
    return x >> (n & 63) | x << (-n & 63);
}

/* Puts an object that is dead by now into a full magazine, and leaves mm. */
static NOINLINE ul kfree_flushed(void *address, u8 *live, unsigned class)
{
    struct mm_cpu *cpu = platform_cpu();
    struct magazine *magazine = &cpu->magazine[class];

    magazine_flush(cpu, class);
    magazine->round[magazine->n++] = (struct round){address, live};
    if (magazine->n > magazine->capacity)
        magazine_drain(cpu, class);
    mm_leave(cpu);
    return 0;
}

FAST_PATH ul kfree(void *address)
{
    struct mm_cpu *cpu = platform_cpu();
    u64 offset = (u64)address - PAGE_OFFSET;
    struct magazine *magazine;
    u64 number;
    ul word;
    u8 *live;
    u32 n;

    if (UNLIKELY(offset >= mm.ram_end))
        return kfree_refused(address);
    mm_enter(cpu);
    word = page_of(phys(offset))->words[offset / FRAME_BYTES % PAGE_FRAMES];
    number = rotate_right(offset % FRAME_BYTES, word);
    if (UNLIKELY(number >= SLAB_MAX_OBJECTS))
        goto refused;
    live = &live_of_word(word)[number];
    if (UNLIKELY(__atomic_exchange_n(live, 0, __ATOMIC_ACQ_REL) == 0))
        goto refused;
    word &= 0x3f;
    magazine = OPAQUE(&cpu->magazine[word - CLASS_MIN_SHIFT]);
    n = magazine->n;
    if (UNLIKELY(n == magazine->capacity))
        return kfree_flushed(address, live, (unsigned)word - CLASS_MIN_SHIFT);
    magazine = OPAQUE(magazine); /* so that n is counted up in memory, and stays in its register */
    magazine->n++;
    magazine->round[n] = (struct round){address, live};
    mm_leave(cpu);
    return 0;

refused:
    mm_leave(cpu);
    return kfree_refused(address);
}
