/* SPDX-License-Identifier: MIT */
/*
 * The rules are written down as the manual has them, by mode and kind of access, and know nothing of entries.
 *
 * The target is three cells of eight bytes: code for ring 0 (RET), code for ring 3 (INT 0x80), and a word
 * that is read and written.  A refused write must not change it, an allowed one must.
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/probe.h>
#include <kernel/cpu/registers.h>
#include <kernel/cpu/trap.h>
#include <kernel/selftest/rights.h>
#include <kernel/selftest/test.h>
#include <lib/bits.h>
#include <lib/string.h>

/* Bits of a page fault's error code. */
#define FAULT_PROTECTION  (1UL << 0)
#define FAULT_WRITE       (1UL << 1)
#define FAULT_USER        (1UL << 2)
#define FAULT_INSTRUCTION (1UL << 4)

#define CELL_RING3 8
#define CELL_WORD  16

#define WORD_BEFORE 0x5ead5ead5ead5eadUL
#define WORD_AFTER  0x171e171e171e171eUL

static const u8 return_code[] = {0xc3};
static const u8 end_code[] = {0xcd, 0x80};                    /* int 0x80 */
static const u8 read_code[] = {0x48, 0x8b, 0x07, 0xcd, 0x80}; /* mov rax, [rdi]; int 0x80 */
static const u8 write_code[] = {0x48, 0xb8, 0x1e, 0x17, 0x1e,
                                0x17, 0x1e, 0x17, 0x1e, 0x17,  /* mov rax, WORD_AFTER */
                                0x48, 0x89, 0x07, 0xcd, 0x80}; /* mov [rdi], rax; int 0x80 */

#define AT_READ_CODE  USER_CODE
#define AT_WRITE_CODE (USER_CODE + 16)

void rights_prepare(const struct space *space)
{
    u8 *target = space_at(space, USER_DATA);

    memcpy(target, return_code, sizeof return_code);
    memcpy(target + CELL_RING3, end_code, sizeof end_code);
    memcpy(space_at(space, AT_READ_CODE), read_code, sizeof read_code);
    memcpy(space_at(space, AT_WRITE_CODE), write_code, sizeof write_code);
}

/* ---- settings ---- */

unsigned rights_n_settings(void)
{
    return 2U << cpu_features.smep << cpu_features.smap;
}

/* Bits of the number: WP, then those of SMEP and SMAP that there are. */
struct setting rights_setting(unsigned number)
{
    return (struct setting){
        .wp = number & 1,
        .smep = cpu_features.smep && (number >> 1 & 1),
        .smap = cpu_features.smap && (number >> (1 + cpu_features.smep) & 1),
    };
}

void rights_set(struct setting setting)
{
    cr0_write((cr0_read() & ~CR0_WP) | (setting.wp ? CR0_WP : 0));
    cr4_write((cr4_read() & ~(CR4_SMEP | CR4_SMAP)) | (setting.smep ? CR4_SMEP : 0) |
              (setting.smap ? CR4_SMAP : 0));
}

void rights_settle(void)
{
    rights_set(rights_setting(rights_n_settings() - 1));
}

/* ---- the rules ---- */

/* "Supervisor-mode accesses": explicit ones, which all of ours are. */
static bool ring0_may(const struct leaf *leaf, struct setting setting, struct access access)
{
    bool user_address = leaf->flags & PAGE_U_S;

    if (access.kind == ACCESS_FETCH)
        return !(leaf->flags & PAGE_XD) && !(user_address && setting.smep);
    if (user_address && setting.smap && !access.ac)
        return false;
    return access.kind == ACCESS_READ || !setting.wp || (leaf->flags & PAGE_R_W);
}

/* "User-mode accesses". */
static bool ring3_may(const struct leaf *leaf, struct access access)
{
    if (!(leaf->flags & PAGE_U_S))
        return false;
    if (access.kind == ACCESS_WRITE)
        return leaf->flags & PAGE_R_W;
    return access.kind == ACCESS_READ || !(leaf->flags & PAGE_XD);
}

struct verdict rights_expected(const struct leaf *leaf, struct setting setting, struct access access)
{
    struct leaf seen = *leaf;
    struct verdict verdict;

    if (!cpu_features.no_execute)
        seen.flags &= ~PAGE_XD;
    verdict.allowed = access.ring3 ? ring3_may(&seen, access) : ring0_may(&seen, setting, access);
    verdict.error =
        FAULT_PROTECTION | (access.ring3 ? FAULT_USER : 0) | (access.kind == ACCESS_WRITE ? FAULT_WRITE : 0);
    if (access.kind == ACCESS_FETCH && (cpu_features.no_execute || setting.smep))
        verdict.error |= FAULT_INSTRUCTION;
    return verdict;
}

/* ---- trying ---- */

/* What became of an access. */
struct result {
    bool allowed;
    u64 vector, error, address; /* when not */
    u64 word;                   /* what was read */
};

struct ring0_access {
    struct access access;
    ul at;
    u64 word;
};

/* The flags of before come back with the end of the probe. */
static void access_in_ring0(void *argument)
{
    struct ring0_access *a = argument;
    volatile u64 *word = (volatile u64 *)(a->at + CELL_WORD);

    if (a->access.ac)
        __asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(RFLAGS_AC) : "memory", "cc");
    if (a->access.kind == ACCESS_READ)
        a->word = *word;
    else if (a->access.kind == ACCESS_WRITE)
        *word = WORD_AFTER;
    else
        ((void (*)(void))a->at)();
}

static struct result try_in_ring0(ul at, struct access access)
{
    struct ring0_access a = {.access = access, .at = at};
    bool done = probe_call(access_in_ring0, &a);
    struct probe_fault fault = probe_last_fault();

    return (struct result){done, fault.vector, fault.error, fault.address, a.word};
}

static struct result try_in_ring3(ul at, struct access access)
{
    const ul entries[N_ACCESS_KINDS] = {AT_READ_CODE, AT_WRITE_CODE, at + CELL_RING3};
    struct user_exit end = user_run(entries[access.kind], USER_STACK_TOP, at + CELL_WORD);

    return (struct result){end.how == USER_ENDED, end.vector, end.error, end.address, end.rax};
}

/* The byte at which a refused access faults. */
static ul fault_address(ul at, struct access access)
{
    if (access.kind != ACCESS_FETCH)
        return at + CELL_WORD;
    return access.ring3 ? at + CELL_RING3 : at;
}

static bool result_is_right(const struct result *result, u64 word_after, ul at, struct access access,
                            struct verdict expected)
{
    bool changed = expected.allowed && access.kind == ACCESS_WRITE;

    if (result->allowed != expected.allowed || word_after != (changed ? WORD_AFTER : WORD_BEFORE))
        return false;
    if (result->allowed)
        return access.kind != ACCESS_READ || result->word == WORD_BEFORE;
    return result->vector == VECTOR_PAGE_FAULT && result->error == expected.error &&
           result->address == fault_address(at, access);
}

void rights_try(const struct space *space, const struct leaf *leaf, ul leaf_bytes, struct setting setting,
                struct access access, struct verdict expected)
{
    static const char *const kinds[] = {"read", "write", "fetch"};
    volatile u64 *word = space_at(space, USER_DATA + CELL_WORD);
    struct result result;

    *word = WORD_BEFORE;
    result = access.ring3 ? try_in_ring3(leaf->at, access) : try_in_ring0(leaf->at, access);
    if (!result_is_right(&result, *word, leaf->at, access, expected))
        test_fail(
            TEST_HERE,
            "leaf of %lu KiB, flags 0x%lx; WP %u SMEP %u SMAP %u AC %u; %s in ring %u: expected %s 0x%lx, "
            "found %s: vector %lu, error 0x%lx, at 0x%lx; the word is 0x%lx",
            leaf_bytes >> 10, leaf->flags, setting.wp, setting.smep, setting.smap, access.ac,
            kinds[access.kind], access.ring3 ? 3 : 0, expected.allowed ? "it is done, not" : "fault",
            expected.error, result.allowed ? "it was done" : "fault", result.vector, result.error,
            result.address, *word);
}
