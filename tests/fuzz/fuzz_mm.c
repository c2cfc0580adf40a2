/* SPDX-License-Identifier: MIT */
/*
 * Sequences of calls of mm.h against models (mm_play.h).  Input: a byte for the machine, then calls: a byte that says
 * which one, and its arguments.  Bit 7 of it: from an interrupt handler.
 *
 * After each call the sums of mm_stat agree, and as many misuses were reported as there were; after each few, and at the
 * end, mm_check and the MMU are content.  When all is given back, memory and page tables are byte for byte as before.
 */
#include <mm_play.h>

#include <lib/bits.h>
#include <mm/cpu.h>
#include <mm/fail.h>
#include <mm/inspect.h>
#include <paging_tools.h>

#include <stdio.h>
#include <string.h>

#define CHECK_EVERY 8
#define FROM_INTERRUPT 0x80u

bool mm_play_may_fail(const struct mm_play *play)
{
    struct mm_stat_t stat = mm_stat();

    return play->failing || (stat.free < stat.total / 2 && !play_memory_has_room(ZONE_NORMAL, 1, 1));
}

struct mm_stat_t mm_play_before(void)
{
    return mm_stat();
}

void mm_play_misused(struct mm_play *play, const struct mm_stat_t *before)
{
    struct mm_stat_t after = mm_stat();

    play->n_misuses++;
    expect(mm_misuse_count() == play->n_misuses);
    expect(memcmp(before, &after, sizeof(after)) == 0);
}

static void play_shrink(struct mm_play *play)
{
    (void)play;
    mm_shrink();
}

static void play_fail(struct mm_play *play)
{
    static const enum fail_mode modes[] = {FAIL_NTH, FAIL_EVERY, FAIL_FROM};
    unsigned how = (unsigned)fuzz_number(&play->bytes, 1);

    play->failing = fail_arm(modes[how % 3], 1 + how / 3 % 16, how & 0x80);
    expect(play->failing);
}

static void play_fail_off(struct mm_play *play)
{
    expect(fail_disarm());
    play->failing = false;
}

struct call {
    void (*play)(struct mm_play *play);
    bool anywhere; /* also from an interrupt handler */
};

static const struct call calls[] = {
    {play_kmalloc, true}, {play_kfree, true}, {play_kfree_wrong, true},
    {play_frame_alloc, true}, {play_frame_free, true}, {play_frame_free_wrong, true},
    {play_alloc_pages, true}, {play_free_pages, true},
    {play_map, false}, {play_map_wrong, false}, {play_unmap, false}, {play_unmap_wrong, false}, {play_space, false},
    {play_shrink, false}, {play_fail, false}, {play_fail_off, false},
};

static void check_sums(const struct mm_play *play)
{
    struct mm_stat_t stat = mm_stat();

    expect(stat.total == stat.used + stat.free && stat.available == stat.free + stat.cache_free);
    expect(stat.cache_used + stat.cache_free <= stat.used);
    expect(mm_misuse_count() == play->n_misuses);
    expect(host_n_locks_held() == 0 && host_n_reports(MM_BROKEN) == 0);
}

static void check_all(void)
{
    struct mm_violation found;
    bool is_sound = mm_check(&found);

    if (!is_sound)
        fprintf(stderr, "I%u: %s at 0x%lx: 0x%lx expected, 0x%lx found\n", found.number, found.text, found.where,
                found.expected, found.found);
    expect(is_sound);
    if (host_n_mmu_mistakes() != 0)
        fprintf(stderr, "the MMU: %s\n", host_mmu_mistake());
    expect(host_n_mmu_mistakes() == 0);
}

static void one_call(struct mm_play *play)
{
    unsigned which = (unsigned)fuzz_number(&play->bytes, 1);
    const struct call *call = &calls[(which & ~FROM_INTERRUPT) % ARRAY_LENGTH(calls)];

    play->in_interrupt = call->anywhere && which & FROM_INTERRUPT;
    host_cpu_select(play->in_interrupt ? MM_CONTEXT_INTERRUPT : MM_CONTEXT_CODE);
    call->play(play);
    host_cpu_select(MM_CONTEXT_CODE);
    check_sums(play);
}

/* One of thirty machines; from 180 on with the debug mode. */
static void start_machine(struct mm_play *play)
{
    static const struct machine_options options[] = {
        {0}, {.old_cpu = true}, {.no_gigabyte_pages = true}, {.direct_map_bytes = ~0UL}, {.dma_bytes = MIB(2)},
        {.direct_map_bytes = MIB(16)},
    };
    static const u64 sizes[] = {MIB(64), MIB(32), MIB(96), MIB(63) + KIB(12), MIB(256)};
    unsigned how = (unsigned)fuzz_number(&play->bytes, 1), machine = how % 30;

    play->options = options[machine % ARRAY_LENGTH(options)];
    play->options.debug = how >= 180 ? MM_DEBUG_ALL : 0;
    play->ram_bytes = sizes[machine / ARRAY_LENGTH(options)];
    expect(machine_start_bytes(play->ram_bytes, &play->options) == NULL);
    play_mapping_start();
    mm_shrink();
    play_memory_start();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    struct mm_play play = {.bytes = {data, n}};
    struct mm_stat_t before, after;
    u64 hash;

    start_machine(&play);
    before = mm_stat();
    hash = tables_hash((u64)get_CR3());
    for (unsigned i = 1; play.bytes.left > 0; i++) {
        one_call(&play);
        if (i % CHECK_EVERY == 0)
            check_all();
    }
    play_fail_off(&play);
    check_all();
    play_mapping_end(&play);
    play_memory_end();
    mm_shrink();
    play_memory_take_most(&play);
    mm_shrink();
    after = mm_stat();
    check_all();
    expect(memcmp(&before, &after, sizeof(after)) == 0);
    expect(tables_hash((u64)get_CR3()) == hash);
    machine_stop();
    return 0;
}
