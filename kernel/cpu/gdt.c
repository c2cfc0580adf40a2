/* SPDX-License-Identifier: MIT */
/* The global descriptor table: five flat segments and the TSS. */
#include <kernel/cpu/gdt.h>

/* Descriptor bits, at their place in the 8-byte entry. */
#define DESC_ACCESSED (1UL << 40)
#define DESC_WRITABLE (1UL << 41) /* data */
#define DESC_READABLE (1UL << 41) /* code */
#define DESC_CODE     (1UL << 43)
#define DESC_SEGMENT  (1UL << 44) /* not a system descriptor */
#define DESC_USER     (3UL << 45)
#define DESC_PRESENT  (1UL << 47)
#define DESC_LONG     (1UL << 53)
#define DESC_TSS      (9UL << 40) /* type 9: available 64-bit TSS */

#define DATA_SEGMENT (DESC_PRESENT | DESC_SEGMENT | DESC_WRITABLE | DESC_ACCESSED)
#define CODE_SEGMENT (DESC_PRESENT | DESC_SEGMENT | DESC_CODE | DESC_READABLE | DESC_ACCESSED | DESC_LONG)

struct table_register {
    u16 limit;
    u64 base;
} __attribute__((packed));

static void set_tss_descriptor(u64 *entry, const struct tss *tss)
{
    u64 base = (u64)tss;
    u64 limit = sizeof *tss - 1;
    entry[0] =
        (limit & 0xffff) | (base & 0xffffff) << 16 | DESC_TSS | DESC_PRESENT | (base >> 24 & 0xff) << 56;
    entry[1] = base >> 32;
}

void gdt_load(struct gdt *gdt, struct tss *tss)
{
    gdt->entry[0] = 0;
    gdt->entry[GDT_KERNEL_CODE / 8] = CODE_SEGMENT;
    gdt->entry[GDT_KERNEL_DATA / 8] = DATA_SEGMENT;
    gdt->entry[GDT_USER_DATA / 8] = DATA_SEGMENT | DESC_USER;
    gdt->entry[GDT_USER_CODE / 8] = CODE_SEGMENT | DESC_USER;
    tss->io_map_offset = sizeof *tss;
    set_tss_descriptor(&gdt->entry[GDT_TSS / 8], tss);

    struct table_register reg = {sizeof *gdt - 1, (u64)gdt};
    __asm__ volatile(
        "lgdt %[reg]\n\t"
        "pushq %[code]\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "lretq\n"
        "1:\n\t"
        "movl %[data], %%eax\n\t"
        "movl %%eax, %%ss\n\t"
        "xorl %%eax, %%eax\n\t"
        "movl %%eax, %%ds\n\t"
        "movl %%eax, %%es\n\t"
        "movl %%eax, %%fs\n\t"
        "movl %%eax, %%gs\n\t"
        "ltr %w[task]"
        :
        : [reg] "m"(reg), [code] "i"(GDT_KERNEL_CODE), [data] "i"(GDT_KERNEL_DATA), [task] "r"(GDT_TSS)
        : "rax", "memory");
}
