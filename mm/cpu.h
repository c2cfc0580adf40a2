/* SPDX-License-Identifier: MIT */
/*
 * What a CPU keeps for itself, so that the common calls take no lock: magazines of objects, a stack of frames, a
 * stack of whole pages.
 *
 * A CPU has one struct mm_cpu for code and one for its interrupt handlers.  platform_cpu() gives the running context's,
 * so nothing interrupts a half-done operation on the same caches, and no operation needs to keep interrupts out.
 */
#ifndef MM_CPU_H
#define MM_CPU_H

#include <mm/inspect.h>
#include <mm/platform.h>
#include <mm/types.h>

#define MM_N_CONTEXTS 2
enum mm_context { MM_CONTEXT_CODE, MM_CONTEXT_INTERRUPT };

#define MAGAZINE_ROUNDS 63 /* with 16 bytes before them 1 KiB: a class's magazine is a shift away */
#define STACK_FRAMES 64 /* 256 KiB */
#define STACK_PAGES 8   /* 16 MiB; small machines use less of it (mm.stack_pages) */

/* An object ready to be handed out, and the byte that says whether it is live. */
struct round {
    void *object;
    u8 *live;
};

struct magazine {
    u32 n;        /* rounds in it */
    u32 capacity; /* 1 .. MAGAZINE_ROUNDS */
    u64 n_allocs; /* objects handed out from here */
    struct round round[MAGAZINE_ROUNDS];
};

struct mm_cpu {
    u32 busy; /* above 0 while this context is inside of mm: others must not touch its caches, nor free metadata */
    struct magazine magazine[MM_N_CLASSES];

    u32 n_frames;
    u32 n_pages;
    phys_t frame[STACK_FRAMES];
    u32 page[STACK_PAGES]; /* indexes into the page array */

    struct mm_lock drain_lock; /* code's: keeps interrupts out while their caches are emptied */
    enum mm_context context;
    struct mm_cpu *other; /* this CPU's other context */
    struct mm_cpu *next;  /* all of them */
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

/* The caches of the CPU that mm_start runs on. */
struct mm_cpu *mm_boot_cpu(enum mm_context context);

/* Makes a cleared pair of caches ready; mm_start does it for the boot CPU's. */
void mm_cpu_start(struct mm_cpu pair[MM_N_CONTEXTS]);

/* Caches for another CPU: those of its code; ->other are its interrupt handlers'.  NULL when memory is exhausted.
 * They live for ever. */
MUST_USE struct mm_cpu *mm_cpu_create(void);

/* The first of all caches; go on with ->next. */
struct mm_cpu *mm_first_cpu(void);

#endif
