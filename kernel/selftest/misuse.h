/* SPDX-License-Identifier: MIT */
/* Wrong frees as data: what is freed, by which call, and what the report must say. */
#ifndef KERNEL_SELFTEST_MISUSE_H
#define KERNEL_SELFTEST_MISUSE_H

#include <kernel/selftest/test.h>
#include <mm/types.h>

#define MISUSE_WORDS_BYTES 72

/* What is freed wrongly, and what goes with it. */
struct subject {
    ul address;                     /* what the call is given; of free_pages a struct Page * */
    int number;                     /* of pages, or the order of frames */
    ul reported;                    /* the address in the report */
    char words[MISUSE_WORDS_BYTES]; /* what the report begins to say about it; empty: any of api.md's words */

    /* what is really held meanwhile, and given back afterwards; its content must not change */
    phys_t loaded; /* a table that is, on the CPU that made this; none is 0 */
    void *object;
    struct Page *pages;
    int n_pages;
    phys_t block;
    unsigned order;
    void *content; /* NULL: nothing that could be looked at */
    ul content_bytes;
};

enum misuse_call { BY_KFREE, BY_FREE_PAGES, BY_FRAME_FREE };

/* Whether every machine has what a row needs: if not, a row that cannot be made is no failure.  WITH_PAGES: where DMA has a
 * free page, and NORMAL a few.  Some rows are there with the debug mode on only. */
enum misuse_need { ALWAYS, WITH_PAGES, MAY_LACK, IN_DEBUG_MODE };

struct misuse {
    const char *name;
    enum misuse_call call;
    bool (*make)(const struct misuse *misuse, struct subject *subject); /* false: it cannot be had */
    const char *words; /* for subject->words, unless make finds better ones */
    ul a, b;           /* make's own */
    enum misuse_need need;
};

/* Each closed by one without a name: all but what has to do with top-level tables; that. */
extern const struct misuse misuses[], misuses_of_tops[];

/* Frees this address by kfree or frame_free, or this many pages; the report names the address `reported`. */
bool subject_is(struct subject *subject, ul address);
bool subject_is_pages(struct subject *subject, const struct Page *page, int number, ul reported);

/* Gives back what the subject holds. */
void subject_drop(struct subject *subject);

#endif
