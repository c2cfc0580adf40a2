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
 *      live = slab of the word -> live[number]   counted down, atomically; was it 1?
 *
 * So never-allocated, interior, foreign and doubly freed pointers fail one of two tests that the right ones need
 * anyway; the one atomic operation makes sure that of two simultaneous frees one fails.  What failed is looked at again,
 * slowly, for the report.  A live byte is 1 for a live object and 0 for any other; for the moment that a wrong free takes to
 * see its mistake and to count up again, it is below 0.
 *
 * A wrong free may be late: since it read the word, the object may have been freed, and its frame become something else.  A slab
 * does not while the byte can be reached (limbo.c).  The byte of a block lies in the word itself, so it is one of the word
 * that is there now: 0 unless another block begins there, which lives; then that is what is freed, and its class is read
 * from the word once more, since it may be another one by now.  (If it is noted as a top-level table meanwhile, the index leads
 * to a magazine that is full for ever.)
 *
 * Why counted, and not exchanged: the sign comes with it, where an exchange wants a value before and a test after.
 *
 * Why locked, also for an object that is freed where it came from: what kfree returns depends on whether another CPU was
 * first, for both of them.  No such operation can do with plain loads and stores: each CPU would have to write that it is
 * there, and then to read whether the other one is, and a store may still wait in the CPU when the load after it is done
 * (Attiya et al., "Laws of Order", POPL 2011: an atomic instruction or a fence between a store and a load is needed in one of the
 * two at least).  To leave it to the other one alone, that would have to interrupt this CPU and wait for its answer, which
 * kfree may not: it is called with interrupts off, and by interrupt handlers.  To find out later, when the object goes
 * home, is too late for the value that was returned.  So one locked instruction a pair it is, about 5 ns, on a cache line that
 * no other CPU wants; all else is plain.
 *
 * A top-level page table in an object of kmalloc is noted in the object's role when mm meets it, which leads kfree astray on
 * purpose: the slow path then refuses while the table is loaded on a CPU (top.c).  One that mm was never told of is seen where the
 * slow path runs anyway: in the debug mode; and, loaded here, by a full magazine.  In that last case the object is dead from
 * the count down until the mistake is seen, so the first mapping call ever that is given the table, on another CPU just then, is
 * refused.  It is the one wrong call that a right one elsewhere may notice: all others find out before they change anything
 * (kfree of what is not live, mapping calls), or with a lock held that whoever is refused takes to look again (page.c,
 * frame.c, top.c).
 *
 * Cost: see mm.h; no lock, and no cache line that another CPU writes, unless the object is freed elsewhere.
 */
#include <lib/bits.h>
#include <lib/compiler.h>
#include <lib/string.h>
#include <mm/magazine.h>
#include <mm/misuse.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/sanitize.h>
#include <mm/slab.h>
#include <mm/top.h>

#define CLEAR_BY_STORES_BYTES 256

/* The highest bit of size - 1, or that of 31: log2 of the object's size, less 1; more than any class has for 0 or too much. */
static inline ul bit_of(ul size)
{
    return highest_bit((size - 1) | (1UL << (CLASS_MIN_SHIFT - 1)));
}

static inline struct round *round_at(struct mm_cpu *cpu, u32 top)
{
    return (struct round *)((u8 *)cpu + top);
}

/*
 * The top round of a magazine as a live object; false when there is none.
 * OPAQUE is there for the compiler: to count `top` down in memory, to address by cpu + top twice, which costs nothing, and to
 * keep the object in the register that it is returned in.
 */
static inline bool magazine_pop(struct mm_cpu *cpu, ul bit, void **out)
{
    u32 top = cpu->top[bit + 1];
    void *object = round_at(cpu, top)->object;
    u8 *live;

    if (UNLIKELY(object == NULL))
        return false;
    cpu = OPAQUE(cpu);
    bit = OPAQUE(bit);
    cpu->top[bit + 1] -= (u32)sizeof(struct round);
    bit = OPAQUE(bit);
    live = round_at(cpu, top)->live;
    __atomic_store_n(live, 1, __ATOMIC_RELAXED);
    *out = OPAQUE(object);
    return true;
}

/* Clears n bytes, a multiple of 32: the small ones by plain stores, sooner done than a string instruction is under way. */
static inline void object_clear(u64 *object, ul n)
{
    if (n > CLEAR_BY_STORES_BYTES) {
        memset(object, 0, n);
        return;
    }
    for (const u64 *end = object + n / sizeof *object; object < end; object += 4) {
        object = OPAQUE(object);
        object[0] = object[1] = object[2] = object[3] = 0;
    }
}

/* Clears the whole of an object that was made for this size. */
static NOINLINE void *kmalloc_cleared(ul size, void *object)
{
    ul bytes = 2UL << bit_of(size);

    sanitize_object_opened(object, bytes);
    object_clear(object, bytes);
    sanitize_object_taken(object, size);
    return object;
}

static unsigned class_of(ul size)
{
    return size == 0 ? 0 : (unsigned)bit_of(size) + 1 - CLASS_MIN_SHIFT;
}

static void *kmalloc_failed(ul size)
{
    unsigned class = class_of(size);

    __atomic_fetch_add(&mm.n_failures[class], 1, __ATOMIC_RELAXED);
    platform_report(MM_NOTE, "mm: kmalloc: no memory for an object of %lu bytes", 1UL << (class + CLASS_MIN_SHIFT));
    return NULL;
}

/* What the fast path does not do: no size, too large a size, an empty magazine, the debug mode. */
static NOINLINE void *kmalloc_slowly(ul size, gfp_t gfp)
{
    struct mm_cpu *cpu = platform_cpu();
    bool refilled;

    if (size > KMALLOC_MAX_BYTES) {
        platform_report(MM_NOTE, "mm: kmalloc(%lu): more than %lu bytes", size, KMALLOC_MAX_BYTES);
        return NULL;
    }
    if (UNLIKELY(mm.debug.features != 0)) {
        void *object = debug_kmalloc(size, gfp, DEBUG_HERE);

        return object != NULL ? object : kmalloc_failed(size);
    }
    if (size == 0)
        return kmalloc(1, gfp);
    mm_enter(cpu);
    refilled = magazine_refill(cpu, class_of(sanitize_padded(size)));
    mm_leave(cpu);
    return refilled ? kmalloc(size, gfp) : kmalloc_failed(size);
}

FAST_PATH void *kmalloc(ul size, gfp_t gfp)
{
    struct mm_cpu *cpu = platform_cpu();
    ul bit = bit_of(sanitize_padded(size));
    void *object;
    bool popped;

    mm_enter_fast(cpu);
    popped = magazine_pop(cpu, bit, &object);
    mm_leave_fast(cpu);
    if (UNLIKELY(!popped))
        return kmalloc_slowly(size, gfp);
    sanitize_object_taken(object, size);
    return UNLIKELY(gfp & __GFP_ZERO) ? kmalloc_cleared(size, object) : object;
}

FAST_PATH void *kzalloc(ul size, gfp_t gfp)
{
    struct mm_cpu *cpu = platform_cpu();
    ul bit = bit_of(sanitize_padded(size));
    void *object;
    bool popped;

    mm_enter_fast(cpu);
    popped = magazine_pop(cpu, bit, &object);
    mm_leave_fast(cpu);
    if (UNLIKELY(!popped))
        return kmalloc_slowly(size, gfp | __GFP_ZERO);
    bit = sanitize_promised_bit(size, bit);
    sanitize_object_opened(object, 2UL << bit);
    object_clear(object, 2UL << bit);
    sanitize_object_taken(object, size);
    return object;
}

enum refusal { WRONG, RETIRED, LOADED };

/* Why the fast path refused an address.  An object with a top-level table that is not loaded becomes an ordinary object again. */
static enum refusal refusal_of(phys_t at)
{
    struct mm_cpu *cpu = platform_cpu();
    enum refusal refusal = WRONG;
    enum role role;

    mm_enter(cpu);
    role = role_of(at);
    if (at.addr % FRAME_BYTES == 0 && role > ROLE_TOP_LEVEL) {
        refusal = top_is_loaded(at, 1UL << (role - ROLE_TOP_LEVEL)) ? LOADED : RETIRED;
        if (refusal == RETIRED)
            top_forget_object(at);
    }
    mm_leave(cpu);
    return refusal;
}

/* What the fast path refused: NULL, an object that the debug mode holds, a top-level table, or misuse. */
static NOINLINE ul kfree_refused(void *address)
{
    const struct misuse_free free = {"kfree", MM_EVENT_KFREE, 0, DEBUG_HERE};
    ul result;

    if (address == NULL)
        return 0;
    if (UNLIKELY(mm.debug.features != 0) && debug_kfree(address, free.here, &result))
        return result;
    switch (refusal_of(pointer_phys(address))) {
    case RETIRED:
        return kfree(address);
    case LOADED:
        misuse_free(&free, (ul)address, "a page table");
        return (ul)-EFAULT;
    default:
        return (ul)misuse_free_virt(&free, virt((u64)address));
    }
}

static inline u64 rotate_right(u64 x, u64 n)
{
    return x >> (n & 63) | x << (-n & 63);
}

/* An object whose free was noticed late to be wrong: live again, and what keeps the next free from the fast path. */
static ul kfree_taken_back(void *address, u8 *live, unsigned class, struct debug_here here)
{
    sanitize_object_opened(address, class_bytes(class));
    __atomic_store_n(live, 1, __ATOMIC_RELEASE);
    top_note(pointer_phys(address));
    misuse_free(&(struct misuse_free){"kfree", MM_EVENT_KFREE, 0, here}, (ul)address, "a page table");
    return (ul)-EFAULT;
}

static bool is_loaded(phys_t object, u64 bytes)
{
    return mm.debug.features != 0 ? top_is_loaded(object, bytes) : top_is_loaded_here(object, bytes);
}

/* Puts an object that is dead by now into a full magazine. */
static NOINLINE ul kfree_flushed(void *address, u8 *live, unsigned class)
{
    struct mm_cpu *cpu = platform_cpu();

    if (class_is_blocks(class) && UNLIKELY(is_loaded(pointer_phys(address), class_bytes(class))))
        return kfree_taken_back(address, live, class, DEBUG_HERE);
    if (UNLIKELY(mm.debug.features != 0)) {
        debug_kfree_untracked(address, class, DEBUG_HERE);
        return 0;
    }
    mm_enter(cpu);
    magazine_put(cpu, class, (struct round){address, live});
    mm_leave(cpu);
    return 0;
}

/* Takes back that a byte was counted down which was not 1.  Others may have done the same, and kmalloc may have set it to 1
 * meanwhile: then there is nothing to take back any more. */
static inline void live_restore(s8 *live)
{
    s8 now = __atomic_load_n(live, __ATOMIC_RELAXED);

    while (now < 0 && !__atomic_compare_exchange_n(live, &now, (s8)(now + 1), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

FAST_PATH ul kfree(void *address)
{
    struct mm_cpu *cpu = platform_cpu();
    u64 offset = (u64)address - PAGE_OFFSET;
    struct round *round;
    const ul *at;
    u64 number;
    ul word;
    s8 *live;
    u32 top;

    if (UNLIKELY(offset >= mm.ram_end))
        return kfree_refused(address);
    mm_enter_fast(cpu);
    at = &page_of(phys(offset))->words[offset / FRAME_BYTES % PAGE_FRAMES];
    word = __atomic_load_n(at, __ATOMIC_RELAXED);
    number = rotate_right(offset % FRAME_BYTES, word);
    if (UNLIKELY(number >= SLAB_MAX_OBJECTS))
        goto refused;
    live = (s8 *)&live_of_word(word)[number];
    if (UNLIKELY(__atomic_sub_fetch(live, 1, __ATOMIC_ACQ_REL) < 0)) {
        live_restore(live);
        goto refused;
    }
    word = OPAQUE((ul)__atomic_load_n((const u8 *)at, __ATOMIC_RELAXED)); /* its role, again: it is ours only now */
    sanitize_objects_freed(address, 1UL << word % ROLE_TOP_LEVEL);
    top = cpu->top[word];
    if (UNLIKELY(top >= cpu->limit[word])) {
        mm_leave_fast(cpu);
        return kfree_flushed(address, (u8 *)live, (unsigned)word % ROLE_TOP_LEVEL - CLASS_MIN_SHIFT);
    }
    round = round_at(cpu, top) + 1;
    OPAQUE(cpu)->top[word] += (u32)sizeof *round; /* in memory, at once */
    *round = (struct round){address, (u8 *)live};
    mm_leave_fast(cpu);
    return 0;

refused:
    mm_leave_fast(cpu);
    return kfree_refused(address);
}
