/* SPDX-License-Identifier: MIT */
/*
 * mm_check is seen to fail: I1xx and I2xx, pages, zones and frames.  Each test breaks one thing by hand,
 * expects that invariant's number, and mends it.
 *
 * The machine, in pages of 2 MiB; the page at 400 MiB, number 200, has RAM in its first 64 KiB
 * only, and 201 has none:
 *
 *     0       8                         190     200 202    256
 *     [ DMA  )[        NORMAL          )[ UNMAPPED  )[      )
 */
#include <cmocka_all.h>
#include <check_tools.h>

#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/frame_bits.h>
#include <mm/run.h>
#include <mm/split.h>

#define ODD_PAGE MIB(400)
#define HOLE_END MIB(404)

static struct mm_cpu *cpu;
static struct Zone *normal;
static struct Page *owned;    /* two neighbours, shared */
static phys_t block;          /* of order 10: two pages */
static phys_t held, far_held; /* a frame of NORMAL, a frame of UNMAPPED */

static int start_machine(void **state)
{
    static const struct machine_ram ram[] = {{0, ODD_PAGE + KIB(64)}, {HOLE_END, MIB(108)}};

    (void)state;
    assert_null(machine_start(ram, 2, NULL));
    cpu = mm_boot_cpu(MM_CONTEXT_CODE);
    normal = &mm.zone[1];
    free_pages(alloc_pages(ZONE_NORMAL, 1, 0), 1);
    free_pages(alloc_pages(ZONE_NORMAL, 2, 0), 1);
    owned = alloc_pages(ZONE_NORMAL, 2, PAGE_SHARED);
    block = frame_alloc(ZONE_NORMAL, 10);
    held = frame_alloc(ZONE_NORMAL, 0);
    far_held = frame_alloc(ZONE_UNMAPPED_IN_PGT, 0);
    assert_sound();
    return 0;
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

/* The list that a run lies in by what its head says. */
static u32 *list_of(struct Zone *zone, const struct Page *head)
{
    return &zone->run[head->order & RUN_ORDER_GOOD ? RUN_GOOD : RUN_OTHER].head[head->order & (RUN_ORDER_GOOD - 1)];
}

/* The head of a free run of at least two pages. */
static struct Page *free_head(const struct Zone *zone)
{
    for (unsigned kind = 0; kind < N_RUN_KINDS; kind++)
        for (unsigned number = 2; number < N_RUN_BINS; number++)
            if (zone->run[kind].head[number] != PAGE_NOWHERE)
                return page_at(zone->run[kind].head[number]);
    fail_msg("no run of two pages");
    return NULL;
}

/* A split page of this zone with free frames. */
static struct Page *split_page(const struct Zone *zone)
{
    const struct split_lists *lists = &zone->split[zone->split[SPLIT_PLAIN].mask != 0 ? SPLIT_PLAIN : SPLIT_ROLES];

    assert_true(lists->mask != 0);
    return page_at(lists->head[count_trailing_zeros(lists->mask)]);
}

static u64 *held_word(phys_t frame)
{
    return (u64 *)MM_HELD_ARRAY + frame.addr / FRAME_BYTES / 64;
}

static u64 held_bit(phys_t frame)
{
    return 1UL << (frame.addr / FRAME_BYTES % 64);
}

static void i101_a_list_of_runs_holds_heads_that_belong_there(void **state)
{
    struct Page *head = free_head(normal);
    u32 *list = list_of(normal, head);

    (void)state;
    BREAK(101, head->state, PAGE_FREE_BODY);
    BREAK(101, head->order, head->order - 1);
    BREAK(101, head->order, head->order ^ RUN_ORDER_GOOD);
    BREAK(101, head->prev, 5);
    BREAK(101, head->next, page_index(head));
    BREAK(101, head->free_frames[0], 0);
    BREAK(101, head->free_frames[0], mm.n_pages);
    BREAK(101, head->free_frames[0], 1);
    BREAK(101, *list, mm.n_pages + 5);
    BREAK(101, *list, page_index(owned));
    BREAK(101, *list, page_index(free_head(&mm.zone[2])));
}

static void i101_a_run_is_in_the_list_of_its_kind(void **state)
{
    struct Page *four = alloc_pages(ZONE_UNMAPPED_IN_PGT, 5, 0);
    struct Page *odd = four + 1 + page_index(four) % 2; /* two pages from an odd one on: no aligned two */
    struct Zone *zone = &mm.zone[2];
    u32 *list;

    (void)state;
    free_pages(odd, 2);
    assert_sound();
    assert_int_equal(odd->order, 2);
    list = list_of(zone, odd);
    page_list_remove(list, odd);
    if (*list == PAGE_NOWHERE)
        zone->run[RUN_OTHER].mask[0] &= ~4UL;
    odd->order |= RUN_ORDER_GOOD;
    page_list_add(list_of(zone, odd), odd);
    zone->run[RUN_GOOD].mask[0] |= 4;
    assert_broken(101, "a run among the good ones");
}

static void i102_behind_a_head_all_pages_are_free(void **state)
{
    struct Page *head = free_head(normal);
    struct Page *last = head + run_length(head) - 1;

    (void)state;
    BREAK(102, head[1].state, PAGE_BLOCK);
    BREAK(102, head[1].state, PAGE_SPLIT);
    BREAK(102, last->free_frames[1], page_index(head) + 1);
}

static void i103_the_masks_say_which_lists_have_runs(void **state)
{
    (void)state;
    for (unsigned number = 0; number < N_RUN_BINS; number++) {
        BREAK(103, normal->run[RUN_GOOD].mask[number / 64], normal->run[RUN_GOOD].mask[number / 64] ^ 1UL << number % 64);
        BREAK(103, normal->run[RUN_OTHER].mask[number / 64], normal->run[RUN_OTHER].mask[number / 64] ^ 1UL << number % 64);
    }
}

/* What lies between two runs is given back without being joined to either. */
static void i104_neighbours_that_are_free_are_joined(void **state)
{
    struct Page *three = alloc_pages(ZONE_UNMAPPED_IN_PGT, 3, 0);
    struct Zone *zone = &mm.zone[2];

    (void)state;
    free_pages(three, 1);
    free_pages(three + 2, 1);
    assert_sound();
    three[1].attr = three[1].ref_counts = 0;
    three[1].state = PAGE_FREE_HEAD;
    three[1].free_frames[0] = 1;
    three[1].free_frames[1] = page_index(three + 1);
    three[1].order = 1 | RUN_ORDER_GOOD;
    page_list_add(list_of(zone, three + 1), three + 1);
    zone->run[RUN_GOOD].mask[0] |= 2;
    assert_broken(104, "a run beside a run");
}

static void i105_a_free_page_lies_in_a_run_that_is_listed(void **state)
{
    struct Page *head = free_head(normal);
    u32 *list = list_of(normal, head);
    u64 *mask = &normal->run[head->order & RUN_ORDER_GOOD ? RUN_GOOD : RUN_OTHER].mask[(head->order & 0x7f) / 64];
    u64 before = *mask;

    (void)state;
    page_list_remove(list, head);
    if (*list == PAGE_NOWHERE)
        *mask &= ~(1UL << (head->order & 0x7f) % 64);
    assert_broken(105, "a run in no list");
    page_list_add(list, head);
    *mask = before;
    assert_sound();
}

static void i106_only_allocated_pages_are_counted_and_marked(void **state)
{
    struct Page *head = free_head(normal);

    (void)state;
    BREAK(106, owned->ref_counts, 0);
    BREAK(106, owned->ref_counts, 2);
    BREAK(106, owned->state, PAGE_BLOCK);
    BREAK(106, head->ref_counts, 1);
    BREAK(106, head[1].attr, PAGE_PGT_MAPPED);
    BREAK(106, page_of(held)->attr, PAGE_SHARED);
}

static void i107_the_stacks_hold_their_pages_once(void **state)
{
    struct mm_cpu *other = cpu->other;

    (void)state;
    assert_true(cpu->stacked.n_pages >= 2);
    BREAK(107, cpu->page[0], page_index(owned));
    BREAK(107, cpu->page[0], mm.n_pages + 100);
    BREAK(107, cpu->page[0], cpu->page[1]);
    BREAK(107, cpu->stacked.n_pages, STACK_PAGES + 1);
    BREAK(107, cpu->page_capacity, STACK_PAGES + 1);
    BREAK(107, cpu->stacked.n_pages, cpu->stacked.n_pages - 1);
    BREAK(107, page_of(block)->state, PAGE_STACKED);
    other->page[0] = cpu->page[0];
    BREAK(107, other->stacked.n_pages, 1);
}

static void i108_shared_pages_are_counted(void **state)
{
    (void)state;
    BREAK(108, mm.shared_bytes, 0);
    BREAK(108, owned->attr, PAGE_PGT_MAPPED);
}

static void i109_a_page_knows_its_zone_and_its_address(void **state)
{
    struct Page *hole = page_at((u32)(HOLE_END / PAGE_BYTES) - 1);

    (void)state;
    BREAK(109, owned->zone, &mm.zone[2]);
    BREAK(109, owned->zone, NULL);
    BREAK(109, owned->addr_phys, owned->addr_phys + PAGE_BYTES);
    BREAK(109, owned->state, PAGE_LAST_STATE + 1);
    BREAK(109, page_of(far_held)->grown, 1);
    assert_int_equal(hole->state, PAGE_ABSENT);
    BREAK(109, hole->zone, normal);
    BREAK(109, hole->roles, (ul *)phys_pointer(held));
    BREAK(109, hole->grown, 1);
}

static void i111_managed_frames_are_ram(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        BREAK(111, mm.zone[i].managed_frames, mm.zone[i].managed_frames - 1);
    BREAK(111, mm.ram_bytes, mm.ram_bytes - FRAME_BYTES);
}

static void i112_free_frames_are_what_the_lists_hold(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        BREAK(112, mm.zone[i].n_free_frames, mm.zone[i].n_free_frames + 1);
        BREAK(112, mm.zone[i].n_free_frames, mm.zone[i].n_free_frames - 1);
        BREAK(112, mm.zone[i].low_water_frames, mm.zone[i].n_free_frames + 1);
    }
}

static void i113_grown_pages_are_counted_and_lie_above_the_border(void **state)
{
    (void)state;
    BREAK(113, mm.n_grown_pages, 1);
    BREAK(113, owned->grown, 1);
    while (mm.n_grown_pages == 0)
        assert_non_null(alloc_pages(ZONE_NORMAL, 1, 0));
    assert_sound();
    BREAK(113, mm.n_grown_pages, 0);
}

static void i201_free_frames_of_a_split_page_are_its_bits(void **state)
{
    struct Page *page = split_page(normal);

    (void)state;
    BREAK(201, page->n_free, page->n_free + 1);
    BREAK(201, page->free_frames[7], page->free_frames[7] ^ 1UL << 63);
}

static void i201_a_page_that_is_free_as_a_whole_is_no_split_one(void **state)
{
    struct Page *page = page_of(block);

    (void)state;
    memset(page->free_frames, 0xff, sizeof page->free_frames);
    page->n_free = PAGE_FRAMES;
    page->order = SPLIT_ORDERS - 1;
    BREAK(201, page->state, PAGE_SPLIT);
}

static void i202_the_order_is_that_of_the_largest_free_block(void **state)
{
    struct Page *page = split_page(normal);

    (void)state;
    BREAK(202, page->order, page->order - 1);
    BREAK(202, page->order, PAGE_NO_ORDER);
    BREAK(202, page->order, SPLIT_ORDERS);
}

static void i203_split_pages_are_in_the_list_of_their_order(void **state)
{
    struct Page *page = split_page(normal);
    struct split_lists *lists = &normal->split[page->roles != NULL];
    u8 order = page->order;

    (void)state;
    for (unsigned i = 0; i < SPLIT_ORDERS; i++)
        BREAK(203, lists->mask, lists->mask ^ 1u << i);
    BREAK(203, page->prev, 3);
    BREAK(203, page->next, page_index(page));
    BREAK(203, lists->head[order], PAGE_NOWHERE);
    BREAK(203, lists->head[order], mm.n_pages);
    BREAK(203, lists->head[order], page_index(owned));
    BREAK(203, lists->head[order], page_index(split_page(&mm.zone[2])));
    page_list_remove(&lists->head[order], page);
    page_list_add(&lists->head[order - 1u], page);
    assert_broken(203, "a split page in another order's list");
    page_list_remove(&lists->head[order - 1u], page);
    page_list_add(&normal->split[page->roles == NULL].head[order], page);
    assert_broken(203, "a split page in the list of the other kind");
}

static void i204_a_free_frame_is_not_held(void **state)
{
    struct Page *page = split_page(normal);
    unsigned first = 0;

    (void)state;
    while (!frame_bits_are_free(page->free_frames, first, 0))
        first++;
    phys_t frame = phys(page->addr_phys + first * FRAME_BYTES);
    BREAK(204, *held_word(frame), *held_word(frame) | held_bit(frame));
}

/* The page at 256 MiB has 16 frames.  One more bit, counted everywhere: only the map says that it is no RAM.
 */
static void i204_a_free_frame_is_ram(void **state)
{
    struct Page *page = page_of(phys(ODD_PAGE));
    struct Zone *zone = page->zone;

    (void)state;
    assert_int_equal(page->n_free, 15); /* far_held is there */
    page->n_free++;
    page->free_frames[0] |= 1UL << 20;
    zone->n_free_frames++;
    assert_broken(204, "a free frame in a hole");
}

static void i205_no_frame_is_lost(void **state)
{
    u32 n_frames = cpu->stacked.n_frames;

    (void)state;
    BREAK(205, *held_word(held), *held_word(held) & ~held_bit(held));
    BREAK(205, *held_word(far_held), *held_word(far_held) & ~held_bit(far_held));
    assert_true(n_frames > 1);
    BREAK(205, cpu->stacked.n_frames, n_frames - 1);
}

static void i205_no_reserved_frame_is_in_the_allocator(void **state)
{
    phys_t text = phys(MACHINE_TEXT_PHYS);
    struct Page *page = page_of(text);

    (void)state;
    BREAK(205, *held_word(text), *held_word(text) | held_bit(text));
    assert_int_equal(page->state, PAGE_SPLIT);
    page->n_free++;
    page->free_frames[MACHINE_TEXT_PHYS / FRAME_BYTES / 64] |= held_bit(text);
    mm.zone[0].n_free_frames++;
    assert_broken(205, "a free frame of the kernel image");
}

static void i206_the_stacks_hold_their_frames_once(void **state)
{
    struct mm_cpu *other = cpu->other;
    struct Page *page = split_page(normal);
    unsigned first = 0;

    (void)state;
    while (!frame_bits_are_free(page->free_frames, first, 0))
        first++;
    BREAK(206, cpu->frame[0], held);
    BREAK(206, cpu->frame[0], phys(page->addr_phys + first * FRAME_BYTES));
    BREAK(206, cpu->frame[0], far_held);
    BREAK(206, cpu->frame[0], cpu->frame[1]);
    BREAK(206, cpu->frame[0], phys(cpu->frame[0].addr + 8));
    BREAK(206, cpu->frame[0], PHYS_NONE);
    BREAK(206, cpu->frame[0], block);
    BREAK(206, cpu->stacked.n_frames, STACK_FRAMES + 1);
    BREAK(206, cpu->frame_capacity, STACK_FRAMES + 1);
    other->frame[0] = cpu->frame[0];
    BREAK(206, other->stacked.n_frames, 1);
    BREAK(206, *held_word(cpu->frame[0]), *held_word(cpu->frame[0]) | held_bit(cpu->frame[0]));
}

static void i206_the_stacks_of_blocks_hold_free_blocks_once(void **state)
{
    phys_t two[] = {frame_alloc(ZONE_NORMAL, 1), frame_alloc(ZONE_NORMAL, 1)};
    struct block_stack *stack = &cpu->blocks[0];
    u8 *n = mm_cpu_n_blocks(cpu, 1);

    (void)state;
    assert_int_equal(frame_free(two[0], 1) | frame_free(two[1], 1), 0);
    assert_sound();
    assert_true(*n >= 2);
    BREAK(206, stack->block[0], stack->block[1]);
    BREAK(206, stack->block[0], phys_add(stack->block[0], FRAME_BYTES));
    BREAK(206, stack->block[0], held);
    BREAK(206, stack->block[0], cpu->frame[0]);
    BREAK(206, stack->block[0], far_held);
    BREAK(206, stack->block[0], PHYS_NONE);
    BREAK(206, *n, STACK_BLOCKS + 1);
    BREAK(206, stack->capacity, STACK_BLOCKS + 1);
    BREAK(205, *n, *n - 1);
    stack = &cpu->blocks[STACK_ORDERS - 1];
    stack->block[0] = cpu->blocks[0].block[0];
    n = mm_cpu_n_blocks(cpu, STACK_ORDERS);
    BREAK(206, *n, 1);
}

static void i206_a_stack_holds_no_reserved_frame(void **state)
{
    static const struct mm_reserved reserved = {MIB(20), MIB(20) + KIB(64), "module"};
    const struct machine_options options = {.reserved = &reserved, .n_reserved = 1};
    static const struct machine_ram ram = {0, MIB(64)};

    (void)state;
    assert_null(machine_start(&ram, 1, &options));
    cpu = mm_boot_cpu(MM_CONTEXT_CODE);
    assert_false(phys_is_none(frame_alloc(ZONE_NORMAL, 0)));
    assert_sound();
    BREAK(206, cpu->frame[0], phys(MIB(20)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(i101_a_list_of_runs_holds_heads_that_belong_there),
        TEST(i101_a_run_is_in_the_list_of_its_kind),
        TEST(i102_behind_a_head_all_pages_are_free),
        TEST(i103_the_masks_say_which_lists_have_runs),
        TEST(i104_neighbours_that_are_free_are_joined),
        TEST(i105_a_free_page_lies_in_a_run_that_is_listed),
        TEST(i106_only_allocated_pages_are_counted_and_marked),
        TEST(i107_the_stacks_hold_their_pages_once),
        TEST(i108_shared_pages_are_counted),
        TEST(i109_a_page_knows_its_zone_and_its_address),
        TEST(i111_managed_frames_are_ram),
        TEST(i112_free_frames_are_what_the_lists_hold),
        TEST(i113_grown_pages_are_counted_and_lie_above_the_border),
        TEST(i201_free_frames_of_a_split_page_are_its_bits),
        TEST(i201_a_page_that_is_free_as_a_whole_is_no_split_one),
        TEST(i202_the_order_is_that_of_the_largest_free_block),
        TEST(i203_split_pages_are_in_the_list_of_their_order),
        TEST(i204_a_free_frame_is_not_held),
        TEST(i204_a_free_frame_is_ram),
        TEST(i205_no_frame_is_lost),
        TEST(i205_no_reserved_frame_is_in_the_allocator),
        TEST(i206_the_stacks_hold_their_frames_once),
        TEST(i206_the_stacks_of_blocks_hold_free_blocks_once),
        TEST(i206_a_stack_holds_no_reserved_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
