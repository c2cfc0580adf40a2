/* SPDX-License-Identifier: MIT */
/*
 * Between the files of paging: the visit, and the bare cores behind the locked calls.  Nobody else includes
 * it.
 *
 * paging.c          the public calls: arguments, locks            calls map, unmap
 * paging_map.c      mapping: check, take frames, write            calls descent, tables
 * paging_unmap.c    unmapping: check, split, gather, flush, free  calls descent, tables
 * paging_boot.c     the kernel's own tables, the direct map       calls map, visit
 * paging_look.c     walk, runs, peek, counts                      calls visit
 * paging_check.c    invariants                                    calls visit, look
 * paging_visit.c    the loop over levels that suits everybody
 * paging_descent.h  the way down to where a range lies
 * paging_tables.c   frames for tables                             calls role.h
 */
#ifndef MM_PAGING_CORE_H
#define MM_PAGING_CORE_H

#include <mm/entry.h>
#include <mm/page.h>
#include <mm/paging.h>
#include <mm/role.h>
#include <mm/state.h>

/* Where a visit stands: at an entry of a table, with the part of the range that lies in that table still to
 * do. */
struct paging_place {
    phys_t table;
    unsigned level; /* of the table */
    u64 at;         /* linear: the first byte not yet dealt with; a visitor moves it */
    u64 end;        /* linear: end of the range in this table */
    u64 *entry;     /* the entry that translates `at` */
    u64 next;       /* linear: end of what that entry translates of the range */
};

enum paging_go {
    PAGING_NEXT, /* the visitor dealt with one entry or several, and moved `at` past them */
    PAGING_DOWN, /* visit the table that the entry points to, then go on behind the entry */
    PAGING_STOP, /* end the whole visit */
};

typedef enum paging_go paging_visitor(struct paging_place *place, void *context);

/* Visits a range from the top level down.  False if the visitor stopped it. */
bool paging_visit(phys_t top, u64 start, u64 end, paging_visitor *visitor, void *context);

/* Moves `at` over the entries from here on that are absent; returns how many entries they are. */
u64 paging_skip_absent(struct paging_place *place);

static inline u64 *paging_entries(phys_t table)
{
    return phys_pointer(table);
}

/* Other CPUs walk tables at any time: what an entry leads to is written before it is. */
static inline void paging_link(u64 *entry, u64 value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* Slots: entries of a top-level table.  Shared ones lead to tables that all address spaces have in common;
 * made once, at boot, and never taken away.  All others are private to one top-level table. */
static inline bool paging_slot_is_shared(u64 linear)
{
    unsigned slot = entry_index(linear, ENTRY_TOP_LEVEL);

    return (mm.paging.shared_slots[slot / 64] >> (slot % 64)) & 1;
}

/* The word of a frame that is marked as a table. */
static inline ul *paging_word(phys_t table)
{
    return &page_of(table)->roles[table.addr / FRAME_BYTES % PAGE_FRAMES];
}

/* The word of a table of `level` with so many present entries. */
static inline ul paging_table_word(unsigned level, unsigned n_used)
{
    return role_word_make((enum role)level, mm.no_object + n_used);
}

/* Marks a frame that has a role as such a table.  (Boot's are marked later.) */
static inline void paging_mark(phys_t table, unsigned level, unsigned n_used)
{
    if (LIKELY(mm.paging.adopted))
        *paging_word(table) = paging_table_word(level, n_used);
}

/* The word of a frame, which may be any number, if it is marked as a table of `level`; else NULL. */
static inline ul *paging_find_word(phys_t table, unsigned level)
{
    if (!page_exists(table))
        return NULL;
    ul *word = &page_of(table)->words[table.addr / FRAME_BYTES % PAGE_FRAMES];
    return word_role(*word) == (enum role)level ? word : NULL;
}

/*
 * May this frame be believed to be a table of `level`?  (Until tables are marked, paging's own are all there
 * are.)
 */
static inline bool paging_is_table(phys_t table, unsigned level)
{
    return UNLIKELY(!mm.paging.adopted) || paging_find_word(table, level) != NULL;
}

/* Where the present entries of a table are counted; NULL: nowhere.  Callers' top levels are theirs. */
static inline ul *paging_counter(phys_t table, unsigned level)
{
    bool counted = mm.paging.adopted && (level < ENTRY_TOP_LEVEL || table.addr == mm.paging.kernel_top.addr);

    return counted ? paging_word(table) : NULL;
}

/* Counts entries that became present, or absent (change < 0). */
static inline void paging_count(ul *counter, int change)
{
    if (counter != NULL)
        *counter += (ul)(s64)change << ROLE_ADDRESS_SHIFT;
}

/* Takes n from the count of a table that has one; true when it has no entry left. */
static inline bool paging_uncount(ul *counter, unsigned n)
{
    *counter -= (ul)n << ROLE_ADDRESS_SHIFT;
    return word_used(*counter) == 0;
}

/*
 * Ranges.  Mapping and unmapping go over the entries of a table by `at` and the end of the part of [at, end)
 * that one entry translates.
 */
static inline u64 paging_part_end(u64 at, u64 end, unsigned shift)
{
    return min_u64(((at >> shift) + 1) << shift, end);
}

/* How many entries, n_most at the most, are absent from this one on. */
u64 paging_count_absent(const u64 *entry, u64 n_most);

/*
 * How many tables something takes: cleared ones, and page tables that are written whole, which need not be
 * cleared.
 */
struct paging_need {
    u64 n_clear, n_whole;
};

/* Adds the tables that the range takes below an entry of `level` or several, all absent, if leaves of up to
 * `largest` are used. */
void paging_add_need(struct paging_need *need, unsigned level, u64 start, u64 end, unsigned largest);

/* What to map where; see paging_map.c.  Whole frames. */
struct paging_request {
    u64 start, end;   /* linear */
    u64 phys;         /* of start */
    ul flags;         /* as the CPU can have them: paging_usable_flags */
    unsigned largest; /* level of the largest leaf wanted: 1 .. 3 */
    bool callers;     /* a caller's, not the kernel's own: its tables may be kept frames */
};

/*
 * Leaves out what this CPU has not, or replaces it: where there is no NX, bit 63 is reserved and would
 * fault; where there is no PAT, PA4 is write-back, and UC- is what the MTRRs make of it.
 */
static inline ul paging_usable_flags(ul flags)
{
    if (!mm.features.no_execute)
        flags &= ~PAGE_XD;
    if (!mm.features.global_pages)
        flags &= ~PAGE_GLOBAL;
    if (!mm.features.pat && (flags & PAGE_WC))
        flags = (flags & ~PAGE_WC) | PAGE_PCD;
    return flags | PAGE_PRESENT;
}

/* The level of the largest leaves for a mapping: limited by the CPU and by how start and phys lie to each
 * other. */
unsigned paging_largest_leaf(u64 start, u64 phys, bool use4k);

/*
 * The bare cores; the lock is held.  0, or -EFAULT with nothing changed; *bad_table is then the frame that
 * was met in place of a table, if it was that.
 */
MUST_USE int paging_map(phys_t top, const struct paging_request *request);
MUST_USE int paging_unmap(phys_t top, u64 start, u64 end, phys_t *bad_table);

/* Frames for the tables of one call.  They are not marked; who links one marks it. */
struct paging_frames {
    u64 n_idle;          /* so many of the idle ones may be used, for cleared tables */
    phys_t clear, whole; /* lists through the first word: cleared but for that; as they came */
};

/* Idle frames that mapping may take. */
static inline u64 paging_n_free_idle(void)
{
    return mm.paging.n_idle > PAGING_N_SPLIT ? mm.paging.n_idle - PAGING_N_SPLIT : 0;
}

/* Takes what is needed beyond n_idle.  False: memory is exhausted, and nothing was taken. */
MUST_USE bool paging_frames_take(struct paging_frames *frames, const struct paging_need *need);

/* One of them, and one less. */
MUST_USE phys_t paging_frames_pop_whole(struct paging_frames *frames);
MUST_USE phys_t paging_frames_pop_allocated(struct paging_frames *frames);

/* A cleared one. */
static inline phys_t paging_frames_pop(struct paging_frames *frames)
{
    if (UNLIKELY(frames->n_idle == 0))
        return paging_frames_pop_allocated(frames);
    frames->n_idle--;
    return mm.paging.idle[--mm.paging.n_idle];
}

/* Gives a table back that nothing points to; is_clear: all its entries are zero. */
void paging_table_give(phys_t table, bool is_clear);

/*
 * The place of a kept frame among them if they were allocated one after the other, as they mostly are; else
 * anything.
 */
static inline u64 paging_kept_place(phys_t table)
{
    return (table.addr - mm.paging.kept[0].addr) / FRAME_BYTES;
}

/* The same for one whose entries are all zero, and whose word is *word. */
static inline void paging_empty_table_give(phys_t table, ul *word)
{
    u64 place = paging_kept_place(table);

    if (UNLIKELY(place >= PAGING_N_KEPT || mm.paging.kept[place].addr != table.addr ||
                 mm.paging.n_substitutes != 0)) {
        paging_table_give(table, true);
        return;
    }
    *word = paging_table_word(1, 0);
    mm.paging.idle[mm.paging.n_idle++] = table;
}

/* Tables to split with: are there enough; fills them up as far as memory goes; takes one of those. */
static inline bool paging_has_spares(u64 n)
{
    return n <= mm.paging.n_idle + mm.paging.n_substitutes;
}

void paging_add_spares(void);

static inline void paging_fill_spares(void)
{
    if (UNLIKELY(!paging_has_spares(PAGING_N_SPLIT)))
        paging_add_spares();
}

MUST_USE phys_t paging_take_spare(void); /* cleared; who links it marks it */

/* Takes the frames that are kept for ever, once, at boot. */
MUST_USE bool paging_keep_frames(void);

/* Is this frame one of those? */
bool paging_is_kept(phys_t table);

#endif
