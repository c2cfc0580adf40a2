/* SPDX-License-Identifier: MIT */
/*
 * Where the frames of page tables come from, and where they go.
 *
 * Purpose.  Clearing a frame costs 512 stores: more than all else that mapping a few pages takes.  And
 * unmapping must be able to split a large leaf when memory is exhausted.  So paging keeps twelve frames of
 * its own, from boot on and for ever, counted as used.
 *
 * Terms.  A *kept* frame is one of the twelve; it is *idle*, and then cleared, or serves as a table.
 * *Spares* are what splitting may take, four at least: idle frames and, in place of kept ones that serve,
 * *substitutes* from the frame allocator until those come back.
 *
 *     kept    [idle][idle][idle][idle]  [idle][idle][ PD ][ PT ][PDPT][ PT ][idle][idle]
 *              for splitting: 4          for mapping: while more than 4 are idle
 *     after splitting under 8 mapped tables:
 *     kept    [ PD ][ PT ][idle][idle]  [ PT ]...                  substitutes  [    ][    ]
 *
 * Algorithm.  A call that maps knows how many tables it needs before it changes anything, and takes all of
 * them: cleared ones from the idle frames while more than four are left, which is only a number, as nobody
 * else can take them meanwhile; the rest from the frame allocator, in two lists.  Page tables that will be
 * written whole always come from there: being cleared is worth nothing to them, and a kept frame would have
 * to be cleared when it comes back.  Kept frames are for callers' tables only (private slots and SPECIAL):
 * what the kernel maps for itself stays, and would keep them for ever.  give: a kept frame becomes idle,
 * cleared if it has to be, and a substitute goes; any other is freed.  A table that became empty entry by
 * entry is all zero already.
 *
 * Why always the same frames: when all is unmapped, mm holds the very frames that it held at boot, so that
 * no page of 2 MiB stays split, and no role table stays, for the sake of a table that wandered.
 *
 * Cost.  A kept frame about 30 instructions, there and back; one from the frame allocator 150, and 513 for
 * clearing.
 *
 * Invariants.
 *   I5   Outside the lock there are four spares at least, unless memory was exhausted when that was last
 *        seen to.  Substitutes are no more than it takes.
 *   I10  Idle frames and substitutes are cleared and marked as tables with no entry; an idle one is a kept
 *        one, once.
 *
 * Locking.  mm.paging.lock, held by the caller.  The frame allocator is called with it held: it must not
 * come back into paging, except to enter a page in the direct map and to shrink, which look out for that.
 *
 * Limits.  A caller who drops a top level without unmapping keeps its tables in use for ever, kept frames
 * among them.
 */
#include <lib/string.h>
#include <mm/paging_core.h>

/* Frames taken from the allocator at a time. */
#define PAGING_N_BATCH 32

bool paging_is_kept(phys_t table)
{
    u64 place = paging_kept_place(table);

    if (place < PAGING_N_KEPT && mm.paging.kept[place].addr == table.addr)
        return true;
    if (table.addr < mm.paging.kept_low || table.addr > mm.paging.kept_high)
        return false;
    for (unsigned i = 0; i < PAGING_N_KEPT; i++) {
        if (mm.paging.kept[i].addr == table.addr)
            return true;
    }
    return false;
}

/* Marked as of level 1 with no entry until it serves. */
static void idle_push(phys_t table, bool is_clear)
{
    if (!is_clear)
        memset(paging_entries(table), 0, FRAME_BYTES);
    paging_mark(table, 1, 0);
    mm.paging.idle[mm.paging.n_idle++] = table;
}

/* The link lies in the frame's first word. */
static void stack_push(phys_t *frames, phys_t frame)
{
    *paging_entries(frame) = frames->addr;
    *frames = frame;
}

/* The first of a list, its first word cleared. */
static phys_t stack_pop(phys_t *frames)
{
    phys_t frame = *frames;

    if (phys_is_none(frame))
        platform_report(MM_BROKEN, "mm: paging: more tables needed than were counted");
    *frames = phys(*paging_entries(frame));
    *paging_entries(frame) = 0;
    return frame;
}

/* Nobody has ever pointed to these frames, so they may go at once. */
static void give_back(struct paging_frames *frames)
{
    while (!phys_is_none(frames->clear))
        table_frame_free(stack_pop(&frames->clear));
    while (!phys_is_none(frames->whole))
        table_frame_free(stack_pop(&frames->whole));
}

/* Up to n frames with anything in them.  Until tables are marked, all frames are early ones. */
static u32 alloc_uncleared(phys_t *frames, u64 n)
{
    if (mm.paging.adopted)
        return role_frames_alloc(frames, (u32)min_u64(n, PAGING_N_BATCH));
    frames[0] = table_frame_alloc(1);
    return !phys_is_none(frames[0]);
}

/* Those that are cleared first: they are few. */
static bool take_from_allocator(struct paging_frames *frames, u64 n_clear, u64 n_whole)
{
    phys_t batch[PAGING_N_BATCH];

    for (; n_clear > 0; n_clear--) {
        phys_t table = table_frame_alloc(1);
        if (phys_is_none(table))
            return false;
        stack_push(&frames->clear, table);
    }
    while (n_whole > 0) {
        u32 n_got = alloc_uncleared(batch, n_whole);
        if (n_got == 0)
            return false;
        n_whole -= n_got;
        while (n_got > 0)
            stack_push(&frames->whole, batch[--n_got]);
    }
    return true;
}

bool paging_frames_take(struct paging_frames *frames, const struct paging_need *need)
{
    u64 n_clear = need->n_clear > frames->n_idle ? need->n_clear - frames->n_idle : 0;

    if (take_from_allocator(frames, n_clear, need->n_whole))
        return true;
    give_back(frames);
    return false;
}

phys_t paging_frames_pop_allocated(struct paging_frames *frames)
{
    return stack_pop(&frames->clear);
}

phys_t paging_frames_pop_whole(struct paging_frames *frames)
{
    return stack_pop(&frames->whole);
}

void paging_table_give(phys_t table, bool is_clear)
{
    if (!paging_is_kept(table)) {
        table_frame_free(table);
        return;
    }
    idle_push(table, is_clear);
    while (mm.paging.n_substitutes > 0 && mm.paging.n_idle + mm.paging.n_substitutes > PAGING_N_SPLIT)
        table_frame_free(mm.paging.substitute[--mm.paging.n_substitutes]);
}

void paging_add_spares(void)
{
    if (!mm.paging.adopted)
        return;
    while (!paging_has_spares(PAGING_N_SPLIT)) {
        phys_t table = table_frame_alloc(1);
        if (phys_is_none(table))
            return;
        mm.paging.substitute[mm.paging.n_substitutes++] = table;
    }
}

/* Kept frames last: a substitute that serves is one frame less to give back. */
phys_t paging_take_spare(void)
{
    if (mm.paging.n_substitutes == 0)
        return mm.paging.idle[--mm.paging.n_idle];
    return mm.paging.substitute[--mm.paging.n_substitutes];
}

bool paging_keep_frames(void)
{
    mm.paging.kept_low = ~0UL;
    for (unsigned i = 0; i < PAGING_N_KEPT; i++) {
        phys_t table = table_frame_alloc(1);
        if (phys_is_none(table))
            return false;
        mm.paging.kept[i] = table;
        mm.paging.idle[mm.paging.n_idle++] = table;
        mm.paging.kept_low = min_u64(mm.paging.kept_low, table.addr);
        mm.paging.kept_high = max_u64(mm.paging.kept_high, table.addr);
    }
    return true;
}
