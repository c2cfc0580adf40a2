/* SPDX-License-Identifier: MIT */
/* What the debug mode knows, for people: moments, call sites, owners. */
#include <kernel/debug/symbols.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/shell/show.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/inspect.h>

#define NAME_BYTES 64

struct callers_text show_callers(const u64 *caller, unsigned n)
{
    struct callers_text text = {"not known"};
    size_t length = 0;
    for (unsigned i = 0; i < n && caller[i] && length + NAME_BYTES < sizeof text.s; i++) {
        char name[NAME_BYTES];
        symbol_text(caller[i], name, sizeof name);
        length += (size_t)ksnprintf(text.s + length, sizeof text.s - length, "%s%s", i ? " < " : "", name);
    }
    return text;
}

struct number_text show_time(u32 time_ms)
{
    struct number_text text;
    ksnprintf(text.s, sizeof text.s, "%u.%03u", time_ms / 1000, time_ms % 1000);
    return text;
}

static void show_moment(const char *title, const struct mm_moment *moment, unsigned n_callers)
{
    out("  %-10s by %s\n", title, show_callers(moment->caller, n_callers).s);
    out("  %-10s call %lu, at %s s, on CPU %u%s\n", "", moment->sequence, show_time(moment->time_ms).s,
        moment->cpu, moment->in_interrupt ? ", in an interrupt" : "");
}

static void show_asked(const struct mm_owner *owner)
{
    static const char *const kinds[] = {"an object of kmalloc", "frames of frame_alloc",
                                        "pages of alloc_pages"};
    static const char *const states[] = {"live", "freed, in quarantine", "freed"};
    out("  %-10s %s bytes, %s, %s\n", "asked for", format_thousands(owner->asked_bytes).s, kinds[owner->kind],
        states[owner->state]);
}

void show_owner(const struct mm_owner *owner, unsigned n_callers)
{
    show_asked(owner);
    show_moment("taken", &owner->taken, n_callers);
    if (owner->state != MM_OWNER_LIVE)
        show_moment("freed", &owner->freed, n_callers);
}

/* What was freed long ago tells nothing about what the memory is used for since. */
void show_owner_of(u64 at, const struct mm_what *what)
{
    struct mm_owner owner;
    bool is_free =
        what->kind == MM_FREE_FRAME || what->kind == MM_FREE_OBJECT || what->kind == MM_CACHED_FRAME;
    if (mm_debug_owner(phys(at), &owner) && (is_free || owner.state == MM_OWNER_LIVE))
        show_owner(&owner, 1);
}
