/* SPDX-License-Identifier: MIT */
/* Checks of the debug mode: I501 .. I504 of debug.c.  Pages, zones and roles are sound (check_runs,
 * check_zones, check_roles). */
#include <lib/bits.h>
#include <mm/check.h>
#include <mm/debug_state.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/slab.h>

/* What a recount of the records finds. */
struct tally {
    u64 n_of_state[RECORD_GONE + 1];
    u64 waiting_bytes, n_waiting_of_class[MM_N_CLASSES];
};

static bool is_record(const struct list_node *node)
{
    u64 offset = (u64)node - (u64)mm.debug.record - offsetof(struct debug_record, link);

    return offset % sizeof(struct debug_record) == 0 &&
           offset / sizeof(struct debug_record) < mm.debug.n_used;
}

/* I501 of a list: `expected` records, all in this state. */
static bool check_list(struct mm_violation *out, const struct list_node *list, enum record_state state,
                       u64 expected)
{
    const struct list_node *before = list;
    u64 n = 0;

    list_for_each(node, list)
    {
        if (++n > expected || !is_record(node) || node->prev != before ||
            container_of(node, struct debug_record, link)->state != state)
            return check_failed(out, 501, "a list of records is broken", (u64)node, expected, n);
        before = node;
    }
    return check_equal(out, 501, "records in a list", (u64)list, expected, n);
}

/* I501 of a record that is in use: is it in the chain that its base calls for? */
static bool check_chain(struct mm_violation *out, const struct debug_record *record)
{
    const struct debug_record *found = record_find((enum mm_owner_kind)record->kind, record->base,
                                                   record->order, (enum record_state)record->state);

    return found != NULL || check_failed(out, 501, "a record is not in its chain", record->base, 1, 0);
}

/* I502 of a slot. */
static bool check_slot(struct mm_violation *out, const struct debug_record *record)
{
    unsigned role = role_of(phys(record->base)) % ROLE_TOP_LEVEL;

    return check_equal(out, 502, "the role of a slot that a record holds", record->base,
                       record->order + ROLE_OBJECT_MIN, role);
}

/* I502 of a live block of frames or pages: held at both ends, and no other record's. */
static bool check_block(struct mm_violation *out, const struct debug_record *record)
{
    u64 last = record->base + record_bytes(record) - 1;
    const struct Page *page = page_of(phys(record->base));

    if (!page_is_owned(page) && !page_is_block(page) && !frame_is_held(phys(record->base)))
        return check_failed(out, 502, "a record holds a block that nobody has", record->base, PAGE_OWNED,
                            page->state);
    if (record_live_block(record->base) != record || record_live_block(last) != record)
        return check_failed(out, 502, "two records hold the same block", record->base, (u64)record,
                            (u64)record_live_block(last));
    return true;
}

static bool check_record(struct mm_violation *out, const struct debug_record *record, struct tally *tally)
{
    bool holds = record->state == RECORD_LIVE || record->state == RECORD_WAITING;

    if (record->state > RECORD_GONE || (record->state != RECORD_FREE && record->base >= mm.ram_end))
        return check_failed(out, 501, "a record says what cannot be", (u64)record, RECORD_GONE,
                            record->state);
    tally->n_of_state[record->state]++;
    if (record->state == RECORD_WAITING) {
        tally->waiting_bytes += record_bytes(record);
        tally->n_waiting_of_class[record->order % MM_N_CLASSES]++;
    }
    if (record->state != RECORD_FREE && !check_chain(out, record))
        return false;
    if (!holds)
        return true;
    return record->kind == MM_OWNER_OBJECT ? check_slot(out, record) : check_block(out, record);
}

/* I501: no chain has more records than are in use, so none goes in a circle. */
static bool check_chains(struct mm_violation *out, u64 expected)
{
    u64 n = 0;

    for (u32 head = 0; head < mm.debug.n_heads; head++)
        for (u32 i = mm.debug.head[head]; i != RECORD_NONE; i = record_at(i)->chain)
            if (i >= mm.debug.n_used || ++n > expected)
                return check_failed(out, 501, "a chain of records is broken", head, expected, n);
    return check_equal(out, 501, "records in chains", 0, expected, n);
}

static bool check_counts(struct mm_violation *out, const struct tally *tally)
{
    for (unsigned class = 0; class < MM_N_CLASSES; class ++)
        if (!check_equal(out, 503, "objects of a class in quarantine", class,
                         tally->n_waiting_of_class[class], mm.debug.n_waiting_of_class[class]))
            return false;
    return check_equal(out, 503, "bytes in quarantine", 0, tally->waiting_bytes, mm.debug.waiting_bytes) &&
           check_equal(out, 501, "live records", 0, tally->n_of_state[RECORD_LIVE], mm.debug.n_live) &&
           check_equal(out, 501, "records of what is gone", 0, tally->n_of_state[RECORD_GONE],
                       mm.debug.n_gone) &&
           check_equal(out, 501, "records of what waits", 0, tally->n_of_state[RECORD_WAITING],
                       mm.debug.n_waiting);
}

/* I504 */
static bool check_filled(struct mm_violation *out)
{
    u64 n_words = (mm.debug.n_filled_bits + BITS_PER_WORD - 1) / BITS_PER_WORD;

    for (u64 i = 0; i < n_words; i++) {
        phys_t first = phys(i * BITS_PER_WORD * FRAME_BYTES);
        const struct Page *page = page_of(first);
        u64 free = page->state == PAGE_SPLIT ? page->free_frames[i % (PAGE_FRAMES / BITS_PER_WORD)] : 0;

        if (!page_is_free(page) && (mm.debug.filled[i] & ~free) != 0)
            return check_failed(out, 504, "frames that are filled as free ones are none", first.addr, free,
                                mm.debug.filled[i]);
    }
    return true;
}

bool debug_slot_at(u32 i, u64 *slot, unsigned *class)
{
    const struct debug_record *record = record_at(i);

    *slot = record->base + PAGE_OFFSET;
    *class = record->order;
    return record->kind == MM_OWNER_OBJECT &&
           (record->state == RECORD_LIVE || record->state == RECORD_WAITING);
}

bool check_debug(struct mm_violation *out)
{
    struct tally tally = {0};

    if (mm.debug.features == 0)
        return true;
    for (u32 i = 0; i < mm.debug.n_used; i++)
        if (record_at(i)->chain >= mm.debug.n_used && record_at(i)->chain != RECORD_NONE)
            return check_failed(out, 501, "a record leads nowhere", i, RECORD_NONE, record_at(i)->chain);
    if (!check_chains(out, mm.debug.n_live + mm.debug.n_waiting + mm.debug.n_gone))
        return false;
    for (u32 i = 0; i < mm.debug.n_used; i++)
        if (!check_record(out, record_at(i), &tally))
            return false;
    return check_counts(out, &tally) && check_filled(out) &&
           check_list(out, &mm.debug.free, RECORD_FREE, tally.n_of_state[RECORD_FREE]) &&
           check_list(out, &mm.debug.waiting, RECORD_WAITING, tally.n_of_state[RECORD_WAITING]) &&
           check_list(out, &mm.debug.gone, RECORD_GONE, tally.n_of_state[RECORD_GONE]);
}
