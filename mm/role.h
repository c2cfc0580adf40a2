/* SPDX-License-Identifier: MIT */
/*
 * Roles: what a frame in use is used for, when mm itself uses it.  role.c explains the word.
 */
#ifndef MM_ROLE_H
#define MM_ROLE_H

#include <mm/page.h>
#include <mm/types.h>

enum role {
    ROLE_NONE = 0,         /* nothing of mm's own */
    /* 1 .. 4: a page table of that level */
    ROLE_TABLE_MAX = 4,    /* 4 = PML4, 3 = PDPT, 2 = PD, 1 = PT */
    /* 5 .. 20: objects of 2^role bytes: a slab, or the first frame of an object of a frame or more */
    ROLE_OBJECT_MIN = 5,
    ROLE_OBJECT_MAX = 20,
    ROLE_METADATA = 24,    /* role tables, slab descriptors */
    ROLE_TOP_LEVEL = 32,   /* added to an object's role: a frame of it serves as a top-level table */
};

#define ROLE_MASK 0x3fUL

/* The role that a word says. */
static inline enum role word_role(ul word)
{
    return (enum role)(word & ROLE_MASK);
}

/* Of an object of a frame or more: 1 when it is live. */
static inline u8 word_live(ul word)
{
    return (u8)(word >> 8);
}

#define ROLE_ADDRESS_SHIFT 16

/* Of a page table: its used entries, 0 .. 512, which are how far behind the start of mm.no_object its word leads: that has
 * no bit in common with them. */
static inline unsigned word_used(ul word)
{
    return (unsigned)(word >> ROLE_ADDRESS_SHIFT) % NO_OBJECT_ALIGN;
}

/* Fills in what pages without a role table show.  Before the page array. */
void role_start(void);

/*
 * The role of a frame, and its whole word, as they are now; any physical address may be asked.  Who holds nothing in that
 * page asks between mm_enter and mm_leave or with interrupts off, or may be told what was long ago.
 */
enum role role_of(phys_t frame);
ul role_word_now(phys_t frame);

/* The whole word of a frame whose page has a role table; a pointer into it. */
static inline ul *role_word(phys_t frame)
{
    return &page_of(frame)->roles[frame.addr / FRAME_BYTES % PAGE_FRAMES];
}

/* The word of a role that leads to an address. */
static inline ul role_word_make(enum role role, const void *points_to)
{
    return (ul)points_to << ROLE_ADDRESS_SHIFT | (ul)role;
}

/*
 * role_blocks_alloc - blocks of 2^order frames of the direct map, each aligned to its size, in pages with role tables.
 * @first: filled with the first frame of each block.  @n: how many are wanted.  @order: 0 .. 8.
 * Returns how many there are, 1 .. n; 0 when memory is exhausted.  The first frame of each has the role ROLE_METADATA until
 * the caller sets another.  Nobody but role_frames_free can free them.  Any context but NMI, no lock held.
 */
MUST_USE u32 role_blocks_alloc(phys_t *first, u32 n, unsigned order);

/* One such block, or PHYS_NONE; and single frames. */
MUST_USE phys_t role_frame_alloc(unsigned order);
MUST_USE u32 role_frames_alloc(phys_t *frames, u32 n);

/* Clears the roles of n blocks of one order and gives them back; and of one. */
void role_frames_free(const phys_t *first, u32 n, unsigned order);
void role_frame_free(phys_t first, unsigned order);

/* Gives back the frame of a role table that no CPU can be reading any more (limbo.c). */
void role_table_free(phys_t frame);

/* Changes the role of a frame that has one to another (not ROLE_NONE), and what its word points to; the information bits
 * become 0. */
static inline void role_set(phys_t frame, enum role role, const void *points_to)
{
    *role_word(frame) = role_word_make(role, points_to);
}

/* Frees role tables that say nothing any more. */
void role_release_idle(void);

/*
 * Page tables.
 */

/* A cleared frame in the direct map, marked as a page table of `level` with 0 used entries.  PHYS_NONE when memory
 * is exhausted.  While mm starts it comes from the early allocator and is marked later (table_frame_adopt). */
MUST_USE phys_t table_frame_alloc(unsigned level);

/* Frees a frame that table_frame_alloc gave and that nothing points to any more. */
void table_frame_free(phys_t table);

/* Marks a frame that became a table before roles existed.  False when memory is exhausted. */
MUST_USE bool table_frame_adopt(phys_t table, unsigned level, unsigned n_used);

/* The level of a frame marked as a page table, 0 if it is none.  Any physical address may be asked. */
unsigned table_frame_level(phys_t frame);

/* Used (present) entries of a table, and their change. */
unsigned table_frame_used(phys_t table);
void table_frame_use(phys_t table, int change);

/* The first frame of the object of a frame or more that `frame` lies in, looked for at each alignment, and its role word;
 * PHYS_NONE if it is in none. */
phys_t role_block_head(phys_t frame, ul *word);

#endif
