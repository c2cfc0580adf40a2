/* SPDX-License-Identifier: MIT */
/*
 * Reports of misuse.
 *
 * Every call that takes an address from outside proves it before acting on it; what fails the proof comes here.  The proof
 * is cheap and only says "no"; the words are found afterwards, by describe.c, with all the time in the world.  By then
 * another CPU may have changed what the address is: the words are of now, the refusal is of then.
 *
 * Locking: none, nothing of mm is changed but the counter.
 */
#include <mm/inspect.h>
#include <mm/misuse.h>
#include <mm/platform.h>
#include <mm/state.h>

void mm_misuse(const char *call, ul address, const char *what)
{
    __atomic_fetch_add(&mm.n_misuses, 1, __ATOMIC_RELAXED);
    platform_report(MM_MISUSE, "mm: bad %s(0x%lx): %s", call, address, what);
}

static int misuse_described(const char *call, ul address, const struct mm_what *what)
{
    char text[96];

    mm_describe_text(what, text, sizeof text);
    mm_misuse(call, address, text);
    return -EFAULT;
}

int misuse_phys(const char *call, phys_t at)
{
    struct mm_what what;

    mm_describe_phys(at, &what);
    return misuse_described(call, at.addr, &what);
}

int misuse_virt(const char *call, virt_t at)
{
    struct mm_what what;

    mm_describe_virt(at, &what);
    return misuse_described(call, at.addr, &what);
}

ul mm_misuse_count(void)
{
    return __atomic_load_n(&mm.n_misuses, __ATOMIC_RELAXED);
}
