/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own mappings, as they are now: nothing writable and executable, RAM where it belongs, nothing
 * at 0, guard pages around stacks.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/selftest/suites.h>
#include <kernel/selftest/tables.h>
#include <lib/bits.h>
#include <mm/inspect.h>
#include <mm/mmio.h>

extern const char image_text_start[], image_text_end[], image_rodata_start[], image_rodata_end[];
extern const char image_data_start[], image_data_end[];

/* Calls look(run) for every run of [start, end) of the kernel's table; end 0 = the top. */
static unsigned for_each_run(ul start, ul end, void (*look)(const struct paging_run *run))
{
    struct paging_run run;
    unsigned n = 0;

    while (paging_next_run(paging_kernel_top(), virt(start), virt(end), &run)) {
        look(&run);
        n++;
        start = run.start.addr + run.bytes;
        if (start == 0) /* the top of the address space */
            break;
    }
    return n;
}

static void expect_not_writable_and_executable(const struct paging_run *run)
{
    if ((run->flags & PAGE_R_W) && !(run->flags & PAGE_XD))
        test_fail(TEST_HERE, "0x%lx, 0x%lx bytes, is writable and executable", run->start.addr, run->bytes);
}

/* What callers map in SPECIAL and in the lower half is their affair. */
static void nothing_of_the_kernel_is_writable_and_executable(void)
{
    if (!cpu_features.no_execute) {
        test_skip("the CPU has no NX");
        return;
    }
    EXPECT(for_each_run(MM_KERNEL_HALF, MM_SPECIAL_START, expect_not_writable_and_executable) != 0);
    EXPECT(for_each_run(MM_SPECIAL_END, 0, expect_not_writable_and_executable) != 0);
}

static void expect_no_user(const struct paging_run *run)
{
    if (run->flags & PAGE_U_S)
        test_fail(TEST_HERE, "0x%lx, 0x%lx bytes, is the user's", run->start.addr, run->bytes);
}

static void nothing_of_the_kernel_is_the_users(void)
{
    for_each_run(MM_KERNEL_HALF, 0, expect_no_user);
}

static void expect_flags_of_segment(const char *start, const char *end, ul flags)
{
    for (ul at = (ul)start; at < (ul)end; at += PAGE_4K_SIZE)
        if (!EXPECT_EQUAL(mapped_flags(at) & (PAGE_R_W | PAGE_XD | PAGE_U_S),
                          flags_usable(flags) & ~PAGE_PRESENT))
            return;
}

static void the_image_is_mapped_as_its_segments_say(void)
{
    expect_flags_of_segment(image_text_start, image_text_end, 0);
    expect_flags_of_segment(image_rodata_start, image_rodata_end, PAGE_XD);
    expect_flags_of_segment(image_data_start, image_data_end, PAGE_R_W | PAGE_XD);
}

static void text_and_rodata_cannot_be_written_under_any_name(void)
{
    const u64 places[] = {(u64)image_text_start, (u64)image_text_end - 8, (u64)image_rodata_start,
                          (u64)image_rodata_end - 8};
    u64 value;

    for (unsigned i = 0; i < ARRAY_LENGTH(places); i++) {
        u64 alias = PAGE_OFFSET + (places[i] - MM_IMAGE_START);

        EXPECT(probe_read(places[i], &value, 8));
        EXPECT(!probe_write(places[i], &value, 8));
        EXPECT(probe_read(alias, &value, 8));
        EXPECT(!probe_write(alias, &value, 8));
    }
}

static volatile u8 data_with_code[1] = {0xc3}; /* RET */

static void data_of_the_image_cannot_be_executed(void)
{
    EXPECT_EQUAL(probe_execute((u64)data_with_code), !cpu_features.no_execute);
}

static void the_identity_map_is_gone(void)
{
    struct paging_run run;
    u64 value;

    if (paging_next_run(paging_kernel_top(), virt(0), virt(MM_USER_END), &run))
        test_fail(TEST_HERE, "0x%lx is mapped to 0x%lx", run.start.addr, run.phys.addr);
    EXPECT(!probe_read(0, &value, 8));
    EXPECT(!probe_read(8, &value, 8));
    EXPECT(!probe_write(0, &value, 8));
    EXPECT(!probe_execute(0));
    EXPECT(!probe_read(0x100000, &value, 8));
}

static void expect_direct(const struct paging_run *run)
{
    if (!memory_map_is_usable(mm_firmware_map(), run->phys.addr, run->phys.addr + run->bytes))
        test_fail(TEST_HERE, "0x%lx, 0x%lx bytes, is not RAM throughout", run->phys.addr, run->bytes);
    if (run->start.addr - PAGE_OFFSET != run->phys.addr)
        test_fail(TEST_HERE, "0x%lx is mapped to 0x%lx", run->start.addr, run->phys.addr);
    if (!mm_is_direct(run->phys) || !mm_is_direct(phys_add(run->phys, run->bytes - 1)))
        test_fail(TEST_HERE, "0x%lx, 0x%lx bytes, is not memory of DMA or NORMAL", run->phys.addr,
                  run->bytes);
    EXPECT_EQUAL(run->flags & PAGE_XD, flags_usable(PAGE_XD) & PAGE_XD);
}

static u64 direct_bytes;

static void add_bytes(const struct paging_run *run)
{
    direct_bytes += run->bytes;
}

static void the_direct_map_is_exactly_the_ram_of_dma_and_normal(void)
{
    struct mm_zone_info dma, normal;

    for_each_run(PAGE_OFFSET, PAGE_OFFSET + MM_RAM_LIMIT, expect_direct);
    direct_bytes = 0;
    for_each_run(PAGE_OFFSET, PAGE_OFFSET + MM_RAM_LIMIT, add_bytes);
    mm_zone_info(0, &dma);
    mm_zone_info(1, &normal);
    EXPECT_EQUAL(direct_bytes, dma.managed_bytes + normal.managed_bytes);
}

static void expect_not_of_unmapped(const struct paging_run *run)
{
    for (u64 at = 0; at < run->bytes; at += PAGE_2M_SIZE) {
        struct mm_what what;

        mm_describe_phys(phys_add(run->phys, at), &what);
        if (what.zone == 2 && what.kind == MM_FREE_FRAME) {
            test_fail(TEST_HERE, "free memory of UNMAPPED is mapped at 0x%lx", run->start.addr + at);
            return;
        }
    }
}

static void free_memory_of_unmapped_is_mapped_nowhere(void)
{
    for_each_run(0, 0, expect_not_of_unmapped);
}

static void expect_guarded(struct stack_bounds stack)
{
    u64 value;

    if (stack.top == 0)
        return;
    EXPECT(probe_read(stack.low, &value, 8));
    EXPECT(probe_read(stack.top - 8, &value, 8));
    EXPECT(!probe_read(stack.low - 8, &value, 8));
    EXPECT(!probe_read(stack.low - PAGE_4K_SIZE, &value, 8));
    EXPECT(!probe_read(stack.top, &value, 8));
}

static void every_stack_lies_between_guard_pages(void)
{
    const struct cpu *cpu = cpu_this();

    EXPECT(cpu->stack.top != 0);
    EXPECT((u64)__builtin_frame_address(0) >= cpu->stack.low &&
           (u64)__builtin_frame_address(0) < cpu->stack.top);
    expect_guarded(cpu->stack);
    for (unsigned i = 1; i < IST_COUNT; i++)
        expect_guarded(cpu->ist[i]);
}

static void mmio_map_maps_what_was_asked_with_a_guard_behind(void)
{
    ul device = space_without_ram(MIB(4), MIB(2));
    u8 *at;

    if (device == 0) {
        test_skip("no 4 MiB of physical space are free of RAM");
        return;
    }
    at = mmio_map(phys(device + 0x123), MIB(2), MMIO_UNCACHED);
    if (!EXPECT(at != NULL))
        return;
    EXPECT((ul)at >= MM_MMIO_START && (ul)at < MM_MMIO_END);
    EXPECT_EQUAL((ul)at & 0xfff, 0x123);
    EXPECT_MAPPED(.virt = (ul)at & PAGE_4K_MASK, .phys = device, .bytes = MIB(2) + PAGE_4K_SIZE,
                  .flags = PAGE_R_W | PAGE_XD | PAGE_PCD | PAGE_PWT);
    EXPECT_UNMAPPED(((ul)at & PAGE_4K_MASK) + MIB(2) + PAGE_4K_SIZE, PAGE_4K_SIZE);
    EXPECT(!mmio_unmap(at + 1));
    EXPECT(mmio_unmap(at));
    EXPECT(!mmio_unmap(at));
    EXPECT(!mmio_unmap(NULL));
}

static void mmio_map_of_ram_is_write_back_whatever_is_asked(void)
{
    u64 *object = kzalloc(4096, 0), *alias;

    if (!EXPECT(object != NULL))
        return;
    alias = mmio_map(phys(virt_2_phys(object)), 4096, MMIO_UNCACHED);
    if (EXPECT(alias != NULL)) {
        EXPECT_EQUAL(mapped_flags((ul)alias) & (PAGE_PCD | PAGE_PWT | PAGE_WC), 0);
        *(volatile u64 *)alias = 5;
        EXPECT_EQUAL(*object, 5);
        EXPECT(mmio_unmap(alias));
    }
    EXPECT_EQUAL(kfree(object), 0);
}

static const struct test tests[] = {
    TEST(nothing_of_the_kernel_is_writable_and_executable),
    TEST(nothing_of_the_kernel_is_the_users),
    TEST(the_image_is_mapped_as_its_segments_say),
    TEST(text_and_rodata_cannot_be_written_under_any_name),
    TEST(data_of_the_image_cannot_be_executed),
    TEST(the_identity_map_is_gone),
    TEST(the_direct_map_is_exactly_the_ram_of_dma_and_normal),
    TEST(free_memory_of_unmapped_is_mapped_nowhere),
    TEST(every_stack_lies_between_guard_pages),
    TEST(mmio_map_maps_what_was_asked_with_a_guard_behind),
    TEST(mmio_map_of_ram_is_write_back_whatever_is_asked),
    TEST_END,
};

const struct test_suite selftest_kernel_map = {
    "kernel", "the kernel's own mappings: W^X, direct map, guard pages", tests};
