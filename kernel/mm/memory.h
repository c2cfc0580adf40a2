/* SPDX-License-Identifier: MIT */
/* Memory management in this kernel: from what the loader said to a running mm, and stacks with guard pages. */
#ifndef KERNEL_MM_MEMORY_H
#define KERNEL_MM_MEMORY_H

#include <lib/types.h>

struct boot_info;
struct cpu;
struct mm_moment;
struct options;

/* Reserved ranges by name, for mm_give_back: the loader's structures, and files it loaded. */
#define MEMORY_LOADER_INFORMATION "loader information"
#define MEMORY_START_UP_CODE "start-up code"

/*
 * Starts mm with the loader's memory map, on the final page tables.  Panics with the reason when it cannot.
 * Logs what it took: instructions (TSC), RAM, zones.
 */
void memory_start(const struct boot_info *info, const struct options *options);

/* True for an instruction of mm's fast paths (mm/cpu.h). */
static inline bool memory_is_fast_path(u64 rip)
{
    extern const char image_fast_start[], image_fast_end[];

    return rip - (u64)image_fast_start < (u64)image_fast_end - (u64)image_fast_start;
}

/* mm.onbug=panic: a misuse of mm ends in a panic.  Returns what was set before. */
bool memory_panic_on_misuse(bool panics);

/* False: misuses are counted but not logged, for tests that make many.  Returns what was set before. */
bool memory_log_misuses(bool logs);

/* The same for notes: allocations that failed, and the like.  How many there were, logged or not. */
bool memory_log_notes(bool logs);
u64 memory_note_count(void);

/* Fills in time, CPU and callers of a call of mm whose frame pointer is `frame`; caller[0] is known (callers.c). */
void memory_where(struct mm_moment *moment, const void *frame);

/*
 * Maps a stack of 2^order frames between two guard pages.  *low and *top are its bounds.  False when
 * memory is exhausted.
 */
bool stack_map(unsigned order, u64 *low, u64 *top);

/* Maps all stacks of a CPU that is not started yet: for ordinary code and for each kind of exception. */
bool stacks_map_all(struct cpu *cpu);

/* Moves to guarded stacks: every interrupt stack of this CPU, and then `next` on a fresh one for ordinary code. */
_Noreturn void stacks_start(void (*next)(void));

#endif
