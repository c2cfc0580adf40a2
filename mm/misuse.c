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
#include <lib/string.h>
#include <mm/inspect.h>
#include <mm/misuse.h>
#include <mm/platform.h>
#include <mm/state.h>

#define TEXT_BYTES 208 /* what it is; with the debug mode on whose it is, or was */

void mm_misuse(const char *call, ul address, const char *what)
{
    __atomic_fetch_add(&mm.n_misuses, 1, __ATOMIC_RELAXED);
    platform_report(MM_MISUSE, "mm: bad %s(0x%lx): %s", call, address, what);
}

static int misuse_described(const char *call, ul address, const struct mm_what *what)
{
    char text[TEXT_BYTES];
    size_t length = mm_describe_text(what, text, sizeof text);

    debug_who_text(phys(what->phys), text + length, sizeof text - length);
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

/* Before the report, which may be the end (mm.onbug=panic): the panic shell can still show the trace. */
static void note(const struct misuse_free *free, ul address, const char *what)
{
    if (UNLIKELY(mm.debug.features != 0))
        debug_note_refused(free->kind, address, free->bytes, what, free->here);
}

void misuse_free(const struct misuse_free *free, ul address, const char *what)
{
    note(free, address, what);
    mm_misuse(free->call, address, what);
}

void misuse_free_whose(const struct misuse_free *free, phys_t at, const char *what)
{
    char text[TEXT_BYTES];

    str_copy(text, sizeof text, what);
    debug_who_text(at, text + strlen(text), sizeof text - strlen(text));
    note(free, at.addr, what);
    mm_misuse(free->call, at.addr, text);
}

static int free_described(const struct misuse_free *free, ul address, const struct mm_what *what)
{
    note(free, address, mm_describe_words(what));
    return misuse_described(free->call, address, what);
}

int misuse_free_phys(const struct misuse_free *free, phys_t at)
{
    struct mm_what what;

    mm_describe_phys(at, &what);
    return free_described(free, at.addr, &what);
}

int misuse_free_virt(const struct misuse_free *free, virt_t at)
{
    struct mm_what what;

    mm_describe_virt(at, &what);
    return free_described(free, at.addr, &what);
}

ul mm_misuse_count(void)
{
    return __atomic_load_n(&mm.n_misuses, __ATOMIC_RELAXED);
}
