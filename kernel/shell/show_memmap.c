/* SPDX-License-Identifier: MIT */
/*
 * The memory map in three stages: raw as the firmware gave it, merged (sorted, overlaps resolved in favour of
 * the stricter type), and final: what each range is used for.
 *
 * The final stage is computed while printing.  From a position p the label of the byte there is found, and
 * the nearest border behind p where the label may change; neighbours with the same label are printed as one.
 * Cost: a binary search and a look at all reservations for each range, no memory.
 */
#include <kernel/shell/call.h>
#include <kernel/shell/format.h>
#include <kernel/shell/out.h>
#include <kernel/shell/show.h>
#include <lib/string.h>
#include <mm/inspect.h>
#include <mm/memory_map.h>
#include <mm/mm.h>

#define UNUSED_RAM "unused RAM (mem=, or out of reach)"

/* A range of the final stage. */
struct use {
    u64 start, end;
    const char *label; /* NULL: nothing there */
};

/* What the final stage is computed from. */
struct view {
    const struct memory_map *map;
    struct mm_zone_info zone[MM_N_ZONES];
};

static u64 least(u64 a, u64 b)
{
    return a < b ? a : b;
}

/* The reservation that covers p, or NULL; *border comes down to the nearest begin or end of one behind p. */
static const char *reservation_at(u64 p, u64 *border)
{
    const char *found = NULL, *name;
    u64 start, end;
    for (unsigned i = 0; mm_reserved_range(i, &start, &end, &name); i++) {
        if (p < start) {
            *border = least(*border, start);
        } else if (p < end) {
            *border = least(*border, end);
            found = found ? found : name;
        }
    }
    return found;
}

static const char *zone_at(const struct view *view, u64 p, u64 *border)
{
    const char *found = UNUSED_RAM;
    for (unsigned i = 0; i < MM_N_ZONES; i++) {
        const struct mm_zone_info *zone = &view->zone[i];
        if (p < zone->start) {
            *border = least(*border, zone->start);
        } else if (p < zone->end) {
            *border = least(*border, zone->end);
            found = zone->name;
        }
    }
    return found;
}

/* The label of p in a range of usable memory: zones have whole frames only, and the map's limit may end
 * them early. */
static const char *usable_at(const struct view *view, u64 p, const struct memory_range *range, u64 *border)
{
    u64 frame = p & PAGE_4K_MASK, last = range->end & PAGE_4K_MASK;
    if (frame < range->start || frame >= last) {
        *border = least(*border, frame + PAGE_4K_SIZE);
        return "less than a frame";
    }
    *border = least(*border, last);
    if (p >= view->map->usable_limit)
        return UNUSED_RAM;
    *border = least(*border, view->map->usable_limit);
    return zone_at(view, p, border);
}

/* What the byte at p is used for. */
static const char *label_at(const struct view *view, u64 p, u64 *border)
{
    struct memory_range range;
    const char *reserved = reservation_at(p, border);
    bool covered = memory_map_next(view->map, p, &range);
    if (covered && range.start > p) {
        *border = least(*border, range.start);
        covered = false;
    }
    if (covered)
        *border = least(*border, range.end);
    if (reserved)
        return reserved;
    if (!covered)
        return NULL;
    if (range.type != MEMORY_USABLE)
        return memory_map_type_name(range.type);
    return usable_at(view, p, &range, border);
}

static bool same_label(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

/* The first range with a label at or after `from`. */
static bool next_use(const struct view *view, u64 from, struct use *out)
{
    *out = (struct use){0};
    while (from < MEMORY_MAP_END) {
        u64 border = MEMORY_MAP_END;
        const char *label = label_at(view, from, &border);
        if (out->label && !same_label(label, out->label))
            return true;
        if (label && !out->label)
            *out = (struct use){from, border, label};
        out->end = border;
        from = border;
    }
    return out->label != NULL;
}

/* ---- plain lines ---- */

static void print_range(u64 start, u64 end, const char *text)
{
    out("  0x%012lx  0x%012lx  %9s  %s\n", start, end, format_size(end - start).s, text);
}

static void print_raw(const struct memory_map *map)
{
    out_styled(OUT_TITLE, "raw: %lu entries, as the firmware gave them", map->n_entries);
    for (u64 i = 0; i < map->n_entries && !out_interrupted(); i++) {
        struct memory_map_entry entry = memory_map_entry(map, i);
        enum memory_map_defect defect = memory_map_defect(map, i);
        bool sound = defect == MEMORY_MAP_SOUND;
        out("  0x%012lx  0x%012lx  %9s  %s (%u)%s%s\n", entry.base, entry.base + entry.length,
            format_size(entry.length).s, memory_map_type_name(entry.type), entry.type, sound ? "" : ": ",
            sound ? "" : memory_map_defect_text(defect));
    }
}

static void print_merged(const struct memory_map *map)
{
    struct memory_range range;
    out_styled(OUT_TITLE, "merged: sorted, the stricter type wins");
    for (u64 from = 0; memory_map_next(map, from, &range) && !out_interrupted(); from = range.end)
        print_range(range.start, range.end, memory_map_type_name(range.type));
}

static void print_final(const struct view *view)
{
    struct use use;
    struct mm_start_info info;
    out_styled(OUT_TITLE, "final: what each range is used for");
    for (u64 from = 0; next_use(view, from, &use) && !out_interrupted(); from = use.end)
        print_range(use.start, use.end, use.label);
    mm_start_info(&info);
    out("usable %s", format_size(memory_map_usable_bytes(view->map)).s);
    out("; metadata inside the zones: page array %s, held bits %s", format_size(info.page_array_bytes).s,
        format_size(info.held_array_bytes).s);
    out(", kernel page tables %s\n", format_size(info.table_bytes).s);
}

/* ---- JSON ---- */

static void json_range(struct json *json, u64 start, u64 end, const char *key, const char *text)
{
    json_object(json, NULL);
    json_number(json, "start", start);
    json_number(json, "end", end);
    json_text(json, key, text);
    json_object_end(json);
}

static void memmap_json(const struct view *view)
{
    const struct memory_map *map = view->map;
    struct json json;
    struct memory_range range;
    struct use use;
    out_json_start(&json);
    json_object(&json, NULL);
    json_array(&json, "raw");
    for (u64 i = 0; i < map->n_entries; i++) {
        struct memory_map_entry entry = memory_map_entry(map, i);
        json_object(&json, NULL);
        json_number(&json, "base", entry.base);
        json_number(&json, "length", entry.length);
        json_number(&json, "type", entry.type);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_array(&json, "merged");
    for (u64 from = 0; memory_map_next(map, from, &range); from = range.end)
        json_range(&json, range.start, range.end, "type", memory_map_type_name(range.type));
    json_array_end(&json);
    json_array(&json, "final");
    for (u64 from = 0; next_use(view, from, &use); from = use.end)
        json_range(&json, use.start, use.end, "use", use.label);
    json_array_end(&json);
    json_object_end(&json);
    out_json_end();
}

bool show_memmap(struct call *call)
{
    struct view view = {.map = mm_firmware_map()};
    for (unsigned i = 0; i < MM_N_ZONES; i++)
        mm_zone_info(i, &view.zone[i]);
    if (call_has(call, "-j")) {
        memmap_json(&view);
        return true;
    }
    print_raw(view.map);
    print_merged(view.map);
    print_final(&view);
    return true;
}
