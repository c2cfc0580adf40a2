/* SPDX-License-Identifier: MIT */
/*
 * mm_check is seen to fail: I3xx and I207, roles, slabs and page tables.  Each test breaks one thing by hand,
 * expects that invariant's number, and mends it.  (I4xx: test_paging_check.c, test_mmio.c.)
 */
#include <cmocka_all.h>
#include <check_tools.h>

#include <lib/bits.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/page.h>
#include <mm/role.h>
#include <mm/slab.h>
#include <mm/split.h>

#define CLASS_64    1u /* 32 << 1 bytes */
#define CLASS_2048  6u
#define CLASS_16384 9u
#define SHIFT_64    6u
#define ROLE_MASK   0x3fUL
#define USED_ONE    (1UL << ROLE_ADDRESS_SHIFT) /* of the used entries in a page table's word */

static struct mm_cpu *cpu;
static u8 *small;         /* live, of 64 bytes; others of its slab are in the magazine, and free */
static u8 *large;         /* live, of 16 KiB */
static struct slab *slab; /* small's */
static ul *small_word, *large_word;
static phys_t held; /* a frame without a role in a page with roles */

static unsigned object_number(const void *object)
{
    return (unsigned)((u64)object % FRAME_BYTES / 64);
}

/* The number of an object of `slab` that lies free in it. */
static unsigned free_object(void)
{
    return slab->group[0].free != 0 ? count_trailing_zeros(slab->group[0].free)
                                    : GROUP_OBJECTS + count_trailing_zeros(slab->group[1].free);
}

static struct magazine *magazine_of(unsigned class)
{
    return &cpu->magazine[class];
}

/* Gives a frame in a page with roles another role, and counts it. */
static void change_role(phys_t frame, enum role role)
{
    ul *word = role_word(frame);

    page_of(frame)->n_roles =
        (uint16_t)(page_of(frame)->n_roles + (role != ROLE_NONE) - (word_role(*word) != ROLE_NONE));
    *word = (*word & ~ROLE_MASK) | role;
}

static int start_machine(void **state)
{
    void *others[4]; /* for magazines */

    (void)state;
    assert_null(machine_start_bytes(MIB(512), NULL));
    cpu = mm_boot_cpu(MM_CONTEXT_CODE);
    assert_non_null(small = kmalloc(64, 0));
    for (unsigned i = 0; i < ARRAY_LENGTH(others); i++)
        assert_non_null(others[i] = kmalloc(4096UL << i % 3, 0));
    assert_non_null(large = kmalloc(16384, 0));
    for (unsigned i = 0; i < ARRAY_LENGTH(others); i++)
        assert_int_equal(kfree(others[i]), 0);
    small_word = role_word(pointer_phys(small));
    large_word = role_word(pointer_phys(large));
    slab = slab_of_word(*small_word, CLASS_64);
    do
        assert_false(phys_is_none(held = frame_alloc(ZONE_NORMAL, 0)));
    while (page_of(held)->roles == NULL);
    assert_in_range(slab->n_absent, 2, 63);
    assert_true(magazine_count(cpu, CLASS_64) > 1 && magazine_count(cpu, CLASS_16384) != 0);
    assert_sound();
    return 0;
}

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static void i207_a_frame_with_a_role_is_neither_held_nor_free(void **state)
{
    (void)state;
    change_role(held, ROLE_METADATA);
    assert_broken(207, "a held frame with a role");
    change_role(held, ROLE_NONE);
    assert_sound();
    assert_int_equal(frame_free(held, 0), 0);
    assert_int_equal(mm_shrink() != 0, true);
    change_role(held, ROLE_METADATA);
    assert_broken(207, "a free frame with a role");
    change_role(held, ROLE_NONE);
    assert_sound();
}

static void i301_roles_of_a_page_are_counted(void **state)
{
    struct Page *page = page_of(pointer_phys(small));

    (void)state;
    BREAK(301, page->n_roles, page->n_roles + 1);
    BREAK(301, page->n_roles, 0);
}

static void i302_a_role_table_is_a_frame_of_nobody(void **state)
{
    struct Page *page = page_of(pointer_phys(small));
    phys_t far = frame_alloc(ZONE_UNMAPPED_IN_PGT, 0);

    (void)state;
    BREAK(302, page->roles, page->roles + 1);
    BREAK(302, page->roles, phys_pointer(far));
    BREAK(302, page->roles, phys_pointer(phys(TIB(20))));
    BREAK(302, page->roles, (ul *)8);
}

/* Moves the role table of small's page to a frame of another kind: all it says stays right. */
static void move_table(phys_t frame)
{
    struct Page *page = page_of(pointer_phys(small));

    memcpy(phys_pointer(frame), page->roles, FRAME_BYTES);
    page->roles = page->words = phys_pointer(frame);
}

static void i302_a_role_table_is_not_held_nor_free_nor_anything_else(void **state)
{
    phys_t table = pointer_phys(page_of(pointer_phys(small))->roles);

    (void)state;
    move_table(held);
    assert_broken(302, "a held frame is a role table");
    move_table(cpu->frame[0]);
    assert_broken(302, "a frame in a CPU's stack is a role table");
    move_table(role_frame_alloc(0));
    assert_broken(302, "a frame with a role is a role table");
    move_table(table);
}

static void i303_only_split_pages_of_the_direct_map_have_roles(void **state)
{
    phys_t block = frame_alloc(ZONE_NORMAL, 9), far = frame_alloc(ZONE_UNMAPPED_IN_PGT, 0);

    (void)state;
    BREAK(303, page_of(block)->roles, phys_pointer(held));
    split_set_roles(&mm.zone[2], page_of(far), phys_pointer(held));
    assert_broken(303, "a page with roles outside of the direct map");
    split_set_roles(&mm.zone[2], page_of(far), NULL);
    assert_sound();
}

static void i304_words_without_an_object_lead_to_no_live_byte(void **state)
{
    ul *table_word = role_word(paging_kernel_top());
    ul *none = role_word(held);

    (void)state;
    BREAK(304, *none, *none + (1UL << 16));
    BREAK(304, *none, 0);
    BREAK(304, *table_word, (*table_word & 0xffff) | (ul)small << 16);
    BREAK(304, *small_word, (*small_word & ~ROLE_MASK) | 22);
    BREAK(304, *small_word, (*small_word & ~ROLE_MASK) | ROLE_TOP_LEVEL | 6);
    BREAK(304, mm.no_object[SLAB_MAX_OBJECTS - 1], 1);
    BREAK(304, mm.no_roles[PAGE_FRAMES - 1], mm.no_roles[0] | ROLE_METADATA);
    BREAK(304, mm.no_roles[0], *small_word);
    BREAK(304, page_of(held)->words, mm.no_roles);
    BREAK(304, page_at(0)->words, page_of(held)->roles);
    BREAK(304, page_at(0)->words, NULL);
}

/* Tables of an address space that is not the current one: paging_check does not get there. */
static void i305_tables_of_other_address_spaces_are_sound(void **state)
{
    u64 top = space_new();
    u64 *pdpt, *directory, *table, *entries;
    ul *word;

    (void)state;
    assert_int_equal(mm_map_proc_page_table(top, true, MIB(4), DEVICE_AT, KIB(8), PAGE_R_W, true, true, true),
                     0);
    assert_sound();
    entries = phys_2_virt(top);
    pdpt = phys_2_virt(entries[0] & PAGE_4K_MASK);
    directory = phys_2_virt(pdpt[0] & PAGE_4K_MASK);
    table = phys_2_virt(directory[2] & PAGE_4K_MASK);
    word = role_word(pointer_phys(table));
    BREAK(305, *word, *word + USED_ONE);
    BREAK(305, table[0], 0);
    BREAK(305, table[7], DEVICE_AT | PAGE_PRESENT);
    BREAK(305, pdpt[0], directory[2]);
    BREAK(305, directory[2], pdpt[0]);
    BREAK(305, directory[2], (virt_2_phys(small) & PAGE_4K_MASK) | 7);
    BREAK(305, directory[2], TIB(3) | 7);
    mm_unmap_proc_table(top, true, MIB(4), KIB(8));
    space_free(top);
    assert_sound();
}

static void i311_headers_of_descriptor_frames_know_their_slabs(void **state)
{
    struct descriptor_frame *frame = (struct descriptor_frame *)align_down((u64)slab, FRAME_BYTES);

    (void)state;
    BREAK(311, frame->used, frame->used & ~descriptor_units(slab));
    BREAK(311, frame->used, frame->used | 1UL << 63);
    BREAK(311, frame->used, frame->used & ~1UL);
    BREAK(311, frame->used, ~0UL);
    BREAK(311, frame->link.prev, &frame->link);
    BREAK(311, mm.descriptors.partial.next, (struct list_node *)phys_pointer(held));
    list_remove(&frame->link);
    assert_broken(311, "a descriptor frame in no list");
    list_add_head(&mm.descriptors.partial, &frame->link);
    assert_sound();
}

static void i311_no_descriptor_frame_is_without_a_slab(void **state)
{
    struct descriptor_frame *frame = phys_pointer(role_frame_alloc(0));

    (void)state;
    frame->used = 1;
    list_add_head(&mm.descriptors.partial, &frame->link);
    assert_broken(311, "a descriptor frame without a slab");
    list_remove(&frame->link);
    role_frame_free(pointer_phys(frame), 0);
    assert_sound();
}

static void i311_no_frame_of_metadata_is_forgotten(void **state)
{
    phys_t frame = role_frame_alloc(0);

    (void)state;
    assert_broken(311, "a frame of metadata that is neither a role table nor a descriptor frame");
    role_frame_free(frame, 0);
    assert_sound();
}

static void i312_slabs_are_in_the_list_of_their_free_objects(void **state)
{
    struct home_class *class = &cpu->home.class[CLASS_64];
    struct slab_group *group = &slab->group[slab->group[0].free == 0];

    (void)state;
    BREAK(312, slab->n_absent, slab->n_absent + 1);
    BREAK(312, group->free, group->free & (group->free - 1));
    BREAK(312, slab->home, slab->home | SLAB_FULL);
    BREAK(312, slab->home, (ul)&mm.orphans);
    BREAK(312, slab->link.prev, &slab->link);
    BREAK(312, class->partial.next, &class->partial);
    BREAK(312, class->partial.next, (struct list_node *)phys_pointer(held));
    list_remove(&slab->link);
    assert_broken(312, "a slab in no list");
    list_add_head(&class->empty, &slab->link);
    assert_broken(312, "a slab in the wrong list");
    list_remove(&slab->link);
    list_add_head(&class[1].partial, &slab->link);
    assert_broken(312, "a slab in another class's list");
    list_remove(&slab->link);
    list_add_head(&mm.orphans.class[CLASS_64].partial, &slab->link);
    assert_broken(312, "a slab in another home's list");
}

static void i312_empty_slabs_are_in_a_list(void **state)
{
    static void *objects[1000];
    struct list_node *empty = &cpu->home.class[CLASS_64].empty, *node;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(objects); i++)
        assert_non_null(objects[i] = kmalloc(64, 0));
    for (unsigned i = 0; i < ARRAY_LENGTH(objects); i++)
        assert_int_equal(kfree(objects[i]), 0);
    assert_false(list_is_empty(empty)); /* one is kept */
    assert_sound();
    node = list_first(empty);
    list_remove(node);
    assert_broken_as(312, "empty slabs in lists");
    list_add_head(empty, node);
    assert_sound();
}

static void i313_an_object_is_in_one_state(void **state)
{
    struct magazine *magazine = magazine_of(CLASS_64), *large_magazine = magazine_of(CLASS_16384);
    unsigned free = free_object();
    u8 *live = &slab_live(slab)[object_number(small)];
    struct round other = magazine_of(CLASS_16384)->round[0];
    u32 *top = &cpu->top[SHIFT_64];

    (void)state;
    BREAK(313, slab_live(slab)[free], 1);
    BREAK(313, *live, 2);
    BREAK(313, *magazine->round[0].live, 1);
    BREAK(313, *large_magazine->round[0].live, 1);
    BREAK(313, ((u8 *)large_word)[1], 2);
    BREAK(313, magazine->round[0], other);
    BREAK(313, magazine->round[0].object, (u8 *)magazine->round[0].object + 8);
    BREAK(313, magazine->round[0].object, (void *)8);
    BREAK(313, magazine->round[0].live, magazine->round[1].live);
    BREAK(313, magazine->empty.object, small);
    BREAK(313, *top, cpu->limit[SHIFT_64] + sizeof(struct round));
    BREAK(313, cpu->limit[SHIFT_64], magazine_bottom(CLASS_64) + (MAGAZINE_ROUNDS + 1) * sizeof(struct round));
    magazine->round[magazine_count(cpu, CLASS_64)] = (struct round){slab_base(slab) + free * 64UL, &slab_live(slab)[free]};
    BREAK(313, *top, *top + sizeof(struct round));
}

static void i313_a_group_has_bits_of_objects_only(void **state)
{
    void *wide = kmalloc(2048, 0); /* two to a slab */
    struct slab_group *group;

    (void)state;
    assert_non_null(wide);
    group = slab_of_word(*role_word(pointer_phys(wide)), CLASS_2048)->group;
    BREAK(313, group->free, group->free | ~class_group_bits(CLASS_2048));
    BREAK(313, group->returned, ~class_group_bits(CLASS_2048));
    assert_int_equal(kfree(wide), 0);
}

static void i314_a_class_is_counted(void **state)
{
    (void)state;
    BREAK(314, cpu->n_slabs[CLASS_64], cpu->n_slabs[CLASS_64] + 1);
    BREAK(314, cpu->n_slabs[CLASS_16384], 0);
    BREAK(314, cpu->n_free[CLASS_64], cpu->n_free[CLASS_64] - 1);
    BREAK(314, cpu->home.n_empty, cpu->home.n_empty + 1);
    BREAK(314, cpu->cache_bytes, cpu->cache_bytes + FRAME_BYTES);
    BREAK(314, cpu->other->slab_free_bytes, cpu->other->slab_free_bytes - 64);
}

static void i315_a_slab_belongs_to_its_frame(void **state)
{
    (void)state;
    BREAK(315, slab->frame_low, slab->frame_low + 1);
    BREAK(315, slab->frame_high, 1);
    BREAK(315, slab->class, CLASS_64 + 1);
    BREAK(315, *small_word, *small_word ^ 7 ^ 6); /* the role of 128 bytes */
    BREAK(315, *small_word, *small_word + (1UL << 16));
    BREAK(315, *small_word, 6); /* a descriptor at 0 */
}

static void i315_a_block_is_whole_and_leads_to_itself(void **state)
{
    phys_t inner = phys_add(pointer_phys(large), FRAME_BYTES);

    (void)state;
    BREAK(315, *large_word, *large_word + (8UL << 16));
    BREAK(315, *large_word,
          (*large_word & ~ROLE_MASK) | 20); /* 1 MiB: misaligned, or over frames of others */
    change_role(inner, ROLE_METADATA);
    assert_broken(315, "a role inside a block");
    change_role(inner, ROLE_NONE);
    assert_sound();
}

static void i315_a_frame_inside_a_block_is_not_held(void **state)
{
    phys_t inner = phys_add(pointer_phys(large), FRAME_BYTES);
    u64 *held_word = (u64 *)MM_HELD_ARRAY + inner.addr / FRAME_BYTES / 64;

    (void)state;
    BREAK(315, *held_word, *held_word | 1UL << (inner.addr / FRAME_BYTES % 64));
}

/* A frame with a role that loses it is nobody's. */
static void i205_no_frame_with_a_role_is_lost(void **state)
{
    phys_t frame = role_frame_alloc(0);

    (void)state;
    role_set(frame, 1, &mm.no_object);
    assert_sound();
    change_role(frame, ROLE_NONE);
    assert_broken(205, "a frame without its role");
    change_role(frame, 1);
    role_frame_free(frame, 0);
}

static void i316_no_object_is_lost(void **state)
{
    struct magazine *magazine = magazine_of(CLASS_64);

    (void)state;
    BREAK(316, cpu->top[SHIFT_64], cpu->top[SHIFT_64] - sizeof(struct round));
    BREAK(316, cpu->top[SHIFT_64 + 8], magazine_bottom(CLASS_16384));
    BREAK(316, slab_live(slab)[object_number(small)], 0);
    BREAK(316, ((u8 *)large_word)[1], 0);
    BREAK(316, magazine->round[0], magazine->round[1]);
    magazine_set_capacity(cpu->other, CLASS_64, 1);
    cpu->other->magazine[CLASS_64].round[0] = magazine->round[0];
    BREAK(316, cpu->other->top[SHIFT_64], cpu->other->limit[SHIFT_64]);
}

static void i317_large_objects_share_a_budget(void **state)
{
    (void)state;
    BREAK(317, cpu->large_bytes, cpu->large_bytes + FRAME_BYTES);
    BREAK(317, cpu->limit[SHIFT_64 + 8], cpu->limit[SHIFT_64 + 8] + sizeof(struct round));
    BREAK(317, cpu->large_budget, 16384);
}

static void i318_objects_on_their_way_home_are_in_one_list(void **state)
{
    struct slab_group *group = &slab->group[object_number(small) / GROUP_OBJECTS], *first;
    u32 free = 1u << free_object() % GROUP_OBJECTS;

    (void)state;
    host_cpu_select(MM_CONTEXT_INTERRUPT);
    assert_int_equal(kfree(small), 0);
    host_cpu_select(MM_CONTEXT_CODE);
    assert_sound();
    first = cpu->home.returned[CLASS_64];
    assert_ptr_equal(first, group);
    BREAK(318, cpu->home.returned[CLASS_64], NULL);
    BREAK(318, cpu->home.returned[CLASS_64], &group[1]);
    BREAK(318, cpu->home.returned[CLASS_64], phys_pointer(held));
    BREAK(318, group->next, group);
    BREAK(318, cpu->other->home.returned[CLASS_64], group);
    BREAK(318, slab->group[free_object() / GROUP_OBJECTS].returned,
          slab->group[free_object() / GROUP_OBJECTS].returned | free);
    BREAK(313, slab_live(slab)[object_number(small)], 1);
    assert_non_null(small = kmalloc(64, 0));
}

static void mm_check_asks_paging_and_the_mmio_window(void **state)
{
    (void)state;
    BREAK(400, mm.paging.kernel_top, held);
    BREAK(420, mm.mmio.n_ranges, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_machine, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(i207_a_frame_with_a_role_is_neither_held_nor_free),
        TEST(i301_roles_of_a_page_are_counted),
        TEST(i302_a_role_table_is_a_frame_of_nobody),
        TEST(i302_a_role_table_is_not_held_nor_free_nor_anything_else),
        TEST(i303_only_split_pages_of_the_direct_map_have_roles),
        TEST(i304_words_without_an_object_lead_to_no_live_byte),
        TEST(i305_tables_of_other_address_spaces_are_sound),
        TEST(i311_headers_of_descriptor_frames_know_their_slabs),
        TEST(i311_no_descriptor_frame_is_without_a_slab),
        TEST(i311_no_frame_of_metadata_is_forgotten),
        TEST(i312_slabs_are_in_the_list_of_their_free_objects),
        TEST(i312_empty_slabs_are_in_a_list),
        TEST(i313_an_object_is_in_one_state),
        TEST(i313_a_group_has_bits_of_objects_only),
        TEST(i314_a_class_is_counted),
        TEST(i315_a_slab_belongs_to_its_frame),
        TEST(i315_a_block_is_whole_and_leads_to_itself),
        TEST(i315_a_frame_inside_a_block_is_not_held),
        TEST(i205_no_frame_with_a_role_is_lost),
        TEST(i316_no_object_is_lost),
        TEST(i317_large_objects_share_a_budget),
        TEST(i318_objects_on_their_way_home_are_in_one_list),
        TEST(mm_check_asks_paging_and_the_mmio_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
