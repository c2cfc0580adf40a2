/* SPDX-License-Identifier: MIT */
/*
 * Looking at memory as a whole: mm_stat, zones, buddy, slabs, frag.  All of them read copies through
 * mm/inspect.h and print plain lines, or one line of JSON.  memmap is in show_memmap.c.
 */
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/shell/show.h>
#include <kernel/shell/wait.h>
#include <mm/inspect.h>
#include <lib/printf.h>
#include <mm/mm.h>

#define PAGE_ORDER 9 /* 2^9 frames of 4 KiB are one page of 2 MiB */

/* ---- mm_stat ---- */

struct stat_field {
    const char *name;
    size_t offset;
    const char *help;
};

static const struct stat_field stat_fields[] = {
    {"total", offsetof(struct mm_stat_t, total), "RAM of the machine"},
    {"used", offsetof(struct mm_stat_t, used), "not free"},
    {"free", offsetof(struct mm_stat_t, free), "free frames of all zones"},
    {"shared", offsetof(struct mm_stat_t, shared), "in pages allocated as shared"},
    {"cache_used", offsetof(struct mm_stat_t, cache_used), "in live kmalloc objects"},
    {"cache_free", offsetof(struct mm_stat_t, cache_free), "held by kmalloc, not in an object"},
    {"available", offsetof(struct mm_stat_t, available), "free + cache_free"},
};

#define N_STAT_FIELDS (sizeof stat_fields / sizeof stat_fields[0])

static u64 stat_value(const struct mm_stat_t *stat, const struct stat_field *field)
{
    return *(const ul *)((const char *)stat + field->offset);
}

static void stat_print(const struct mm_stat_t *stat, bool human)
{
    for (unsigned i = 0; i < N_STAT_FIELDS; i++) {
        const struct stat_field *field = &stat_fields[i];
        out("%-11s %16s   %s\n", field->name, format_bytes(stat_value(stat, field), human).s, field->help);
    }
}

static void stat_json(const struct mm_stat_t *stat)
{
    struct json json;
    out_json_start(&json);
    json_object(&json, NULL);
    for (unsigned i = 0; i < N_STAT_FIELDS; i++)
        json_number(&json, stat_fields[i].name, stat_value(stat, &stat_fields[i]));
    json_object_end(&json);
    out_json_end();
}

static void stat_show(const struct call *call)
{
    struct mm_stat_t stat = mm_stat();
    if (call_has(call, "-j"))
        stat_json(&stat);
    else
        stat_print(&stat, call_has(call, "-h"));
}

static bool run_mm_stat(struct call *call)
{
    u64 seconds;
    if (!call_has(call, "-w")) {
        stat_show(call);
        return true;
    }
    if (!call_seconds(call_option(call, "-w"), &seconds))
        return false;
    do {
        stat_show(call);
        out_text(call_has(call, "-j") ? "" : "\n");
    } while (wait_seconds(seconds));
    return true;
}

/* ---- zones ---- */

static void zone_print(const struct mm_zone_info *zone, bool human)
{
    bool empty = zone->start == zone->end;
    out("%-8s %-23s", zone->name, empty ? "-" : format_range(zone->start, zone->end).s);
    out(" %11s %11s", format_bytes(zone->managed_bytes, human).s, format_bytes(zone->free_bytes, human).s);
    out(" %11s %11s\n", format_bytes(zone->used_bytes, human).s,
        format_bytes(zone->low_water_bytes, human).s);
}

static void zones_json(void)
{
    struct json json;
    out_json_start(&json);
    json_array(&json, NULL);
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        struct mm_zone_info zone;
        mm_zone_info(i, &zone);
        json_object(&json, NULL);
        json_text(&json, "name", zone.name);
        json_number(&json, "managed", zone.managed_bytes);
        json_number(&json, "free", zone.free_bytes);
        json_number(&json, "used", zone.used_bytes);
        json_number(&json, "low_water", zone.low_water_bytes);
        json_number(&json, "start", zone.start);
        json_number(&json, "end", zone.end);
        json_object_end(&json);
    }
    json_array_end(&json);
    out_json_end();
}

static bool run_zones(struct call *call)
{
    struct mm_start_info info;
    if (call_has(call, "-j")) {
        zones_json();
        return true;
    }
    out_styled(OUT_TITLE, "%-8s %-23s %11s %11s %11s %11s", "zone", "range", "managed", "free", "used",
               "low water");
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        struct mm_zone_info zone;
        mm_zone_info(i, &zone);
        zone_print(&zone, call_has(call, "-h"));
    }
    mm_start_info(&info);
    if (info.n_grown_pages)
        out("NORMAL has grown by %lu pages of UNMAPPED (%s)\n", info.n_grown_pages,
            format_size(info.n_grown_pages * PAGE_2M_SIZE).s);
    return true;
}

/* ---- buddy ---- */

static u64 order_bytes(unsigned order)
{
    return PAGE_4K_SIZE << order;
}

static void buddy_json(const struct mm_zone_info zones[MM_N_ZONES])
{
    struct json json;
    out_json_start(&json);
    json_array(&json, NULL);
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        json_object(&json, NULL);
        json_text(&json, "name", zones[i].name);
        json_array(&json, "free_blocks");
        for (unsigned order = 0; order < MM_N_ORDERS; order++)
            json_number(&json, NULL, zones[i].n_free_blocks[order]);
        json_array_end(&json);
        json_number(&json, "cached", zones[i].cached_bytes);
        json_object_end(&json);
    }
    json_array_end(&json);
    out_json_end();
}

/* One past the highest order with a free block in any zone; at least a page's. */
static unsigned orders_in_use(const struct mm_zone_info zones[MM_N_ZONES])
{
    unsigned n = PAGE_ORDER + 1;
    for (unsigned order = n; order < MM_N_ORDERS; order++) {
        for (unsigned i = 0; i < MM_N_ZONES; i++) {
            if (zones[i].n_free_blocks[order])
                n = order + 1;
        }
    }
    return n;
}

static void buddy_row(const char *title, const struct number_text cells[MM_N_ZONES])
{
    out("%-14s %14s %14s %14s\n", title, cells[0].s, cells[1].s, cells[2].s);
}

static void buddy_print(const struct mm_zone_info zones[MM_N_ZONES])
{
    struct number_text cells[MM_N_ZONES];
    u64 blocks_bytes[MM_N_ZONES] = {0};
    char title[32];
    out_styled(OUT_TITLE, "%-5s %8s %14s %14s %14s", "order", "block", zones[0].name, zones[1].name,
               zones[2].name);
    for (unsigned order = 0, n = orders_in_use(zones); order < n; order++) {
        for (unsigned i = 0; i < MM_N_ZONES; i++) {
            blocks_bytes[i] += zones[i].n_free_blocks[order] * order_bytes(order);
            cells[i] = format_bytes(zones[i].n_free_blocks[order], false);
        }
        ksnprintf(title, sizeof title, "%5u %8s", order, format_size(order_bytes(order)).s);
        buddy_row(title, cells);
    }
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        cells[i] = format_size(blocks_bytes[i]);
    buddy_row("in blocks", cells);
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        cells[i] = format_size(zones[i].cached_bytes);
    buddy_row("in CPU stacks", cells);
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        cells[i] = format_size(zones[i].free_bytes);
    buddy_row("free", cells);
}

static bool run_buddy(struct call *call)
{
    struct mm_zone_info zones[MM_N_ZONES];
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        mm_zone_info(i, &zones[i]);
    if (call_has(call, "-j"))
        buddy_json(zones);
    else
        buddy_print(zones);
    return true;
}

/* ---- slabs ---- */

static void slabs_json(void)
{
    struct json json;
    out_json_start(&json);
    json_array(&json, NULL);
    for (unsigned i = 0; i < MM_N_CLASSES; i++) {
        struct mm_class_info class;
        mm_class_info(i, &class);
        json_object(&json, NULL);
        json_number(&json, "size", class.size_bytes);
        json_number(&json, "live", class.n_live);
        json_number(&json, "objects", class.n_objects);
        json_number(&json, "slabs", class.n_slabs);
        json_number(&json, "bytes", class.slab_bytes);
        json_number(&json, "allocs", class.n_allocs);
        json_number(&json, "frees", class.n_frees);
        json_number(&json, "failures", class.n_failures);
        json_object_end(&json);
    }
    json_array_end(&json);
    out_json_end();
}

static bool run_slabs(struct call *call)
{
    if (call_has(call, "-j")) {
        slabs_json();
        return true;
    }
    out_styled(OUT_TITLE, "%7s %8s %8s %7s %11s %11s %11s %8s", "size", "live", "objects", "slabs", "bytes",
               "allocs", "frees", "failures");
    for (unsigned i = 0; i < MM_N_CLASSES; i++) {
        struct mm_class_info class;
        mm_class_info(i, &class);
        out("%7lu %8lu %8lu %7lu", class.size_bytes, class.n_live, class.n_objects, class.n_slabs);
        out(" %11s %11lu %11lu %8lu\n", format_bytes(class.slab_bytes, call_has(call, "-h")).s,
            class.n_allocs, class.n_frees, class.n_failures);
    }
    return true;
}

/* ---- the table ---- */

static const struct command_option stat_options[] = {
    {"-h", NULL, "sizes for people"},
    {"-j", NULL, "one line of JSON"},
    {"-w", "SECS", "again every SECS seconds until Ctrl-C"},
    {NULL, NULL, NULL},
};

static const struct command_option size_options[] = {
    {"-h", NULL, "sizes for people"},
    {"-j", NULL, "one line of JSON"},
    {NULL, NULL, NULL},
};

static const struct command_option json_options[] = {
    {"-j", NULL, "one line of JSON"},
    {NULL, NULL, NULL},
};

const struct command commands_look[] = {
    {.name = "mm_stat",
     .alias = "free",
     .usage = "mm_stat [-h] [-j] [-w SECS]",
     .summary = "what memory is used for, in bytes",
     .example = "mm_stat -h\nmm_stat -w 2",
     .trouble = "nothing; total = used + free and available = free + cache_free always hold",
     .run = run_mm_stat,
     .options = stat_options,
     .flags = COMMAND_LOOKS},
    {.name = "zones",
     .usage = "zones [-h] [-j]",
     .summary = "the three zones: range, managed, free, used, least ever free",
     .example = "zones -h",
     .trouble = "a zone without RAM shows no range",
     .run = run_zones,
     .options = size_options,
     .flags = COMMAND_LOOKS},
    {.name = "buddy",
     .usage = "buddy [-j]",
     .summary = "free blocks of each order in each zone",
     .example = "buddy",
     .trouble = "nothing; blocks and CPU stacks together are what is free",
     .run = run_buddy,
     .options = json_options,
     .flags = COMMAND_LOOKS},
    {.name = "slabs",
     .usage = "slabs [-h] [-j]",
     .summary = "the 16 kmalloc classes: objects, live ones, slabs, traffic",
     .example = "slabs",
     .trouble = "allocs and frees count by what CPUs' caches took, several objects at once; failures: no memory",
     .run = run_slabs,
     .options = size_options,
     .flags = COMMAND_LOOKS},
    {.name = "memmap",
     .usage = "memmap [-j]",
     .summary = "the firmware's map: raw, merged, and what it is used for",
     .example = "memmap",
     .trouble = "entries that are empty or wrap around are shown and ignored",
     .run = show_memmap,
     .options = json_options,
     .flags = COMMAND_LOOKS},
    {.name = "frag",
     .usage = "frag [-j]",
     .summary = "how broken up free memory is",
     .example = "frag",
     .trouble = "nothing; 100 % means that all free memory is in whole 2 MiB pages",
     .run = show_frag,
     .options = json_options,
     .flags = COMMAND_LOOKS},
    {.name = NULL},
};
