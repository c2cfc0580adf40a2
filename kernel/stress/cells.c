/* SPDX-License-Identifier: MIT */
/*
 * Mappings in the special window, and the proof that an unmapped one is out of every CPU's reach.
 *
 * A *cell* is a place in the window for one mapping at a time.  Its state counts up and says what others may
 * rely on:
 *
 *      4 n + DEAD       nothing is mapped
 *      4 n + CHANGING   ask later
 *      4 n + LIVE       n_frames frames from `start` on, the first word of each known from `tag`
 *
 * The owner goes DEAD -> CHANGING -> map -> LIVE -> CHANGING -> unmap -> DEAD.  Any CPU may look at any time:
 * it reads the state, accesses (a fault is caught), and reads the state again.  If that is the same, then so
 * was the mapping all the while: LIVE, and the access must have met the known word; or DEAD, and it must have
 * faulted.  A translation that outlived its unmap is caught by that at once; and, when a write went through
 * it, by the next owner of the memory, whose content it spoils.
 *
 * Lookers write only into words SCRATCH_WORD + their number, which nobody checks while the memory is mapped.
 */
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/stress/worker.h>
#include <mm/frame.h>
#include <mm/mm.h>

#define N_CELLS         64
#define CELL_BYTES      (16UL << 20)
#define CELLS_START     (MM_SPECIAL_START + (512UL << 30)) /* what a person maps by hand is further down */
#define SCRATCH_WORD    8
#define TAKE_TRIES      4
#define LOOKS           4
#define PAUSE_BITS_MOST 7 /* before memory is looked at again: up to 2^7 pauses */
#define FLAGS           (PAGE_PRESENT | PAGE_R_W | PAGE_XD)

enum phase { DEAD, CHANGING, LIVE };

struct cell {
    u64 state;
    u64 start, n_frames, tag;
    u64 phys;
    u8 zone;   /* of the memory behind it: 0 for a block of NORMAL, else that of pages */
    u8 number; /* a block's order, or how many pages */
    bool taken;
};

static struct cell cells[N_CELLS];
static u32 n_cells;

void cells_start(u32 n)
{
    for (u32 i = 0; i < N_CELLS; i++)
        cells[i].taken = false;
    n_cells = n < N_CELLS ? n : N_CELLS;
}

static enum phase phase_of(u64 state)
{
    return (enum phase)(state % 4);
}

static u64 state_of(const struct cell *cell)
{
    return __atomic_load_n(&cell->state, __ATOMIC_SEQ_CST);
}

static void enter_phase(struct cell *cell, enum phase phase)
{
    __atomic_store_n(&cell->state, (cell->state / 4 + 1) * 4 + phase, __ATOMIC_SEQ_CST);
}

static u64 frame_at(const struct cell *cell, u64 frame)
{
    return cell->start + frame * FRAME_BYTES;
}

/* ---- looking at the others' ---- */

static void peek_at(struct worker *worker, const struct cell *cell, u64 state)
{
    u64 frame = worker_random(worker) % (cell->n_frames | 1), at = frame_at(cell, frame);
    u64 expected = content_word(cell->tag, frame), found = 0;
    bool wrote = worker_chance(worker, 2) && probe_write(at + 8 * (SCRATCH_WORD + worker->number), &state, 8);
    bool read = probe_read(at, &found, 8);

    if (state_of(cell) != state || frame >= cell->n_frames)
        return;
    if (phase_of(state) == LIVE)
        STRESS_EXPECT(worker, read && found == expected, "0x%lx is mapped and %s 0x%lx, not 0x%lx", at,
                      read ? "reads" : "faults:", found, expected);
    else
        STRESS_EXPECT(worker, !read && !wrote, "0x%lx is unmapped and was %s here (0x%lx)", at,
                      wrote ? "written" : "read", found);
}

void cells_peek(struct worker *worker)
{
    const struct cell *cell = &cells[worker_random(worker) % n_cells];
    u64 state = state_of(cell);

    if (phase_of(state) != CHANGING && state >= 4)
        peek_at(worker, cell, state);
}

/* ---- the memory behind one ---- */

static bool memory_take(struct worker *worker, struct cell *cell)
{
    if (worker_chance(worker, 2)) {
        unsigned order = (unsigned)(worker_random(worker) % 7);
        phys_t first = frame_alloc(ZONE_NORMAL, order);

        cell->zone = 0;
        cell->number = (u8)order;
        cell->n_frames = 1UL << order;
        cell->phys = first.addr;
        return !phys_is_none(first);
    }
    int n = 1 + (int)worker_chance(worker, 4);
    unsigned zone = worker_chance(worker, 2) ? ZONE_UNMAPPED_IN_PGT : ZONE_NORMAL;
    struct Page *first = alloc_pages(zone, n, PAGE_KERNEL);

    cell->zone = (u8)zone;
    cell->number = (u8)n;
    cell->n_frames = (u64)n * (PAGE_2M_SIZE / FRAME_BYTES);
    cell->phys = first != NULL ? first->addr_phys : 0;
    return first != NULL;
}

static void memory_give(struct worker *worker, const struct cell *cell)
{
    if (cell->zone != 0)
        free_pages(Phy_to_2M_Page(cell->phys), cell->number);
    else
        STRESS_EXPECT(worker, frame_free(phys(cell->phys), cell->number) == 0, "frame_free refused 0x%lx",
                      cell->phys);
}

/*
 * What was mapped is somebody else's memory now: writes all scratch words of one of its frames, and finds
 * them unchanged a little later.
 */
static void memory_reuse(struct worker *worker, const struct cell *cell)
{
    u64 *words =
        phys_2_virt(cell->phys + worker_random(worker) % cell->n_frames * FRAME_BYTES) + SCRATCH_WORD;

    if (cell->zone == ZONE_UNMAPPED_IN_PGT)
        return;
    for (u64 i = 0; i < SMP_N_CPUS; i++)
        words[i] = content_word(cell->tag, i);
    for (u64 i = worker_random(worker) % (1UL << worker_random(worker) % PAUSE_BITS_MOST); i > 0; i--)
        cpu_pause();
    for (u64 i = 0; i < SMP_N_CPUS; i++)
        STRESS_EXPECT(worker, words[i] == content_word(cell->tag, i),
                      "CPU %lu wrote into 0x%lx, which is unmapped", i, cell->phys);
}

/* ---- mappings ---- */

static u64 mapping_bytes(const struct thing *thing)
{
    return cells[thing->number].n_frames * FRAME_BYTES;
}

static void expect_unreachable(struct worker *worker, const struct cell *cell, u64 first, u64 n)
{
    for (u64 i = 0; i < LOOKS && n != 0; i++) {
        u64 value, frame = first + worker_random(worker) % n;

        STRESS_EXPECT(worker, !probe_read(frame_at(cell, frame), &value, 8),
                      "0x%lx is unmapped and can be read", frame_at(cell, frame));
    }
}

/* Looks at frames [first, first + n): the first, the last and some between. */
static void expect_content(struct worker *worker, const struct cell *cell, u64 first, u64 n)
{
    for (u64 i = 0; i < LOOKS + 2 && n != 0; i++) {
        u64 frame = first + (i == 0 ? 0 : i == 1 ? n - 1 : worker_random(worker) % n), found = 0;
        bool read = probe_read(frame_at(cell, frame), &found, 8);

        if (!read || found != content_word(cell->tag, frame)) {
            stress_fail(worker, "0x%lx is mapped and %s 0x%lx, not 0x%lx", frame_at(cell, frame),
                        read ? "reads" : "faults:", found, content_word(cell->tag, frame));
            return;
        }
    }
}

/* Where in the window: as the large leaves want it, or anywhere. */
static u64 choose_start(struct worker *worker, const struct cell *cell)
{
    u64 base = CELLS_START + (u64)(cell - cells) * CELL_BYTES;
    u64 frame = worker_random(worker) % (CELL_BYTES / 2 / FRAME_BYTES);

    return base + (worker_chance(worker, 2) ? frame * FRAME_BYTES : frame * FRAME_BYTES & PAGE_2M_MASK);
}

static bool cell_map(struct worker *worker, struct cell *cell)
{
    u64 bytes = cell->n_frames * FRAME_BYTES;

    cell->start = choose_start(worker, cell);
    cell->tag = worker_random(worker);
    trace(worker, TRACE_MAP, 0, cell->start, cell->n_frames);
    if (mm_map_phys_addr(cell->start, cell->phys, bytes, FLAGS, worker_chance(worker, 2)) != 0) {
        expect_unreachable(worker, cell, 0, cell->n_frames);
        return false;
    }
    for (u64 i = 0; i < cell->n_frames; i++)
        *(volatile u64 *)frame_at(cell, i) = content_word(cell->tag, i);
    return true;
}

/* Unmaps a part in the middle; the ends must stay.  It may be refused, when a large leaf cannot be split. */
static void cell_unmap_part(struct worker *worker, const struct cell *cell)
{
    u64 first = worker_random(worker) % cell->n_frames,
        n = 1 + worker_random(worker) % (cell->n_frames - first);
    int result = mm_unmap_range((ul)get_CR3(), true, frame_at(cell, first), n * FRAME_BYTES);

    if (result == 0)
        expect_unreachable(worker, cell, first, n);
    else
        expect_content(worker, cell, first, n);
    expect_content(worker, cell, 0, first);
    expect_content(worker, cell, first + n, cell->n_frames - first - n);
}

static void cell_unmap(struct worker *worker, struct cell *cell)
{
    u64 bytes = cell->n_frames * FRAME_BYTES;

    trace(worker, TRACE_UNMAP, 0, cell->start, cell->n_frames);
    enter_phase(cell, CHANGING);
    if (worker_chance(worker, 3))
        cell_unmap_part(worker, cell);
    STRESS_EXPECT(worker, mm_unmap_range((ul)get_CR3(), true, cell->start, bytes) == 0,
                  "0x%lx + 0x%lx cannot be unmapped", cell->start, bytes);
    enter_phase(cell, DEAD);
    expect_unreachable(worker, cell, 0, cell->n_frames);
    memory_reuse(worker, cell);
}

static struct cell *cell_take(struct worker *worker)
{
    for (unsigned i = 0; i < TAKE_TRIES; i++) {
        struct cell *cell = &cells[worker_random(worker) % n_cells];

        if (!__atomic_exchange_n(&cell->taken, true, __ATOMIC_ACQ_REL))
            return cell;
    }
    return NULL;
}

static void cell_leave(struct cell *cell)
{
    __atomic_store_n(&cell->taken, false, __ATOMIC_RELEASE);
}

static bool mapping_make(struct worker *worker, struct thing *thing)
{
    struct cell *cell = cell_take(worker);
    bool good;

    if (cell == NULL)
        return true;
    enter_phase(cell, CHANGING);
    good = memory_take(worker, cell);
    if (good && !cell_map(worker, cell)) {
        memory_give(worker, cell);
        good = false;
    }
    enter_phase(cell, good ? LIVE : DEAD);
    if (good)
        *thing = (struct thing){.kind = THING_MAPPING, .number = (u8)(cell - cells)};
    else
        cell_leave(cell);
    return good;
}

static void mapping_check(struct worker *worker, const struct thing *thing)
{
    const struct cell *cell = &cells[thing->number];

    expect_content(worker, cell, 0, cell->n_frames);
}

static void mapping_drop(struct worker *worker, struct thing *thing)
{
    struct cell *cell = &cells[thing->number];

    cell_unmap(worker, cell);
    memory_give(worker, cell);
    cell_leave(cell);
}

const struct kind_of_thing kind_mapping = {"mappings", mapping_make, mapping_check, mapping_drop,
                                           mapping_bytes};
