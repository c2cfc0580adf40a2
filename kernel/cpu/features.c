/* SPDX-License-Identifier: MIT */
/*
 * CPU features: one pass over CPUID (Intel SDM volume 2, "CPUID"), then the control registers.
 *
 * A leaf is read only when the highest-leaf answer covers it: older CPUs return the data of another leaf
 * otherwise.
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/registers.h>
#include <lib/bits.h>
#include <lib/printf.h>
#include <lib/string.h>

#define LEAF_EXTENDED     0x80000000U
#define DEFAULT_PHYS_BITS 36 /* what a CPU without leaf 0x80000008 has */
#define DEFAULT_VIRT_BITS 48

struct cpu_features cpu_features;

static bool bit(u32 word, unsigned n)
{
    return (word >> n & 1) != 0;
}

static void detect_basic(struct cpu_features *f, bool safe)
{
    struct cpuid_regs leaf0 = cpuid(0, 0);
    memcpy(f->vendor, &leaf0.ebx, 4);
    memcpy(f->vendor + 4, &leaf0.edx, 4);
    memcpy(f->vendor + 8, &leaf0.ecx, 4);

    struct cpuid_regs leaf1 = cpuid(1, 0);
    f->signature = leaf1.eax;
    f->hypervisor = bit(leaf1.ecx, 31);
    f->apic = bit(leaf1.edx, 9);
    f->machine_check = !safe && bit(leaf1.edx, 7);
    f->global_pages = !safe && bit(leaf1.edx, 13);
    f->pat = !safe && bit(leaf1.edx, 16);

    if (leaf0.eax < 7 || safe)
        return;
    struct cpuid_regs leaf7 = cpuid(7, 0);
    f->smep = bit(leaf7.ebx, 7);
    f->erms = bit(leaf7.ebx, 9);
    f->smap = bit(leaf7.ebx, 20);
    f->umip = bit(leaf7.ecx, 2);
}

static void detect_brand(struct cpu_features *f)
{
    for (u32 i = 0; i < 3; i++) {
        struct cpuid_regs part = cpuid(LEAF_EXTENDED + 2 + i, 0);
        memcpy(f->brand + 16 * i, &part, 16);
    }
    size_t blanks = 0;
    while (f->brand[blanks] == ' ')
        blanks++;
    memmove(f->brand, f->brand + blanks, sizeof f->brand - blanks);
}

static void detect_extended(struct cpu_features *f, bool safe)
{
    u32 highest = cpuid(LEAF_EXTENDED, 0).eax;
    if (highest >= LEAF_EXTENDED + 1) {
        struct cpuid_regs leaf = cpuid(LEAF_EXTENDED + 1, 0);
        f->no_execute = !safe && bit(leaf.edx, 20);
        f->gigabyte_pages = !safe && bit(leaf.edx, 26);
    }
    if (highest >= LEAF_EXTENDED + 4)
        detect_brand(f);
    if (highest >= LEAF_EXTENDED + 7)
        f->tsc_invariant = bit(cpuid(LEAF_EXTENDED + 7, 0).edx, 8);
    if (highest >= LEAF_EXTENDED + 8) {
        u32 widths = cpuid(LEAF_EXTENDED + 8, 0).eax;
        f->phys_bits = (u8)widths;
        f->virt_bits = (u8)(widths >> 8);
    }
    if (f->phys_bits < 32 || f->phys_bits > 52)
        f->phys_bits = DEFAULT_PHYS_BITS;
    if (f->virt_bits < DEFAULT_VIRT_BITS)
        f->virt_bits = DEFAULT_VIRT_BITS;
}

void cpu_features_detect(bool safe)
{
    memset(&cpu_features, 0, sizeof cpu_features);
    detect_basic(&cpu_features, safe);
    detect_extended(&cpu_features, safe);
}

/*
 * SDM volume 3, "Programming the PAT": the caches and the TLB must not hold what was read under the old
 * meaning.
 */
static void load_pat(void)
{
    if (msr_read(MSR_PAT) == PAT_LAYOUT)
        return;
    __asm__ volatile("wbinvd" : : : "memory");
    msr_write(MSR_PAT, PAT_LAYOUT);
    __asm__ volatile("wbinvd" : : : "memory");
    cr3_write(cr3_read());
}

void cpu_features_enable(void)
{
    const struct cpu_features *f = &cpu_features;

    /* LMA is read-only, but some CPUs fault when it is written with another value than it has. */
    u64 efer = msr_read(MSR_EFER) & (EFER_LME | EFER_LMA);
    msr_write(MSR_EFER, efer | (f->no_execute ? EFER_NXE : 0));

    u64 cr4 = CR4_PAE;
    cr4 |= f->machine_check ? CR4_MCE : 0;
    cr4 |= f->global_pages ? CR4_PGE : 0;
    cr4 |= f->smep ? CR4_SMEP : 0;
    cr4 |= f->smap ? CR4_SMAP : 0;
    cr4 |= f->umip ? CR4_UMIP : 0;
    cr4_write(cr4);
    cr0_write(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);

    if (f->pat)
        load_pat();
}

size_t cpu_features_text(char *text, size_t size)
{
    const struct cpu_features *f = &cpu_features;
    const struct {
        bool present;
        const char *name;
    } words[] = {
        {f->no_execute, "nx"},
        {f->gigabyte_pages, "1g-pages"},
        {f->global_pages, "pge"},
        {f->pat, "pat"},
        {f->smep, "smep"},
        {f->smap, "smap"},
        {f->umip, "umip"},
        {f->erms, "erms"},
        {f->machine_check, "mce"},
        {f->apic, "apic"},
        {f->tsc_invariant, "invariant-tsc"},
        {f->hypervisor, "hypervisor"},
    };
    size_t n = 0;
    if (size > 0)
        text[0] = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        size_t need = strlen(words[i].name) + (n > 0 ? 1 : 0);
        if (!words[i].present || n + need >= size)
            continue;
        n += (size_t)ksnprintf(text + n, size - n, "%s%s", n > 0 ? " " : "", words[i].name);
    }
    return n;
}
