/* SPDX-License-Identifier: MIT */
/* owner, leak and trace: what the debug mode of mm keeps about allocations. */
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/shell/show.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/debug.h>
#include <mm/inspect.h>
#include <mm/paging.h>

#define TRACE_EVENTS 20 /* shown when no number is given */

/* True when a feature of the debug mode is on; else says how to get it. */
static bool has_feature(enum mm_debug_feature feature, const char *name)
{
    if (mm_debug_features() & feature)
        return true;
    return out_error("nothing is noted: choose 'memory debug' in the boot menu, or boot with mm.debug=on (or mm.debug=%s)", name);
}

/* ---- owner ---- */

static void show_records(void)
{
    struct mm_debug_info info;
    mm_debug_info(&info);
    out("%s of %s records in use", format_thousands(info.n_live + info.n_waiting).s,
        format_thousands(info.n_records).s);
    if (info.n_waiting)
        out("; in quarantine: %s, %s of at most %s", format_thousands(info.n_waiting).s,
            format_size(info.waiting_bytes).s, format_size(info.waiting_limit_bytes).s);
    out("\n");
    if (info.n_untracked)
        out("NOT COMPLETE: allocations that found all records in use, and have none: %s\n",
            format_thousands(info.n_untracked).s);
    if (info.n_unguarded)
        out("%s object%s taken without all of the red zone: too large for it, or memory was short\n",
            format_thousands(info.n_unguarded).s, info.n_unguarded == 1 ? " was" : "s were");
}

static void show_site(const struct mm_site *site, unsigned depth, const char *nobody)
{
    out("%10s %16s  %s\n", format_thousands(site->n).s, format_thousands(site->bytes).s,
        site->caller[0] ? show_callers(site->caller, depth).s : nobody);
}

/* A table of what was taken after `since` and is live. */
static void show_sites(u64 since, unsigned depth)
{
    struct mm_site total;
    unsigned n;
    const struct mm_site *sites = mm_debug_sites(since, depth, &n, &total);
    out_styled(OUT_TITLE, "%10s %16s  %s", "count", "bytes",
               depth > 1 ? "allocated by < called by" : "allocated by");
    for (unsigned i = 0; i < n && !out_interrupted(); i++)
        show_site(&sites[i], depth, "other places");
    show_site(&total, depth, "in all");
}

/* Where an address of the direct map, or a mapped one, is in RAM; below, it is physical itself. */
static u64 physical_of(u64 at)
{
    struct paging_path path;
    if (at < MM_RAM_LIMIT)
        return at;
    paging_walk(paging_kernel_top(), virt(at), &path);
    return path.mapped ? path.phys.addr : at;
}

/* Where a byte of an object's slot lies that is not the object's. */
static void show_place(const struct mm_owner *owner, u64 at)
{
    if (at - owner->start >= owner->bytes)
        out("  %-10s 0x%lx lies %s it, in its red zone\n", "place", at, at < owner->start ? "before" : "behind");
}

static bool run_owner(struct call *call)
{
    struct mm_owner owner;
    u64 at;
    if (call->n && !call_number(call, 0, &at))
        return false;
    if (!has_feature(MM_DEBUG_OWNER, "owner"))
        return false;
    if (!call->n) {
        show_sites(0, 1);
        show_records();
        return true;
    }
    if (!mm_debug_owner(phys(physical_of(at)), &owner))
        return out_error("0x%lx: no call of kmalloc, alloc_pages or frame_alloc is known to have taken it; whatis tells what "
                         "it is", at);
    out("  %-10s %s, %s\n", "block", format_range(owner.start, owner.start + owner.bytes).s,
        format_size(owner.bytes).s);
    show_place(&owner, physical_of(at));
    show_owner(&owner, MM_DEBUG_CALLERS);
    return true;
}

/* ---- leak ---- */

static struct {
    bool set;
    u64 sequence;
} mark;

static bool run_mark(void)
{
    struct mm_debug_info info;
    mm_debug_info(&info);
    mark.set = true;
    mark.sequence = info.sequence;
    return out_ok();
}

static bool check_leaks(void)
{
    struct mm_debug_info info;
    struct mm_site total;
    unsigned n;
    if (!mark.set)
        return out_error("there is no mark: 'leak mark' sets one");
    mm_debug_info(&info);
    mm_debug_sites(mark.sequence, 1, &n, &total);
    out("calls of the allocators since the mark: %s; taken, and not given back:%s\n",
        format_thousands(info.sequence - mark.sequence).s, total.bytes || total.n ? "" : " nothing");
    if (!total.bytes && !total.n)
        return true;
    show_sites(mark.sequence, MM_DEBUG_CALLERS);
    if (info.n_untracked)
        show_records();
    return true;
}

static bool run_leak(struct call *call)
{
    if (!choice_find(call->command->choices, call->argument[0]))
        return out_error("unknown sub-command 'leak %s'; there are mark and check", call->argument[0]);
    if (!has_feature(MM_DEBUG_OWNER, "owner"))
        return false;
    return strcmp(call->argument[0], "mark") == 0 ? run_mark() : check_leaks();
}

/* ---- trace ---- */

static const char *const event_names[] = {"kmalloc",     "kfree",      "alloc_pages", "free_pages",
                                          "frame_alloc", "frame_free", "map",         "unmap"};

static bool is_about(const struct mm_event *event, u64 at)
{
    bool is_map = event->kind == MM_EVENT_MAP || event->kind == MM_EVENT_UNMAP;
    u64 start = event->address, bytes = event->bytes ? event->bytes : 1;
    if (!is_map) {
        at = physical_of(at);
        start = physical_of(start);
    }
    return (event->address || event->refused) && at - start < bytes;
}

static void show_event(const struct mm_event *event)
{
    char address[24] = "failed";
    if (event->address || event->refused)
        ksnprintf(address, sizeof address, "0x%lx", event->address);
    out("%9lu %9s  %3u%s %-11s  %-18s %13s  %s", event->sequence, show_time(event->time_ms).s, event->cpu,
        event->in_interrupt ? "i" : " ", event_names[event->kind], address,
        event->bytes ? format_thousands(event->bytes).s : event->refused ? "-" : "?",
        show_callers(&event->caller, 1).s);
    if (event->refused)
        out("; refused: %s", event->refused);
    out("\n");
}

/* Passes over the events, those about `at` if there is one, but for the first `skip`; how many there were. */
static u64 pass_events(const u64 *at, u64 skip, bool show)
{
    struct mm_event event = {0};
    u64 n = 0;
    while (mm_debug_event_next(event.sequence, &event) && !out_interrupted()) {
        if (at && !is_about(&event, *at))
            continue;
        if (show && n >= skip)
            show_event(&event);
        n++;
    }
    return n;
}

/* trace on, trace off. */
static bool switch_trace(const struct call *call)
{
    if (call_has(call, "-a"))
        return out_error("'trace %s' takes no -a", call->argument[0]);
    if (!has_feature(MM_DEBUG_TRACE, "trace"))
        return false;
    mm_debug_trace(strcmp(call->argument[0], "on") == 0);
    return out_ok();
}

static bool run_trace(struct call *call)
{
    u64 n = TRACE_EVENTS, at, n_kept;
    const u64 *about = call_has(call, "-a") ? &at : NULL;
    if (call->n && choice_find(call->command->choices, call->argument[0]))
        return switch_trace(call);
    if (call->n && !call_number(call, 0, &n))
        return false;
    if (about && !call_option_number(call, "-a", &at))
        return false;
    if (!has_feature(MM_DEBUG_TRACE, "trace"))
        return false;
    n_kept = pass_events(about, 0, false);
    out_styled(OUT_TITLE, "%9s %9s  %3s  %-11s  %-18s %13s  %s", "number", "seconds", "CPU", "call",
               "address", "bytes", "by");
    pass_events(about, n_kept > n ? n_kept - n : 0, true);
    if (!mm_debug_trace_is_on())
        out("no more calls are noted since 'trace off'; 'trace on' goes on\n");
    return true;
}

/* ---- the table ---- */

static const struct choice leak_choices[] = {
    {"mark", "remember what is live now"},
    {"check", "what was taken since, and is live, by call site"},
    {NULL, NULL},
};

static const struct choice trace_choices[] = {
    {"off", "note no more calls, so that those before are kept"},
    {"on", "note them again"},
    {NULL, NULL},
};

static const struct command_option options_trace[] = {
    {"-a", "ADDR", "only calls about this address"},
    {NULL, NULL, NULL},
};

const struct command commands_debug[] = {
    {.name = "owner",
     .usage = "owner [ADDR]",
     .summary =
         "who took the memory at ADDR; or, of all that is live, how much each place of the program took",
     .example = "kmalloc 100\nowner $$\nowner",
     .trouble = "nothing is noted unless the kernel was booted with mm.debug=on, the menu's 'memory debug';\n"
                "  red zones: objects above 512 KiB - 16 have none before them, those above 512 KiB behind them\n"
                "  only what is left of 1 MiB; up to 512 bytes are guarded on a side",
     .run = run_owner,
     .n_max = 1,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_ADDRESS}},
    {.name = "leak",
     .usage = "leak mark|check",
     .summary = "what was taken since the mark and is not given back, by the calls that led to it",
     .example = "leak mark\nkmalloc 100\nleak check",
     .trouble = "as owner; check wants a mark",
     .run = run_leak,
     .choices = leak_choices,
     .n_min = 1,
     .n_max = 1,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_CHOICE}},
    {.name = "trace",
     .usage = "trace [N] [-a ADDR]; trace off|on",
     .summary = "the last N calls (20) of the allocators, on all CPUs, and why some were refused",
     .example = "kmalloc 100\nkfree $$\ntrace 5\ntrace -a $$",
     .trouble = "as owner; each CPU keeps its last calls only, some hundreds to a thousand",
     .run = run_trace,
     .options = options_trace,
     .choices = trace_choices,
     .n_max = 1,
     .flags = COMMAND_LOOKS,
     .kinds = {ARGUMENT_CHOICE}},
    {.name = NULL},
};
