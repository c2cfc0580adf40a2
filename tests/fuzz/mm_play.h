/* SPDX-License-Identifier: MIT */
/*
 * Calls of mm.h made up from fuzzed bytes, each judged by a model: who owns which memory, what is mapped where.
 *
 * fuzz_mm.c chooses the call; mm_play_memory.c makes those that take and give memory, mm_play_mapping.c the others.
 * Between calls the models agree with mm and mm_check is content.
 */
#ifndef TESTS_FUZZ_MM_PLAY_H
#define TESTS_FUZZ_MM_PLAY_H

#include <fuzz.h>
#include <machine.h>

struct mm_play {
    struct fuzz_bytes bytes;
    struct machine_options options;
    u64 ram_bytes;
    bool failing;  /* requests for memory are made to fail: any call may find none */
    bool in_interrupt; /* the call comes from an interrupt handler */
    ul n_misuses;  /* calls so far that mm must have reported */
};

/* True when a call of a few frames may fail for want of memory. */
bool mm_play_may_fail(const struct mm_play *play);

/* Before and after a call that must be refused as misuse: it is counted once, and changes nothing. */
struct mm_stat_t mm_play_before(void);
void mm_play_misused(struct mm_play *play, const struct mm_stat_t *before);

/* One call each, its arguments from the bytes. */
void play_kmalloc(struct mm_play *play);
void play_kfree(struct mm_play *play);
void play_kfree_wrong(struct mm_play *play);
void play_frame_alloc(struct mm_play *play);
void play_frame_free(struct mm_play *play);
void play_frame_free_wrong(struct mm_play *play);
void play_alloc_pages(struct mm_play *play);
void play_free_pages(struct mm_play *play);
void play_map(struct mm_play *play);
void play_map_wrong(struct mm_play *play);
void play_unmap(struct mm_play *play);
void play_unmap_wrong(struct mm_play *play);
void play_space(struct mm_play *play);

/* The beginning, when nothing is held or cached, and the end: everything is given back and unmapped. */
void play_memory_start(void);
void play_memory_end(void);
void play_mapping_start(void);
void play_mapping_end(struct mm_play *play);

/* True when `zone` has room for so many pages in a row, aligned to `alignment` of them, or could make it: nobody owns them
 * in the model, and nothing of mm lies there. */
bool play_memory_has_room(unsigned zone, u64 n_pages, u64 alignment);

/* Takes the longest run of pages from each zone, which must be had: nothing is held. */
void play_memory_take_most(struct mm_play *play);

/* True when [start, end) of physical memory belongs to somebody in the model of memory. */
bool play_memory_owns(u64 start, u64 end);

/* The top level of the second address space, an object like others; 0: there is none. */
u64 play_mapping_space(void);

#endif
