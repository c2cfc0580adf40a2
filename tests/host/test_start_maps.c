/* SPDX-License-Identifier: MIT */
/*
 * Starting mm on what firmware reports: the maps of tests/maps, those of ../shared/maps where they are, and
 * made-up ones with overlaps and nonsense.  It comes up sound with exactly the usable memory, or says why
 * not.
 */
#include <cmocka_all.h>
#include <map_machine.h>
#include <map_text.h>
#include <paging_tools.h>

#include <lib/bits.h>
#include <lib/string.h>
#include <mm/inspect.h>

#include <dirent.h>
#include <stdlib.h>

#define SMALL_BYTES   MIB(96) /* so small that all of it is taken and given back */
#define N_RANDOM_MAPS 300
#define RANDOM_SEED   0x5eed5eed5eed5eedUL

static int stop_machine(void **state)
{
    (void)state;
    machine_stop();
    return 0;
}

static const struct machine_options all_options[] = {
    {0},
    {.no_gigabyte_pages = true, .dma_bytes = MIB(9)},
    {.direct_map_bytes = ~0UL},
    {.mem_bytes = MIB(48)},
};

/* Whether there must be enough to start with: 16 MiB above the first two and below 2 GiB are, unless a
 * machine is large. */
static bool is_large_enough(const struct memory_map *given, u64 mem_bytes)
{
    struct memory_map map = *given;
    struct memory_range run;
    u64 bytes = 0;

    memory_map_limit(&map, mem_bytes);
    for (u64 from = MIB(2); memory_map_next_usable(&map, from, &run) && run.start < GIB(2); from = run.end)
        bytes += min_u64(run.end, GIB(2)) - run.start;
    return bytes >= MIB(16);
}

/* Starts a machine with this map; `name` is for messages.  Returns whether it came up. */
static bool try_map(const char *name, const struct memory_map *map, const struct machine_options *options)
{
    const char *wrong = map_machine_start(map, options);

    if (wrong != NULL) {
        if (is_large_enough(map, options->mem_bytes))
            fail_msg("%s: %s", name, wrong);
        return false;
    }
    assert_started();
    if (mm_stat().total <= SMALL_BYTES)
        assert_all_can_be_taken();
    assert_int_equal(mm_misuse_count(), 0);
    return true;
}

static bool try_file(const char *path)
{
    char error[MAP_TEXT_ERROR_BYTES];
    FILE *file = fopen(path, "r");
    struct map_text text;
    bool started = false;

    if (file == NULL || !map_text_read(&text, file, path, error))
        fail_msg("%s", file == NULL ? path : error);
    for (unsigned i = 0; i < ARRAY_LENGTH(all_options); i++)
        started |= try_map(path, &text.map, &all_options[i]);
    map_text_free(&text);
    fclose(file);
    return started;
}

/* All maps of a folder; how many of them started, -1 when there is no such folder. */
static int try_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int n_started = 0;
    char path[512];

    if (dir == NULL)
        return -1;
    while ((entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);

        if (length < 4 || strcmp(entry->d_name + length - 4, ".map") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        n_started += try_file(path);
    }
    closedir(dir);
    return n_started;
}

static void our_maps_start(void **state)
{
    (void)state;
    assert_true(try_folder("tests/maps") >= 9); /* one has no usable memory, one almost none */
}

static void maps_of_the_field_start_where_they_are(void **state)
{
    (void)state;
    assert_int_not_equal(try_folder("../shared/maps/field"), 0);
}

static u64 random_address(u64 *random, u64 limit)
{
    u64 at = random_below(random, limit);

    return random_below(random, 3) == 0 ? at : align_down(at, random_below(random, 2) ? MIB(2) : KIB(4));
}

/* Up to 40 entries of all types within 192 MiB, some of them senseless, over mostly usable memory. */
static u64 random_map(u64 *random, struct memory_map_entry *entries)
{
    static const u32 types[] = {1, 1, 1, 1, 2, 3, 4, 5, 7, 77};
    u64 n_entries = 1 + random_below(random, 40);

    entries[0] = (struct memory_map_entry){0, MIB(64) + random_address(random, MIB(64)), MEMORY_USABLE};
    for (u64 i = 1; i < n_entries; i++) {
        u64 length = random_address(random, random_below(random, 2) ? MIB(16) : KIB(64));

        entries[i] = (struct memory_map_entry){random_address(random, MIB(192)), length,
                                               types[random_below(random, 10)]};
        if (random_below(random, 20) == 0)
            entries[i].length = ~0UL - random_below(random, 2) * entries[i].base;
        if (entries[i].type == MEMORY_USABLE && entries[i].length > MIB(64))
            entries[i].type = MEMORY_ACPI_NVS + 1000;
        if (entries[i].length > MIB(64))
            entries[i].base += MIB(128);
    }
    return n_entries;
}

static void made_up_maps_start(void **state)
{
    static struct memory_map_entry entries[64];
    u64 random = RANDOM_SEED;
    unsigned n_started = 0;
    char name[32];

    (void)state;
    for (unsigned i = 0; i < N_RANDOM_MAPS; i++) {
        struct memory_map map = {.entries = entries, .stride_bytes = sizeof(entries[0])};
        const struct machine_options options = {
            .old_cpu = random_below(&random, 2),
            .mem_bytes = random_below(&random, 4) == 0 ? random_below(&random, MIB(128)) : 0,
            .dma_bytes = random_below(&random, 4) == 0 ? random_below(&random, MIB(40)) : 0,
            .direct_map_bytes = random_below(&random, 4) == 0 ? MIB(32) + random_below(&random, MIB(99)) : 0,
        };

        snprintf(name, sizeof(name), "made-up map %u", i);
        map.n_entries = random_map(&random, entries);
        n_started += try_map(name, &map, &options);
    }
    assert_true(n_started > N_RANDOM_MAPS / 2);
}

/* What a map of thousands of entries costs is room for a copy of it. */
static void a_map_of_thousands_of_entries_starts(void **state)
{
    static struct memory_map_entry entries[3000];
    struct memory_map map = {.entries = entries, .n_entries = 3000, .stride_bytes = sizeof(entries[0])};

    (void)state;
    entries[0] = (struct memory_map_entry){0, MIB(64), MEMORY_USABLE};
    for (u64 i = 1; i < 3000; i++)
        entries[i] =
            (struct memory_map_entry){MIB(40) + i * KIB(8), KIB(4), i % 2 ? MEMORY_RESERVED : MEMORY_USABLE};
    assert_true(try_map("3000 entries", &map, &all_options[0]));
    assert_ptr_not_equal(mm_firmware_map()->entries, entries);
    assert_int_equal(mm_firmware_map()->n_entries, 3000);
}

/* Usable memory, and frames of type 2 in it and behind it, in no order. */
static void fill_shuffled(struct memory_map_entry *entries, u64 n, u64 reserved_from)
{
    u64 random = RANDOM_SEED;

    entries[0] = (struct memory_map_entry){0, MIB(64), MEMORY_USABLE};
    for (u64 i = 1; i < n; i++) {
        u64 other = random_below(&random, i + 1);

        entries[i] = entries[other];
        entries[other] = (struct memory_map_entry){reserved_from + i * KIB(8), KIB(4), MEMORY_RESERVED};
    }
}

/* Sorted for the test's own questions; mm is not told. */
static void forty_thousand_shuffled_entries_start(void **state)
{
    enum { N = 40000 };
    static struct memory_map_entry entries[N];
    static u8 room[MEMORY_MAP_SORT_BYTES(N)] __attribute__((aligned(8)));
    struct memory_map map = {.entries = entries, .n_entries = N, .stride_bytes = sizeof(entries[0])};

    (void)state;
    fill_shuffled(entries, N, MIB(63));
    memory_map_sort(&map, room);
    assert_true(try_map("40000 entries", &map, &all_options[0]));
    assert_int_equal(mm_firmware_map()->n_ranges, map.n_ranges);
    for (u64 i = 0; i < map.n_ranges; i++)
        assert_true(mm_firmware_map()->ranges[i].end == map.ranges[i].end);
    for (u64 i = 0; i < N; i++)
        assert_true(memory_map_entry(mm_firmware_map(), i).base == entries[i].base);
}

/* Where NORMAL begins there is one frame, and then a hole. */
static void a_sorted_map_stays_where_it_is_when_early_frames_are_too_few(void **state)
{
    enum { N = 300 };
    static struct memory_map_entry entries[N];
    struct memory_map map = {.entries = entries, .n_entries = N, .stride_bytes = sizeof(entries[0])};
    const struct machine_options options = {.dma_bytes = MIB(2)};
    u64 start, end, at = 0;
    const char *name = "";

    (void)state;
    fill_shuffled(entries, N, MIB(80));
    entries[0] = (struct memory_map_entry){MIB(2) + KIB(4), KIB(4), MEMORY_RESERVED};
    entries[1] = (struct memory_map_entry){0, MIB(64), MEMORY_USABLE};
    assert_true(try_map("a hole in early frames", &map, &options));
    assert_non_null(mm_firmware_map()->ranges);
    for (unsigned i = 0; mm_reserved_range(i, &start, &end, &name); i++)
        at = strcmp(name, "the firmware's map") == 0 ? start : at;
    assert_int_not_equal(at, 0);
    assert_ptr_equal(mm_firmware_map()->ranges, phys_pointer(phys(at)));
}

/* Runs of 10 frames: enough for a copy of the map, not for sorting it. */
static void a_map_without_room_to_sort_it_starts_raw(void **state)
{
    enum { N = 600 };
    static struct memory_map_entry entries[N];
    struct memory_map map = {.entries = entries, .n_entries = N, .stride_bytes = sizeof(entries[0])};

    (void)state;
    for (u64 i = 0; i < N; i++)
        entries[i] = (struct memory_map_entry){MACHINE_IMAGE_END + i * KIB(44), KIB(40), MEMORY_USABLE};
    entries[0] = (struct memory_map_entry){0, MACHINE_IMAGE_END, MEMORY_USABLE};
    assert_true(try_map("runs of 10 frames", &map, &all_options[0]));
    assert_null(mm_firmware_map()->ranges);
}

static void thousands_of_entries_without_room_to_sort_them_are_refused(void **state)
{
    enum { N = 5000 };
    static struct memory_map_entry entries[N];
    struct memory_map map = {.entries = entries, .n_entries = N, .stride_bytes = sizeof(entries[0])};
    struct mm_boot *boot = machine_build(NULL, 0, &all_options[0]);

    (void)state;
    for (u64 i = 0; i < N; i++)
        entries[i] = (struct memory_map_entry){MACHINE_IMAGE_END + i * KIB(8), KIB(4), MEMORY_USABLE};
    boot->map = map;
    assert_string_equal(mm_start(boot), "no room to sort the firmware's map");
}

#define TEST(name) cmocka_unit_test_teardown(name, stop_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(our_maps_start),
        TEST(maps_of_the_field_start_where_they_are),
        TEST(made_up_maps_start),
        TEST(a_map_of_thousands_of_entries_starts),
        TEST(forty_thousand_shuffled_entries_start),
        TEST(a_sorted_map_stays_where_it_is_when_early_frames_are_too_few),
        TEST(a_map_without_room_to_sort_it_starts_raw),
        TEST(thousands_of_entries_without_room_to_sort_them_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
