/* SPDX-License-Identifier: MIT */
/*
 * What a CPU keeps for itself, so that the common calls take no lock: magazines of objects, a stack of frames, a
 * stack of whole pages.
 *
 * A CPU has one struct mm_cpu for code and one for its interrupt handlers.  platform_cpu() gives the running context's,
 * so nothing interrupts a half-done operation on the same caches, and no operation needs to keep interrupts out.  That of
 * interrupt handlers has capacities of 0: they take every object from its slab, and bring it back there, so between
 * interrupts it holds nothing but the slabs that are at home there.
 */
#ifndef MM_CPU_H
#define MM_CPU_H

#include <mm/class.h>
#include <mm/home.h>
#include <mm/inspect.h>
#include <mm/platform.h>
#include <mm/types.h>
#include <mm/zone.h>

#define MM_N_CONTEXTS 2
enum mm_context { MM_CONTEXT_CODE, MM_CONTEXT_INTERRUPT };

#define MAGAZINE_ROUNDS 64 /* so half of them are a group of objects (slab.h) */
#define STACK_FRAMES 128 /* 512 KiB; small machines use less of it (mm.stack_frames) */
#define STACK_PAGES 16  /* 32 MiB; small machines use less of it (mm.stack_pages) */
#define STACK_BLOCKS 16 /* of one order; about mm.magazine_bytes at most */
#define STACK_ORDERS 3  /* blocks of orders 1 .. 3 */

/* An object ready to be handed out, and the byte that says whether it is live. */
struct round {
    void *object;
    u8 *live;
};

/* The rounds of a class, a stack.  Below the oldest lies one without an object: to see it on top is to be empty. */
struct magazine {
    struct round empty;
    struct round round[MAGAZINE_ROUNDS];
};

struct block_stack {
    u32 capacity; /* 1 .. STACK_BLOCKS; 0 for interrupt handlers, and while caches are off */
    phys_t block[STACK_BLOCKS];
};

/* How many frames, pages and blocks lie in the stacks of a CPU.  By bytes: order k at 2 k, pages at 3. */
union stack_counts {
    u64 all; /* mm_cpu_free_frames */
    u8 n_blocks[8];
    struct {
        u8 n_frames, unused[2], n_pages;
    };
};

struct mm_cpu {
    u32 busy; /* above 0 while this context is inside of mm: others must not touch its caches, nor free metadata */
    /* By log2 of the object's size, so that what the fast paths have in hand is the index.  Where the top round of its
     * magazine lies, and where it is when the magazine is full: in bytes from here.  Other indexes: one that is empty, and
     * full (0). */
    u32 top[64 + 1];
    u32 limit[64 + 1];
    struct magazine magazine[MM_N_CLASSES];
    bool in_use;                  /* magazines may hold something; not so for interrupt handlers, and while caches are off */
    u8 n_refills[MM_N_CLASSES];   /* of a magazine, since it was full last */
    u8 n_flushes[MM_N_CLASSES];   /* since it was empty last */
    u8 large_guest;               /* the class of blocks that may have a round besides the budget; 0: none (magazine.c) */
    u64 large_bytes;  /* what the magazines of blocks may hold by their limits; large_budget and a guest at most (magazine.c) */
    u64 large_budget; /* 0 for interrupt handlers, and while caches are off */
    struct slab_home home;
    bool collect_is_due; /* objects that went home have gathered somewhere */

    /* counters; but for n_taken their sums over all contexts mean something, and not they alone */
    u64 cache_bytes;            /* frames held by kmalloc */
    u64 slab_free_bytes;        /* objects that lie in slabs, free or brought back */
    u64 n_slabs[MM_N_CLASSES];  /* slabs; of a class of blocks, blocks */
    u64 n_free[MM_N_CLASSES];   /* objects that lie in slabs */
    u64 n_taken[MM_N_CLASSES];  /* objects that came into magazines from slabs and frames */

    union stack_counts stacked;
    u32 frame_capacity, page_capacity; /* 0 for interrupt handlers, and while caches are off */
    phys_t frame[STACK_FRAMES];
    u32 page[STACK_PAGES]; /* indexes into the page array */
    struct block_stack blocks[STACK_ORDERS]; /* of orders 1, 2, ... */

    u32 preferred[N_SPLIT_KINDS]; /* the split pages that single frames come from (split.c) */
    u32 number;                   /* of this CPU, from 0 on */
    enum mm_context context;
    struct debug_ring *ring; /* the last calls (debug.c), of both contexts; NULL: none */
    u64 loaded_top; /* the top-level table that this CPU used when it last heard of another's platform_flush; code's only */
    struct mm_cpu *other; /* this CPU's other context */
    struct mm_cpu *next;  /* all of them: code's, then the same CPU's interrupt handlers', then the next CPU's */
};

/*
 * Around everything that uses the running context's caches or looks into metadata without a lock.  May nest; costs an
 * instruction each.
 */
static inline void mm_enter(struct mm_cpu *cpu)
{
    cpu->busy++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void mm_leave(struct mm_cpu *cpu)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    cpu->busy--;
}

/*
 * The same in FAST_PATH functions, around what others must not see half-done.  A platform that defines MM_PLACE_IS_BUSY as 1
 * counts `busy` up and down itself, when it interrupts a context in the midst of a FAST_PATH function; then it costs nothing.
 */
static inline void mm_enter_fast(struct mm_cpu *cpu)
{
    if (!MM_PLACE_IS_BUSY)
        mm_enter(cpu);
}

static inline void mm_leave_fast(struct mm_cpu *cpu)
{
    if (!MM_PLACE_IS_BUSY)
        mm_leave(cpu);
}

/* Where the top of a class's magazine is when it is empty. */
static inline u32 magazine_bottom(unsigned class)
{
    return (u32)(offsetof(struct mm_cpu, magazine) + class * sizeof(struct magazine));
}

/* Rounds in a magazine, and how many there is room for. */
static inline u32 magazine_count(const struct mm_cpu *cpu, unsigned class)
{
    return (u32)((cpu->top[class + CLASS_MIN_SHIFT] - magazine_bottom(class)) / sizeof(struct round));
}

static inline u32 magazine_capacity(const struct mm_cpu *cpu, unsigned class)
{
    return (u32)((cpu->limit[class + CLASS_MIN_SHIFT] - magazine_bottom(class)) / sizeof(struct round));
}

static inline void magazine_set_count(struct mm_cpu *cpu, unsigned class, u32 n)
{
    cpu->top[class + CLASS_MIN_SHIFT] = magazine_bottom(class) + n * (u32)sizeof(struct round);
}

static inline void magazine_set_capacity(struct mm_cpu *cpu, unsigned class, u32 n)
{
    cpu->limit[class + CLASS_MIN_SHIFT] = magazine_bottom(class) + n * (u32)sizeof(struct round);
}

/* What the guest among the large classes (magazine.c) has besides the budget. */
static inline u64 magazine_guest_bytes(const struct mm_cpu *cpu)
{
    unsigned class = cpu->large_guest;

    return class != 0 && magazine_capacity(cpu, class) != 0 ? class_bytes(class) : 0;
}

/* The caches of the CPU that mm_start runs on. */
struct mm_cpu *mm_boot_cpu(enum mm_context context);

/* Makes a cleared pair of caches ready; mm_start does it for the boot CPU's. */
void mm_cpu_start(struct mm_cpu pair[MM_N_CONTEXTS]);

/* Blocks of order 0 .. STACK_ORDERS in a CPU's stack. */
static inline u8 *mm_cpu_n_blocks(struct mm_cpu *cpu, unsigned order)
{
    return &cpu->stacked.n_blocks[2 * order];
}

/*
 * Free frames in the stacks of a CPU, those of pages included, by one multiplication.  The counts are four numbers of 16 bits,
 * worth 1, 2, 4 and 8 frames each; pages are in the upper half of the second: 2 * 2^8 = 512 frames each.  What each is worth
 * stands where it moves its number into the top 16 bits:
 *
 *      counts    [    order 3 ][    order 2 ][ pages | order 1 ][    frames ]
 *      times     [          1 ][          2 ][               4 ][         8 ]
 */
static inline u64 mm_cpu_free_frames(const struct mm_cpu *cpu)
{
    _Static_assert(PAGE_FRAMES == 2UL << 8 && STACK_ORDERS == 3, "what the numbers are worth");
    _Static_assert(STACK_FRAMES + STACK_PAGES * PAGE_FRAMES + 14 * STACK_BLOCKS < 1UL << 16, "the sum fits");
    _Static_assert(8 * (STACK_BLOCKS + (STACK_PAGES << 8)) + 4 * STACK_FRAMES < 1UL << 16, "nothing is carried into it");
    return cpu->stacked.all * (1UL << 48 | 2UL << 32 | 4UL << 16 | 8UL) >> 48;
}

/* How many frames of [start, end) lie in the stacks of frames and blocks of a CPU. */
u64 mm_cpu_count_stacked(const struct mm_cpu *cpu, u64 start, u64 end);

/* Caches for another CPU: those of its code; ->other are its interrupt handlers'.  NULL when memory is exhausted.
 * They live for ever. */
MUST_USE struct mm_cpu *mm_cpu_create(void);

/* The first of all caches; go on with ->next. */
struct mm_cpu *mm_first_cpu(void);

/*
 * Takes all CPUs' caches out of use: they are emptied, and hold nothing from then on, so that every call comes to the slow
 * path (which may then look closer at it).  What costs nothing while they are in use: the fast paths test for empty and full
 * anyway.  May nest; each mm_caches_on takes one mm_caches_off back.  Lasts for CPUs that start meanwhile, too.
 * Ordinary code, interrupts on, no lock held; false, and nothing done, elsewhere.  Cost: as mm_shrink.
 */
MUST_USE bool mm_caches_off(void);
MUST_USE bool mm_caches_on(void);

#endif
