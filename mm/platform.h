/* SPDX-License-Identifier: MIT */
/*
 * The one door out of mm/: what it asks of the machine that it runs on.
 *
 * A platform provides these functions, get_CR3 and flush_tlb of mm.h, and the header <platform_cpu.h>, found by
 * the compiler's include path, with static inlines for what the fast paths use.  The kernel's are in kernel/mm/, the
 * host's (a process, for the tests) in tests/host/.
 */
#ifndef MM_PLATFORM_H
#define MM_PLATFORM_H

#include <mm/types.h>

struct mm_cpu; /* mm/cpu.h */

/* A lock that also keeps interrupts out.  Zero is unlocked. */
struct mm_lock {
    u32 taken;
};

#include <platform_cpu.h>
/*
 * From <platform_cpu.h>:
 *
 * struct mm_cpu *platform_cpu(void)
 *     The caches of the running context: each CPU has one for code and one for its interrupt handlers, so that
 *     neither ever sees the other's half-done work.
 *
 * MM_PLACE_IS_BUSY
 *     1 when the platform counts mm_cpu.busy up for as long as it interrupts a context inside of a FAST_PATH function
 *     (section .text.mm_fast); 0 when these are to do it themselves.
 *
 * ul platform_lock(struct mm_lock *), void platform_unlock(struct mm_lock *, ul)
 *     Take a lock with interrupts off; the value restores them.
 */

/* How bad what is reported is. */
enum mm_severity {
    MM_NOTE,   /* something worth a log line */
    MM_MISUSE, /* a caller's mistake, without effect; mm.onbug=panic stops here */
    MM_BROKEN, /* mm's own state is wrong: does not return */
};

/* One line for the log.  Any context, locks held or not; printf's formats. */
void platform_report(enum mm_severity severity, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops cached translations of [start, start + bytes), whole frames, and of the tables above it on every CPU.  Returns
 * when no CPU can use one, and each other CPU has written into loaded_top of its code's caches which top-level table it
 * uses.  Interrupts on, or one CPU running; for a frame or less, any context but NMI. */
void platform_flush(virt_t start, u64 bytes);

/* Makes `top` the current top-level table of this CPU. */
void platform_load_table(phys_t top);

/*
 * Runs fn once on every other CPU, in an interrupt that found its ordinary code outside of mm (mm_cpu.busy is 0), or
 * while it waits in this call with an fn of its own; true when all have since it was called.  What several ask for at a time
 * may be done once for all of them: so fn may run on the caller's CPU as well; to be sure of that the caller runs it itself.
 * With NULL nothing is run, and a CPU that waits in this call counts as well.  False, and nothing done, where it is not
 * possible to wait: in an interrupt handler; with several CPUs, with interrupts off, or (NULL only) when another CPU is
 * about it.
 */
bool platform_synchronize(void (*fn)(void));

/* Told after mm changed its own windows (PAGE_ARRAY, HELD_ARRAY): [window, + bytes) now shows the RAM at `at`, read
 * only or not.  The MMU has seen to it where there is one; a process has to alias the memory. */
void platform_window(u64 window, phys_t at, u64 bytes, bool writable);

#endif
