/* SPDX-License-Identifier: MIT */
/*
 * The state of the machine as bytes.
 *
 * All that mm keeps is in `struct mm`, in the frames that it took before there were allocators (page array,
 * held array, page tables, its copy of the map), and in frames with a role of its own (role tables,
 * descriptors, page tables).  No byte of a free frame means anything, and nothing is written into objects. So
 * these are saved, restored and hashed.
 *
 * A frame that became metadata after a snapshot is not restored when that is: it is free again, its bytes
 * mean nothing.
 */
#include <explore.h>

#include <mm/page.h>
#include <mm/ram.h>
#include <mm/role.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FRAMES 512

struct snapshot {
    struct mm mm;
    struct things things;
    unsigned n_frames;
    u64 at[MAX_FRAMES];
    u8 bytes[MAX_FRAMES][FRAME_BYTES];
};

static bool is_metadata(enum role role)
{
    return role == ROLE_METADATA || (role != ROLE_NONE && role <= ROLE_TABLE_MAX);
}

/* Frames that mm took before there were allocators: always the same. */
static unsigned n_early;
static u64 early[MAX_FRAMES];
static u8 early_bytes[MAX_FRAMES][FRAME_BYTES]; /* at the start: most of them never change */

void state_start(void)
{
    n_early = 0;
    for (u64 at = 0; at < mm.ram_end; at += FRAME_BYTES)
        if (early_owns(phys(at)) && n_early < MAX_FRAMES) {
            memcpy(early_bytes[n_early], phys_pointer(phys(at)), FRAME_BYTES);
            early[n_early++] = at;
        }
}

/* Adds a frame to a list of MAX_FRAMES at most. */
static void list_add_frame(u64 *list, unsigned *n, u64 at)
{
    if (*n == MAX_FRAMES) {
        fprintf(stderr, "explore: more than %d frames of metadata\n", MAX_FRAMES);
        abort();
    }
    list[(*n)++] = at;
}

/* All frames that mm keeps something in; how many. */
static unsigned list_kept(u64 *list)
{
    unsigned n = n_early;

    memcpy(list, early, n_early * sizeof early[0]);
    for (u32 i = 0; i < mm.n_pages; i++) {
        const ul *roles = page_at(i)->roles;

        if (roles == NULL)
            continue;
        list_add_frame(list, &n, pointer_phys(roles).addr);
        for (u64 k = 0; k < PAGE_FRAMES; k++) {
            u64 at = i * PAGE_BYTES + k * FRAME_BYTES;

            if (is_metadata(word_role(roles[k])) && !early_owns(phys(at)))
                list_add_frame(list, &n, at);
        }
    }
    return n;
}

u64 state_n_metadata_frames(void)
{
    u64 list[MAX_FRAMES];

    return list_kept(list) + mm.limbo.n_tables; /* those in limbo have no role, and are not free yet */
}

struct snapshot *snapshot_new(void)
{
    struct snapshot *snapshot = malloc(sizeof *snapshot);

    if (snapshot == NULL)
        abort();
    return snapshot;
}

void snapshot_drop(struct snapshot *snapshot)
{
    free(snapshot);
}

void snapshot_take(struct snapshot *snapshot, const struct things *things)
{
    snapshot->mm = mm;
    snapshot->things = *things;
    snapshot->n_frames = list_kept(snapshot->at);
    for (unsigned i = 0; i < snapshot->n_frames; i++)
        memcpy(snapshot->bytes[i], phys_pointer(phys(snapshot->at[i])), FRAME_BYTES);
}

void snapshot_restore(const struct snapshot *snapshot, struct things *things)
{
    mm = snapshot->mm;
    *things = snapshot->things;
    for (unsigned i = 0; i < snapshot->n_frames; i++)
        memcpy(phys_pointer(phys(snapshot->at[i])), snapshot->bytes[i], FRAME_BYTES);
}

/* Statistics, and what lies above the top of stacks. */
static void normalize_cpu(struct mm_cpu *cpu)
{
    for (unsigned i = 0; i < MM_N_CLASSES; i++) {
        u32 n = magazine_count(cpu, i);

        cpu->n_taken[i] = 0;
        memset(&cpu->magazine[i].round[n], 0, (MAGAZINE_ROUNDS - n) * sizeof cpu->magazine[i].round[0]);
    }
    memset(&cpu->frame[cpu->stacked.n_frames], 0, (STACK_FRAMES - cpu->stacked.n_frames) * sizeof cpu->frame[0]);
    memset(&cpu->page[cpu->stacked.n_pages], 0, (STACK_PAGES - cpu->stacked.n_pages) * sizeof cpu->page[0]);
    for (unsigned i = 0; i < STACK_ORDERS; i++) {
        struct block_stack *blocks = &cpu->blocks[i];
        u32 n = *mm_cpu_n_blocks(cpu, i + 1);

        memset(&blocks->block[n], 0, (STACK_BLOCKS - n) * sizeof blocks->block[0]);
    }
}

/* What a whole page keeps of an earlier life: all but the bounds of a free run, in its first and last page. */
static void normalize_whole(struct Page *page)
{
    bool is_head = page->state == PAGE_FREE_HEAD;
    bool is_last = page_is_free(page) && (page_index(page) + 1 == mm.n_pages || page[1].zone != page->zone ||
                                          page[1].state != PAGE_FREE_BODY);
    ul length = page->free_frames[0], head = page->free_frames[1];

    memset(page->free_frames, 0, sizeof page->free_frames);
    page->n_free = 0;
    page->owner = 0;
    page->free_frames[0] = is_head ? length : 0;
    page->free_frames[1] = is_last ? head : 0;
    if (!is_head) {
        page->next = page->prev = 0;
        page->order = 0;
    }
}

/* Of the counters of contexts only the sums mean anything. */
static void normalize_counters(struct mm_cpu *sum, struct mm_cpu *other)
{
    sum->cache_bytes += other->cache_bytes;
    sum->slab_free_bytes += other->slab_free_bytes;
    other->cache_bytes = other->slab_free_bytes = 0;
    for (unsigned i = 0; i < MM_N_CLASSES; i++) {
        sum->n_slabs[i] += other->n_slabs[i];
        sum->n_free[i] += other->n_free[i];
        other->n_slabs[i] = other->n_free[i] = 0;
    }
}

void state_normalize(void)
{
    mm.n_misuses = 0;
    mm.n_groups_sent_on = 0;
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        mm.zone[i].low_water_frames = 0;
    for (unsigned i = 0; i < MM_N_CLASSES; i++)
        mm.n_failures[i] = 0;
    for (unsigned i = 0; i < MM_N_CONTEXTS; i++)
        normalize_cpu(&mm.boot_cpu[i]);
    normalize_counters(&mm.boot_cpu[0], &mm.boot_cpu[1]);
    for (unsigned i = mm.limbo.n_tables; i < LIMBO_TABLES; i++)
        mm.limbo.table[i] = phys(0);
    for (u32 i = 0; i < mm.n_pages; i++) {
        struct Page *page = page_at(i);

        if (page->state != PAGE_SPLIT && page->state != PAGE_ABSENT)
            normalize_whole(page);
    }
}

#define LANES 4

/* Four sums beside each other, since each multiplication waits for the one before it in its lane. */
struct lanes {
    u64 lane[LANES];
};

static inline u64 mix(u64 lane, u64 word)
{
    lane = (lane ^ word) * 0x9e3779b97f4a7c15;
    return lane ^ lane >> 29;
}

static void hash_bytes(struct lanes *sums, const void *bytes, size_t n_bytes)
{
    const u64 *word = bytes;
    struct lanes now = *sums;
    size_t n = n_bytes / sizeof *word, i = 0;

    for (; i + LANES <= n; i += LANES)
        for (unsigned k = 0; k < LANES; k++)
            now.lane[k] = mix(now.lane[k], word[i + k]);
    for (; i < n; i++)
        now.lane[0] = mix(now.lane[0], word[i]);
    *sums = now;
}

struct state_hash state_hash(const struct things *things)
{
    struct lanes sums = {{1, 2, 3, 4}};
    u64 list[MAX_FRAMES];
    unsigned n;

    _Static_assert(sizeof mm % sizeof(u64) == 0 && sizeof *things % sizeof(u64) == 0, "whole words");
    hash_bytes(&sums, &mm, sizeof mm);
    hash_bytes(&sums, things, sizeof *things);
    n = list_kept(list);
    hash_bytes(&sums, list, n * sizeof list[0]);
    for (unsigned i = 0; i < n; i++) {
        const void *bytes = phys_pointer(phys(list[i]));

        if (i < n_early && memcmp(bytes, early_bytes[i], FRAME_BYTES) == 0)
            continue;
        hash_bytes(&sums, &list[i], sizeof list[i]);
        hash_bytes(&sums, bytes, FRAME_BYTES);
    }
    return (struct state_hash){mix(sums.lane[0], sums.lane[1]) + sums.lane[2],
                               mix(sums.lane[2], sums.lane[3]) + sums.lane[0]};
}
