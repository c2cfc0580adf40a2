/* SPDX-License-Identifier: MIT */
/*
 * What the CPU allows: the manual's rules, and trying it.
 *
 * A *leaf* is a mapping that some call made, seen at an address; a *setting* is what of CR0 and CR4 has a
 * say; an *access* is one instruction's.  rights_expected computes what must happen (Intel SDM volume 3A,
 * "Determination of Access Rights" and "Page-Fault Exceptions"), rights_try makes it happen, in ring 0 or in
 * ring 3.
 */
#ifndef KERNEL_SELFTEST_RIGHTS_H
#define KERNEL_SELFTEST_RIGHTS_H

#include <kernel/selftest/space.h>

struct leaf {
    ul at;    /* where the target is seen through it */
    ul flags; /* of mm_map_phys_addr: PAGE_R_W, PAGE_U_S, PAGE_XD */
};

enum access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH, N_ACCESS_KINDS };

struct access {
    enum access_kind kind;
    bool ring3;
    bool ac; /* EFLAGS.AC; in ring 3 always clear */
};

/* CR0.WP, CR4.SMEP, CR4.SMAP. */
struct setting {
    bool wp, smep, smap;
};

struct verdict {
    bool allowed;
    u64 error; /* of the page fault */
};

/* Writes the target, some code and a word, into the page of a space, and code of ring 3 that reads and
 * writes. */
void rights_prepare(const struct space *space);

/* Where the target begins in that page. */
#define RIGHTS_TARGET (USER_DATA - USER_CODE)

/* Settings that this CPU can have are numbered 0 .. n - 1; the last is the kernel's own. */
unsigned rights_n_settings(void);
struct setting rights_setting(unsigned number);

/* Makes it this CPU's; rights_settle goes back to the kernel's own. */
void rights_set(struct setting setting);
void rights_settle(void);

struct verdict rights_expected(const struct leaf *leaf, struct setting setting, struct access access);

/*
 * With the space's table loaded: makes the access and looks at what it left in the target.  Notes a failure
 * of the running test if anything is not as expected.  `leaf_bytes` is for the note.
 */
void rights_try(const struct space *space, const struct leaf *leaf, ul leaf_bytes, struct setting setting,
                struct access access, struct verdict expected);

#endif
