/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line.  Input: the line.  Whatever it is, what comes out is in range, and each warning is one
 * harmless line.
 */
#include <fuzz.h>

#include <kernel/boot/options.h>

#include <stdlib.h>
#include <string.h>

static void listen(void *context, const char *line)
{
    unsigned *n_warnings = context;

    expect(strnlen(line, BOOT_WARNING_BYTES) < BOOT_WARNING_BYTES && line[0] != '\0');
    for (; *line != '\0'; line++)
        expect(*line >= ' ' && *line <= '~');
    ++*n_warnings;
}

static bool in_range(u64 value, u64 least, u64 most)
{
    return value == 0 || (value >= least && value <= most);
}

static void check(const struct options *o)
{
    expect(fuzz_is_ended(o->autorun, sizeof(o->autorun)));
    expect((unsigned)o->console <= CONSOLE_BOTH && (unsigned)o->panic_action <= PANIC_EXIT);
    expect(in_range(o->zone_dma_bytes, (u64)2 << 20, (u64)4 << 30));
    expect(o->direct_map_bytes == OPTIONS_DIRECT_MAP_ALL ||
           in_range(o->direct_map_bytes, (u64)4 << 20, (u64)32 << 40));
    expect(in_range(o->mem_bytes, (u64)8 << 20, (u64)1 << 52));
    expect(o->smp_cpus <= 4096);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    unsigned n_warnings = 0, n_again = 0;
    struct boot_warnings warnings = {listen, &n_warnings};
    char *line = fuzz_text(data, n);
    struct options options, again;

    memset(&options, 0xa5, sizeof(options));
    memset(&again, 0x5a, sizeof(again));
    options_parse(&options, line, &warnings);
    check(&options);
    expect(n_warnings <= 2 * (strlen(line) + 1));

    /* Nobody listens; and the same line twice says the same as once. */
    warnings.context = &n_again;
    char *twice = malloc(2 * strlen(line) + 4);

    expect(twice != NULL);
    strcpy(twice, line);
    strcat(twice, " ");
    strcat(twice, line);
    options_parse(&again, line, NULL);
    expect(memcmp(&options, &again, sizeof(options)) == 0);
    options_parse(&again, twice, &warnings);
    check(&again);
    if (n_warnings == 0)
        expect(n_again == 0 && memcmp(&options, &again, sizeof(options)) == 0);
    free(twice);
    free(line);
    return 0;
}
