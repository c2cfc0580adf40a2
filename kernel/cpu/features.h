/* SPDX-License-Identifier: MIT */
/*
 * What the CPU can do, and turning it on.
 *
 * Only long mode is required.  Everything in struct cpu_features may be missing, and the kernel then does
 * without.
 */
#ifndef KERNEL_CPU_FEATURES_H
#define KERNEL_CPU_FEATURES_H

#include <lib/types.h>

struct cpu_features {
    /* for paging */
    bool no_execute;     /* NX */
    bool gigabyte_pages; /* PDPE1GB */
    bool global_pages;   /* PGE */
    bool pat;            /* PAT, loaded as PAT_LAYOUT */
    u8 phys_bits;        /* MAXPHYADDR: 36..52 */
    u8 virt_bits;

    /* for protection */
    bool smep, smap, umip;

    /* for the rest */
    bool erms; /* REP MOVSB/STOSB are fast */
    bool machine_check;
    bool apic;
    bool tsc_invariant;
    bool hypervisor;

    char vendor[13];
    char brand[49];
    u32 signature; /* CPUID 1 EAX: family, model, stepping */
};

/* As detected, less what safe mode turned off.  Constant after cpu_features_detect. */
extern struct cpu_features cpu_features;

/*
 * The eight cache modes that a leaf's PAT, PCD and PWT bits choose from (index = 4 * PAT + 2 * PCD + PWT).
 * 0..3 are what every x86 has at reset, so entries mean the same before and after the register is loaded.
 * Codes: Intel SDM volume 3, "Page Attribute Table": 0 UC, 1 WC, 4 WT, 6 WB, 7 UC-.
 * From PA7 down to PA0: UC, UC-, WT, WC, UC, UC-, WT, WB.
 */
#define PAT_LAYOUT 0x0007040100070406UL

/* Asks CPUID, once, on the first CPU.  `safe` leaves everything optional off. */
void cpu_features_detect(bool safe);

/*
 * Loads CR0, CR4, EFER and PAT of this CPU outright, whatever firmware and loader left in them (CD and NW set
 * under Bochs, OSFXSR under EFI).  Write protection (CR0.WP) is always on.  Needs cpu_features_detect.
 */
void cpu_features_enable(void);

/* Writes the features in use as words, separated by blanks.  Returns the length; never more than size - 1. */
size_t cpu_features_text(char *text, size_t size);

#endif
