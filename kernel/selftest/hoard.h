/* SPDX-License-Identifier: MIT */
/* Taking all there is, for tests of what happens when memory is exhausted. */
#ifndef KERNEL_SELFTEST_HOARD_H
#define KERNEL_SELFTEST_HOARD_H

#include <lib/types.h>
#include <mm/mm.h>

/*
 * Blocks of frames of NORMAL, and of what it grows and borrows: from the largest down to single frames, until
 * frame_alloc fails.  Start with {0}.
 */
struct hoard {
    u64 first; /* physical address of the first block, in which the next one's is noted; 0: none */
    u64 n_blocks;
};

void hoard_fill(struct hoard *hoard);

/* Frees one frame of it, so that there is exactly one more.  False when the hoard is empty. */
bool hoard_release_frame(struct hoard *hoard);

/* Frees n frames of it, each in another page, as far as there are such.  Returns how many. */
unsigned hoard_release_scattered(struct hoard *hoard, unsigned n);

/* Frees all of it. */
void hoard_free(struct hoard *hoard);

/* Has a zone (0 .. 2, in address order) so many whole free pages?  Small machines have not, nor have odd zones that the
 * command line asked for. */
bool zone_has_pages(unsigned zone, u64 n);

/*
 * Objects of one class until kmalloc fails, each beginning with the address of the next.  When memory is
 * exhausted, a slab that somebody's object lies in may still have room for others.
 */
void *objects_take_all(ul bytes);
void objects_free(void *first);

/*
 * Runs of pages of one zone, the longest alloc_pages gives first.  The list lies in an object of kmalloc.
 */
struct page_run {
    struct Page *page;
    int n;
};

struct page_hoard {
    struct page_run *runs; /* NULL: there was no memory for the list */
    unsigned n_runs;
    u64 n_pages;
};

void page_hoard_fill(struct page_hoard *hoard, unsigned zone_select);
void page_hoard_free(struct page_hoard *hoard);

#endif
