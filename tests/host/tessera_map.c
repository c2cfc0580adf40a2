/* SPDX-License-Identifier: MIT */
/*
 * tessera-map FILE [-j]: what the kernel makes of a memory map, before anything is reserved.
 *
 * Reads the text form (map_text.h; FILE may be - for the standard input), prints the merged map and the
 * usable ranges in whole frames; with -j one line of JSON instead:
 *
 *      {"usable_bytes": N, "ranges": [[base, length], ...]}
 *
 * Warnings about odd entries go to the standard error.  Exit status 0, 1 for a map that cannot be read, 2 for
 * a wrong command line.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map_text.h"

static const char usage[] = "usage: tessera-map FILE [-j]\n"
                            "FILE has one `0xBASE 0xLENGTH TYPE` a line; - is the standard input.\n";

struct arguments {
    const char *file;
    bool json, help;
};

/* Warns about each odd entry; returns how many are ignored as a whole. */
static u64 warn_of_defects(const struct map_text *text, const char *name)
{
    u64 n_ignored = 0;

    for (u64 i = 0; i < text->map.n_entries; i++) {
        enum memory_map_defect defect = memory_map_defect(&text->map, i);
        struct memory_map_entry entry = memory_map_entry(&text->map, i);

        if (defect == MEMORY_MAP_SOUND)
            continue;
        n_ignored += defect == MEMORY_MAP_EMPTY || defect == MEMORY_MAP_WRAPS;
        fprintf(stderr, "%s:%u: warning: 0x%" PRIx64 " 0x%" PRIx64 " %" PRIu32 " %s\n", name, text->lines[i],
                entry.base, entry.length, entry.type, memory_map_defect_text(defect));
    }
    return n_ignored;
}

/* A size in the largest unit that keeps the number at 1 or above. */
static void print_human(u64 bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    unsigned unit = 0;

    for (; value >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1; unit++)
        value /= 1024;
    printf("%.4g %s", value, units[unit]);
}

static void print_text(const struct map_text *text, u64 n_ignored)
{
    const struct memory_map *map = &text->map;
    struct memory_range range = {0};
    u64 usable_bytes = memory_map_usable_bytes(map);

    printf("raw: %" PRIu64 " entries, %" PRIu64 " ignored\n", map->n_entries, n_ignored);
    printf("merged:\n");
    while (memory_map_next(map, range.end, &range))
        printf("  0x%016" PRIx64 " - 0x%016" PRIx64 "  type %" PRIu32 ", %s\n", range.start, range.end,
               range.type, memory_map_type_name(range.type));
    printf("usable, in whole frames:\n");
    range.end = 0;
    while (memory_map_next_usable(map, range.end, &range)) {
        printf("  0x%016" PRIx64 " - 0x%016" PRIx64 "  ", range.start, range.end);
        print_human(range.end - range.start);
        printf("\n");
    }
    printf("total: %" PRIu64 " bytes, ", usable_bytes);
    print_human(usable_bytes);
    printf(", %" PRIu64 " frames\n", usable_bytes / MEMORY_MAP_FRAME_BYTES);
}

static void print_json(const struct memory_map *map)
{
    struct memory_range range = {0};
    const char *separator = "";

    printf("{\"usable_bytes\": %" PRIu64 ", \"ranges\": [", memory_map_usable_bytes(map));
    while (memory_map_next_usable(map, range.end, &range)) {
        printf("%s[%" PRIu64 ", %" PRIu64 "]", separator, range.start, range.end - range.start);
        separator = ", ";
    }
    printf("]}\n");
}

static bool read_arguments(int n_words, char **words, struct arguments *arguments)
{
    *arguments = (struct arguments){0};
    for (int i = 1; i < n_words; i++) {
        if (strcmp(words[i], "-j") == 0)
            arguments->json = true;
        else if (strcmp(words[i], "-h") == 0 || strcmp(words[i], "--help") == 0)
            arguments->help = true;
        else if (arguments->file == NULL && (words[i][0] != '-' || words[i][1] == '\0'))
            arguments->file = words[i];
        else
            return false;
    }
    return arguments->file != NULL || arguments->help;
}

/* Merges the map once and for all, as the kernel does: there may be any number of entries. */
static void *sort_map(struct memory_map *map)
{
    void *room = malloc(MEMORY_MAP_SORT_BYTES(map->n_entries) + 1);

    if (room != NULL) /* else it only takes longer */
        memory_map_sort(map, room);
    return room;
}

static bool read_map(struct map_text *text, const char *path, const char *name)
{
    char error[MAP_TEXT_ERROR_BYTES];
    bool from_stdin = strcmp(path, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(path, "r");

    if (file == NULL) {
        fprintf(stderr, "error: %s: %s\n", name, strerror(errno));
        return false;
    }

    bool good = map_text_read(text, file, name, error);

    if (!good)
        fprintf(stderr, "error: %s\n", error);
    if (!from_stdin)
        fclose(file);
    return good;
}

int main(int n_words, char **words)
{
    struct arguments arguments;
    struct map_text text;

    if (!read_arguments(n_words, words, &arguments)) {
        fputs(usage, stderr);
        return 2;
    }
    if (arguments.help)
        return fputs(usage, stdout) < 0;

    const char *name = strcmp(arguments.file, "-") == 0 ? "(standard input)" : arguments.file;

    if (!read_map(&text, arguments.file, name))
        return 1;

    u64 n_ignored = warn_of_defects(&text, name);
    void *room = sort_map(&text.map);

    if (arguments.json)
        print_json(&text.map);
    else
        print_text(&text, n_ignored);
    free(room);
    map_text_free(&text);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "error: cannot write: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}
