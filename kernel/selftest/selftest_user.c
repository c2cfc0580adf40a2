/* SPDX-License-Identifier: MIT */
/*
 * Ring 3 in an address space of its own: what user code can do, what it cannot, and that the kernel has
 * everything back afterwards.  The programs are a few bytes each, written down as such.
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/selftest/hoard.h>
#include <kernel/selftest/space.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <kernel/selftest/world.h>
#include <kernel/time/time.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/debug.h>

#define INT_0X80 0xcd, 0x80

/* Error code of a page fault from ring 3: Intel SDM volume 3, "Page-Fault Exceptions". */
#define FAULT_PROTECTION  1
#define FAULT_WRITE       2
#define FAULT_USER        4
#define FAULT_INSTRUCTION 16

static const u8 add_one[] = {0x48, 0x8d, 0x47, 0x01, INT_0X80};  /* lea rax, [rdi + 1] */
static const u8 use_stack[] = {0x57, 0x58, INT_0X80};            /* push rdi; pop rax */
static const u8 read_flags[] = {0x9c, 0x58, INT_0X80};           /* pushfq; pop rax */
static const u8 read_there[] = {0x48, 0x8b, 0x07, INT_0X80};     /* mov rax, [rdi] */
static const u8 write_there[] = {0x48, 0x89, 0x3f, INT_0X80};    /* mov [rdi], rdi */
static const u8 jump_there[] = {0xff, 0xe7};                     /* jmp rdi */
static const u8 invalid[] = {0x0f, 0x0b};                        /* ud2 */
static const u8 divide[] = {0x31, 0xd2, 0x31, 0xc9, 0xf7, 0xf1}; /* xor edx, edx; xor ecx, ecx; div ecx */
static const u8 store_gdt[] = {0x0f, 0x01, 0x07, INT_0X80};      /* sgdt [rdi] */
static const u8 count_down[] = {0x48, 0xff, 0xcf, 0x75, 0xfb, INT_0X80}; /* 1: dec rdi; jnz 1b */

/* or rax with rbx, rcx, rdx, rsi, rbp, r8 .. r15 */
static const u8 any_register[] = {0x48, 0x09, 0xd8, 0x48, 0x09, 0xc8, 0x48, 0x09, 0xd0, 0x48,
                                  0x09, 0xf0, 0x48, 0x09, 0xe8, 0x4c, 0x09, 0xc0, 0x4c, 0x09,
                                  0xc8, 0x4c, 0x09, 0xd0, 0x4c, 0x09, 0xd8, 0x4c, 0x09, 0xe0,
                                  0x4c, 0x09, 0xe8, 0x4c, 0x09, 0xf0, 0x4c, 0x09, 0xf8, INT_0X80};

static struct space space;

static void expect_ended(struct user_exit end, u64 rax)
{
    EXPECT_EQUAL(end.how, USER_ENDED);
    EXPECT_EQUAL(end.vector, VECTOR_USER_EXIT);
    EXPECT_EQUAL(end.rax, rax);
}

static void expect_faulted(struct user_exit end, u64 vector)
{
    EXPECT_EQUAL(end.how, USER_FAULTED);
    EXPECT_EQUAL(end.vector, vector);
}

static void expect_page_fault(struct user_exit end, u64 address, u64 error)
{
    expect_faulted(end, VECTOR_PAGE_FAULT);
    EXPECT_EQUAL(end.address, address);
    EXPECT_EQUAL(end.error, error);
}

static void code_runs_and_ends_itself_by_int_0x80(void)
{
    struct user_exit end;

    if (!space_make(&space))
        return;
    end = space_run(&space, add_one, sizeof add_one, 41);
    expect_ended(end, 42);
    EXPECT_EQUAL(end.rip, USER_CODE + sizeof add_one);
    expect_ended(space_run(&space, use_stack, sizeof use_stack, 0x1234567890), 0x1234567890);
    EXPECT_EQUAL(*(u64 *)space_at(&space, USER_STACK_TOP - 8), 0x1234567890);
    space_free(&space);
}

static void code_sees_nothing_of_the_kernels_registers(void)
{
    if (!space_make(&space))
        return;
    expect_ended(space_run(&space, any_register, sizeof any_register, ~0UL), 0);
    space_free(&space);
}

static void interrupts_are_served_meanwhile_and_ports_are_closed(void)
{
    u64 n_ticks, flags;

    if (!space_make(&space))
        return;
    flags = space_run(&space, read_flags, sizeof read_flags, 0).rax;
    EXPECT(flags & RFLAGS_IF);
    EXPECT_EQUAL(flags & 0x3000, 0); /* IOPL */
    n_ticks = time_n_ticks();
    for (unsigned i = 0; i < 100 && time_n_ticks() == n_ticks; i++)
        expect_ended(space_run(&space, count_down, sizeof count_down, 1000000), 0);
    if (n_ticks != 0)
        EXPECT(time_n_ticks() > n_ticks);
    space_free(&space);
}

static void privileged_instructions_fault(void)
{
    static const u8 programs[][3] = {
        {0xfa},             /* cli */
        {0xf4},             /* hlt */
        {0x0f, 0x20, 0xd8}, /* mov rax, cr3 */
        {0x0f, 0x22, 0xd8}, /* mov cr3, rax */
        {0x0f, 0x32},       /* rdmsr */
        {0xe4, 0x64},       /* in al, 0x64 */
        {0xe6, 0x80},       /* out 0x80, al */
        {0xcd, 0x20},       /* int 0x20: the timer's */
        {0x0f, 0x01, 0x3f}, /* invlpg [rdi] */
    };

    if (!space_make(&space))
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(programs); i++) {
        struct user_exit end = space_run(&space, programs[i], sizeof programs[i], USER_DATA);

        expect_faulted(end, VECTOR_GENERAL);
        EXPECT_EQUAL(end.rip, USER_CODE);
    }
    if (cpu_features.umip)
        expect_faulted(space_run(&space, store_gdt, sizeof store_gdt, USER_DATA), VECTOR_GENERAL);
    space_free(&space);
}

static void other_faults_end_the_code_too(void)
{
    struct user_exit end;

    if (!space_make(&space))
        return;
    expect_faulted(space_run(&space, invalid, sizeof invalid, 0), VECTOR_INVALID_OPCODE);
    end = space_run(&space, divide, sizeof divide, 0);
    expect_faulted(end, VECTOR_DIVIDE);
    EXPECT_EQUAL(end.rip, USER_CODE + 4);
    expect_faulted(space_run(&space, read_there, sizeof read_there, 1UL << 62), VECTOR_GENERAL);
    expect_faulted(user_run(1UL << 62, USER_STACK_TOP, 0), VECTOR_GENERAL); /* the jump there fails */
    space_free(&space);
}

static void kernel_memory_is_out_of_reach(void)
{
    u64 *object = kmalloc(64, 0);
    const ul places[] = {(ul)object, MM_IMAGE_START + 0x100000, (ul)&space, MM_PAGE_ARRAY,
                         (ul)phys_2_virt(get_CR3())};

    if (EXPECT(object != NULL) && space_make(&space)) {
        *object = 99;
        for (unsigned i = 0; i < ARRAY_LENGTH(places); i++) {
            struct user_exit end = space_run(&space, read_there, sizeof read_there, places[i]);

            expect_faulted(end, VECTOR_PAGE_FAULT);
            EXPECT_EQUAL(end.address, places[i]);
            EXPECT(end.error & FAULT_USER);
        }
        expect_page_fault(space_run(&space, write_there, sizeof write_there, (ul)object), (ul)object,
                          FAULT_PROTECTION | FAULT_WRITE | FAULT_USER);
        EXPECT_EQUAL(*object, 99);
        space_free(&space);
    }
    EXPECT_EQUAL(kfree(object), 0);
}

static void page_0_and_holes_are_not_there(void)
{
    const ul places[] = {0, 8, USER_CODE - 8, USER_STACK_TOP, MM_USER_END - 8};

    if (!space_make(&space))
        return;
    for (unsigned i = 0; i < ARRAY_LENGTH(places); i++)
        expect_page_fault(space_run(&space, read_there, sizeof read_there, places[i]), places[i], FAULT_USER);
    space_free(&space);
}

/* A frame of the user page, seen once more at another place with other flags. */
static void map_again(ul flags)
{
    ul at = space.page->addr_phys + (USER_DATA - USER_CODE);

    EXPECT_MAP(.table = (ul)space.top, .is_virtual = true, .virt = LOWER_BORDER, .phys = at, .bytes = 4096,
               .flags = flags);
}

static void unmap_again(void)
{
    EXPECT_EQUAL(mm_unmap_range((ul)space.top, false, LOWER_BORDER, 4096), 0);
}

static void read_only_user_memory_can_be_read_and_not_written(void)
{
    if (!space_make(&space))
        return;
    *(u64 *)space_at(&space, USER_DATA) = 4711;
    map_again(PAGE_U_S);
    expect_ended(space_run(&space, read_there, sizeof read_there, LOWER_BORDER), 4711);
    expect_page_fault(space_run(&space, write_there, sizeof write_there, LOWER_BORDER), LOWER_BORDER,
                      FAULT_PROTECTION | FAULT_WRITE | FAULT_USER);
    EXPECT_EQUAL(*(u64 *)space_at(&space, USER_DATA), 4711);
    unmap_again();
    space_free(&space);
}

static void no_execute_user_memory_is_not_executed(void)
{
    struct user_exit end;

    if (!space_make(&space))
        return;
    memcpy(space_at(&space, USER_DATA), add_one, sizeof add_one);
    map_again(PAGE_U_S | PAGE_XD);
    end = space_run(&space, jump_there, sizeof jump_there, LOWER_BORDER);
    if (cpu_features.no_execute)
        expect_page_fault(end, LOWER_BORDER, FAULT_PROTECTION | FAULT_USER | FAULT_INSTRUCTION);
    else
        expect_ended(end, LOWER_BORDER + 1);
    unmap_again();
    space_free(&space);
}

static void the_kernels_pages_in_the_lower_half_are_not_the_users(void)
{
    if (!space_make(&space))
        return;
    map_again(PAGE_KERNEL_4K_PAGE);
    expect_page_fault(space_run(&space, read_there, sizeof read_there, LOWER_BORDER), LOWER_BORDER,
                      FAULT_PROTECTION | FAULT_USER);
    unmap_again();
    space_free(&space);
}

static void two_spaces_have_memory_of_their_own_at_the_same_address(void)
{
    struct space other;

    if (!zone_has_pages(1, 2)) {
        test_skip("no two pages of NORMAL are free");
        return;
    }
    if (!space_make(&space))
        return;
    if (space_make(&other)) {
        *(u64 *)space_at(&space, USER_DATA) = 1;
        *(u64 *)space_at(&other, USER_DATA) = 2;
        expect_ended(space_run(&space, read_there, sizeof read_there, USER_DATA), 1);
        expect_ended(space_run(&other, read_there, sizeof read_there, USER_DATA), 2);
        expect_ended(space_run(&space, read_there, sizeof read_there, USER_DATA), 1);
        space_free(&other);
    }
    space_free(&space);
}

/* The object is mapped after the space was made, and read while its table is loaded. */
static void what_is_mapped_later_in_the_kernel_half_is_seen_in_all_spaces(void)
{
    u64 *object = kzalloc(4096, 0), value = 0;
    ul before = (ul)get_CR3();

    if (EXPECT(object != NULL) && space_make(&space)) {
        *object = 31;
        EXPECT_MAP(.virt = SPECIAL_BORDER, .phys = virt_2_phys(object), .bytes = 4096,
                   .flags = PAGE_KERNEL_PAGE);
        cr3_write(virt_2_phys(space.top));
        value = *(volatile u64 *)SPECIAL_BORDER;
        EXPECT_EQUAL(
            mm_map_phys_addr(SPECIAL_BORDER - 4096, virt_2_phys(object), 4096, PAGE_KERNEL_PAGE, true), 0);
        cr3_write(before);
        EXPECT_EQUAL(value, 31);
        EXPECT_EQUAL(*(volatile u64 *)(SPECIAL_BORDER - 4096), 31);
        EXPECT_UNMAP(SPECIAL_BORDER - 4096, 8192);
        space_free(&space);
    }
    EXPECT_EQUAL(kfree(object), 0);
}

/* With its table loaded, mm_map_phys_addr maps for this space alone. */
static void the_current_table_is_the_one_that_is_loaded(void)
{
    u64 *object = kzalloc(4096, 0), value = 0;
    ul before = (ul)get_CR3();

    if (EXPECT(object != NULL) && space_make(&space)) {
        *object = 17;
        cr3_write(virt_2_phys(space.top));
        EXPECT_EQUAL(mm_map_phys_addr(LOWER_BORDER, virt_2_phys(object), 4096, PAGE_KERNEL_4K_PAGE, true), 0);
        value = *(volatile u64 *)LOWER_BORDER;
        cr3_write(before);
        EXPECT_EQUAL(value, 17);
        EXPECT_UNMAPPED(LOWER_BORDER, 4096);
        cr3_write(virt_2_phys(space.top));
        mm_unmap_addr(LOWER_BORDER, 4096);
        EXPECT_UNMAPPED(LOWER_BORDER, 4096);
        cr3_write(before);
        space_free(&space);
    }
    EXPECT_EQUAL(kfree(object), 0);
}

static void expect_not_freed(void *object)
{
    EXPECT(kfree(object) != 0);
}

/* Neither on this CPU nor on another. */
static void expect_not_freed_while_loaded(ul *object, ul top)
{
    ul before = (ul)get_CR3();

    cr3_write(top);
    test_watch();
    expect_not_freed(object);
    EXPECT_REPORT("kfree", object, "a page table");
    test_watch();
    if (world_run_elsewhere(expect_not_freed, object))
        EXPECT_REPORT("kfree", object, "a page table");
    cr3_write(before);
}

static void a_loaded_table_cannot_be_freed(void)
{
    if (!space_make(&space))
        return;
    expect_not_freed_while_loaded(space.top, virt_2_phys(space.top));
    space_free(&space);
}

/* The table is the second frame of its object; SPECIAL is mapped by it, so that mm has seen it. */
static void an_object_with_a_loaded_table_inside_cannot_be_freed(void)
{
    ul *object = kzalloc(8192, 0), top;

    if (!EXPECT(object != NULL))
        return;
    top = virt_2_phys(object + 512);
    memcpy(object + 512 + 256, phys_2_virt(get_CR3()) + 256, 2048);
    EXPECT_MAP(.table = top, .virt = SPECIAL_BORDER, .phys = top, .bytes = 4096, .flags = PAGE_KERNEL_PAGE);
    expect_not_freed_while_loaded(object, top);
    EXPECT_UNMAP(SPECIAL_BORDER, 4096);
    EXPECT_EQUAL(kfree(object), 0);
}

/* No mapping call has met the table: the fast path does not see it (mm.h), the debug mode does. */
static void the_debug_mode_sees_any_loaded_table(void)
{
    ul *top = kzalloc(4096, 0);

    if (!EXPECT(top != NULL))
        return;
    memcpy(top + 256, phys_2_virt(get_CR3()) + 256, 2048);
    if (mm_debug_features() != 0)
        expect_not_freed_while_loaded(top, virt_2_phys(top));
    EXPECT_EQUAL(kfree(top), 0);
}

/* The same with a top level that lies in a page of alloc_pages. */
static void a_page_with_the_loaded_table_cannot_be_freed(void)
{
    struct Page *page = alloc_pages(ZONE_NORMAL, 1, 0);
    ul before = (ul)get_CR3();

    if (!EXPECT(page != NULL))
        return;
    memcpy(phys_2_virt(page->addr_phys), phys_2_virt(before), 4096);
    cr3_write(page->addr_phys);
    test_watch();
    free_pages(page, 1);
    EXPECT_REPORT("free_pages", page->addr_phys, "a page table");
    cr3_write(before);
    EXPECT_EQUAL(page->ref_counts, 1);
    free_pages(page, 1);
}

static const struct test tests[] = {
    TEST(code_runs_and_ends_itself_by_int_0x80),
    TEST(code_sees_nothing_of_the_kernels_registers),
    TEST(interrupts_are_served_meanwhile_and_ports_are_closed),
    TEST(privileged_instructions_fault),
    TEST(other_faults_end_the_code_too),
    TEST(kernel_memory_is_out_of_reach),
    TEST(page_0_and_holes_are_not_there),
    TEST(read_only_user_memory_can_be_read_and_not_written),
    TEST(no_execute_user_memory_is_not_executed),
    TEST(the_kernels_pages_in_the_lower_half_are_not_the_users),
    TEST(two_spaces_have_memory_of_their_own_at_the_same_address),
    TEST(what_is_mapped_later_in_the_kernel_half_is_seen_in_all_spaces),
    TEST(the_current_table_is_the_one_that_is_loaded),
    TEST(a_loaded_table_cannot_be_freed),
    TEST(an_object_with_a_loaded_table_inside_cannot_be_freed),
    TEST(the_debug_mode_sees_any_loaded_table),
    TEST(a_page_with_the_loaded_table_cannot_be_freed),
    TEST_END,
};

const struct test_suite selftest_user = {"user", "ring 3 in address spaces of its own", tests};
